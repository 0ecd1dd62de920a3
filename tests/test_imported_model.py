"""An imported model of 18 labels works everywhere: command, files, cards, pages."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import streamlit
from PIL import Image
from streamlit.testing.v1 import AppTest

from cxr_core.cli.main import main
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.pretrained.catalogue import OUTPUTS, find_published
from cxr_core.ui.file_intake import add_files

pytestmark = pytest.mark.slow  # the import takes half a minute, once

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "image.dcm"
    path.write_bytes(phantom_dicom(512, 448))
    return path


def test_predict_json(imported, image, capsys):
    assert main(["predict", str(image), "--json", "--model", str(imported)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["model"]["id"] == "txv-all"
    assert [finding["label"] for finding in record["findings"]] == list(OUTPUTS)
    points = find_published("all").thresholds
    for finding in record["findings"]:
        assert finding["threshold"] == points[finding["label"]]
        assert finding["state"] == ("above" if finding["score"] >= finding["threshold"] else "below")
        assert finding["probability"] is None
    assert any("familiarity not measured" in reason for reason in record["quality"]["reasons"])


def test_predict_csv_and_words(imported, image, capsys):
    assert main(["predict", str(image), "--csv", "--model", str(imported)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == list(OUTPUTS)
    assert main(["predict", str(image), "--model", str(imported)]) == 0
    words = capsys.readouterr().out
    assert "Enlarged cardiomediastinum" in words
    assert "not evaluated" not in words
    # thresholds of a thousandth are not shown as nought
    assert "0.0022" in words


def test_maps_and_sheet(imported, image, tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("Image Index,Finding Labels\nimage.dcm,Effusion|Mass\n")
    out = ["--heatmaps", str(tmp_path / "maps"), "--sheet", str(tmp_path / "sheets"), "--table", str(table)]
    assert main(["predict", str(image), "--model", str(imported), *out]) == 0
    with np.load(tmp_path / "maps" / "image.npz") as maps:
        assert maps["maps"].shape == (18, 7, 7)
        assert maps["labels"].tolist() == list(OUTPUTS)
        # the centre square of 512 x 448: the first cell's centre is 32 columns and 64 - 32 rows in
        np.testing.assert_allclose(maps["to_original"] @ (0, 0, 1), (31.5, 32 + 31.5))
    pictures = sorted(path.name for path in (tmp_path / "maps").iterdir() if path.suffix == ".png")
    assert len(pictures) == 18
    with Image.open(tmp_path / "sheets" / "image.png") as sheet:
        assert sheet.width > 1500


def test_models_show_list_and_verify(imported, capsys, monkeypatch):
    assert main(["models", "show", str(imported)]) == 0
    shown = capsys.readouterr().out
    for words in (
        "Number of images and split were not published",
        "Imported: torchxrayvision:densenet121-res224-all, given.pt (whole module, torch's legacy format)",
        "published by the authors; the patients behind it are not stated",
        "0.0022",
        "none published (torchxrayvision, BENCHMARKS.md",
        "images possibly seen in training",
        "Familiarity: not measured",
    ):
        assert words in shown, words
    assert main(["models", "show", str(imported), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["training"]["images"] is None
    assert main(["models", "verify", str(imported)]) == 0
    capsys.readouterr()
    from cxr_core.settings import settings

    monkeypatch.setenv("SECOND_READ_HOME", str(imported.parent))
    settings.cache_clear()
    try:
        assert main(["models", "list"]) == 0
    finally:
        settings.cache_clear()
    assert "imported from torchxrayvision:densenet121-res224-all, 18 labels" in capsys.readouterr().out


def text(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


@pytest.fixture
def app(imported, monkeypatch):
    """The pages, with the imported model serving and the embedded one beside it."""
    from cxr_core.model import predictor as module
    from cxr_core.settings import settings

    embedded = imported.parent / "second-read-mini"
    if not embedded.exists():
        embedded.symlink_to(PROJECT / "model_weights" / "second-read-mini")
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_HOME", str(imported.parent))
    monkeypatch.setenv("SECOND_READ_MODEL", "txv-all")
    streamlit.config.set_option("client.showErrorDetails", "full")

    def forget():
        settings.cache_clear()
        module._load.cache_clear()
        streamlit.cache_resource.clear()

    forget()
    yield AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
    embedded.unlink()
    forget()


def test_the_page_reads_an_image_with_it(app):
    app.run()
    assert "For each of 18 findings" in text(app)
    add_files(app.session_state["worklist"], [("image.png", phantom_png(256, 224))])
    app.run()
    assert not app.exception
    (image,) = app.session_state["worklist"].images.values()
    assert image.status == "read"
    assert len(image.reading.findings) == 18
    assert image.reading.class_maps.shape == (18, 7, 7)
    assert "Demonstration model." not in text(app)
    assert (
        "Imported model, not verified. Its operating points come from its authors, who do not state the patients"
        in text(app).replace("</b>", "")
    )
    assert "bone lesions other than fractures" in text(app)


def test_the_findings_list_has_it_all(app):
    from cxr_core.model import shared_predictor
    from cxr_core.reading import read_image
    from cxr_core.ui.findings import findings_message

    predictor = shared_predictor("txv-all", "openvino")
    _, reading = read_image(phantom_dicom(256, 224), predictor)
    message = findings_message(reading, predictor.card, None)
    assert sorted(row["label"] for row in message["rows"]) == sorted(OUTPUTS)
    assert {row["threshold"] for row in message["rows"]} >= {"0.0022 (not verified)", "0.202 (not verified)"}
    assert all(row["bar"] is not None for row in message["rows"])
    assert next(row["caveat"] for row in message["rows"] if row["label"] == "Lung Opacity").startswith("An umbrella")


def test_the_card_page_shows_it_and_the_other_model(app):
    app.switch_page("../../pages/model.py").run()
    assert not app.exception
    words = text(app)
    for part in (
        "Imported from",
        "number not published",
        "the patients behind it are not stated",
        "0.0022",
        "images possibly seen in training",
        "not measured",
    ):
        assert part in words, part
    assert "Positive images and patients per label" not in words
    card = next(box for box in app.selectbox if box.label == "Model")
    card.select("second-read-mini").run()
    assert not app.exception
    assert "nih_128" in text(app)
    assert "Positive images and patients per label" in text(app)
