"""Findings and readings: what the model states of one image, and when a label is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..estimate import Estimate
from ..imaging import SMALL_CHANGES, Placement, Quality, Radiograph, SmallChange, SpacingSource
from .calibration import assumed_prevalence, discrimination_not_shown, probability_scale
from .card import ModelCard, OperatingPoint

__all__ = [
    "MIN_PATIENTS",
    "ChangedFindings",
    "Finding",
    "FlagRate",
    "ImageFacts",
    "Reading",
    "State",
    "flag_rate",
    "image_facts",
    "log_odds",
    "make_findings",
    "reassess",
    "usable_threshold",
    "why_not_evaluated",
]

State = Literal["above", "below", "not_evaluated"]

MIN_PATIENTS = 30
"""A label is not evaluated where its threshold was set on fewer positive or negative patients than this."""

NO_OPERATING_POINT = "no operating point"


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
        state: ``above`` where the score is at or over the threshold, else ``below``, which is not "absent". Nothing
            else enters it: not the interval, and not the prevalence, which moves value and threshold alike.
        reason: why the label is not evaluated; None where it is.
    """

    label: str
    logit: float
    score: float
    probability: float | None
    interval: tuple[float, float] | None
    threshold: float | None
    state: State
    reason: str | None = None


@dataclass(frozen=True)
class ChangedFindings:
    """The findings of the same image after a small change of it; ``change`` is the name of the change."""

    change: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class ImageFacts:
    """Facts of the image in a reading: no pixels, no patient data.

    ``view`` is ``PA``, ``AP`` or another view as the gate's header check names it; empty where it is not stated.
    ``spacing_source`` is the attribute that states ``spacing_mm``.
    """

    kind: str
    rows: int
    columns: int
    transforms: tuple[str, ...]
    spacing_mm: tuple[float, float] | None
    view: str = ""
    spacing_source: SpacingSource = ""


@dataclass(frozen=True)
class FlagRate:
    """Proportion of images without findings on which an operating point has any label above, as on the card.

    Attributes:
        overall: of all images without findings.
        view: of the image that was read; empty where it is not stated.
        in_view: of the images in that view; None where the card does not have it.
        cross_validated: each image judged by thresholds that were set on other patients; else the rates are in-sample.
    """

    overall: Estimate
    view: str
    in_view: Estimate | None
    cross_validated: bool


@dataclass(frozen=True)
class Reading:
    """A second opinion on one image.

    Attributes:
        sha256: hex digest of the input bytes.
        image: facts of the image that was read.
        quality: the gate's verdict; where it is ``refused`` there are no findings and no maps.
        model_id, model_sha256: the model; the hash is that of ``model.keras``.
        engine: name of the engine that ran it.
        operating_point: name of the operating point that made the states.
        findings: one per label, in the card's order.
        class_maps: (labels, h, w) float32 on the network's grid, row 0 on top, in logit units: contribution of each
            cell, of either sign. Their sum plus the bias is the logit.
        placement: position of the network's input on the original.
        prevalence: assumed prevalence by label; probabilities, intervals and thresholds of these labels are shifted to
            it. None where none was assumed.
        flagged: proportion of images without findings that the operating point flags; None where the card has none.
        under_changes: findings under each of :data:`cxr_core.imaging.SMALL_CHANGES` that was tried, in that order.
        distance: of the image from the training images (:mod:`.familiarity`); None where it was not measured.
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
    flagged: FlagRate | None = None
    under_changes: tuple[ChangedFindings, ...] = ()
    distance: float | None = None

    def finding(self, label: str) -> Finding:
        """Return the finding of a label; KeyError where the model does not have it."""
        for finding in self.findings:
            if finding.label == label:
                return finding
        raise KeyError(label)

    def ranked(self) -> tuple[Finding, ...]:
        """Return the findings in the order of the reading page.

        Evaluated ones first, by their distance from the threshold in log-odds; then those that are not evaluated, by
        score.
        """
        return tuple(sorted(self.findings, key=_rank))

    def unchecked_changes(self) -> tuple[SmallChange, ...]:
        """Return the small changes under which the image was not read yet; none for a reading without findings."""
        checked = {changed.change for changed in self.under_changes}
        return tuple(change for change in SMALL_CHANGES if self.findings and change.name not in checked)

    @property
    def changes_checked(self) -> bool:
        """Whether the image was read under all small changes."""
        return bool(self.findings) and not self.unchecked_changes()

    def changes_of_state(self, label: str) -> tuple[str, ...] | None:
        """Return the names of the small changes under which the state of a label is another one.

        None where not all of them were tried, and for a label that is not evaluated: it has no state.
        """
        state = self.finding(label).state
        if not self.changes_checked or state == "not_evaluated":
            return None
        position = [finding.label for finding in self.findings].index(label)
        return tuple(changed.change for changed in self.under_changes if changed.findings[position].state != state)


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
    """Return the facts of an image for its reading."""
    return ImageFacts(
        radiograph.kind,
        radiograph.rows,
        radiograph.columns,
        radiograph.transforms,
        radiograph.spacing_mm,
        radiograph.header.get("ViewPosition", "") or "",
        radiograph.spacing_source,
    )


def flag_rate(point: OperatingPoint, view: str = "") -> FlagRate | None:
    """Return how many images without findings an operating point flags; None where the card does not say."""
    if point.flagged_without_findings is None:
        return None
    in_view = point.flagged_by_group.get(f"view: {view}")
    return FlagRate(point.flagged_without_findings, view, in_view, bool(point.held_out))


def make_findings(
    card: ModelCard, logits: np.ndarray, point: OperatingPoint, prevalence: Mapping[str, float] | None = None
) -> tuple[Finding, ...]:
    """Return the findings of one image.

    Args:
        card: names the labels; its calibration, where it has one, gives probabilities.
        logits: (labels,) float.
        point: gives thresholds.
        prevalence: assumed proportion of positive images by label, from :func:`.calibration.assumed_prevalence`.
    """
    return tuple(
        _finding(card, point, label, float(logit), prevalence)
        for label, logit in zip(card.labels, np.asarray(logits, dtype=np.float64), strict=True)
    )


def _finding(
    card: ModelCard, point: OperatingPoint, label: str, logit: float, prevalence: Mapping[str, float] | None
) -> Finding:
    score = float(1 / (1 + np.exp(-logit)))
    threshold = usable_threshold(card, point, label)
    if threshold is None:
        reason = why_not_evaluated(card, point, label)
        return Finding(label, logit, score, None, None, None, "not_evaluated", reason)
    # on the score, on which thresholds are set and counted: a curve rises with it, and could only add a rounding error
    state: State = "above" if score >= threshold else "below"
    scale = probability_scale(card.calibration, label, prevalence)
    if scale is None:
        return Finding(label, logit, score, None, None, threshold, state)
    low, probability, high = scale.at(logit)
    return Finding(label, logit, score, probability, (low, high), scale.at(log_odds(threshold))[1], state)


def reassess(
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

    def again(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return make_findings(card, np.array([finding.logit for finding in findings]), point, assumed)

    return replace(
        reading,
        operating_point=operating_point,
        findings=again(reading.findings) if reading.findings else (),
        under_changes=tuple(replace(changed, findings=again(changed.findings)) for changed in reading.under_changes),
        prevalence=assumed,
        flagged=flag_rate(point, reading.image.view),
    )


def usable_threshold(card: ModelCard, point: OperatingPoint, label: str) -> float | None:
    """Return a label's threshold on the score, or None where the label is not evaluated."""
    return point.thresholds[label].value if why_not_evaluated(card, point, label) is None else None


def why_not_evaluated(card: ModelCard, point: OperatingPoint, label: str) -> str | None:
    """Return why a label is neither above nor below at an operating point, or None where it is evaluated.

    It needs a threshold, :data:`MIN_PATIENTS` positive and as many negative patients that it was set on, and a score
    that was shown to discriminate (:func:`.calibration.discrimination_not_shown`). A threshold that was published by
    others, as its ``source`` says, is used without counts; a card without a calibration shows nothing against it.
    """
    threshold = point.thresholds[label]
    if threshold.value is None:
        return threshold.reason or NO_OPERATING_POINT
    counts = threshold.counts
    if threshold.source is None and (counts is None or counts.rarer_patients < MIN_PATIENTS):
        patients = (
            "patients not known"
            if counts is None
            else (f"{counts.positive_patients} positive, {counts.negative_patients} negative patients")
        )
        return f"too few cases ({patients}; {MIN_PATIENTS} of each needed)"
    curve = None if card.calibration is None else card.calibration.per_label[label]
    return None if curve is None else discrimination_not_shown(curve)
