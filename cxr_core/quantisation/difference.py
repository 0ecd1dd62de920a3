"""INT8 beside float32 on the same images: AUC, states, familiarity and maps, with intervals by patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..calibration.sample import CalibrationSet, CalibrationSource
from ..estimate import Estimate
from ..metrics import (
    BOOTSTRAP_MIN_PATIENTS,
    BootstrapOptions,
    Proportion,
    auc_difference,
    auc_per_class,
    compare_mean_auc,
    patient_mean,
    patient_proportions,
)
from ..metrics.bootstrap import DEFAULTS
from ..model import ModelCard
from ..model.findings import usable_threshold, why_not_evaluated
from ..model.int8 import LabelAtInt8, MapAgreement, PrecisionDifference
from .paired_scores import PairedScores

__all__ = ["POINT", "measure_difference"]

POINT = "default"
"""Operating point whose states are compared."""


def measure_difference(
    card: ModelCard,
    card_at_int8: ModelCard,
    scores: PairedScores,
    source: CalibrationSource,
    *,
    fitted_here: bool,
    options: BootstrapOptions = DEFAULTS,
) -> PrecisionDifference:
    """Return how far INT8 is from float32 on the images of ``scores``, at least one.

    Args:
        card: at float32, with its thresholds.
        card_at_int8: with those of the INT8 graph.
        scores: at both precisions.
        source: of the images.
        fitted_here: whether the thresholds of ``card_at_int8`` were set on these images.
        options: of the intervals.
    """
    float32, int8 = CalibrationSet.of(scores.float32), CalibrationSet.of(scores.int8)
    patients = float32.patients
    states_float32, states = _states(card, float32), _states(card_at_int8, int8)
    changes = _state_changes(card, card_at_int8, states_float32, states, patients, options)
    aucs_float32 = auc_per_class(float32.positive, float32.scores, patients, options)
    aucs = auc_per_class(int8.positive, int8.scores, patients, options)
    stated = [c for c in range(len(card.labels)) if float32.stated[c]]
    means = compare_mean_auc(
        float32.positive[:, stated], int8.scores[:, stated], float32.scores[:, stated], patients, options
    )
    not_stated = Estimate.missing("no reference labels: the table does not say which images show it")
    per_label = {}
    for c, label in enumerate(card.labels):
        difference = auc_difference(float32.positive[:, c], int8.scores[:, c], float32.scores[:, c], patients, options)
        per_label[label] = LabelAtInt8(
            auc=aucs[c] if float32.stated[c] else not_stated,
            auc_float32=aucs_float32[c] if float32.stated[c] else not_stated,
            auc_difference=difference if float32.stated[c] else not_stated,
            state_changes=changes[label],
            logit_correlation=_correlation(int8.logits[:, c], float32.logits[:, c]),
            maps=_maps(scores, np.arange(len(patients)), np.full(len(patients), c), patients, options),
        )
    rows, columns = np.indices(scores.cells_apart.shape).reshape(2, -1)
    rows_above, columns_above = np.nonzero(states_float32 == 1)
    return PrecisionDifference(
        images=source.images,
        sources=float32.sources,
        reference=float32.reference,
        split=source.split,
        split_sha256=source.split_sha256,
        number_of_images=len(float32),
        number_of_patients=len(np.unique(patients)),
        interval=(
            f"95 %, by patients: percentiles of {options.resamples:,} resamples of patients where there are "
            f"{BOOTSTRAP_MIN_PATIENTS} of each kind, else clustered by patient"
        ),
        operating_point=POINT,
        fitted_here=fitted_here,
        mean_auc=means.first,
        mean_auc_float32=means.second,
        mean_auc_difference=means.difference,
        any_state=changes[""],
        familiarity_changes=_familiarity_changes(card, card_at_int8, scores, patients, options),
        maps=_maps(scores, rows, columns, patients, options),
        maps_above=_maps(scores, rows_above, columns_above, patients, options),
        per_label=per_label,
    )


def _states(card: ModelCard, sample: CalibrationSet) -> NDArray[np.int8]:
    """Return (n, C): 1 above, 0 below, -1 for a label that is not evaluated."""
    point = card.operating_point(POINT)
    states = np.full(sample.scores.shape, -1, dtype=np.int8)
    for c, label in enumerate(card.labels):
        threshold = usable_threshold(card, point, label)
        if threshold is not None:
            states[:, c] = sample.scores[:, c] >= threshold
    return states


def _state_changes(
    card: ModelCard,
    card_at_int8: ModelCard,
    states_float32: NDArray[np.int8],
    states: NDArray[np.int8],
    patients: np.ndarray,
    options: BootstrapOptions,
) -> dict[str, Estimate]:
    """Return the proportion of images with another state by label, and with any under the empty name."""
    reasons = {}
    for label in card.labels:
        for name, one in (("float32", card), ("INT8", card_at_int8)):
            reason = why_not_evaluated(one, one.operating_point(POINT), label)
            if reason is not None and label not in reasons:
                reasons[label] = f"not evaluated at {name}: {reason}"
    both = [c for c, label in enumerate(card.labels) if label not in reasons]
    if not both:
        reasons[""] = "no label is evaluated at both precisions"
    changed = (states != states_float32)[:, both]
    proportions = [Proportion(changed.any(axis=1)), *(Proportion(column) for column in changed.T)] if both else []
    names = ["", *(card.labels[c] for c in both)] if both else []
    rates = dict(zip(names, patient_proportions(proportions, patients, options), strict=True))
    return rates | {label: Estimate.missing(reason) for label, reason in reasons.items()}


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if len(one) < 2 or not one.std() or not other.std():
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _familiarity_changes(
    card: ModelCard, card_at_int8: ModelCard, scores: PairedScores, patients: np.ndarray, options: BootstrapOptions
) -> Estimate | None:
    before, after = card.familiarity, card_at_int8.familiarity
    if before is None or after is None or scores.distances_float32 is None or scores.distances is None:
        return None
    warned = scores.distances_float32 > before.threshold
    return patient_proportions([Proportion(warned != (scores.distances > after.threshold))], patients, options)[0]


def _maps(
    scores: PairedScores, images: np.ndarray, labels: np.ndarray, patients: np.ndarray, options: BootstrapOptions
) -> MapAgreement:
    """Return the agreement over pairs: rows of images, and columns of labels, of equal length."""
    who, apart = patients[images], scores.cells_apart[images, labels]
    correlations = scores.correlations[images, labels]
    known = np.isfinite(correlations)
    same, near = patient_proportions([Proportion(apart == 0), Proportion(apart <= 1)], who, options)
    return MapAgreement(patient_mean(correlations[known], who[known], options, lowest=-1, highest=1), same, near)
