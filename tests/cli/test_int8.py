"""``predict --precision int8`` in every form, and the commands that make, show, compare and verify an INT8 graph."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from cxr_core.cli.main import main
from cxr_core.files import file_sha256
from cxr_core.imaging import phantom_dicom
from cxr_core.model import open_model, precision
from cxr_core.model.folder import CARD, INT8_GRAPH, INT8_WEIGHTS, SUMS, sums_file
from cxr_core.model.precision import int8_folder, int8_instructions
from tests.archives import reading, table
from tests.images import made_up_dataset
from tests.small_models import pretended_int8, small_model


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.dcm"
    path.write_bytes(phantom_dicom(256, 224))
    return path


@pytest.fixture
def model(tmp_path, own_folders, any_processor):
    folder = small_model(tmp_path / "small")
    pretended_int8(open_model(str(folder)))
    return folder


def records(capsys, *arguments):
    assert main(["predict", *map(str, arguments), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_names_the_precision_in_the_engine_and_stays_schema_2(image, model, capsys):
    (int8,) = records(capsys, image, "--model", model, "--precision", "int8")
    (float32,) = records(capsys, image, "--model", model)
    assert (int8["engine"], float32["engine"]) == ("openvino-int8", "openvino")
    assert int8["schema"] == float32["schema"] == 2
    assert int8.keys() == float32.keys()
    assert int8["model"] == float32["model"]
    assert [f["score"] for f in int8["findings"]] != [f["score"] for f in float32["findings"]]


def test_a_refused_file_names_it_too(model, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    assert main(["predict", str(tmp_path / "text.png"), "--model", str(model), "--precision", "int8", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["engine"] == "openvino-int8"


def test_text_csv_maps_sheet_and_report_say_so(image, model, tmp_path, capsys, printed):
    options = [str(image), "--model", str(model), "--precision", "int8"]
    folders = [
        "--heatmaps",
        str(tmp_path / "maps"),
        "--sheet",
        str(tmp_path / "sheets"),
        "--pdf",
        str(tmp_path / "pdf"),
    ]
    assert main(["predict", *options, *folders]) == 0
    assert "Model small (demonstration model) at INT8, operating point default" in capsys.readouterr().out
    with np.load(tmp_path / "maps" / "image.npz") as maps:
        assert str(maps["engine"]) == "openvino-int8"
    with Image.open(tmp_path / "maps" / "image_Mass.png") as png:
        assert png.text["Title"] == "Heat map: Mass at INT8"
    assert (tmp_path / "sheets" / "image.png").is_file()
    text = " ".join(printed((tmp_path / "pdf" / "image.pdf").read_bytes()))
    assert "engine openvino-int8" in text
    assert main(["predict", *options, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["engine"] for row in rows} == {"openvino-int8"}


def test_a_sheet_names_it(model, image):
    from cxr_core.model import shared_predictor
    from cxr_core.reading import read_image
    from cxr_core.report.sheet import sheet

    predictor = shared_predictor(str(model), "openvino-int8")
    radiograph, reading = read_image(image.read_bytes(), predictor)
    texts = [text.get_text() for text in sheet(radiograph, reading, predictor.card).texts]
    assert any(" at INT8 · operating point" in text for text in texts)


@pytest.mark.slow
def test_an_archive_is_read_and_resumed_at_one_precision(image, model, tmp_path, capsys):
    options = [str(image), "--model", str(model), "--archive", str(tmp_path / "archive"), "--workers", "1"]
    assert main(["predict", *options, "--precision", "int8"]) == 0
    rows = table(tmp_path / "archive").to_pylist()
    assert {row["engine"] for row in rows} == {"openvino-int8"}
    capsys.readouterr()
    (record,) = records(capsys, image, "--model", model, "--precision", "int8")
    assert {row["label"]: row["score"] for row in rows} == {f["label"]: f["score"] for f in record["findings"]}
    assert main(["predict", *options, "--precision", "int8", "--resume"]) == 0
    assert main(["predict", *options, "--resume"]) == 2


@pytest.mark.slow
def test_readers_of_a_cluster_read_at_the_same_precision(image, tmp_path, ray, own_folders):
    if not int8_instructions():
        pytest.skip("the command and its readers are processes of their own, and this processor has no INT8")
    folder = small_model(tmp_path / "small")
    pretended_int8(open_model(str(folder)))
    options = ["--model", str(folder), "--precision", "int8", "--on", "ray", "--workers", "1"]
    with reading(image, tmp_path / "archive", *options) as command:
        _, errors = command.communicate(timeout=600)
    assert command.returncode == 0, errors
    assert {row["engine"] for row in table(tmp_path / "archive").to_pylist()} == {"openvino-int8"}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--precision", "int4"], 2, "accepted are float32, int8"),
        (["--precision", "int8", "--engine", "tensorflow"], 2, "runs on the engine openvino alone"),
        (["--engine", "openvino-int8"], 2, "Accepted: openvino, tensorflow"),
        (["--precision", "int8"], 4, "it has no INT8 graph"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(image, own_folders, any_processor, capsys, arguments, status, words):
    assert main(["predict", str(image), *arguments]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_processor_that_gains_nothing_is_refused_in_one_line(image, model, capsys, monkeypatch):
    monkeypatch.setattr(precision, "int8_instructions", lambda: ())
    assert main(["predict", str(image), "--model", str(model), "--precision", "int8"]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert "this processor gains little or nothing from it" in line


def test_an_evaluation_is_never_at_int8(tmp_path, own_folders, capsys):
    folder, csv_table = made_up_dataset(tmp_path / "data", patients=2, images=1)
    options = ["--images", str(folder), "--table", str(csv_table), "--engine", "openvino-int8"]
    assert main(["evaluate", *options]) == 2
    assert "Accepted: openvino, tensorflow" in capsys.readouterr().err


def test_show_prints_the_difference_and_verify_checks_the_graph(model, capsys):
    assert main(["models", "show", str(model)]) == 0
    shown = capsys.readouterr().out
    assert "INT8: pretended; ranges from 20 images of 10 patients" in shown
    assert "difference -0.001 (-0.004 to +0.002)" in shown
    assert "strongest cell the same 90.0% (80.0% to 95.0%)" in shown
    assert "INT8 beside float32 on 40 made-up images" in shown
    assert main(["models", "verify", str(model)]) == 0
    assert "small at INT8: all files match" in capsys.readouterr().out
    file = int8_folder(open_model(str(model))) / INT8_WEIGHTS
    file.write_bytes(file.read_bytes() + b"0")
    assert main(["models", "verify", str(model)]) == 4
    done = capsys.readouterr()
    assert "small: all files match" in done.out
    assert "INT8 graph of model small: model.bin was changed" in done.err


def test_a_model_without_the_graph_says_so(own_folders, tmp_path, capsys):
    assert main(["models", "show", str(small_model(tmp_path / "small"))]) == 0
    assert "INT8: no graph; models quantise makes it" in capsys.readouterr().out


def test_calibrating_the_model_makes_its_graph_outdated_until_it_is_made_again(model, image, tmp_path, capsys):
    images, csv_table = made_up_dataset(tmp_path / "data", patients=20, images=2)
    data = ["--images", str(images), "--table", str(csv_table), "--split", "none"]
    before = (int8_folder(open_model(str(model))) / CARD).read_bytes()
    assert main(["calibrate", "--model", str(model), *data]) == 0
    printed = capsys.readouterr().out
    assert "Its INT8 graph was made with the former thresholds, and is refused from now on." in printed
    # all that models quantise requires
    assert f": python -m cxr_core models quantise {model} --images={images} --table={csv_table}\n" in printed
    assert (int8_folder(open_model(str(model))) / CARD).read_bytes() == before
    for command in (
        ["predict", str(image), "--model", str(model), "--precision", "int8"],
        ["models", "verify", str(model)],
    ):
        assert main(command) == 4
        assert "fitted again after the two were compared" in capsys.readouterr().err
    assert main(["models", "show", str(model)]) == 0
    assert "INT8: outdated, and refused." in capsys.readouterr().out
    # float32 reads with the new thresholds
    assert main(["predict", str(image), "--model", str(model)]) == 0
    pretended_int8(open_model(str(model)))
    capsys.readouterr()
    (record,) = records(capsys, image, "--model", model, "--precision", "int8")
    assert record["engine"] == "openvino-int8"
    assert main(["models", "show", str(model)]) == 0
    assert "outdated" not in capsys.readouterr().out


def test_a_graph_of_an_earlier_version_is_refused_with_what_to_do_and_its_model_is_shown(model, image, capsys):
    place = int8_folder(open_model(str(model)))
    card = json.loads((place / CARD).read_text())
    # as before the card was bound to what was fitted for float32
    del card["int8"]["float32_fit_sha256"]
    (place / CARD).write_text(json.dumps(card))
    listed = {name: file_sha256(place / name) for name in (CARD, INT8_GRAPH, INT8_WEIGHTS)}
    (place / SUMS).write_bytes(sums_file(listed))
    for command in (
        ["predict", str(image), "--model", str(model), "--precision", "int8"],
        ["models", "verify", str(model)],
    ):
        assert main(command) == 4
        (line,) = capsys.readouterr().err.splitlines()
        assert "INT8 graph of model small" in line
        assert "models quantise" in line
    assert main(["models", "show", str(model)]) == 0
    shown = capsys.readouterr().out
    assert "Small network" in shown
    assert "INT8: unusable" in shown
    assert "models quantise" in shown


def test_a_model_without_a_graph_is_calibrated_without_a_word_about_it(own_folders, tmp_path, capsys):
    folder = small_model(tmp_path / "small")
    images, csv_table = made_up_dataset(tmp_path / "data", patients=20, images=2)
    data = ["--images", str(images), "--table", str(csv_table), "--split", "none"]
    assert main(["calibrate", "--model", str(folder), *data]) == 0
    assert "INT8" not in capsys.readouterr().out


def test_a_graph_is_made_read_and_compared_by_commands(
    tmp_path, own_folders, image, nncf, any_processor, trail, capsys
):
    folder = small_model(tmp_path / "small")
    images, csv_table = made_up_dataset(tmp_path / "data", patients=20, images=2)
    data = ["--images", str(images), "--table", str(csv_table), "--split", "none"]
    assert main(["models", "quantise", str(folder), *data, "--ranges", "10"]) == 0
    done = capsys.readouterr()
    assert "INT8: post-training quantisation by NNCF" in done.out
    assert "ranges from 10 images of" in done.out
    assert f"Written to {folder / 'openvino-int8'}" in done.out
    # nothing of NNCF's own log and bars
    assert "nncf:" not in done.out + done.err
    assert "Statistics" not in done.out + done.err
    assert '"quantise"' in trail.read_text()
    (record,) = records(capsys, image, "--model", folder, "--precision", "int8")
    assert record["engine"] == "openvino-int8"
    assert main(["models", "precision", str(folder), *data[:4]]) == 0
    compared = capsys.readouterr().out
    assert "INT8 beside float32 on 40 images of patients new to the model (data; 20 patients)" in compared
    assert "thresholds set on others" in compared
    card = json.loads((folder / "openvino-int8" / CARD).read_text())
    assert card["int8"]["range_images"] == 10
