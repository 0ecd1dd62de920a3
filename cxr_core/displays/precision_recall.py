"""Precision-recall curve of a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..evaluation.outcomes import Outcome
from ..formatting import format_counts, format_estimate
from ..labels import display_name
from ..metrics import (
    BootstrapOptions,
    Estimate,
    PrecisionRecallCurve,
    average_precision_with_interval,
    precision_recall_curve,
)
from .display import RunView
from .marks import Axis, Chart, Line, Panel, Rule

__all__ = ["PrecisionRecallDisplay"]

_OPTIONS = BootstrapOptions(resamples=1000)
_MAX_POINTS = 600
"""Points drawn of a longer curve; the table has all of them."""


@dataclass(frozen=True, eq=False)
class PrecisionRecallDisplay:
    """Precision against recall.

    Attributes:
        label: the label.
        curve: one point per distinct score.
        average_precision: with its interval.
        prevalence: proportion of positive images, which is the average precision by chance; None without images.
        notes: remarks that must accompany the numbers.
    """

    label: str
    curve: PrecisionRecallCurve
    average_precision: Estimate
    prevalence: float | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, outcome: Outcome, notes: tuple[str, ...] = (), options: BootstrapOptions = _OPTIONS
    ) -> PrecisionRecallDisplay:
        """Compute the curve of a label."""
        return cls(
            outcome.label,
            precision_recall_curve(outcome.truth, outcome.scores),
            average_precision_with_interval(outcome.truth, outcome.scores, outcome.patients, options),
            float(outcome.truth.mean()) if len(outcome.truth) else None,
            notes,
        )

    @classmethod
    def of_run(cls, run: RunView, label: str) -> PrecisionRecallDisplay:
        """Return the curve of a label of a run, with the average precision of the run's summary."""
        outcome, average = run.outcomes[label], run.summary.by_label("average_precision")[label]
        curve = precision_recall_curve(outcome.truth, outcome.scores)
        return cls(label, curve, average, float(outcome.truth.mean()), run.notes)

    def table(self) -> pd.DataFrame:
        """Return one row per distinct score."""
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
        """Return the curve as steps, because precision is not linear between two points."""
        name = display_name(self.label)
        x, y = Axis("recall (sensitivity)", 0, 1.01, percent=True), Axis("precision (PPV)", 0, 1.01, percent=True)
        title = f"Precision-recall curve, {name}"
        recall, prevalence = self.curve.recall, self.prevalence
        if recall is None or prevalence is None:
            panel = Panel(x, y, message=f"{self.curve.reason}: no curve")
            return Chart(title, (panel,), alt=f"No curve: {self.curve.reason}.", notes=self.notes)
        points = np.unique(np.linspace(0, len(recall) - 1, _MAX_POINTS).round().astype(int))
        recall, precision = recall[points], self.curve.precision[points]
        hover = tuple(
            f"score at or above {t:.3f}<br>recall {r:.1%}, precision {p:.1%}"
            for t, r, p in zip(self.curve.thresholds[points], recall, precision, strict=True)
        )
        text = f"average precision {format_estimate(self.average_precision)}; {format_counts(self.average_precision)}"
        marks = (Rule("y", prevalence), Line(recall, precision, hover=hover, steps=True))
        return Chart(
            title,
            (Panel(x, y, marks),),
            alt=f"Precision-recall curve of {name}: {text}.",
            caption=f"{text[:1].upper()}{text[1:]}. Dotted line: chance (prevalence {prevalence:.3f}).",
            notes=self.notes,
        )
