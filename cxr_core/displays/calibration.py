"""Whether a probability is one: predicted against observed, in bins of equally many films."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..metrics import (
    CalibrationBin,
    CalibrationError,
    Recalibration,
    calibration_curve,
    calibration_error,
    recalibration,
)
from .display import estimate_columns, estimate_words, limits
from .marks import Axis, Chart, Dots, Panel, Rule
from .outcome import Outcome

__all__ = ["NO_PROBABILITY", "CalibrationDisplay"]

NO_PROBABILITY = "The model's card allows no probability for this label: there is nothing to calibrate."


@dataclass(frozen=True, eq=False)
class CalibrationDisplay:
    """Calibration of a class.

    Attributes:
        label: of the class.
        bins: points of the curve; empty where there is none.
        line: slope and intercept of the outcome on the predicted log-odds; None without probabilities.
        error: the mean gap; None without probabilities.
        reason: why there is no curve, or empty.
        notes: what must stand beside the numbers.
    """

    label: str
    bins: tuple[CalibrationBin, ...]
    line: Recalibration | None
    error: CalibrationError | None
    reason: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome, notes: tuple[str, ...] = (), resamples: int = 500) -> CalibrationDisplay:
        """Compute the curve of a class from the run's probabilities."""
        if outcome.probabilities is None:
            return cls(outcome.label, (), None, None, NO_PROBABILITY, notes)
        arrays = (outcome.truth, outcome.probabilities, outcome.patients)
        line = recalibration(*arrays, resamples=resamples)
        bins = calibration_curve(*arrays, resamples=resamples)
        error = calibration_error(*arrays, resamples=resamples)
        reason = (error.error.reason or "no film") if error.error.value is None else ""
        return cls(outcome.label, tuple(bins), line, error, reason, notes)

    def table(self) -> pd.DataFrame:
        """Return a row a bin."""
        rows = [
            {"label": self.label, "lowest": b.low, "highest": b.high, "predicted": b.predicted}
            | estimate_columns(b.observed, "observed_")
            for b in self.bins
        ]
        return pd.DataFrame(rows, columns=None if rows else ["label", "lowest", "highest", "predicted"])

    def numbers(self) -> dict[str, str]:
        """Return slope, intercept and error in words."""
        if self.line is None or self.error is None:
            return {}
        numbers = {
            "slope (1 is right)": estimate_words(self.line.slope),
            "intercept (0 is right)": estimate_words(self.line.intercept, signed=True),
            "in the large (0 is right)": estimate_words(self.line.in_the_large, signed=True),
            "expected calibration error": estimate_words(self.error.error),
        }
        if self.error.if_calibrated is not None:
            numbers["by chance alone, were it calibrated"] = f"about {self.error.if_calibrated:.3f}"
        return numbers

    def chart(self) -> Chart:
        """Return bins around the diagonal; the axes end where the films do."""
        name = display_name(self.label)
        title = f"Calibration, {name}"
        known = [b for b in self.bins if b.observed.value is not None]
        if self.reason or not known:
            words = self.reason or "too few cases in each bin"
            axes = Axis("predicted probability", 0, 1), Axis("share that is positive", 0, 1)
            return Chart(title, (Panel(*axes, words=words),), alt=f"No calibration curve: {words}", notes=self.notes)
        ends = limits([b.observed for b in known])
        highest = max([b.predicted for b in known] + [e for e in ends["high"] if e == e])
        top = min(1.0, 1.08 * highest)
        axes = (
            Axis("predicted probability", 0, top, percent=True),
            Axis("share that is positive", 0, top, percent=True),
        )
        hover = tuple(
            f"predicted {b.predicted:.1%}, observed {estimate_words(b.observed, percent=True)}"
            f"<br>{b.observed.positives + b.observed.negatives:,} films"
            for b in known
        )
        dots = Dots(
            np.array([b.predicted for b in known]), np.array([b.observed.value for b in known]), hover=hover, **ends
        )
        told = "; ".join(f"{what} {words}" for what, words in self.numbers().items())
        return Chart(
            title,
            (Panel(*axes, (Rule("diagonal"), dots)),),
            alt=f"Calibration curve of {name}. {told}.",
            notes=self.notes,
        )
