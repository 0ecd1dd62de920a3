"""Entries of the catalogue for readers beside the model, and for label noise."""

from __future__ import annotations

from collections.abc import Iterator

from ..metrics import Estimate, MeanTest, ReaderDifference, holm
from .entry import Column, Entry, Number
from .reader_numbers import has_readers
from .run_data import AUC_WORK, READERS_WORK, RunData

__all__ = ["READER_ENTRIES"]

_DIFFERENCES = {
    "sensitivity_difference": Column("sensitivity at the reader's specificity", percent=True, signed=True),
    "specificity_difference": Column("specificity at the reader's sensitivity", percent=True, signed=True),
    "sensitivity_difference_p": Column("Holm's p, sensitivity", p_value=True),
    "specificity_difference_p": Column("Holm's p, specificity", p_value=True),
}

_ANALYSIS = {
    "balanced_accuracy_readers": Column("readers, mean"),
    "balanced_accuracy_model": Column("model"),
    "difference_random": Column("difference, readers and cases random", signed=True),
    "difference_random_p": Column("Holm's p", p_value=True),
    "difference_fixed_readers": Column("difference, readers fixed", signed=True),
    "difference_fixed_readers_p": Column("Holm's p", p_value=True),
    "difference_fixed_cases": Column("difference, cases fixed", signed=True),
    "difference_fixed_cases_p": Column("Holm's p", p_value=True),
}


def _mean_differences(run: RunData) -> Iterator[Number]:
    labels = list(run.readers)
    yield from _differences("reader_differences", [(x, "", run.readers[x].differences.mean) for x in labels])


def _each_difference(run: RunData) -> Iterator[Number]:
    rows = [
        (label, name, difference)
        for label, numbers in run.readers.items()
        for name, difference in zip(numbers.names, numbers.differences.readers, strict=True)
    ]
    yield from _differences("reader_differences_each", rows)


def _differences(entry: str, rows: list[tuple[str, str, ReaderDifference]]) -> Iterator[Number]:
    """Yield the numbers of labels and readers, with p-values adjusted for all of them, of each measure apart."""
    sensitivity_p = holm([difference.sensitivity_p for _, _, difference in rows])
    specificity_p = holm([difference.specificity_p for _, _, difference in rows])
    for (label, group, difference), *p_values in zip(rows, sensitivity_p, specificity_p, strict=True):
        estimates = difference.sensitivity, difference.specificity
        for metric, estimate, p_value in zip(_DIFFERENCES, estimates, p_values, strict=False):
            yield Number(entry, metric, label, group, None, estimate)
            yield Number(entry, f"{metric}_p", label, group, None, _p_value(p_value, estimate))


def _p_value(p_value: float | None, estimate: Estimate) -> Estimate:
    if p_value is None:
        return Estimate.missing(estimate.reason or "no test", estimate.counts)
    return Estimate(p_value, counts=estimate.counts)


def _analysis(run: RunData) -> Iterator[Number]:
    analyses = {label: numbers.analysis for label, numbers in run.readers.items() if numbers.analysis is not None}
    tests: dict[str, list[MeanTest]] = {
        "difference_random": [analysis.random for analysis in analyses.values()],
        "difference_fixed_readers": [analysis.fixed_readers for analysis in analyses.values()],
        "difference_fixed_cases": [analysis.fixed_cases for analysis in analyses.values()],
    }
    adjusted = {metric: holm([test.p_value for test in of_labels]) for metric, of_labels in tests.items()}
    for row, (label, analysis) in enumerate(analyses.items()):
        numbers = dict(zip(("balanced_accuracy_readers", "balanced_accuracy_model"), analysis.means, strict=True))
        for metric, of_labels in tests.items():
            numbers[metric] = of_labels[row].difference
            numbers[f"{metric}_p"] = _p_value(adjusted[metric][row], of_labels[row].difference)
        for metric, estimate in numbers.items():
            yield Number("reader_analysis", metric, label, "", None, estimate)


def _agreement(run: RunData) -> Iterator[Number]:
    for label, numbers in run.readers.items():
        agreement = numbers.agreement
        for metric, estimate in (
            ("fleiss", agreement.fleiss),
            ("fleiss_with_model", agreement.fleiss_with_model),
            ("kappa_gain", agreement.gain),
        ):
            if estimate is not None:
                yield Number("reader_agreement", metric, label, "", None, estimate)


def _agreement_without(run: RunData) -> Iterator[Number]:
    for label, numbers in run.readers.items():
        changes = zip(numbers.names, numbers.agreement.fleiss_without, numbers.agreement.fleiss_change, strict=True)
        for name, without, change in changes:
            yield Number("reader_agreement_each", "fleiss_without", label, name, None, without)
            yield Number("reader_agreement_each", "fleiss_change", label, name, None, change)


def _label_noise(run: RunData) -> Iterator[Number]:
    for (name, label), noise in run.label_noise.items():
        for metric, estimate in (
            ("label_sensitivity", noise.sensitivity),
            ("label_specificity", noise.specificity),
            ("label_kappa", noise.kappa),
            ("auc_of_both", noise.auc),
            ("auc_by_other", noise.other_auc),
            ("auc_change", noise.change),
        ):
            yield Number("label_noise", metric, label, name, None, estimate)


READER_ENTRIES: tuple[Entry, ...] = (
    Entry("readers", "Readers", {}, display="readers.ReadersDisplay", every_label=True, page="readers"),
    Entry(
        "reader_differences",
        "Readers minus model at each reader's own point, mean of the readers",
        _DIFFERENCES,
        per_run=_mean_differences,
        display="reader_comparison.ReaderDifferencesDisplay",
        every_label=True,
        page="readers",
        # the first that uses the numbers of the readers
        cost=READERS_WORK,
        parts=lambda run: len(run.outcomes) if has_readers(run.predictions) else 0,
    ),
    Entry(
        "reader_differences_each",
        "Each reader minus the model at the reader's own point",
        _DIFFERENCES,
        per_run=_each_difference,
        page="readers",
        places=frozenset({"export"}),
    ),
    Entry(
        "reader_analysis",
        "Readers minus model, (sensitivity + specificity) / 2 (Obuchowski-Rockette)",
        _ANALYSIS,
        per_run=_analysis,
        display="reader_comparison.ReaderAnalysisDisplay",
        page="readers",
        missing="no operating point",
    ),
    Entry(
        "reader_agreement",
        "Agreement of the readers (kappa)",
        {
            "fleiss": Column("all readers (Fleiss)"),
            "fleiss_with_model": Column("readers and model (Fleiss)"),
            "kappa_gain": Column("mean kappa, model minus readers", signed=True),
        },
        per_run=_agreement,
        display="reader_agreement.LeaveOneOutDisplay",
        every_label=True,
        page="readers",
    ),
    Entry(
        "reader_agreement_each",
        "Agreement of the readers without each one",
        {
            "fleiss_without": Column("without the reader"),
            "fleiss_change": Column("all minus without the reader", signed=True),
        },
        per_run=_agreement_without,
        page="readers",
        places=frozenset({"export"}),
    ),
    Entry(
        "label_noise",
        "Label noise: other reference standards against this one",
        {
            "label_sensitivity": Column("sensitivity of the other labels", percent=True),
            "label_specificity": Column("specificity of the other labels", percent=True),
            "label_kappa": Column("kappa"),
            "auc_of_both": Column("AUC by this reference"),
            "auc_by_other": Column("AUC by the other"),
            "auc_change": Column("change of the AUC", signed=True),
        },
        per_run=_label_noise,
        display="label_noise.LabelNoiseDisplay",
        page="readers",
        absent="the run has one reference standard; a run made with two tables of the same images compares them.",
        cost=2 * AUC_WORK,
        parts=lambda run: len(run.outcomes) * (len(run.predictions.references) - 1),
    ),
)
