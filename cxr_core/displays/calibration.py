"""Calibration curve of a label: predicted probability against observed proportion."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..evaluation.in_sample import IN_SAMPLE_NOTE
from ..evaluation.outcomes import Outcome
from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import (
    BootstrapOptions,
    CalibrationBin,
    calibration_curve,
    count_cases,
)
from ..metrics.cases import insufficient_cases
from ..model.formatting import CROSS_VALIDATED, IN_SAMPLE
from .display import FIGURE_OPTIONS, RunView, estimate_columns, interval_bounds
from .marks import Axis, Chart, Dots, Panel, Rule

__all__ = ["NO_PROBABILITY", "CalibrationDisplay", "CrossValidatedCalibrationDisplay"]

NO_PROBABILITY = "The model card allows no probability for this label."


@dataclass(frozen=True, eq=False)
class CalibrationDisplay:
    """Calibration curve of a label, in bins of equal numbers of images.

    Attributes:
        label: the label.
        bins: points of the curve, or empty.
        images: number of images in each bin.
        reason: why there is no curve, or empty.
        notes: remarks that must accompany the numbers.
        basis: ``in-sample``, ``cross-validated`` or empty.
    """

    label: str
    bins: tuple[CalibrationBin, ...]
    images: tuple[int, ...]
    reason: str
    notes: tuple[str, ...] = ()
    basis: str = ""

    @classmethod
    def of(
        cls, outcome: Outcome, notes: tuple[str, ...] = (), options: BootstrapOptions = FIGURE_OPTIONS
    ) -> CalibrationDisplay:
        """Compute the curve of a label from the run's probabilities."""
        if outcome.probabilities is None:
            return cls(outcome.label, (), (), NO_PROBABILITY, notes)
        arrays = (outcome.truth, outcome.probabilities, outcome.patients)
        bins = calibration_curve(*arrays, options=options)
        reason = insufficient_cases(count_cases(outcome.truth, outcome.patients), options.min_patients)
        images = tuple(0 if b.observed.counts is None else b.observed.counts.images for b in bins)
        return cls(outcome.label, tuple(bins), images, reason or "", notes)

    @classmethod
    def of_run(cls, run: RunView, label: str) -> CalibrationDisplay:
        """Return the curve of a label of a run."""
        display = cls.of(run.outcomes[label], run.notes, run.options)
        return replace(display, basis=IN_SAMPLE if run.context.in_sample else "")

    def table(self) -> pd.DataFrame:
        """Return one row per bin."""
        rows = [
            {"label": self.label, "basis": self.basis, "images": images}
            | {"lowest": b.low, "highest": b.high, "predicted": b.predicted}
            | estimate_columns(b.observed, "observed_")
            for b, images in zip(self.bins, self.images, strict=True)
        ]
        return pd.DataFrame(rows, columns=None if rows else ["label", "lowest", "highest", "predicted"])

    def chart(self) -> Chart:
        """Return the observed proportions with their intervals, and the diagonal."""
        name = display_name(self.label)
        title = ", ".join(filter(None, ("Calibration", name, self.basis)))
        known = [b for b in self.bins if b.observed.value is not None]
        if self.reason or not known:
            reason = self.reason or "too few cases in each bin"
            axes = Axis("predicted probability", 0, 1), Axis("observed proportion", 0, 1)
            return Chart(
                title, (Panel(*axes, message=reason),), alt=f"No calibration curve: {reason}", notes=self.notes
            )
        low, high = interval_bounds([b.observed for b in known])
        highest = max([b.predicted for b in known] + [limit for limit in high if not np.isnan(limit)])
        top = min(1.0, 1.08 * highest)
        axes = (
            Axis("predicted probability", 0, top, percent=True),
            Axis("observed proportion", 0, top, percent=True),
        )
        hover = tuple(
            f"predicted {b.predicted:.1%}, observed {format_estimate(b.observed, percent=True)}<br>{images:,} images"
            for b, images in zip(self.bins, self.images, strict=True)
            if b.observed.value is not None
        )
        dots = Dots(
            np.array([b.predicted for b in known]),
            np.array([b.observed.value_or_nan for b in known]),
            low=low,
            high=high,
            hover=hover,
        )
        return Chart(
            title,
            (Panel(*axes, (Rule("diagonal"), dots)),),
            alt=f"{title}. Curve: {'; '.join(hover).replace('<br>', ', ')}.",
            caption="Dotted line: perfect calibration.",
            notes=self.notes,
        )


class CrossValidatedCalibrationDisplay:
    """The calibration curve of a label that the card has cross-validated on the images of an in-sample run."""

    @classmethod
    def of_run(cls, run: RunView, label: str) -> CalibrationDisplay | None:
        """Return the curve of a label of a run; None where the run is not in-sample, or the card has no such curve."""
        card = run.context.cross_validation
        curve = None if card is None else card.curves.get(label)
        if curve is None or curve.held_out is None:
            return None
        bins = curve.held_out.bins
        # the card does not keep the limits of the bins
        points = tuple(CalibrationBin(math.nan, math.nan, b.predicted, b.observed) for b in bins)
        notes = tuple(note for note in run.notes if note != IN_SAMPLE_NOTE)
        return CalibrationDisplay(label, points, tuple(b.images for b in bins), "", notes, CROSS_VALIDATED)
