"""The figures of the training data hold the numbers of the table, counted by hand."""

import dataclasses

import numpy as np
import pytest

from cxr_core.displays import (
    AgesDisplay,
    BalanceDisplay,
    CountsDisplay,
    LogDisplay,
    PatientsDisplay,
    SexesAndViewsDisplay,
    TogetherDisplay,
    as_svg,
    on_paper,
    on_screen,
)
from cxr_core.displays.marks import Bars, Cells, Dots, Line
from cxr_core.labels import LABELS, display_name
from cxr_core.model.card import TrainingRecord, read_card
from cxr_core.model.folder import CARD, find_model
from cxr_core.model.schooling import LossBalance, StageEnd
from cxr_core.training.record import LOSS_WORDS
from cxr_core.training.splits import Split, read_split
from cxr_core.training.summary import summarise_films
from tests.training.test_summary import made_up_films

FILMS = made_up_films()
SUMMARY = summarise_films({"train": FILMS, "validation": made_up_films(120, 1, 80)})


@pytest.fixture(scope="module")
def card():
    """The embedded model's card, as if it had been trained on the made-up films, before cards held a balance."""
    card = read_card(find_model("second-read-mini") / CARD)
    training = dataclasses.replace(card.training, balance={}, loss=LOSS_WORDS["weighted"], summary=SUMMARY)
    counts = {name: part.per_label for name, part in SUMMARY.parts.items()}
    return dataclasses.replace(card, training=training, counts=counts)


def drawn(display):
    """Draw on both, and return the marks of each panel."""
    chart = display.chart()
    on_screen(chart)
    on_paper(chart)
    assert chart.alt
    return [panel.marks for panel in chart.panels]


def test_the_shares_of_the_loss_are_those_of_the_table_by_hand(card):
    # by hand: each film loses 1; positives weigh the share of negatives and negatives the share of positives
    mass = FILMS.labels[:, LABELS.index("Mass")]
    positives, negatives, films = int(mass.sum()), int((~mass).sum()), len(mass)
    before = (positives / films, negatives / films)
    after = (positives * (negatives / films) / films, negatives * (positives / films) / films)
    display = BalanceDisplay.of(card)
    row = display.table().set_index("label").loc["Mass"]
    assert (row["positive_before"], row["negative_before"]) == pytest.approx(before)
    assert (row["positive_after"], row["negative_after"]) == pytest.approx(after)
    assert row["positive_share_before"] == pytest.approx(positives / films)
    assert row["positive_share_after"] == pytest.approx(0.5)
    for marks, (positive, negative) in zip(drawn(display), (before, after), strict=True):
        at = marks[0].x.index("Mass")
        assert (marks[0].y[at], marks[1].y[at]) == pytest.approx((positive, negative))
        assert [mark.name for mark in marks] == ["positive films", "negative films"]


def test_the_cards_own_balance_goes_before_its_counts_and_a_plain_loss_is_not_balanced(card):
    own = {label: LossBalance(0.1, 0.9, 0.09, 0.09) for label in LABELS}
    training = dataclasses.replace(card.training, balance=own)
    assert BalanceDisplay.of(dataclasses.replace(card, training=training)).balance == own
    training = dataclasses.replace(card.training, loss=LOSS_WORDS["plain"])
    plain = BalanceDisplay.of(dataclasses.replace(card, training=training))
    table = plain.table()
    np.testing.assert_array_equal(table["positive_before"], table["positive_after"])
    assert plain.chart().panels[1].y.title == "b: not weighted"


def test_a_label_without_positives_weighs_nothing_and_is_said_so(card):
    display = BalanceDisplay.of(card)
    row = display.table().set_index("label").loc["Hernia"]
    assert (row["positive_after"], row["negative_after"]) == (0, 0)
    assert np.isnan(row["positive_share_after"])
    assert "Hernia 0.0% before, nothing after" in display.chart().alt


def test_a_card_that_says_nothing_has_words_instead_of_a_balance(card):
    unknown = dataclasses.replace(card, training=TrainingRecord(datasets=()), counts={})
    display = BalanceDisplay.of(unknown)
    assert display.table().empty
    assert drawn(display) == [(), ()]
    assert "says neither" in display.chart().panels[0].words
    empty = CountsDisplay({})
    assert empty.table().empty
    assert drawn(empty) == [(), ()]
    log = LogDisplay.of(unknown.training)
    assert log.table().empty
    assert drawn(log) == [(), ()]


def test_counts_are_drawn_for_each_part_and_what_stands_beside_is_grey(card):
    display = CountsDisplay(dict(card.counts) | {"other": card.counts["train"]}, "other")
    films, patients = drawn(display)
    assert [mark.name for mark in films] == ["train", "validation", "other"]
    assert films[2].colour == "#8A949E"
    at = films[0].x.index("Mass")
    mass = FILMS.labels[:, LABELS.index("Mass")]
    assert films[0].y[at] == mass.sum()
    assert patients[0].y[at] == len(set(FILMS.patients[mass].tolist()))
    table = display.table().set_index(["part", "label"])
    assert table.loc[("train", "Mass"), "positive_films"] == mass.sum()
    assert list(films[0].y) == sorted(films[0].y, reverse=True)


def test_cells_are_shares_of_the_films_of_the_row_with_counts_in_words():
    display = TogetherDisplay("train", SUMMARY.parts["train"])
    ((cells,),) = drawn(display)
    assert isinstance(cells, Cells)
    a, b = LABELS.index("Mass"), LABELS.index("Effusion")
    mass, effusion = FILMS.labels[:, a], FILMS.labels[:, b]
    both = int((mass & effusion).sum())
    assert cells.values[a, b] == both / mass.sum()
    assert cells.values[b, a] == both / effusion.sum()
    alone = int((mass & (FILMS.labels.sum(axis=1) == 1)).sum())
    assert cells.words[a][b] == f"{100 * both / mass.sum():.0f}"
    assert cells.words[a][a] == f"{100 * alone / mass.sum():.0f}"
    assert cells.hover[a][b] == f"Mass, effusion: {both} of {mass.sum()} films"
    assert cells.hover[a][a] == f"Mass, alone: {alone} of {mass.sum()} films"
    (row,) = [row for row in display.chart().listed if row[0] == "Effusion and mass"]
    assert row[1:] == (f"{both}", f"{both / effusion.sum():.0%} and {both / mass.sum():.0%}")
    assert cells.rows[a] == f"Mass ({mass.sum()})"
    hernia = LABELS.index("Hernia")
    assert np.isnan(cells.values[hernia]).all()
    assert set(cells.words[hernia]) == {""}
    table = display.table()
    assert len(table) == 14 * 14
    row = table[(table["label"] == "Mass") & (table["with"] == "Effusion")].iloc[0]
    assert (row["films"], row["films_of_label"], row["share"]) == (both, mass.sum(), both / mass.sum())


def test_ages_are_shares_of_films_with_an_age_and_the_others_are_said():
    display = AgesDisplay(SUMMARY.parts)
    (marks,) = drawn(display)
    known = FILMS.ages[(FILMS.ages <= 120)]
    assert isinstance(marks[0], Line)
    assert marks[0].y[8] == ((known >= 40) & (known < 45)).sum() / len(known)
    assert marks[0].y.sum() == pytest.approx(1)
    said = display.left_out()
    assert f"age not known: train, {np.isnan(FILMS.ages).sum()} films" in said
    assert f"train: {(FILMS.ages > 120).sum()} films with an age beyond 120, an error of the table" in said
    table = display.table()
    assert table[table["part"] == "train"]["films"].sum() == len(FILMS)


def test_sexes_and_views_are_shares_of_films_and_a_part_of_which_nothing_is_known_is_left_out():
    blind = dataclasses.replace(FILMS, sexes=np.full(300, ""), ages=np.full(300, np.nan))
    parts = dict(SUMMARY.parts) | {"blind": summarise_films({"blind": blind}).parts["blind"]}
    display = SexesAndViewsDisplay(parts)
    sexes, views = drawn(display)
    assert [mark.name for mark in sexes] == ["train", "validation"]
    assert [mark.name for mark in views] == ["train", "validation", "blind"]
    assert sexes[0].x == ("F", "M", "not known")
    assert list(sexes[0].y) == [(FILMS.sexes == word).mean() for word in ("F", "M", "")]
    assert display.left_out() == ("sex not known: blind, 300 films",)
    assert [mark.name for mark in drawn(AgesDisplay(parts))[0]] == ["train", "validation"]
    nothing = AgesDisplay({"blind": parts["blind"]})
    assert nothing.chart().panels[0].words == "No age is known."
    drawn(nothing)


def test_patients_of_two_parts_are_counted_and_those_who_cross_are_named():
    display = PatientsDisplay.of_summary(SUMMARY)
    ((cells,),) = drawn(display)
    train, validation = ({*made.patients.tolist()} for made in (FILMS, made_up_films(120, 1, 80)))
    shared = len(train & validation)
    assert shared > 0
    assert cells.values.tolist() == [[len(train), shared], [shared, len(validation)]]
    assert display.crossing() == {("train", "validation"): shared}
    assert display.table()["patients"].tolist() == [len(train), len(validation), shared]
    tests = dataclasses.replace(display, shared={("test", "experts"): 5, ("train", "test"): 0})
    assert tests.crossing() == {}


def test_the_projects_split_file_holds_no_patient_twice():
    split = read_split()
    display = PatientsDisplay.of_split(split)
    assert sum(display.patients.values()) == len(split.parts)
    assert set(display.shared.values()) == {0}
    assert list(PatientsDisplay.of_split(Split("s", "0" * 64, {1: "train"})).shared) == []


HISTORY = (
    {"stage": 0.0, "size": 64.0, "step": 10.0, "loss": 0.3, "validation_auc": 0.5},
    {"stage": 0.0, "size": 64.0, "step": 20.0, "loss": 0.2, "validation_auc": 0.7},
    {"stage": 1.0, "size": 128.0, "step": 5.0, "loss": 0.25, "validation_auc": float("nan")},
)


def test_the_log_goes_on_from_stage_to_stage_and_marks_the_weights_that_were_kept():
    training = TrainingRecord(
        datasets=(), history=HISTORY, stages="head:64x2,128x1", stage_ends=(StageEnd(0, 20, 30, 20, 0.7),)
    )
    display = LogDisplay.of(training)
    assert display.table()["step_of_all"].tolist() == [10, 20, 25]
    assert display.stages == ("stage 1: 64 px, last layer alone", "stage 2: 128 px")
    loss, auc = drawn(display)
    lines = [mark for mark in loss if isinstance(mark, Line)]
    assert [list(line.y) for line in lines] == [[0.3, 0.2], [0.25]]
    kept = [mark for mark in auc if isinstance(mark, Dots) and mark.name == "weights kept"]
    assert [(list(dots.x), list(dots.y)) for dots in kept] == [([20.0], [0.7])]
    # what was not measured is no point
    assert len([mark for mark in auc if isinstance(mark, Line)]) == 1
    assert "stage 2: 128 px ends with loss 0.250 and AUC not measured" in display.chart().alt


def test_an_axis_that_the_panel_below_writes_is_bare_on_both(card):
    chart = BalanceDisplay.of(card).chart()
    assert on_screen(chart).layout.xaxis.showticklabels is False
    assert on_screen(chart).layout.xaxis2.showticklabels is None
    # by itself, each panel writes its own
    assert [on_screen(part).layout.xaxis.showticklabels for part in chart.apart()] == [None, None]
    svg = as_svg(chart).decode()
    assert svg.count(f">{display_name('Pleural_Thickening')}<") == 1
    assert all(isinstance(mark, Bars) for panel in chart.panels for mark in panel.marks)
