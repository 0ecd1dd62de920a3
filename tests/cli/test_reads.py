import csv
import io
import json
import re
from dataclasses import replace
from datetime import date

import pydicom
import pytest

from cxr_core.access import audit
from cxr_core.cli.main import main
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.labels import NOTICE
from cxr_core.reading import read_image
from cxr_core.report import reading_record
from cxr_core.settings import settings
from cxr_core.store.read_record import ReadOptions
from cxr_core.store.read_tables import opinion_rows
from cxr_core.store.reads import ReadStore
from cxr_core.studies import Patient, StudyHeader
from tests.reads import OPTIONS, made_up_reading, reveal

HEADER = StudyHeader("1.2.3", "1.2.3.4", "PA", Patient("Quendelzahn, Xaver", "QZ-4711"), date(2026, 11, 24))


@pytest.fixture
def home(own_folders):
    return own_folders


@pytest.fixture
def read(home, predictor):
    """The id of a read of a DICOM file by the model that comes with the program, with two opinions."""
    data = phantom_dicom(256, 224, PatientName="Quendelzahn^Xaver", PatientID="QZ-4711")
    _, reading = read_image(data, predictor)
    store = ReadStore()
    image = store.add_image("anna", data, name="a.dcm")
    read = store.save_read(image, reading, ReadOptions(), predictor.card.version, revealed=False)
    store.add_opinion(read, "anna", "Mass", "absent", "not seen")
    reveal(store, read)
    store.add_opinion(read, "anna", "Mass", "present")
    store.close()
    return read


def test_reads_are_listed_and_chosen(home, capsys):
    home.setenv("SECOND_READ_IDENTITY", "store")
    settings.cache_clear()
    store = ReadStore()
    ids = {}
    for reader, header in (("anna", HEADER), ("bert", None)):
        image = store.add_image(reader, reader.encode(), header=header)
        ids[reader] = store.save_read(image, made_up_reading(), OPTIONS, "1", revealed=reader == "anna")
    store.close()
    assert main(["reads", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == set(ids.values())
    (line,) = (line for line in lines if "anna" in line)
    assert "second-read-mini, default  warning; findings shown; 0 s; Quendelzahn, Xaver, QZ-4711" in line
    for options, reader in (
        (["--reader", "bert"], "bert"),
        (["--patient", "quendel"], "anna"),
        (["--patient", "qz-47"], "anna"),
        (["--until", "2020"], None),
        (["--label", "Nonsense"], None),
    ):
        assert main(["reads", "list", *options]) == 0
        out = capsys.readouterr().out
        assert out.split()[0] == ids[reader] if reader else out == "There are no such reads.\n"
    assert main(["reads", "list", "--state", "high"]) == 2


def test_a_read_is_shown_with_its_opinions_and_whether_its_model_is_gone(read, home, capsys):
    assert main(["reads", "show", read[:10]]) == 0
    out = capsys.readouterr().out
    assert NOTICE in out
    assert "absent (first opinion of anna, before the findings were shown" in out
    assert "present (opinion 2 of anna, after the findings were shown" in out
    assert ": not seen\n" in out
    assert "Quendelzahn" not in out
    assert "no longer installed" not in out
    store = ReadStore()
    image = store.add_image("anna", b"another")
    other = store.save_read(image, made_up_reading(), OPTIONS, "1", revealed=True)
    store.close()
    assert main(["reads", "show", other]) == 0
    assert "no longer installed, or has other weights" in capsys.readouterr().out
    assert main(["reads", "export", other, "out", "--pdf"]) == 2
    assert "needs the model's card" in capsys.readouterr().err
    assert main(["reads", "show", "nonsense"]) == 2


def test_the_first_opinion_is_the_last_one_before_the_findings_were_shown(home, tmp_path, capsys):
    store = ReadStore()
    image = store.add_image("anna", b"image")
    read = store.save_read(image, made_up_reading(), OPTIONS, "1", revealed=False)
    store.add_opinion(read, "anna", "Mass", "absent")
    store.add_opinion(read, "anna", "Mass", "uncertain")
    store.save_read(image, made_up_reading(), OPTIONS, "1", revealed=True)
    store.add_opinion(read, "anna", "Mass", "present")
    (row,) = opinion_rows(store)
    store.close()
    assert (row.first, row.final) == ("uncertain", "present")
    assert main(["reads", "show", read]) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if "of anna" in line]
    assert [("first opinion" in line, line.split()[1]) for line in shown] == [
        (False, "absent"), (True, "uncertain"), (False, "present"),
    ]  # fmt: skip
    assert main(["reads", "export", read, str(tmp_path / "out")]) == 0
    rows = list(csv.DictReader((tmp_path / "out" / f"{read}.opinions.csv").read_text().splitlines()))
    assert [(row["number"], row["first"]) for row in rows] == [("0", "False"), ("1", "True"), ("2", "False")]


def test_a_report_has_the_card_that_was_stored_with_the_read(home, tmp_path, capsys, predictor, printed):
    """The weights may be installed with another card since, or no longer."""
    data = phantom_dicom(256, 224)
    _, reading = read_image(data, predictor)
    store = ReadStore()
    reads = []
    for reader, changes in (("anna", {}), ("bert", {"weights_sha256": "ab" * 32})):
        card = replace(predictor.card, title="QZ model of then", limits=("QZ limit of then",), **changes)
        stored = replace(reading, model_sha256=card.weights_sha256)
        image = store.add_image(reader, data, name="a.dcm")
        reads.append(store.save_read(image, stored, ReadOptions(), card.version, revealed=True, card=card))
    store.close()
    for read in reads:
        assert main(["reads", "export", read, str(tmp_path), "--pdf"]) == 0, capsys.readouterr().err
        text = " ".join(printed((tmp_path / f"{read}.pdf").read_bytes()))
        assert "QZ model of then" in text
        assert "QZ limit of then" in text


@pytest.mark.parametrize("identity", ["screen", "off"])
def test_an_export_holds_reading_opinions_and_report(read, home, tmp_path, capsys, printed, identity):
    home.setenv("SECOND_READ_IDENTITY", identity)
    settings.cache_clear()
    assert main(["reads", "export", read, str(tmp_path / "out"), "--pdf"]) == 0
    paths = {path.name.partition(".")[2]: path for path in (tmp_path / "out").iterdir()}
    assert sorted(capsys.readouterr().out.split()) == sorted(map(str, paths.values()))
    assert {path.stat().st_mode & 0o777 for path in paths.values()} == {0o600}
    record = json.loads(paths["json"].read_text())
    store = ReadStore()
    stored = store.read(read)
    store.close()
    assert record["reading"] == json.loads(json.dumps(reading_record(stored.summary.image[:12], stored.reading)))
    assert (record["read"]["reader"], record["read"]["revealed"]) == ("anna", stored.summary.revealed)
    assert [(one["opinion"], one["revealed"]) for one in record["opinions"]] == [("absent", False), ("present", True)]
    rows = list(csv.DictReader(paths["opinions.csv"].read_text().splitlines()))
    assert [(row["label"], row["number"], row["opinion"], row["comment"]) for row in rows] == [
        ("Mass", "0", "absent", "not seen"),
        ("Mass", "1", "present", ""),
    ]
    assert [row["first"] for row in rows] == ["True", "False"]
    assert [one["first"] for one in record["opinions"]] == [True, False]
    assert len(list(csv.DictReader(paths["csv"].read_text().splitlines()))) == len(stored.reading.findings)
    pages = " ".join(printed(paths["pdf"].read_bytes()))
    assert ("Quendelzahn, Xaver" in pages) == (identity == "screen")
    assert re.search(r"Reader: absent \([^)]*before the findings were shown\), now present \(", pages)
    assert "Quendelzahn" not in "".join(paths[name].read_text() for name in ("json", "csv", "opinions.csv"))
    (event,) = audit.read()[0]
    assert (event.what, event.detail, event.images) == ("export", "read", (stored.summary.image,))


def test_commands_name_nobody_where_identity_was_stored_and_is_off(home, predictor, tmp_path, capsys):
    home.setenv("SECOND_READ_IDENTITY", "store")
    settings.cache_clear()
    store = ReadStore()
    image = store.add_image("anna", b"one", name="Quendelzahn.dcm", header=HEADER)
    read = store.save_read(image, made_up_reading(), OPTIONS, "1", revealed=True)
    store.close()
    home.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    for command in (
        ["list"],
        ["list", "--patient", "QZ-4711"],
        ["show", read],
        ["export", read, str(tmp_path / "out")],
    ):
        assert main(["reads", *command]) == 0
    out = capsys.readouterr().out + "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert image.digest[:12] in out
    assert not [word for word in ("Quendelzahn", "QZ-4711") if word in out]


def test_studies_are_deleted_on_request(read, home, capsys):
    store = ReadStore()
    study = store.read(read).summary.study
    store.close()
    assert main(["reads", "delete", "0" * 20]) == 2
    assert main(["reads", "delete"]) == 2
    assert main(["reads", "delete", "--expired"]) == 0
    assert "0 images deleted" in capsys.readouterr().out
    assert main(["reads", "delete", study]) == 0
    assert "1 image deleted" in capsys.readouterr().out
    assert main(["reads", "list"]) == 0
    assert "There are no such reads." in capsys.readouterr().out


DICOM_OPTIONS = ["--sr", "--sc", "--dicom-pdf", "--gsps", "--seg"]


def test_a_read_is_exported_as_dicom_objects_of_its_study(read, home, tmp_path, capsys, dciodvfy):
    for folder in ("out", "again"):
        assert main(["reads", "export", read, str(tmp_path / folder), *DICOM_OPTIONS]) == 0
    made = {path.name.partition(".")[2]: path.read_bytes() for path in (tmp_path / "out").glob("*.dcm")}
    store = ReadStore()
    stored = store.read(read)
    store.close()
    above = sum(finding.state == "above" for finding in stored.reading.findings)
    assert above
    pages = {f"sc-{n}.dcm" for n in range(1, above + 2)}
    assert set(made) == {"sr.dcm", "pdf.dcm", "gsps.dcm", "seg.dcm"} | pages
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}
    for name, content in made.items():
        assert dciodvfy(content) == [], name
        result = pydicom.dcmread(io.BytesIO(content))
        assert (str(result.PatientName), result.PatientID) == ("Quendelzahn^Xaver", "QZ-4711")
        assert result.Manufacturer == "Second Read"
        # not the time of the export, but that of the read
        assert (tmp_path / "again" / f"{read}.{name}").read_bytes() == content
    # the current opinion on Mass
    assert b"now present (" in made["sr.dcm"]
    events = audit.read()[0]
    assert [(event.what, event.detail) for event in events] == [("export", "read")] * 2


def test_what_has_no_dicom_results_is_refused_in_one_line(read, home, tmp_path, capsys, predictor):
    store = ReadStore()
    complete = store.read(read).reading
    without = replace(complete, findings=())
    ids = {}
    for reader, data, reading in (
        ("refused", phantom_dicom(256, 200), without),
        ("png", phantom_png(256, 224), complete),
    ):
        image = store.add_image(reader, data)
        reading = replace(reading, sha256=image.digest)
        ids[reader] = store.save_read(image, reading, ReadOptions(), "1", revealed=True, card=predictor.card)
    store.close()
    for reader, status, message in (("refused", 2, "has no findings"), ("png", 3, "need a DICOM image")):
        assert main(["reads", "export", ids[reader], str(tmp_path / reader), "--sr"]) == status
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not (tmp_path / reader).exists()
    home.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    assert main(["reads", "export", read, str(tmp_path / "off"), "--sr"]) == 2
    assert "SECOND_READ_IDENTITY=off" in capsys.readouterr().err
    assert not (tmp_path / "off").exists()


def test_what_there_is_nothing_to_say_of_is_named(read, home, tmp_path, capsys, predictor):
    store = ReadStore()
    reading = store.read(read).reading
    findings = tuple(replace(finding, state="below") for finding in reading.findings)
    data = phantom_dicom(256, 224, PatientID="another")
    image = store.add_image("anna", data)
    below = replace(reading, findings=findings, sha256=image.digest)
    other = store.save_read(image, below, ReadOptions(), "1", revealed=True, card=predictor.card)
    store.close()
    assert main(["reads", "export", other, str(tmp_path / "out"), "--gsps", "--seg"]) == 0
    error = capsys.readouterr().err
    assert "--gsps: no finding is above" in error
    assert "--seg: no finding is above" in error
    assert not list((tmp_path / "out").glob("*.dcm"))
