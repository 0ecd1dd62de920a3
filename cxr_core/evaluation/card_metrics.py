"""Metrics of runs for a model card, and the baseline model of age, sex and view.

The gain of a network over the baseline comes from the image. In ChestX-ray14 the baseline is strong, because bedridden
patients are imaged AP and many findings are more frequent in the old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..datasets.table import ImageTable
from ..errors import WrongArguments
from ..labels import MAX_AGE
from ..metrics import (
    BootstrapOptions,
    Estimate,
    auc_difference,
    auc_with_interval,
    default_resamples,
    reader_points,
)
from ..model.card import MeasuredFlagRates, MetricTable, ModelCard, ReaderMetric
from ..store import Predictions, RunRecord, StoredRun
from .in_sample import is_in_sample, usable_thresholds
from .operating_point_entries import flag_rates
from .outcomes import outcomes, reader_outcomes
from .run_data import RunData
from .run_record import DEFAULT_POINT

__all__ = [
    "AGE_SEX_VIEW",
    "INTERVAL",
    "Baseline",
    "check_weights",
    "fit_baseline",
    "measured_card",
    "measured_flag_rates",
]


RIDGE = 1.0
"""Penalty on the squared coefficients, without the intercept; keeps them finite if a label is absent in one sex."""


class Demographics(Protocol):
    """Age, sex and view of images: a table of images, or the predictions of a run."""

    @property
    def ages(self) -> NDArray[np.float64]:
        """(n,) years; NaN or out of range where unknown."""

    @property
    def sexes(self) -> NDArray[np.str_]:
        """(n,) ``"M"``, ``"F"`` or empty."""

    @property
    def views(self) -> NDArray[np.str_]:
        """(n,) View Position, such as ``"PA"``; empty where unknown."""


@dataclass(frozen=True)
class Baseline:
    """Logistic regressions, one per label.

    Attributes:
        coefficients: (6, classes) float64: intercept, age, age squared, male, AP, age by AP.
        mean_age: in years; used for images without a known age.
    """

    coefficients: NDArray[np.float64]
    mean_age: float

    def log_odds(self, images: Demographics) -> NDArray[np.float64]:
        """Return (n, classes) float64 log-odds of the labels."""
        return _features(images, self.mean_age) @ self.coefficients


def fit_baseline(images: ImageTable, labels: NDArray[np.bool_]) -> Baseline:
    """Fit the baseline.

    Args:
        images: n images of training patients.
        labels: (n, classes) bool.

    Source: logistic regression by Newton's method (iteratively reweighted least squares), McCullagh and
    Nelder, *Generalized Linear Models* (1989), section 4.4, with a ridge (le Cessie and van Houwelingen, 1992).
    """
    ages = _known_ages(images)
    mean_age = float(np.nanmean(ages)) if np.isfinite(ages).any() else 0.0
    features = _features(images, mean_age)
    columns = [_logistic(features, labels[:, c].astype(np.float64)) for c in range(labels.shape[1])]
    return Baseline(np.stack(columns, axis=1), mean_age)


def _known_ages(images: Demographics) -> NDArray[np.float64]:
    return np.where((images.ages >= 0) & (images.ages <= MAX_AGE), images.ages, np.nan)


def _features(images: Demographics, mean_age: float) -> NDArray[np.float64]:
    ages = _known_ages(images)
    age = (np.where(np.isfinite(ages), ages, mean_age) - 50) / 20
    male, ap = images.sexes == "M", images.views == "AP"
    return np.stack([np.ones(len(age)), age, age**2, male, ap, age * ap], axis=1).astype(np.float64)


def _logistic(features: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    penalty = RIDGE * np.eye(features.shape[1])
    penalty[0, 0] = 1e-6  # almost free; converges also for a label that no image has
    beta = np.zeros(features.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-features @ beta))
        gradient = features.T @ (labels - p) - penalty @ beta
        step = np.linalg.solve(features.T @ (features * (p * (1 - p))[:, None]) + penalty, gradient)
        # limited, because a long step from a flat region would overshoot
        beta += step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-10:
            break
    return beta


INTERVAL = "95 %, by patient: Obuchowski's variance on the logit scale; from 200 patients on, bootstrap percentiles"
AGE_SEX_VIEW = "difference in AUC from a model of age, sex and view alone"
_VIEWS = ("PA", "AP")


def measured_card(card: ModelCard, runs: Sequence[StoredRun], training: ImageTable | None = None) -> ModelCard:
    """Return the card with the metrics of the runs, in their order, in place of its previous metrics.

    For each run and each reference standard: the AUC of every label and of any finding, its difference from that of the
    baseline model, and, unless the run is in-sample, how many images without findings are flagged. For a run on
    validation patients also the AUC by view, and for a run with individual readers the sensitivity and specificity of
    each against the majority of the others.

    Args:
        card: of the model that made the runs.
        runs: at least one.
        training: images of training patients, on which the baseline is fitted; None omits the comparison with it.

    Raises:
        WrongArguments: a run was made with other weights.
    """
    tables: list[MetricTable] = []
    readers: dict[str, tuple[ReaderMetric, ...]] = {}
    for run in runs:
        check_weights(run, card)
        predictions = run.predictions()
        for reference in predictions.references:
            tables.append(_aucs(run, predictions, reference))
            if training is not None:
                tables.append(_gains(run, predictions, reference, training))
        if run.record.part == "validation":
            tables += [_aucs(run, predictions, None, view) for view in _VIEWS if (predictions.views == view).any()]
        readers |= _readers(predictions)
    return replace(card, metrics=tuple(tables), readers=readers, flag_rates=measured_flag_rates(card, runs))


def measured_flag_rates(card: ModelCard, runs: Sequence[StoredRun]) -> tuple[MeasuredFlagRates, ...]:
    """Return how many images without findings the default operating point flags, by run and reference standard.

    In-sample runs are left out: the card has their rates, cross-validated and in-sample, at the operating point.
    """
    point = card.operating_points.get(DEFAULT_POINT)
    if point is None:
        return ()
    rates, thresholds = [], usable_thresholds(card, point)
    for run in (run for run in runs if not is_in_sample(run.record, card)):
        record, predictions = replace(run.record, thresholds=thresholds), run.predictions()
        options = BootstrapOptions(default_resamples(len(predictions)))
        for reference in predictions.references:
            by_group = flag_rates(RunData(record, predictions, reference, {}, options))
            if by_group:
                flagged = by_group.pop("")
                rates.append(
                    MeasuredFlagRates(
                        name=", ".join(record.data),
                        operating_point=point.name,
                        images=_images(record),
                        reference=reference,
                        number_of_images=record.images,
                        number_of_patients=record.patients,
                        flagged=flagged,
                        flagged_by_group=by_group,
                    )
                )
    return tuple(rates)


def check_weights(run: StoredRun, card: ModelCard) -> None:
    """Raise WrongArguments where a run was made with other weights than those of the card."""
    if run.record.model_sha256 != card.weights_sha256:
        raise WrongArguments(
            f"Run {run.record.id}: made with other weights (SHA-256 {run.record.model_sha256[:12] or 'not known'}, "
            f"the model has {card.weights_sha256[:12]}). Evaluate this model."
        )


def _table(run: StoredRun, metric: str, reference: str, per_label: dict[str, Estimate]) -> MetricTable:
    record = run.record
    return MetricTable(
        name=", ".join(record.data),
        metric=metric,
        images=_images(record),
        reference=reference,
        number_of_images=record.images,
        number_of_patients=record.patients,
        interval=INTERVAL,
        per_label=per_label,
    )


def _images(record: RunRecord) -> str:
    return f"images of {record.part} patients" if record.part != "all" else "images"


def _aucs(run: StoredRun, predictions: Predictions, reference: str | None, view: str | None = None) -> MetricTable:
    labels, truth, scores, patients = outcomes(predictions, reference)
    selected = np.ones(len(predictions), dtype=bool) if view is None else predictions.views == view
    per_label = {}
    for c, label in enumerate(labels):
        stated = selected & (truth[:, c] >= 0)
        if stated.any():
            per_label[label] = auc_with_interval(truth[stated, c] == 1, scores[stated, c], patients[stated])
    table = _table(run, "AUC", reference or next(iter(predictions.references)), per_label)
    if view is None:
        return table
    return replace(
        table,
        name=f"{table.name}, {view} images",
        number_of_images=int(selected.sum()),
        number_of_patients=len(np.unique(patients[selected])),
    )


def _gains(run: StoredRun, predictions: Predictions, reference: str, training: ImageTable) -> MetricTable:
    labels, truth, scores, patients = outcomes(predictions, reference)
    known = {label: c for c, label in enumerate(labels[:-1])}
    columns = _training_labels(training, labels[:-1])
    baseline = fit_baseline(training, np.column_stack([columns, columns.any(axis=1)]))
    baseline_scores = baseline.log_odds(predictions)
    per_label = {}
    for c, label in enumerate(labels):
        stated = truth[:, c] >= 0
        if stated.any() and (label not in known or columns[:, known[label]].any()):
            arrays = (truth[stated, c] == 1, scores[stated, c], baseline_scores[stated, c], patients[stated])
            per_label[label] = auc_difference(*arrays)
    return _table(run, AGE_SEX_VIEW, reference, per_label)


def _training_labels(training: ImageTable, labels: Sequence[str]) -> NDArray[np.bool_]:
    column = {label: c for c, label in enumerate(training.labels)}
    absent = np.zeros(len(training), dtype=bool)
    return np.column_stack([training.positive[:, column[label]] if label in column else absent for label in labels])


def _readers(predictions: Predictions) -> dict[str, tuple[ReaderMetric, ...]]:
    answers = reader_outcomes(predictions)
    if answers is None or predictions.readers is None:
        return {}
    labels, truth, _, patients = outcomes(predictions)
    metrics = {}
    for c, label in enumerate(labels):
        if not (truth[:, c] >= 0).any():
            continue
        points = reader_points(answers[:, :, c], patients)
        metrics[label] = tuple(
            ReaderMetric(str(name), point.sensitivity, point.specificity)
            for name, point in zip(predictions.readers.readers, points, strict=True)
        )
    return metrics
