"""The precision-recall curve of a class, with the share of positives that chance would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..metrics import Estimate, PrecisionRecallCurve, patient_bootstrap_average_precision, precision_recall_curve
from .display import counts_words, estimate_words
from .marks import Axis, Chart, Line, Panel, Rule
from .outcome import Outcome

__all__ = ["PrecisionRecallDisplay"]

_DRAWN = 600


@dataclass(frozen=True, eq=False)
class PrecisionRecallDisplay:
    """Precision against recall.

    Attributes:
        label: of the class.
        curve: a point for each distinct score.
        average_precision: with its interval.
        prevalence: the share of positive films; None without films.
        notes: what must stand beside the numbers.
    """

    label: str
    curve: PrecisionRecallCurve
    average_precision: Estimate
    prevalence: float | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome, notes: tuple[str, ...] = (), resamples: int = 1000) -> PrecisionRecallDisplay:
        """Compute the curve of a class."""
        return cls(
            outcome.label,
            precision_recall_curve(outcome.truth, outcome.scores),
            patient_bootstrap_average_precision(outcome.truth, outcome.scores, outcome.patients, resamples),
            float(outcome.truth.mean()) if len(outcome.truth) else None,
            notes,
        )

    def table(self) -> pd.DataFrame:
        """Return a row for each distinct score."""
        if self.curve.reason:
            return pd.DataFrame(columns=["label", "threshold", "recall", "precision"])
        return pd.DataFrame(
            {
                "label": self.label,
                "threshold": self.curve.thresholds,
                "recall": self.curve.recall,
                "precision": self.curve.precision,
            }
        )

    def chart(self) -> Chart:
        """Return the curve as steps: between two of its points precision does not move in proportion."""
        name = display_name(self.label)
        x, y = Axis("recall (sensitivity)", 0, 1.01, percent=True), Axis("precision (PPV here)", 0, 1.01, percent=True)
        title = f"Precision and recall, {name}"
        if self.curve.reason:
            panel = Panel(x, y, words=f"{self.curve.reason}: no curve")
            return Chart(title, (panel,), alt=f"No curve: {self.curve.reason}.", notes=self.notes)
        kept = np.unique(np.linspace(0, len(self.curve.recall) - 1, _DRAWN).round().astype(int))
        recall, precision, thresholds = (
            values[kept] for values in (self.curve.recall, self.curve.precision, self.curve.thresholds)
        )
        hover = tuple(
            f"score at or over {t:.3f}<br>recall {r:.1%}, precision {p:.1%}"
            for t, r, p in zip(thresholds, recall, precision, strict=True)
        )
        told = f"average precision {estimate_words(self.average_precision)}; {counts_words(self.average_precision)}"
        marks = (Rule("y", self.prevalence), Line(recall, precision, hover=hover, steps=True))
        return Chart(
            title,
            (Panel(x, y, marks),),
            alt=f"Precision-recall curve of {name}: {told}.",
            caption=f"{told[:1].upper()}{told[1:]}; chance gives {self.prevalence:.3f}.",
            notes=self.notes,
        )
