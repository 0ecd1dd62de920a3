"""The numbers of a run, as they are printed, exported and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..metrics import AtThreshold, Estimate, Recalibration
from ..store import RunRecord
from .boxes import BoxNumbers
from .outcomes import ANY_FINDING

__all__ = ["GroupNumber", "LabelNumbers", "MeanAuc", "Number", "RunSummary"]


@dataclass(frozen=True)
class LabelNumbers:
    """The numbers of one label, or of any finding.

    Attributes:
        prevalence: the share of films that are positive.
        auc: area under the ROC curve.
        average_precision: to be read beside ``prevalence``, which chance alone would give.
        brier: of the probabilities; None where the card allows none.
        calibration: slope and intercepts of the outcome over the probabilities; None likewise.
        operating: what the threshold that the run keeps does; None where it keeps none. Of any finding: a film is
            above where any label is.
    """

    prevalence: Estimate
    auc: Estimate
    average_precision: Estimate
    brier: Estimate | None
    calibration: Recalibration | None
    operating: AtThreshold | None


@dataclass(frozen=True)
class MeanAuc:
    """The mean AUC over the labels that have enough cases, any finding not among them.

    Attributes:
        macro: each label weighs the same.
        weighted: by the number of positive films.
        labels: that are in it.
        left_out: (label, reason) of the others.
    """

    macro: Estimate
    weighted: Estimate
    labels: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GroupNumber:
    """The AUC of any finding among the films of one group, such as ``view`` ``PA``."""

    characteristic: str
    group: str
    auc: Estimate


@dataclass(frozen=True)
class Number:
    """One number by name: what is printed and what is exported, line by line.

    Attributes:
        metric: such as ``auc`` or ``sensitivity``.
        label: empty for a number of all labels.
        group: such as ``view: PA``; empty for all films.
        threshold: of the score, or of the map as a share of full colour, where the number has one.
        estimate: value, interval, counts.
    """

    metric: str
    label: str
    group: str
    threshold: float | None
    estimate: Estimate


@dataclass(frozen=True)
class RunSummary:
    """The numbers of a run against one reference.

    Attributes:
        record: of the run.
        reference: who says what the films show.
        labels: of each label that the reference knows, and of :data:`.outcomes.ANY_FINDING`.
        mean_auc: over the labels.
        flagged_without_findings: of the films without findings the share on which any label is above its
            threshold; None where the run keeps no threshold.
        groups: AUC of any finding by view, sex and age band.
        boxes: where the maps of boxed labels point, and of all of them; empty where the run has no boxes.
        resamples: of patients, behind every interval that is of resamples.
        notes: what must stand beside every number.
    """

    record: RunRecord
    reference: str
    labels: dict[str, LabelNumbers]
    mean_auc: MeanAuc
    flagged_without_findings: Estimate | None
    groups: tuple[GroupNumber, ...]
    boxes: dict[str, BoxNumbers]
    resamples: int
    notes: tuple[str, ...]

    @property
    def auc(self) -> dict[str, Estimate]:
        """The area of each label and of any finding."""
        return {label: numbers.auc for label, numbers in self.labels.items()}

    def numbers(self) -> Iterator[Number]:
        """Yield every number of the summary."""
        for metric in ("auc", "prevalence", "average_precision", "brier"):
            for label, numbers in self.labels.items():
                if getattr(numbers, metric) is not None:
                    yield Number(metric, label, "", None, getattr(numbers, metric))
        for label, numbers in self.labels.items():
            if numbers.calibration is not None:
                yield Number("calibration_slope", label, "", None, numbers.calibration.slope)
                yield Number("calibration_intercept", label, "", None, numbers.calibration.intercept)
        for label, numbers in self.labels.items():
            if (point := numbers.operating) is not None:
                threshold = None if label == ANY_FINDING else point.threshold
                for metric, estimate in (
                    ("sensitivity", point.sensitivity),
                    ("specificity", point.specificity),
                    ("ppv", point.positive_predictive_value),
                    ("npv", point.negative_predictive_value),
                ):
                    yield Number(metric, label, "", threshold, estimate)
        yield Number("macro_auc", "", "", None, self.mean_auc.macro)
        yield Number("weighted_auc", "", "", None, self.mean_auc.weighted)
        if self.flagged_without_findings is not None:
            yield Number("flagged_without_findings", "", "", None, self.flagged_without_findings)
        for group in self.groups:
            yield Number("auc", ANY_FINDING, f"{group.characteristic}: {group.group}", None, group.auc)
        for label, boxes in self.boxes.items():
            yield Number("hit_rate", label, "", None, boxes.hit_rate)
            yield Number("centre_hit_rate", label, "", None, boxes.centre_hit_rate)
            yield Number("hit_rate_gain", label, "", None, boxes.gain)
            for threshold, overlap, centre in zip(boxes.thresholds, boxes.overlap, boxes.centre_overlap, strict=True):
                yield Number("overlap", label, "", threshold, overlap)
                yield Number("centre_overlap", label, "", threshold, centre)
