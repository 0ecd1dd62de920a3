"""``predict --stability`` in every form, and ``models stability`` into a card."""

import csv
import json
import shutil

import pytest

from cxr_core.cli.main import main
from cxr_core.imaging import SMALL_CHANGES, phantom_dicom
from cxr_core.model import open_model
from cxr_core.model.folder import CARD, FILES, find_model
from cxr_core.report import CSV_COLUMNS
from tests.archives import table
from tests.images import made_up_dataset

NAMES = [change.name for change in SMALL_CHANGES]


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.dcm"
    path.write_bytes(phantom_dicom(256, 224))
    return path


def test_json_has_the_changes_and_of_each_finding_those_that_change_its_state(image, edge_model, capsys):
    assert main(["predict", str(image), "--model", str(edge_model), "--stability", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["small_changes"] == NAMES
    for finding in record["findings"]:
        stability = finding["stability"]
        assert list(stability["scores"]) == NAMES
        expected = [
            name
            for name, score in stability["scores"].items()
            if (score >= finding["threshold"]) != (finding["score"] >= finding["threshold"])
        ]
        assert stability["state_changes_under"] == expected
        assert ("crop-4" in expected) == (finding["label"] == "Effusion")
    assert main(["predict", str(image), "--model", str(edge_model), "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["small_changes"] is None
    assert {finding["stability"] for finding in plain["findings"]} == {None}
    without = [{k: v for k, v in f.items() if k != "stability"} for f in record["findings"]]
    assert without == [{k: v for k, v in f.items() if k != "stability"} for f in plain["findings"]]


def test_text_names_the_finding_and_the_changes(image, edge_model, capsys):
    assert main(["predict", str(image), "--model", str(edge_model), "--stability"]) == 0
    out = capsys.readouterr().out.splitlines()
    (mark,) = (number for number, line in enumerate(out) if "changes under small changes of the image" in line)
    assert out[mark - 1].split()[0] == "Effusion"
    assert "crop of 4 % at each edge" in out[mark]
    assert "No state changes" not in "\n".join(out)


def test_an_archive_has_the_column_of_the_csv(image, edge_model, tmp_path):
    options = ("--model", str(edge_model), "--stability")
    assert main(["predict", str(image), *options, "--csv", "--out", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert "crop-4" in rows["Effusion"]["state_changes_under"].split("; ")
    assert {row["state_changes_under"] for label, row in rows.items() if label != "Effusion"} == {"none"}
    folder = tmp_path / "archive"
    assert main(["predict", str(image), *options, "--archive", str(folder), "--workers", "1"]) == 0
    for row in table(folder).to_pylist():
        written = {column: "" if row[column] is None else str(row[column]) for column in CSV_COLUMNS}
        assert written == rows[row["label"]]
    # an archive without the changes is another one
    again = [str(image), "--model", str(edge_model), "--archive", str(folder), "--resume"]
    assert main(["predict", *again]) == 2


def test_the_rates_are_written_into_the_card_and_nothing_else_is(tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), folder)
    before = {name: (folder / name).read_bytes() for name in FILES if name != CARD}
    images, csv_table = made_up_dataset(tmp_path / "data", patients=8, images=2)
    options = ["--images", str(images), "--table", str(csv_table), "--split", "none", "--sample", "12"]
    assert main(["models", "stability", str(folder), *options]) == 0
    printed = capsys.readouterr().out
    opened = open_model(str(folder))
    stability = opened.card.stability
    assert stability.number_of_images == 12
    assert (stability.images, stability.sampling, stability.left_out) == ("images", "12 drawn at random from 16", 0)
    assert list(stability.per_change) == NAMES
    assert all((folder / name).read_bytes() == data for name, data in before.items())
    assert main(["models", "show", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert printed.strip()[:300] in shown
    assert "rotation by 3° clockwise: a state changes on " in shown


@pytest.mark.parametrize("command", [("models", "stability"), ("calibrate", "--model")])
def test_a_table_without_validation_patients_is_refused(command, tmp_path, capsys):
    images, csv_table = made_up_dataset(tmp_path / "data", patients=8, images=1)
    split = tmp_path / "split.csv"
    split.write_text("patient_id,part\n" + "".join(f"{patient},train\n" for patient in range(1, 9)))
    options = ["--images", str(images), "--table", str(csv_table), "--split", str(split)]
    assert main([*command, "second-read-mini", *options]) == 2
    assert "no image of the table is of a validation patient" in capsys.readouterr().err
