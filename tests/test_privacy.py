"""Plant a patient in many files, run everything, and look for the patient in all that is written."""

import logging

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydicom.dataset import Dataset
from streamlit.testing.v1 import AppTest

from cxr_core.cli.main import main
from cxr_core.imaging import phantom_dicom
from cxr_core.settings import settings

PLANTED = ("QZPLANTEDNAME", "QZPLANTEDID", "QZPLANTEDADDRESS", "QZPLANTEDPHYSICIAN", "19010203", "QZFREETEXT")
SECRETS = [secret.encode() for secret in PLANTED]


def planted(number: int) -> bytes:
    rng = np.random.default_rng(number)
    item = Dataset()
    item.PatientID = "QZPLANTEDID"
    data = phantom_dicom(
        96,
        84,
        PatientName="QZPLANTEDNAME^A",
        PatientID=f"QZPLANTEDID{number}",
        PatientBirthDate="19010203",
        PatientAddress="QZPLANTEDADDRESS",
        PatientComments="QZFREETEXT",
        OtherPatientIDsSequence=[item],
        ReferringPhysicianName="QZPLANTEDPHYSICIAN",
        InstitutionName="QZFREETEXT",
        ImageComments="QZFREETEXT",
        WindowCenterWidthExplanation="QZFREETEXT",
        # free text in fields that are looked at
        **{keyword: "QZFREETEXT" for keyword in ("BodyPartExamined", "ViewPosition", "PatientSex") if number % 4 == 1},
    )
    if number % 4 == 2:
        return data[: int(rng.integers(400, len(data)))]
    if number % 4 == 3:
        broken = bytearray(data)
        for at in rng.integers(140, 1200, 12):
            broken[at] ^= 1 << int(rng.integers(8))
        return bytes(broken)
    return data


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    for number in range(12):
        (folder / f"{number:03d}.dcm").write_bytes(planted(number))
    return folder


def assert_clean(*texts: bytes) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in text, secret


def test_they_are_planted(study):
    whole = (study / "000.dcm").read_bytes()
    assert all(secret in whole for secret in SECRETS)


@pytest.mark.parametrize("files", [24, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_of_a_patient_is_in_what_the_command_writes(files, tmp_path, capfd, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study, few = tmp_path / "study", tmp_path / "few"
    study.mkdir()
    for number in range(files):
        (study / f"{number:03d}.dcm").write_bytes(planted(number))
    few.mkdir()
    for number in range(16):
        (few / f"{number}.dcm").write_bytes(planted(number))
    with caplog.at_level(logging.DEBUG):
        assert main(["predict", str(study), "--json", "--out", "out.jsonl"]) == 3
        assert main(["predict", str(study), "--csv", "--out", "out.csv"]) == 3
        assert main(["predict", str(few), "--heatmaps", "maps", "--sheet", "sheets"]) == 3
        main(["predict", str(study), "--read-anyway", "a test"])
        assert main(["predict", str(few), "--archive", "archive", "--workers", "1"]) == 3
    out, err = capfd.readouterr()
    assert_clean(out.encode(), err.encode(), caplog.text.encode())
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not {few, study} & set(path.parents)]
    assert len(written) > 60
    for table in ("findings", "refused"):
        rows = pq.read_table(f"archive/{table}")
        assert rows.num_rows
        assert_clean(str(rows.to_pylist()).encode())
    for path in written:
        assert_clean(str(path.relative_to(tmp_path)).encode(), path.read_bytes())


@pytest.mark.parametrize("identity", ["screen", "off"])
def test_a_patient_is_on_the_screen_where_the_setting_says_so_and_nowhere_else(identity, study, caplog, monkeypatch):
    from tests.app.test_pages import PROJECT, drop, images, text

    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_IDENTITY", identity)
    settings.cache_clear()
    trail = settings().audit or settings().runs / "audit.jsonl"
    try:
        with caplog.at_level(logging.DEBUG):
            app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300).run()
            drop(app, *((path.name, path.read_bytes()) for path in sorted(study.iterdir())))
            assert not app.exception
            assert len(images(app)) == 12
            named = 0
            for image in list(images(app).values()):
                app.session_state["worklist"].choose(image.digest)
                app.run()
                assert not app.exception
                screen = text(app) + repr(app.main)
                named += "QZPLANTEDNAME, A" in screen and "QZPLANTEDID" in screen
                # the setting allows name, ID, date of birth and description; nothing allows an address or a comment
                secrets = SECRETS if identity == "off" else [b"QZPLANTEDADDRESS", b"QZPLANTEDPHYSICIAN", b"QZFREETEXT"]
                assert not [secret for secret in secrets if secret in screen.encode()]
                assert_clean(repr(image).encode(), repr(image.reading).encode(), repr(image.radiograph).encode())
        assert (named >= 6) == (identity == "screen")
    finally:
        settings.cache_clear()
    assert_clean(caplog.text.encode(), trail.read_bytes() if trail.is_file() else b"")
