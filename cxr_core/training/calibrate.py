"""What is measured on validation patients and written on the card: thresholds, anchors, AUC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ..imaging import Preparation
from ..labels import LABELS
from ..metrics import (
    Estimate,
    count_patients,
    patient_bootstrap_auc,
    sensitivity_specificity,
    share_flagged,
    threshold_at_specificity,
)
from ..model.card import Counts, Metric, MetricTable, OperatingPoint, Threshold
from ..model.findings import MIN_PATIENTS
from .dataset import batches
from .table import FilmTable

__all__ = [
    "ANCHOR_RULE",
    "MIN_PATIENTS_FOR_AUC",
    "Scored",
    "auc_table",
    "count_labels",
    "map_anchors",
    "operating_point",
    "score_films",
]

MIN_PATIENTS_FOR_AUC = 10
RESAMPLES = 2000
INTERVAL = f"95 %, percentiles of {RESAMPLES} bootstrap resamples of patients"
ANCHOR_PERCENTILE = 99
ANCHOR_RULE = f"{ANCHOR_PERCENTILE}th percentile of the largest cell over validation films, logit units"


@dataclass(frozen=True)
class Scored:
    """A network's answers on a table of films.

    Attributes:
        films: n rows.
        scores: (n, classes) float64, sigmoid of the logits.
        largest_cell: (n, classes) float32, the largest cell of each class map, logit units.
    """

    films: FilmTable
    scores: np.ndarray
    largest_cell: np.ndarray


def score_films(
    both: keras.Model,
    films: FilmTable,
    preparation: Preparation,
    *,
    batch_size: int = 32,
    report: Callable[[int, int], None] = lambda done, films: None,
) -> Scored:
    """Run the films forward.

    Args:
        both: with the outputs ``features`` and ``logits``, from :func:`.export.save_network`.
        films: what to score; their order is kept.
        preparation: the model's.
        batch_size: films at a time.
        report: called after every batch with the films done and their number.
    """
    kernel = tf.constant(both.get_layer("logits").get_weights()[0])

    @tf.function(reduce_retracing=True)
    def forward(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        answer = both(x, training=False)
        features = answer["features"]
        cells = tf.cast(tf.shape(features)[1] * tf.shape(features)[2], tf.float32)
        return answer["logits"], tf.reduce_max(tf.einsum("nhwk,kc->nhwc", features, kernel) / cells, axis=(1, 2))

    logits, largest = [], []
    for x, _ in batches(films, preparation, batch_size):
        some_logits, some_largest = forward(x)
        logits.append(some_logits.numpy())
        largest.append(some_largest.numpy())
        report(min(len(logits) * batch_size, len(films)), len(films))
    scores = 1 / (1 + np.exp(-np.concatenate(logits).astype(np.float64)))
    return Scored(films, scores, np.concatenate(largest))


def count_labels(films: FilmTable) -> dict[str, Counts]:
    """Return positive and negative films and patients of every label."""
    return {label: _counts(films.labels[:, c], films.patients) for c, label in enumerate(LABELS)}


def map_anchors(scored: Scored) -> dict[str, float]:
    """Return per label the cell value that is drawn in full colour; see :data:`ANCHOR_RULE`."""
    values = np.percentile(np.maximum(scored.largest_cell, 0), ANCHOR_PERCENTILE, axis=0)
    # a label that nothing ever speaks for still needs a scale that is not zero
    return {label: float(max(value, 1e-6)) for label, value in zip(LABELS, values, strict=True)}


def auc_table(scored: Scored, name: str, description: str, seed: int = 0) -> MetricTable:
    """Return the AUC of every label; null, with the counts, where there are too few patients."""
    films = scored.films
    estimates = patient_bootstrap_auc(
        films.labels,
        scored.scores,
        films.patients,
        resamples=RESAMPLES,
        seed=seed,
        min_patients=MIN_PATIENTS_FOR_AUC,
    )
    return MetricTable(
        name=name,
        metric="AUC",
        films=description,
        reference=", ".join(sorted(set(films.references.tolist()))),
        number_of_films=len(films),
        number_of_patients=len(np.unique(films.patients)),
        interval=INTERVAL,
        per_label={
            label: _metric(estimate, films.labels[:, c], films.patients)
            for c, (label, estimate) in enumerate(zip(LABELS, estimates, strict=True))
        },
    )


def operating_point(
    scored: Scored, description: str, *, name: str = "default", specificity: float = 0.95, seed: int = 0
) -> OperatingPoint:
    """Return the thresholds that reach a specificity on the films given.

    A label with fewer than :data:`~cxr_core.model.findings.MIN_PATIENTS` positive or negative
    patients gets none, and is reported as not evaluated.
    """
    films = scored.films
    thresholds = {}
    above = np.zeros(films.labels.shape, dtype=bool)
    for c, label in enumerate(LABELS):
        positive, scores = films.labels[:, c], scored.scores[:, c]
        counts = _counts(positive, films.patients)
        if min(counts.positive_patients, counts.negative_patients) < MIN_PATIENTS:
            reason = f"too few cases: {counts.positive_patients} positive, {counts.negative_patients} negative patients"
            thresholds[label] = Threshold(None, counts=counts, reason=f"{reason}; {MIN_PATIENTS} of each needed")
            continue
        value = threshold_at_specificity(positive, scores, specificity)
        above[:, c] = scores >= value
        reached = sensitivity_specificity(positive, scores, value, films.patients, resamples=RESAMPLES, seed=seed)
        thresholds[label] = Threshold(
            float(value),
            sensitivity=_metric(reached[0], positive, films.patients),
            specificity=_metric(reached[1], positive, films.patients),
            counts=counts,
        )
    clear = ~films.labels.any(axis=1)
    flagged = above[clear].any(axis=1)
    share = share_flagged(flagged, films.patients[clear], resamples=RESAMPLES, seed=seed)
    return OperatingPoint(
        name=name,
        rule=f"specificity {specificity:g} for each label",
        films=description,
        thresholds=thresholds,
        flagged_without_findings=_metric(share, flagged, films.patients[clear]),
    )


def _counts(positive: np.ndarray, patients: np.ndarray) -> Counts:
    positive_patients, negative_patients = count_patients(positive, patients)
    return Counts(int(positive.sum()), int((~positive).sum()), positive_patients, negative_patients)


def _metric(estimate: Estimate, positive: np.ndarray, patients: np.ndarray) -> Metric:
    return Metric(estimate.value, estimate.low, estimate.high, _counts(positive, patients), estimate.reason)
