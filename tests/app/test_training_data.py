"""The page Training data in Streamlit's test driver: complete, older, and imported cards."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.datasets.summary import summarise_images
from cxr_core.labels import NOTICE
from cxr_core.model import open_model, write_card
from cxr_core.model.card import Imported
from cxr_core.model.folder import CARD, find_model, write_sums
from cxr_core.model.predictor import _load as loaded
from cxr_core.model.training_record import TrainingRecord
from cxr_core.settings import settings
from cxr_core.training.class_weights import LOSS_DESCRIPTIONS
from tests.datasets.test_summary import made_up_images

PROJECT = Path(__file__).resolve().parents[2]
TRAIN = made_up_images()
SUMMARY = summarise_images(
    {"train": TRAIN, "validation": made_up_images(60, 1, 500), "test": made_up_images(30, 2, 900)}
)


HISTORY = tuple(
    {"stage": 0.0, "size": 64.0, "step": 10.0 * n, "loss": 0.6 / n, "validation_auc": 0.5 + 0.02 * n}
    for n in range(1, 5)
)


def complete(card):
    counts = {name: part.per_label for name, part in SUMMARY.parts.items()}
    training = dataclasses.replace(card.training, summary=SUMMARY, history=HISTORY)
    return dataclasses.replace(card, training=training, counts=counts)


def older(card):
    training = dataclasses.replace(card.training, summary=None, balance={}, loss=LOSS_DESCRIPTIONS["weighted"])
    return dataclasses.replace(card, training=training)


def leaking(card):
    summary = summarise_images({"train": TRAIN, "validation": TRAIN.select(TRAIN.patients < 10)})
    return dataclasses.replace(card, training=dataclasses.replace(card.training, summary=summary))


def imported(card):
    origin = Imported("torchxrayvision:all", "a.pt", "0" * 64, "the published one")
    training = TrainingRecord(datasets=("NIH ChestX-ray14", "another"))
    return dataclasses.replace(card, imported=origin, training=training, counts={}, demonstration=False)


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Open the page with a changed card of the embedded model."""
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")

    def open_page(change) -> AppTest:
        folder = tmp_path / "changed"
        shutil.copytree(find_model("second-read-mini"), folder)
        write_card(dataclasses.replace(change(open_model(str(folder)).card), id="changed"), folder / CARD)
        write_sums(folder)
        monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path))
        monkeypatch.setenv("SECOND_READ_MODEL", "changed")
        settings.cache_clear()
        loaded.cache_clear()
        streamlit.cache_resource.clear()
        app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
        app.switch_page("../../pages/training_data.py").run()
        assert not app.exception
        assert NOTICE in page_html(app)
        return app

    yield open_page
    settings.cache_clear()
    loaded.cache_clear()
    streamlit.cache_resource.clear()


def page_html(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def figures(app) -> list[str]:
    return [element.proto.alt for element in app.main.get("plotly_chart")]


def test_a_complete_card_shows_every_figure_with_nih_for_comparison(page):
    app = page(complete)
    shown = figures(app)
    for start in (
        "Bars of loss contributions",
        "Training curves",
        "Table of patients",
        "Bars of positive images",
        "Matrix of label co-occurrence, 300 images of train",
        "Matrix of label co-occurrence, 112,120 images",
        "Histogram of ages",
        "Bars of images by sex",
    ):
        assert sum(alt.startswith(start) for alt in shown) == 1, start
    assert "ChestX-ray14, whole" in next(alt for alt in shown if alt.startswith("Bars of positive images"))
    assert "0 patients are shared in the 3 pairs" in page_html(app)
    assert "112,120 images of 30,805 patients" in page_html(app)
    assert "above 120 years, which would be an error: none in this table" in page_html(app)
    assert "does not contain" not in page_html(app)


def test_nih_is_hidden_and_another_split_chosen(page):
    app = page(complete)
    app.toggle[0].set_value(False).run()
    next(box for box in app.selectbox if box.label.startswith("Split for label co-occurrence")).set_value(
        "validation"
    ).run()
    assert not app.exception
    shown = figures(app)
    assert any("60 images of validation" in alt for alt in shown)
    assert not any("112,120" in alt or "ChestX-ray14, whole" in alt for alt in shown)


def test_an_older_card_states_what_is_missing_and_shows_figures_of_its_counts(page):
    app = page(older)
    text = page_html(app)
    assert "does not contain label co-occurrence, ages, sexes and view positions" in text
    assert "python -m cxr_core describe --model changed" in text
    shown = figures(app)
    balance = next(alt for alt in shown if alt.startswith("Bars of loss contributions"))
    assert "50.0% after" in balance
    # patients are counted in the embedded split, with which the model was made
    assert "train 3,948; validation 1,062; test 266" in next(
        alt for alt in shown if alt.startswith("Table of patients")
    )


def test_patient_overlap_is_a_warning(page):
    text = page_html(page(leaking))
    shared = len(set(TRAIN.patients[TRAIN.patients < 10].tolist()))
    assert "Patients are in more than one split." in text
    assert f"train and validation: {shared}" in text


def test_an_imported_model_shows_only_stated_facts(page):
    app = page(imported)
    text = page_html(app)
    assert "training data are not available here" in text
    assert "NIH ChestX-ray14; another" in text
    assert not any(
        alt.startswith(("Bars of loss contributions", "Training curves", "Table of patients")) for alt in figures(app)
    )
    assert any(alt.startswith("Histogram of ages. ChestX-ray14, whole: 112,120 images") for alt in figures(app))
