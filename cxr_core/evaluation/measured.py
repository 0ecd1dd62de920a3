"""What runs say of a model, written into its card: how good it was, against whom, and beside whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import WrongArguments
from ..labels import LABELS
from ..metrics import Estimate, auc_difference, auc_with_interval, reader_points
from ..model.card import Counts, Metric, MetricTable, ModelCard, ReaderMetric
from ..store import Predictions, StoredRun
from ..training.baseline import fit_baseline
from ..training.table import FilmTable
from .outcomes import outcomes, reader_outcomes

__all__ = ["AGE_SEX_VIEW", "INTERVAL", "measured_card"]

INTERVAL = "95 %, by patients: Obuchowski's variance on the logit scale, percentiles of resamples from 200 patients on"
AGE_SEX_VIEW = "AUC less that of a model of age, sex and view alone"
_VIEWS = ("PA", "AP")


def measured_card(card: ModelCard, runs: Sequence[StoredRun], training: FilmTable | None = None) -> ModelCard:
    """Return the card with the numbers of runs in place of those it had, in the order of the runs.

    Of each run and each reference: the AUC of every label and of any finding, and by how much it is larger than
    that of a model which sees age, sex and view alone; of a run on validation patients the AUC by view; of a run
    with single readers what each finds, against the majority of the others.

    Args:
        card: of the model that made the runs.
        runs: at least one.
        training: films of training patients, on which the model of age, sex and view is fitted; None leaves that
            comparison out.

    Raises:
        WrongArguments: a run is of other weights.
    """
    tables: list[MetricTable] = []
    readers: dict[str, tuple[ReaderMetric, ...]] = {}
    for run in runs:
        if run.record.model_sha256 != card.weights_sha256:
            raise WrongArguments(
                f"Run {run.record.id}: made with other weights (SHA-256 {run.record.model_sha256[:12] or 'not known'}, "
                f"the model has {card.weights_sha256[:12]}). Evaluate this model."
            )
        predictions = run.predictions()
        for reference in predictions.references:
            tables.append(_areas(run, predictions, reference))
            if training is not None:
                tables.append(_beyond_baseline(run, predictions, reference, training))
        if run.record.part == "validation":
            tables += [_areas(run, predictions, None, view) for view in _VIEWS if (predictions.views == view).any()]
        readers |= _readers(predictions)
    return replace(card, metrics=tuple(tables), readers=readers)


def _table(run: StoredRun, metric: str, reference: str, per_label: dict[str, Metric]) -> MetricTable:
    record = run.record
    return MetricTable(
        name=", ".join(record.data),
        metric=metric,
        films=f"films of {record.part} patients" if record.part != "all" else "films",
        reference=reference,
        number_of_films=record.films,
        number_of_patients=record.patients,
        interval=INTERVAL,
        per_label=per_label,
    )


def _areas(run: StoredRun, predictions: Predictions, reference: str | None, view: str | None = None) -> MetricTable:
    labels, truth, scores, patients = outcomes(predictions, reference)
    seen = np.ones(len(predictions), dtype=bool) if view is None else predictions.views == view
    per_label = {}
    for c, label in enumerate(labels):
        said = seen & (truth[:, c] >= 0)
        if said.any():
            per_label[label] = _metric(auc_with_interval(truth[said, c] == 1, scores[said, c], patients[said]))
    table = _table(run, "AUC", reference or next(iter(predictions.references)), per_label)
    if view is None:
        return table
    return replace(
        table,
        name=f"{table.name}, {view} films",
        number_of_films=int(seen.sum()),
        number_of_patients=len(np.unique(patients[seen])),
    )


def _beyond_baseline(run: StoredRun, predictions: Predictions, reference: str, training: FilmTable) -> MetricTable:
    labels, truth, scores, patients = outcomes(predictions, reference)
    known = {label: c for c, label in enumerate(labels[:-1])}
    columns = _training_labels(training, labels[:-1])
    baseline = fit_baseline(training, np.column_stack([columns, columns.any(axis=1)]))
    # of a run only ages, sexes and views are asked for
    others = baseline.log_odds(predictions)
    per_label = {}
    for c, label in enumerate(labels):
        said = truth[:, c] >= 0
        if said.any() and (label not in known or columns[:, known[label]].any()):
            arrays = (truth[said, c] == 1, scores[said, c], others[said, c], patients[said])
            per_label[label] = _metric(auc_difference(*arrays))
    return _table(run, AGE_SEX_VIEW, reference, per_label)


def _training_labels(training: FilmTable, labels: Sequence[str]) -> NDArray[np.bool_]:
    column = {label: c for c, label in enumerate(LABELS)}
    none = np.zeros(len(training), dtype=bool)
    return np.column_stack([training.labels[:, column[label]] if label in column else none for label in labels])


def _readers(predictions: Predictions) -> dict[str, tuple[ReaderMetric, ...]]:
    answers = reader_outcomes(predictions)
    if answers is None:
        return {}
    labels, truth, _, patients = outcomes(predictions)
    found = {}
    for c, label in enumerate(labels):
        if not (truth[:, c] >= 0).any():
            continue
        points = reader_points(answers[:, :, c], patients)
        found[label] = tuple(
            ReaderMetric(str(name), _metric(point.sensitivity), _metric(point.specificity))
            for name, point in zip(predictions.readers.readers, points, strict=True)
        )
    return found


def _metric(estimate: Estimate) -> Metric:
    counts = Counts(
        estimate.positives, estimate.negatives, estimate.positive_patients or 0, estimate.negative_patients or 0
    )
    return Metric(estimate.value, estimate.low, estimate.high, counts, estimate.reason)
