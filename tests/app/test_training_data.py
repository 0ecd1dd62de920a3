"""The page Training data in Streamlit's own test driver: whole cards, older cards, cards of others."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.labels import NOTICE
from cxr_core.model import open_model, write_card
from cxr_core.model.card import Imported, TrainingRecord
from cxr_core.model.folder import CARD, find_model, write_sums
from cxr_core.model.predictor import _load as loaded
from cxr_core.settings import settings
from cxr_core.training.record import LOSS_WORDS
from cxr_core.training.summary import summarise_films
from tests.training.test_summary import made_up_films

PROJECT = Path(__file__).resolve().parents[2]
TRAIN = made_up_films()
SUMMARY = summarise_films({"train": TRAIN, "validation": made_up_films(60, 1, 500), "test": made_up_films(30, 2, 900)})


HISTORY = tuple(
    {"stage": 0.0, "size": 64.0, "step": 10.0 * n, "loss": 0.6 / n, "validation_auc": 0.5 + 0.02 * n}
    for n in range(1, 5)
)


def whole(card):
    counts = {name: part.per_label for name, part in SUMMARY.parts.items()}
    training = dataclasses.replace(card.training, summary=SUMMARY, history=HISTORY)
    return dataclasses.replace(card, training=training, counts=counts)


def older(card):
    training = dataclasses.replace(card.training, summary=None, balance={}, loss=LOSS_WORDS["weighted"])
    return dataclasses.replace(card, training=training)


def crossing(card):
    summary = summarise_films({"train": TRAIN, "validation": TRAIN.select(TRAIN.patients < 10)})
    return dataclasses.replace(card, training=dataclasses.replace(card.training, summary=summary))


def of_others(card):
    origin = Imported("torchxrayvision:all", "a.pt", "0" * 64, "the published one")
    training = TrainingRecord(datasets=("NIH ChestX-ray14", "another"))
    return dataclasses.replace(card, imported=origin, training=training, counts={}, demonstration=False)


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Open the page with a card that is made of the embedded model's."""
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")

    def opened(change) -> AppTest:
        folder = tmp_path / "changed"
        shutil.copytree(find_model("second-read-mini"), folder)
        write_card(dataclasses.replace(change(open_model(str(folder)).card), id="changed"), folder / CARD)
        write_sums(folder)
        monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path))
        monkeypatch.setenv("SECOND_READ_MODEL", "changed")
        settings.cache_clear()
        loaded.cache_clear()
        streamlit.cache_resource.clear()
        app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=120)
        app.switch_page("../../pages/training_data.py").run()
        assert not app.exception
        assert NOTICE in words(app)
        return app

    yield opened
    settings.cache_clear()
    loaded.cache_clear()
    streamlit.cache_resource.clear()


def words(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def figures(app) -> list[str]:
    return [element.proto.alt for element in app.main.get("plotly_chart")]


def test_a_whole_card_shows_every_figure_beside_nih(page):
    app = page(whole)
    shown = figures(app)
    for start in (
        "Bars of the contributions",
        "Curves of the training",
        "Table of patients",
        "Bars of positive films",
        "Table of films that have two labels, 300 films of train",
        "Table of films that have two labels, 112,120 films",
        "Histogram of ages",
        "Bars of films by sex",
    ):
        assert sum(alt.startswith(start) for alt in shown) == 1, start
    assert "ChestX-ray14, whole" in next(alt for alt in shown if alt.startswith("Bars of positive films"))
    assert "0 patients are shared in the 3 pairs" in words(app)
    assert "112,120 films of 30,805 patients" in words(app)
    assert "beyond 120 years, which would be an error: none in this table" in words(app)
    assert "does not hold" not in words(app)


def test_nih_is_put_aside_and_another_part_chosen(page):
    app = page(whole)
    app.toggle[0].set_value(False).run()
    next(box for box in app.selectbox if box.label.startswith("Labels that go")).set_value("validation").run()
    assert not app.exception
    shown = figures(app)
    assert any("60 films of validation" in alt for alt in shown)
    assert not any("112,120" in alt or "ChestX-ray14, whole" in alt for alt in shown)


def test_an_older_card_says_what_it_lacks_and_shows_what_follows_from_its_counts(page):
    app = page(older)
    said = words(app)
    assert "does not hold which labels go together, ages, sexes and views" in said
    assert "python -m cxr_core describe --model changed" in said
    shown = figures(app)
    balance = next(alt for alt in shown if alt.startswith("Bars of the contributions"))
    assert "50.0% after" in balance
    # the split that it was made with is the project's, and its patients are counted there
    assert "train 3,948; validation 1,062; test 266" in next(
        alt for alt in shown if alt.startswith("Table of patients")
    )


def test_patients_on_both_sides_are_a_warning(page):
    said = words(page(crossing))
    both = len(set(TRAIN.patients[TRAIN.patients < 10].tolist()))
    assert "Patients are on both sides." in said
    assert f"train and validation: {both}" in said


def test_of_a_model_of_others_nothing_is_assumed(page):
    app = page(of_others)
    said = words(app)
    assert "training data are not known here" in said
    assert "NIH ChestX-ray14; another" in said
    assert not any(alt.startswith(("Bars of the contributions", "Curves", "Table of patients")) for alt in figures(app))
    assert any(alt.startswith("Histogram of ages. ChestX-ray14, whole: 112,120 films") for alt in figures(app))
