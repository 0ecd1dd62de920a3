"""Figures of the training data: values equal counts of the table."""

import dataclasses

import numpy as np
import pytest

from cxr_core.datasets.splits import Split, read_split
from cxr_core.datasets.summary import summarise_images
from cxr_core.displays import (
    AgeDisplay,
    LabelCooccurrenceDisplay,
    LabelCountsDisplay,
    LossContributionDisplay,
    PatientOverlapDisplay,
    SexAndViewDisplay,
    TrainingLogDisplay,
    as_svg,
    matplotlib_figure,
    plotly_figure,
)
from cxr_core.displays.marks import Bars, Cells, Dots, Line
from cxr_core.labels import LABELS, display_name
from cxr_core.model.card import read_card
from cxr_core.model.folder import CARD, find_model
from cxr_core.model.training_record import LossBalance, StageEnd, TrainingRecord
from cxr_core.training.class_weights import LOSS_DESCRIPTIONS
from tests.datasets.test_summary import made_up_images

IMAGES = made_up_images()
SUMMARY = summarise_images({"train": IMAGES, "validation": made_up_images(120, 1, 80)})


@pytest.fixture(scope="module")
def card():
    """The embedded model's card with counts of the synthetic images and, like older cards, no loss contributions."""
    card = read_card(find_model("second-read-mini") / CARD)
    training = dataclasses.replace(card.training, balance={}, loss=LOSS_DESCRIPTIONS["weighted"], summary=SUMMARY)
    counts = {name: part.per_label for name, part in SUMMARY.parts.items()}
    return dataclasses.replace(card, training=training, counts=counts)


def drawn(display):
    """Draw with both libraries, and return the marks of each panel."""
    chart = display.chart()
    plotly_figure(chart)
    matplotlib_figure(chart)
    assert chart.alt
    return [panel.marks for panel in chart.panels]


def test_loss_contributions_equal_those_computed_from_the_table(card):
    # loss 1 per image; positives weigh the proportion of negatives, and negatives that of positives
    mass = IMAGES.positive[:, LABELS.index("Mass")]
    positives, negatives, images = int(mass.sum()), int((~mass).sum()), len(mass)
    before = (positives / images, negatives / images)
    after = (positives * (negatives / images) / images, negatives * (positives / images) / images)
    display = LossContributionDisplay.of(card)
    row = display.table().set_index("label").loc["Mass"]
    assert (row["positive_before"], row["negative_before"]) == pytest.approx(before)
    assert (row["positive_after"], row["negative_after"]) == pytest.approx(after)
    assert row["positive_proportion_before"] == pytest.approx(positives / images)
    assert row["positive_proportion_after"] == pytest.approx(0.5)
    for marks, (positive, negative) in zip(drawn(display), (before, after), strict=True):
        index = marks[0].x.index("Mass")
        assert (marks[0].y[index], marks[1].y[index]) == pytest.approx((positive, negative))
        assert [mark.name for mark in marks] == ["positive images", "negative images"]


def test_stored_contributions_take_precedence_over_counts_and_a_plain_loss_is_not_weighted(card):
    stored = {label: LossBalance(0.1, 0.9, 0.09, 0.09) for label in LABELS}
    training = dataclasses.replace(card.training, balance=stored)
    assert LossContributionDisplay.of(dataclasses.replace(card, training=training)).balance == stored
    training = dataclasses.replace(card.training, loss=LOSS_DESCRIPTIONS["plain"])
    plain = LossContributionDisplay.of(dataclasses.replace(card, training=training))
    table = plain.table()
    np.testing.assert_array_equal(table["positive_before"], table["positive_after"])
    assert plain.chart().panels[1].y.title == "b: not weighted"


def test_a_label_without_positives_contributes_no_loss(card):
    display = LossContributionDisplay.of(card)
    row = display.table().set_index("label").loc["Hernia"]
    assert (row["positive_after"], row["negative_after"]) == (0, 0)
    assert np.isnan(row["positive_proportion_after"])
    assert "Hernia 0.0% before, no loss after" in display.chart().alt


def test_a_card_without_training_data_shows_messages(card):
    unknown = dataclasses.replace(card, training=TrainingRecord(datasets=()), counts={})
    display = LossContributionDisplay.of(unknown)
    assert display.table().empty
    assert drawn(display) == [(), ()]
    assert "states neither" in display.chart().panels[0].message
    empty = LabelCountsDisplay({})
    assert empty.table().empty
    assert drawn(empty) == [(), ()]
    log = TrainingLogDisplay.of(unknown.training)
    assert log.table().empty
    assert drawn(log) == [(), ()]


def test_counts_are_drawn_for_each_split_and_the_comparison_is_grey(card):
    display = LabelCountsDisplay(dict(card.counts) | {"other": card.counts["train"]}, "other")
    images, patients = drawn(display)
    assert [mark.name for mark in images] == ["train", "validation", "other"]
    assert images[2].colour == "#8A949E"
    index = images[0].x.index("Mass")
    mass = IMAGES.positive[:, LABELS.index("Mass")]
    assert images[0].y[index] == mass.sum()
    assert patients[0].y[index] == len(set(IMAGES.patients[mass].tolist()))
    table = display.table().set_index(["split", "label"])
    assert table.loc[("train", "Mass"), "positive_images"] == mass.sum()
    assert list(images[0].y) == sorted(images[0].y, reverse=True)


def test_cells_are_proportions_of_the_images_of_the_row():
    display = LabelCooccurrenceDisplay("train", SUMMARY.parts["train"])
    ((cells,),) = drawn(display)
    assert isinstance(cells, Cells)
    a, b = LABELS.index("Mass"), LABELS.index("Effusion")
    mass, effusion = IMAGES.positive[:, a], IMAGES.positive[:, b]
    both = int((mass & effusion).sum())
    assert cells.values[a, b] == both / mass.sum()
    assert cells.values[b, a] == both / effusion.sum()
    alone = int((mass & (IMAGES.positive.sum(axis=1) == 1)).sum())
    assert cells.text[a][b] == f"{100 * both / mass.sum():.0f}"
    assert cells.text[a][a] == f"{100 * alone / mass.sum():.0f}"
    assert cells.hover[a][b] == f"Mass, effusion: {both} of {mass.sum()} images"
    assert cells.hover[a][a] == f"Mass, alone: {alone} of {mass.sum()} images"
    (row,) = [row for row in display.chart().table_rows if row[0] == "Effusion and mass"]
    assert row[1:] == (f"{both}", f"{both / effusion.sum():.0%} and {both / mass.sum():.0%}")
    assert cells.rows[a] == f"Mass ({mass.sum()})"
    hernia = LABELS.index("Hernia")
    assert np.isnan(cells.values[hernia]).all()
    assert set(cells.text[hernia]) == {""}
    table = display.table()
    assert len(table) == 14 * 14
    row = table[(table["label"] == "Mass") & (table["other_label"] == "Effusion")].iloc[0]
    assert (row["images"], row["images_of_label"], row["proportion"]) == (both, mass.sum(), both / mass.sum())


def test_ages_are_proportions_of_the_images_with_a_known_age():
    display = AgeDisplay(SUMMARY.parts)
    (marks,) = drawn(display)
    known = IMAGES.ages[(IMAGES.ages <= 120)]
    assert isinstance(marks[0], Line)
    assert marks[0].y[8] == ((known >= 40) & (known < 45)).sum() / len(known)
    assert marks[0].y.sum() == pytest.approx(1)
    assert f"age not known: train, {np.isnan(IMAGES.ages).sum()} images" in display.excluded()
    implausible = (IMAGES.ages > 120).sum()
    assert f"age above 120, which is implausible: train, {implausible} images" in display.excluded()
    table = display.table()
    assert table[table["split"] == "train"]["images"].sum() == len(IMAGES)


def test_sexes_and_views_are_proportions_and_splits_without_them_are_excluded():
    unknown = dataclasses.replace(IMAGES, sexes=np.full(300, ""), ages=np.full(300, np.nan))
    splits = dict(SUMMARY.parts) | summarise_images({"unknown": unknown}).parts
    display = SexAndViewDisplay(splits)
    sexes, views = drawn(display)
    assert [mark.name for mark in sexes] == ["train", "validation"]
    assert [mark.name for mark in views] == ["train", "validation", "unknown"]
    assert sexes[0].x == ("F", "M", "not known")
    assert list(sexes[0].y) == [(IMAGES.sexes == value).mean() for value in ("F", "M", "")]
    assert display.excluded() == ("sex not known: unknown, 300 images",)
    assert [mark.name for mark in drawn(AgeDisplay(splits))[0]] == ["train", "validation"]
    empty = AgeDisplay({"unknown": splits["unknown"]})
    assert empty.chart().panels[0].message == "No age is known."
    drawn(empty)


def test_patient_overlap_and_leakage():
    display = PatientOverlapDisplay.of_summary(SUMMARY)
    ((cells,),) = drawn(display)
    train, validation = ({*images.patients.tolist()} for images in (IMAGES, made_up_images(120, 1, 80)))
    shared = len(train & validation)
    assert shared > 0
    assert cells.values.tolist() == [[len(train), shared], [shared, len(validation)]]
    assert display.leakage() == {("train", "validation"): shared}
    assert display.table()["patients"].tolist() == [len(train), len(validation), shared]
    tests = dataclasses.replace(display, shared={("test", "experts"): 5, ("train", "test"): 0})
    assert tests.leakage() == {}


def test_the_embedded_split_file_has_no_overlap():
    split = read_split()
    display = PatientOverlapDisplay.of_split(split)
    assert sum(display.patients.values()) == len(split.subsets)
    assert set(display.shared.values()) == {0}
    assert list(PatientOverlapDisplay.of_split(Split("s", "0" * 64, {1: "train"})).shared) == []


HISTORY = (
    {"stage": 0.0, "size": 64.0, "step": 10.0, "loss": 0.3, "validation_auc": 0.5},
    {"stage": 0.0, "size": 64.0, "step": 20.0, "loss": 0.2, "validation_auc": 0.7},
    {"stage": 1.0, "size": 128.0, "step": 5.0, "loss": 0.25, "validation_auc": float("nan")},
)


def test_the_training_log_continues_across_stages_and_marks_the_selected_weights():
    training = TrainingRecord(
        datasets=(), history=HISTORY, stages="head:64x2,128x1", stage_ends=(StageEnd(0, 20, 30, 20, 0.7),)
    )
    display = TrainingLogDisplay.of(training)
    assert display.table()["overall_step"].tolist() == [10, 20, 25]
    assert display.stages == ("stage 1: 64 px, last layer only", "stage 2: 128 px")
    loss, auc = drawn(display)
    lines = [mark for mark in loss if isinstance(mark, Line)]
    assert [list(line.y) for line in lines] == [[0.3, 0.2], [0.25]]
    selected = [mark for mark in auc if isinstance(mark, Dots) and mark.name == "selected weights"]
    assert [(list(dots.x), list(dots.y)) for dots in selected] == [([20.0], [0.7])]
    # a missing value is not a point
    assert len([mark for mark in auc if isinstance(mark, Line)]) == 1
    assert "stage 2: 128 px ends with loss 0.250 and AUC not measured" in display.chart().alt


def test_panels_with_the_same_axis_share_its_tick_labels(card):
    chart = LossContributionDisplay.of(card).chart()
    assert plotly_figure(chart).layout.xaxis.showticklabels is False
    assert plotly_figure(chart).layout.xaxis2.showticklabels is None
    # a single panel has its own
    assert [plotly_figure(panel).layout.xaxis.showticklabels for panel in chart.split()] == [None, None]
    svg = as_svg(chart).decode()
    assert svg.count(f">{display_name('Pleural_Thickening')}<") == 1
    assert all(isinstance(mark, Bars) for panel in chart.panels for mark in panel.marks)
