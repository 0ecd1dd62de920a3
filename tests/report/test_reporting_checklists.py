"""The reporting sheet: every item, filled from card and runs alone, and the precision of each label."""

import csv
import io
import re
from dataclasses import replace

import pytest

from cxr_core.errors import WrongArguments
from cxr_core.estimate import Counts, Estimate
from cxr_core.evaluation import summarise
from cxr_core.labels import NOTICE
from cxr_core.metrics import BootstrapOptions, auc_half_width, proportion_half_width
from cxr_core.model.card import MetricTable
from cxr_core.model.folder import open_model
from cxr_core.model.training_record import TrainingRecord
from cxr_core.report.reporting_checklists import CHECKLISTS, STATUSES, reporting_sheet, sheet_csv, sheet_markdown
from cxr_core.report.reporting_evidence import Evidence, runs_of_model
from cxr_core.report.reporting_results import ANSWERS
from cxr_core.store import RunStore
from tests.runs import made_up, made_up_boxes, record_of

TRIPOD = re.findall(
    r"\S+",
    """1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 16 17 18a 18b 18c
    18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c""",
)


@pytest.fixture(scope="module")
def card():
    return open_model("second-read-mini").card


@pytest.fixture(scope="module")
def bare(card):
    """A card of which nothing is known but what a card must have."""
    return replace(
        card,
        title="A model",
        training=TrainingRecord(datasets=()),
        counts={},
        operating_points={},
        metrics=(),
        limits=(),
        caveats={},
        citations=(),
        calibration=None,
        familiarity=None,
        map_anchors={},
        readers={},
        stability=None,
    )


@pytest.fixture(scope="module")
def run(card):
    """Numbers of a made-up test run of the model, with boxes, on a data set of another source."""
    predictions = made_up(120)
    record = record_of(
        predictions, data=("Elsewhere",), model_sha256=card.weights_sha256, operating_point="default",
        thresholds={"Effusion": 0.5, "Mass": 0.4},
    )  # fmt: skip
    return summarise(record, predictions, "mined", BootstrapOptions(200), made_up_boxes(predictions))


def item(sheet, guideline, number):
    return next(item for item in sheet.of(guideline) if item.number == number)


def test_every_item_of_both_publications_is_there_once(card):
    sheet = reporting_sheet(Evidence(card))
    assert [i.number for i in sheet.of("TRIPOD+AI")] == TRIPOD
    assert [i.number for i in sheet.of("CLAIM 2024")] == [str(n) for n in range(1, 45)]
    assert len({number.rstrip("abcdefg") for number in TRIPOD}) == 27
    for guideline in CHECKLISTS:
        assert sum(sheet.totals(guideline).values()) == len(sheet.of(guideline))
    for i in sheet.items:
        assert i.status in STATUSES
        assert i.answer
        assert i.asks
        # what is recorded is recorded somewhere, and what is partly recorded says what is not
        assert bool(i.source) == (i.status in ("answered", "partly"))
        assert ("Not recorded: " in i.answer) == (i.status == "partly")


def test_every_answer_is_asked_for(card):
    from cxr_core.report.reporting_checklists import _rows

    assert {row["answer"] for row in _rows() if row["answer"]} == set(ANSWERS)
    for row in _rows():
        # an item without an answer, or whose answer may be missing, has its reason
        assert row["reason"] or ANSWERS[row["answer"]](Evidence(card)) is not None
        assert row["otherwise"] in (*STATUSES[2:], "")


def test_answers_are_the_cards(card):
    sheet = reporting_sheet(Evidence(card))
    training = card.training
    assert f"{training.images:,} images of {training.patients:,} patients" in item(sheet, "TRIPOD+AI", "12a").answer
    assert training.augmentation in item(sheet, "CLAIM 2024", "25").answer
    assert item(sheet, "TRIPOD+AI", "26").answer == " ".join(card.limits)
    effusion = card.counts["train"]["Effusion"]
    text = f"Effusion: train {effusion.positive_images:,} / {effusion.positive_patients:,}"
    assert text in item(sheet, "TRIPOD+AI", "21").answer
    values = [m.value for label, m in card.metrics[0].per_label.items() if m.value is not None and label in card.labels]
    assert f"AUC {min(values):.3f} to {max(values):.3f} over {len(values)} of" in item(sheet, "TRIPOD+AI", "23a").answer
    # another card has other answers: nothing of the embedded model is written into the program
    other = replace(card, limits=("Images of three hospitals.",), licence="CC BY 4.0", title="Other")
    sheet = reporting_sheet(Evidence(other))
    assert item(sheet, "TRIPOD+AI", "6a").answer.startswith("Images of three hospitals.")
    assert item(sheet, "TRIPOD+AI", "6b").status == "not reported"
    assert "CC BY 4.0" in item(sheet, "CLAIM 2024", "43").answer


def test_of_what_is_not_known_it_says_so(bare):
    sheet = reporting_sheet(Evidence(bare))
    not_done = {"10", "12d", "12e", "12f", "14", "23a", "23b", "24", "25"}
    assert {i.number for i in sheet.of("TRIPOD+AI") if i.status == "not done"} == not_done | {"2", "18c", "18d", "19"}
    unknown = {"5a", "6a", "6b", "6c", "8b", "11", "12a", "12c", "13", "16", "18e", "20a", "20b", "20c", "21", "26"}
    assert unknown <= {i.number for i in sheet.of("TRIPOD+AI") if i.status == "not reported"}
    assert {"5", "29", "31", "32", "33", "38", "39"} <= {
        i.number for i in sheet.of("CLAIM 2024") if i.status == "not done"
    }
    assert "Not done: no evaluation has counts of patients." in sheet_markdown(sheet)
    text = sheet_markdown(sheet)
    for word in ("nih", "ChestX-ray", "None", "nan"):
        assert word not in text, word


def test_runs_fill_what_the_card_cannot(bare, run):
    sheet = reporting_sheet(Evidence(bare, (run,)))
    performance = item(sheet, "TRIPOD+AI", "23a")
    assert performance.status == "answered"  # by view, sex and age
    assert "Elsewhere (mined), 120 images of 60 patients (test): AUC" in performance.answer
    assert item(sheet, "CLAIM 2024", "39").source == "runs: a-run"
    assert "second-read 0.1.0" in item(sheet, "CLAIM 2024", "23").answer
    seen = replace(run, notes=("images possibly seen in training",))
    answer = item(reporting_sheet(Evidence(bare, (seen,))), "TRIPOD+AI", "23a").answer
    assert "(test; images possibly seen in training): AUC" in answer
    # the training data have no name: nothing is known to be of another source
    assert item(sheet, "CLAIM 2024", "33").status == "not done"
    # of runs alone, sensitivity and specificity are the run's
    ((_, labels),) = sheet.precision
    line = next(line for line in labels if line.label == "Effusion")
    assert line.sensitivity == run.by_label("sensitivity")["Effusion"].value
    assert next(line for line in labels if line.label == "Nodule").sensitivity is None
    assert "view: AP" in sheet_markdown(sheet)


def test_maps_are_validated_where_boxes_are_many(card, run):
    answer = item(reporting_sheet(Evidence(card, (run,))), "CLAIM 2024", "31").answer
    gain = next(n.estimate for n in run.numbers if n.metric == "hit_rate_gain" and n.label == "Effusion")
    assert f"Effusion, a-run {gain.value:.2f}" in answer.partition("less that of the image centre: ")[2]


def test_another_source_is_an_external_test(card, run):
    trained = replace(card, training=replace(card.training, datasets=("PadChest",)), metrics=())
    sheet = reporting_sheet(Evidence(trained, (run,)))
    assert item(sheet, "CLAIM 2024", "33").answer.startswith("Elsewhere (mined)")
    assert item(sheet, "CLAIM 2024", "32").status == "not done"
    same = replace(run, record=replace(run.record, data=("PADCHEST part 2",)))
    sheet = reporting_sheet(Evidence(trained, (same,)))
    assert item(sheet, "CLAIM 2024", "33").status == "not done"
    assert item(sheet, "CLAIM 2024", "32").status == "answered"


def test_a_run_that_the_card_has_too_is_listed_once(card, run):
    estimates = {"Effusion": Estimate(0.7, 0.6, 0.8, Counts(40, 80, 20, 40))}
    table = MetricTable("Elsewhere", "AUC", "images of test patients", "mined", 120, 60, "95 %", estimates)
    evidence = Evidence(replace(card, metrics=(table,)), (run,))
    assert [m.source for m in evidence.measured] == ["run a-run"]
    others = Evidence(replace(card, metrics=(replace(table, number_of_images=121),)), (run,))
    assert [m.source for m in others.measured] == ["card: metrics", "run a-run"]


def test_thresholds_are_not_judged_where_they_were_set(card, run):
    on_validation = replace(run, record=replace(run.record, part="validation"))
    (measured,) = Evidence(replace(card, metrics=()), (on_validation,)).measured
    assert measured.sensitivity == {}
    held_out = card.operating_points["default"].thresholds["Effusion"].sensitivity.value
    ((_, labels),) = reporting_sheet(Evidence(replace(card, metrics=()), (on_validation,))).precision
    assert next(line for line in labels if line.label == "Effusion").sensitivity == held_out


def test_the_precision_of_a_label_is_that_of_its_patients(card):
    sheet = reporting_sheet(Evidence(card))
    measured, labels = sheet.precision[0]
    assert [line.label for line in labels] == list(measured.auc)
    line = labels[0]
    auc, threshold = measured.auc[line.label], card.operating_points["default"].thresholds[line.label]
    assert (line.positives, line.negatives) == (auc.positive_patients, auc.negative_patients)
    assert line.auc_half == auc_half_width(auc.value, line.positives, line.negatives)
    assert line.sensitivity_half == proportion_half_width(threshold.sensitivity.value, line.positives)
    assert line.specificity_half == proportion_half_width(threshold.specificity.value, line.negatives)
    # needed: the smallest number, and the half-width with it
    ratio = line.negatives / line.positives
    assert auc_half_width(auc.value, line.auc_needed, line.auc_needed * ratio) <= 0.05
    assert auc_half_width(auc.value, line.auc_needed - 1, (line.auc_needed - 1) * ratio) > 0.05
    assert (line.auc_needed <= line.positives) == (line.auc_half <= 0.05)
    assert (line.slope_needed <= line.positives) == (line.slope_half <= 0.1)
    # too few cases: no AUC, so nothing about it
    few = next(line for line in labels if line.auc.value is None)
    assert (few.auc_half, few.auc_needed, few.slope_half) == (None, None, None)


def test_an_auc_at_or_below_a_half_has_no_calibration_slope(card):
    for value in (0.45, 0.5, 1.0):
        estimates = {"Effusion": Estimate(value, counts=Counts(40, 80, 20, 40), reason="no interval")}
        table = MetricTable("a set", "AUC", "images", "mined", 120, 60, "none", estimates)
        ((_, (line,)),) = reporting_sheet(Evidence(replace(card, metrics=(table,)))).precision
        assert line.slope_half is None
        assert (line.auc_half is None) == (value == 1.0)
        assert "no interval" in line.cells()[3]


def test_markdown_and_csv_hold_every_item_and_the_notice(card, run):
    # a name from outside that would be Markdown or a formula
    hostile = replace(card, title="# [x](http://a) | <b>", limits=("=1+1", "a|b"))
    sheet = reporting_sheet(Evidence(hostile, (run,)))
    text = sheet_markdown(sheet)
    assert NOTICE in text
    assert "\\[x\\](http://a) \\| \\<b\\>" in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    items = [line.replace("\\|", "") for line in lines if any(f"| {s} |" in line for s in STATUSES[:4])]
    assert all(line.count("|") == 7 for line in items[1:])
    rows = list(csv.DictReader(io.StringIO(sheet_csv(sheet))))
    assert [(r["guideline"], r["item"]) for r in rows[:96]] == [(i.guideline, i.number) for i in sheet.items]
    assert {row["guideline"] for row in rows[96:]} == {"Groups", "Precision"}
    assert {row["notice"] for row in rows} == {NOTICE}
    assert not any(cell.startswith("=") for row in rows for cell in row.values())


def test_runs_of_other_weights_do_not_fill_the_sheet(card, tmp_path):
    store = RunStore(f"sqlite:///{tmp_path / 'runs.sqlite'}", tmp_path, tmp_path / "none")
    predictions = made_up(20)
    store.add(record_of(predictions, "of-this", model_sha256=card.weights_sha256), predictions)
    store.add(record_of(predictions, "of-another"), predictions)
    assert [run.record.id for run in runs_of_model(store, card)] == ["of-this"]
    assert [run.record.id for run in runs_of_model(store, card, ["of-th"])] == ["of-this"]
    with pytest.raises(WrongArguments, match="other weights than those of second-read-mini"):
        runs_of_model(store, card, ["of-another"])
    (tmp_path / "of-this" / "predictions.parquet").unlink()
    assert runs_of_model(store, card) == ()
    store.close()
