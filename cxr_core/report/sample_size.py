"""Per label, how wide the intervals are that the patients of an evaluation allow, and how many a given width needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..estimate import Estimate
from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import (
    auc_half_width,
    binormal_log_odds,
    calibration_slope_half_width,
    patients_needed,
    proportion_half_width,
)
from ..model.card import OperatingPoint
from .reporting_evidence import Measured

__all__ = ["LabelPrecision", "label_precision"]

WANTED = 0.05
"""Half-width of an AUC and of a sensitivity that a study should have."""

WANTED_SLOPE = 0.1
"""Half-width of a calibration slope: Riley et al. (2021)."""


@dataclass(frozen=True)
class LabelPrecision:
    """Half-widths of 95 % intervals of one label, and the positive patients that others need; None where undefined.

    Attributes:
        label: of the model.
        positives, negatives: patients.
        auc: observed, with its own interval, which takes several images of a patient into account.
        auc_half, sensitivity_half, specificity_half, slope_half: half-widths that the patients allow.
        sensitivity, specificity: anticipated: of the run, or of the card's operating point.
        auc_needed, sensitivity_needed, slope_needed: positive patients, at the same ratio of negative ones, for
            :data:`WANTED` and :data:`WANTED_SLOPE`.
    """

    METHOD: ClassVar[str] = (
        "Half-widths of 95 % intervals, each patient one observation: AUC by Newcombe's form of Hanley and McNeil's "
        "variance; sensitivity and specificity by Wilson's interval; calibration slope of a calibrated model whose "
        "log-odds are normal in each class (Riley et al., Statistics in Medicine 2021;40:4230; BMJ 2024;384:e074821). "
        "Sensitivity and specificity are those of the run, else those on the card for the same label. A patient with "
        "images with and without the finding counts as both. Needed: positive patients, with negative ones in the same "
        f"ratio, for a half-width of {WANTED} (calibration slope: {WANTED_SLOPE})."
    )
    HEADINGS: ClassVar[tuple[str, ...]] = (
        "label", "positive patients", "negative patients", "AUC (95 % CI)", "observed half-width", "AUC ±",
        "sensitivity", "±", "specificity", "±", "calibration slope ±", "needed: AUC", "needed: sensitivity",
        "needed: slope",
    )  # fmt: skip

    label: str
    positives: int
    negatives: int
    auc: Estimate
    auc_half: float | None
    sensitivity: float | None
    sensitivity_half: float | None
    specificity: float | None
    specificity_half: float | None
    slope_half: float | None
    auc_needed: int | None
    sensitivity_needed: int | None
    slope_needed: int | None

    @property
    def observed_half(self) -> float | None:
        """Half the width of the observed interval of the AUC."""
        if self.auc.low is None or self.auc.high is None:
            return None
        return (self.auc.high - self.auc.low) / 2

    def cells(self) -> tuple[str, ...]:
        """Return the line of the table, in the order of ``HEADINGS``."""
        decimals = (
            self.observed_half, self.auc_half, self.sensitivity, self.sensitivity_half, self.specificity,
            self.specificity_half, self.slope_half,
        )  # fmt: skip
        return (
            display_name(self.label),
            f"{self.positives:,}",
            f"{self.negatives:,}",
            format_estimate(self.auc),
            *("" if number is None else f"{number:.3f}" for number in decimals),
            *(_whole(number) for number in (self.auc_needed, self.sensitivity_needed, self.slope_needed)),
        )

    def sentence(self) -> str:
        """Return the line as text."""
        return "; ".join(
            f"{head} {cell}" for head, cell in zip(self.HEADINGS[1:], self.cells()[1:], strict=True) if cell
        )


def label_precision(measured: Measured, point: OperatingPoint | None) -> tuple[LabelPrecision, ...]:
    """Return the precision of every label of a set of images whose patients are counted.

    Args:
        measured: AUCs with counts.
        point: operating point whose sensitivity and specificity are anticipated where the set has none of its own.
    """
    lines = []
    for label, auc in measured.auc.items():
        positives, negatives = auc.positive_patients, auc.negative_patients
        if positives and negatives:
            threshold = point.thresholds.get(label) if point else None
            on_card = (threshold.sensitivity, threshold.specificity) if threshold else (None, None)
            sensitivity = _value(measured.sensitivity.get(label) or on_card[0])
            specificity = _value(measured.specificity.get(label) or on_card[1])
            lines.append(_line(label, positives, negatives, auc, sensitivity, specificity))
    return tuple(lines)


def _line(
    label: str, positives: int, negatives: int, auc: Estimate, sensitivity: float | None, specificity: float | None
) -> LabelPrecision:
    ratio = negatives / positives
    auc_half = auc_needed = slope_half = slope_needed = sensitivity_half = sensitivity_needed = None
    area = auc.value
    if area is not None and 0 < area < 1:

        def of_auc(n: int) -> float:
            return auc_half_width(area, n, max(n * ratio, 1))

        auc_half, auc_needed = of_auc(positives), patients_needed(of_auc, WANTED)
    if area is not None and 0.5 < area < 1:
        log_odds, weights = binormal_log_odds(area, positives / (positives + negatives))

        def of_slope(n: int) -> float:
            return calibration_slope_half_width(log_odds, n * (1 + ratio), weights)

        slope_half, slope_needed = of_slope(positives), patients_needed(of_slope, WANTED_SLOPE)
    if sensitivity is not None:
        rate = sensitivity
        sensitivity_half = proportion_half_width(rate, positives)
        sensitivity_needed = patients_needed(lambda n: proportion_half_width(rate, n), WANTED)
    return LabelPrecision(
        label=label,
        positives=positives,
        negatives=negatives,
        auc=auc,
        auc_half=auc_half,
        sensitivity=sensitivity,
        sensitivity_half=sensitivity_half,
        specificity=specificity,
        specificity_half=None if specificity is None else proportion_half_width(specificity, negatives),
        slope_half=slope_half,
        auc_needed=auc_needed,
        sensitivity_needed=sensitivity_needed,
        slope_needed=slope_needed,
    )


def _value(rate: Estimate | None) -> float | None:
    return None if rate is None else rate.value


def _whole(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
