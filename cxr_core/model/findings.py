"""What a reading says, and when it may assert something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..imaging import Placement, Quality, Radiograph
from .calibration import Scale, assumed_prevalence, probability_scale
from .card import ModelCard, OperatingPoint
from .measure import Metric

__all__ = [
    "MIN_PATIENTS",
    "Finding",
    "ImageFacts",
    "Reading",
    "State",
    "find",
    "image_facts",
    "log_odds",
    "reassessed",
    "usable_threshold",
]

State = Literal["above", "below", "unsure", "not_evaluated"]

MIN_PATIENTS = 30
"""An operating point set on fewer positive or negative patients than this asserts nothing."""


@dataclass(frozen=True)
class Finding:
    """One label of one reading.

    Attributes:
        label: as in the card.
        logit: the network's output.
        score: its sigmoid, in (0, 1). It is not a probability.
        probability: calibrated, or None where the card does not allow one.
        interval: patient-bootstrap interval of the calibration curve at this score, or None. Not
            the uncertainty about this patient.
        threshold: on the scale of ``probability``, or of ``score`` where that is None; None where
            the label is not evaluated.
        state: what may be asserted. ``below`` is not "absent".
    """

    label: str
    logit: float
    score: float
    probability: float | None
    interval: tuple[float, float] | None
    threshold: float | None
    state: State


@dataclass(frozen=True)
class ImageFacts:
    """What is kept of the film in a reading: no pixels, no patient."""

    kind: str
    rows: int
    columns: int
    transforms: tuple[str, ...]
    spacing_mm: tuple[float, float] | None


@dataclass(frozen=True)
class Reading:
    """A second opinion on one film.

    Attributes:
        sha256: hex digest of the input bytes.
        image: what was read.
        quality: the gate's verdict; where it is ``refused`` there are no findings and no maps.
        model_id, model_sha256: the model; the hash is that of ``model.keras``.
        engine: which engine ran it.
        operating_point: name of the operating point that made the states.
        findings: one per label, in the card's order.
        class_maps: (labels, h, w) float32 on the network's grid, row 0 on top, in logit units: each
            cell's contribution, of either sign. Their sum plus the bias is the logit.
        placement: where the network's input lies on the original.
        prevalence: the shares of positive films that somebody assumed, by label; probabilities, intervals and
            thresholds of these labels are shifted to them. None where nothing was assumed.
        flagged_without_findings: of the operating point, as on the card.
    """

    sha256: str
    image: ImageFacts
    quality: Quality
    model_id: str
    model_sha256: str
    engine: str
    operating_point: str
    findings: tuple[Finding, ...]
    class_maps: np.ndarray
    placement: Placement | None
    prevalence: Mapping[str, float] | None = None
    flagged_without_findings: Metric | None = None

    def finding(self, label: str) -> Finding:
        """Return the finding of a label; KeyError where the model does not have it."""
        for finding in self.findings:
            if finding.label == label:
                return finding
        raise KeyError(label)

    def ranked(self) -> tuple[Finding, ...]:
        """Return the findings as a reader wants them.

        Evaluated ones first, by their distance from the threshold in log-odds; then those that are
        not evaluated, by score.
        """
        return tuple(sorted(self.findings, key=_rank))


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)), kept finite at 0 and 1."""
    p = min(max(probability, 1e-12), 1 - 1e-12)
    return float(np.log(p) - np.log1p(-p))


def _rank(finding: Finding) -> tuple[bool, float]:
    if finding.threshold is None:
        return True, -finding.score
    value = finding.score if finding.probability is None else finding.probability
    return False, log_odds(finding.threshold) - log_odds(value)


def image_facts(radiograph: Radiograph) -> ImageFacts:
    """Return what a reading keeps of a film."""
    return ImageFacts(
        radiograph.kind, radiograph.rows, radiograph.columns, radiograph.transforms, radiograph.spacing_mm
    )


def find(
    card: ModelCard, logits: np.ndarray, point: OperatingPoint, prevalence: Mapping[str, float] | None = None
) -> tuple[Finding, ...]:
    """Return the findings of one film.

    Args:
        card: names the labels; its calibration, where it has one, gives probabilities.
        logits: (labels,) float.
        point: gives thresholds.
        prevalence: assumed share of positive films by label, from :func:`.calibration.assumed_prevalence`.
    """
    return tuple(
        _finding(
            label, float(logit), usable_threshold(point, label), probability_scale(card.calibration, label, prevalence)
        )
        for label, logit in zip(card.labels, np.asarray(logits, dtype=np.float64), strict=True)
    )


def _finding(label: str, logit: float, threshold: float | None, scale: Scale | None) -> Finding:
    score = float(1 / (1 + np.exp(-logit)))
    if threshold is None:
        return Finding(label, logit, score, None, None, None, "not_evaluated")
    if scale is None:
        return Finding(label, logit, score, None, None, threshold, "above" if score >= threshold else "below")
    low, probability, high = scale.at(logit)
    _, threshold, _ = scale.at(log_odds(threshold))
    state: State = "above" if probability >= threshold else "below"
    if low <= threshold <= high:
        state = "unsure"
    return Finding(label, logit, score, probability, (low, high), threshold, state)


def reassessed(
    reading: Reading, card: ModelCard, operating_point: str, prevalence: Mapping[str, float] | float | None = None
) -> Reading:
    """Return the same reading under another operating point or assumed prevalence; the network is not run.

    Args:
        reading: of the same model as ``card``.
        card: of the model that read.
        operating_point: name of one of the card's.
        prevalence: as in :func:`.calibration.assumed_prevalence`.

    Raises:
        WrongArguments: for an operating point or a prevalence that the card does not allow.
    """
    point, assumed = card.operating_point(operating_point), assumed_prevalence(card.calibration, prevalence)
    findings = reading.findings
    if findings:
        findings = find(card, np.array([finding.logit for finding in findings]), point, assumed)
    return replace(
        reading,
        operating_point=operating_point,
        findings=findings,
        prevalence=assumed,
        flagged_without_findings=point.flagged_without_findings,
    )


def usable_threshold(point: OperatingPoint, label: str) -> float | None:
    """Return a label's threshold, or None where too few patients carry it.

    One that others published, and whose card says so, is theirs to answer for.
    """
    threshold = point.thresholds[label]
    counts = threshold.counts
    if threshold.source is not None:
        return threshold.value
    if threshold.value is None or counts is None:
        return None
    if min(counts.positive_patients, counts.negative_patients) < MIN_PATIENTS:
        return None
    return threshold.value
