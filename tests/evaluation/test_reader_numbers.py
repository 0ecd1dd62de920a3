"""Readers beside the model, and reference standards beside one another, among the numbers of a run."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from cxr_core.cli.run_formatting import format_summary
from cxr_core.evaluation import ANY_FINDING, outcomes, reader_outcomes, readers_in_reference, summarise
from cxr_core.evaluation.export import summary_csv, summary_json
from cxr_core.metrics import (
    BootstrapOptions,
    decisions_against_model,
    holm,
    label_noise,
    reader_agreement,
    reader_differences,
)
from tests.runs import made_up, record_of

LABELS = ("Effusion", "Mass", "Hernia")
OPTIONS = BootstrapOptions(40)


@pytest.fixture(scope="module")
def predictions():
    return made_up(240, seed=3, labels=LABELS, readers=5)


@pytest.fixture(scope="module")
def summary(predictions):
    record = record_of(predictions, thresholds={"Effusion": 0.3, "Hernia": 0.4})
    return summarise(record, predictions, options=BootstrapOptions(40))


def numbers(summary, entry):
    return {(n.metric, n.label, n.group): n.estimate for n in summary.numbers if n.entry == entry}


@pytest.fixture(scope="module")
def columns(predictions):
    _, truth, scores, patients = outcomes(predictions)
    return truth, scores, np.unique(patients, return_inverse=True)[1], reader_outcomes(predictions)


def test_each_reader_minus_the_model(summary, columns):
    _, scores, patients, answers = columns
    expected = [reader_differences(answers[:, :, c], scores[:, c], patients, OPTIONS) for c in range(4)]
    each, means = numbers(summary, "reader_differences_each"), numbers(summary, "reader_differences")
    assert each["sensitivity_difference", "Mass", "reader 2"] == expected[1].readers[1].sensitivity
    assert each["specificity_difference", ANY_FINDING, "reader 5"] == expected[3].readers[4].specificity
    assert means["sensitivity_difference", "Effusion", ""] == expected[0].mean.sensitivity
    # of readers over all readers and labels, of means over the labels
    of_readers = holm([reader.sensitivity_p for differences in expected for reader in differences.readers])
    assert each["sensitivity_difference_p", "Mass", "reader 2"].value == of_readers[5 + 1]
    of_means = holm([differences.mean.specificity_p for differences in expected])
    assert means["specificity_difference_p", "Hernia", ""].value == of_means[2]


def test_the_analysis_is_of_labels_with_an_operating_point(summary, columns, predictions):
    _, _, patients, answers = columns
    found = numbers(summary, "reader_analysis")
    assert {label for _, label, _ in found} == {"Effusion", "Hernia", ANY_FINDING}
    above = predictions.scores[:, [0, 2]] >= [0.3, 0.4]
    decisions = {0: above[:, 0], 2: above[:, 1], 3: above.any(axis=1)}
    expected = {c: decisions_against_model(answers[:, :, c], model, patients) for c, model in decisions.items()}
    assert found["difference_random", "Effusion", ""] == expected[0].random.difference
    assert found["balanced_accuracy_model", ANY_FINDING, ""] == expected[3].means[1]
    adjusted = holm([analysis.fixed_cases.p_value for analysis in expected.values()])
    assert found["difference_fixed_cases_p", "Hernia", ""].value == adjusted[1]
    assert "  Mass                no operating point" in format_summary(summary).partition("Obuchowski-Rockette")[2]


def test_agreement_without_each_reader(summary, columns):
    _, scores, patients, answers = columns
    expected = reader_agreement(answers[:, :, 0], patients, scores[:, 0] >= 0.3, OPTIONS)
    each = numbers(summary, "reader_agreement_each")
    assert numbers(summary, "reader_agreement")["fleiss_with_model", "Effusion", ""] == expected.fleiss_with_model
    assert each["fleiss_without", "Effusion", "reader 4"] == expected.fleiss_without[3]
    assert each["fleiss_change", "Effusion", "reader 4"] == expected.fleiss_change[3]
    assert ("fleiss_with_model", "Mass", "") not in numbers(summary, "reader_agreement")


def test_label_noise_is_of_the_images_that_both_label(summary, columns, predictions):
    truth, scores, patients, _ = columns
    other = outcomes(predictions, "experts")[1]
    found = numbers(summary, "label_noise")
    for c, label in enumerate((*LABELS, ANY_FINDING)):
        both = other[:, c] >= 0
        expected = label_noise(truth[both, c] == 1, other[both, c] == 1, scores[both, c], patients[both], OPTIONS)
        assert found["label_kappa", label, "experts"] == expected.kappa
        assert found["auc_change", label, "experts"] == expected.change
    # the experts leave out one answer to the first label
    assert found["auc_of_both", "Effusion", "experts"].counts.images == 239


def test_the_numbers_are_in_the_terminal_and_in_every_export(summary):
    rows = list(csv.DictReader(io.StringIO(summary_csv(summary))))
    (row,) = [r for r in rows if (r["metric"], r["label"], r["group"]) == ("fleiss_change", "Mass", "reader 1")]
    change = numbers(summary, "reader_agreement_each")["fleiss_change", "Mass", "reader 1"]
    assert float(row["value"]) == change.value
    exported = json.loads(json.dumps(summary_json(summary)))["numbers"]
    (number,) = [n for n in exported if (n["metric"], n["label"]) == ("difference_random", "Hernia")]
    assert number["estimate"]["low"] == numbers(summary, "reader_analysis")["difference_random", "Hernia", ""].low
    text = format_summary(summary)
    noise = numbers(summary, "label_noise")["label_sensitivity", "Mass", "experts"]
    assert f"  Mass, experts       {noise.value:.1%} (" in text
    assert "<0.001" in text


def test_a_run_without_readers_or_a_second_reference_says_what_is_missing(predictions):
    alone = dataclasses.replace(predictions, readers=None, references={"mined": predictions.references["mined"]})
    found = summarise(record_of(alone), alone, options=BootstrapOptions(2))
    assert not any(n.entry.startswith(("reader", "label_noise")) for n in found.numbers)
    text = format_summary(found)
    assert "Label noise: other reference standards against this one: the run has one reference standard" in text
    assert "Readers minus model" not in text
    two = dataclasses.replace(
        predictions.readers, readers=predictions.readers.readers[:2], answers=predictions.readers.answers[:, :2],
        any_finding=predictions.readers.any_finding[:, :2],
    )  # fmt: skip
    few = dataclasses.replace(predictions, readers=two)
    assert not any(
        n.entry.startswith("reader") for n in summarise(record_of(few), few, options=BootstrapOptions(2)).numbers
    )


def test_readers_who_make_the_reference_are_named(predictions):
    assert readers_in_reference(predictions, "mined") == ()
    majority = (predictions.readers.answers[:, [0, 2, 3]].sum(axis=1) >= 2).astype(np.int8)
    made = dataclasses.replace(predictions, references={"majority": majority})
    assert readers_in_reference(made, "majority") == ("reader 1", "reader 3", "reader 4")
    assert readers_in_reference(dataclasses.replace(made, readers=None), "majority") == ()
