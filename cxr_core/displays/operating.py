"""A threshold on one class: who is found, who is missed, and what a call is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..metrics import AtThreshold, Estimate, ValuesAtPrevalence, at_threshold, values_at_prevalence
from .display import counts_words, estimate_columns, estimate_words
from .marks import Axis, Cells, Chart, Panel
from .outcome import Outcome

__all__ = ["OperatingDisplay"]


@dataclass(frozen=True, eq=False)
class OperatingDisplay:
    """Confusion of one class at a threshold of the score, and the numbers of it.

    Attributes:
        label: of the class.
        point: counts, sensitivity, specificity, predictive values, likelihood ratios.
        elsewhere: predictive values at a prevalence that was set; None where none was.
        notes: what must stand beside the numbers.
    """

    label: str
    point: AtThreshold
    elsewhere: ValuesAtPrevalence | None
    notes: tuple[str, ...] = ()

    @classmethod
    def at(
        cls,
        outcome: Outcome,
        threshold: float,
        prevalence: float | None = None,
        notes: tuple[str, ...] = (),
        resamples: int = 500,
    ) -> OperatingDisplay:
        """Compute what a threshold does.

        Args:
            outcome: of the class.
            threshold: on the scale of the score.
            prevalence: in (0, 1), of where the model is to be used, or None.
            notes: what must stand beside the numbers.
            resamples: of patients; few, since this is computed anew as the threshold is moved.
        """
        point = at_threshold(outcome.truth, outcome.scores, threshold, outcome.patients, resamples)
        elsewhere = None if prevalence is None else values_at_prevalence(point, prevalence)
        return cls(outcome.label, point, elsewhere, notes)

    def estimates(self) -> dict[str, Estimate]:
        """Return every number that has an interval, by its name."""
        p = self.point
        found = {
            "sensitivity": p.sensitivity,
            "specificity": p.specificity,
            "PPV here": p.positive_predictive_value,
            "NPV here": p.negative_predictive_value,
            "positive likelihood ratio": p.positive_likelihood_ratio,
            "negative likelihood ratio": p.negative_likelihood_ratio,
        }
        if self.elsewhere is not None:
            found[f"PPV at a prevalence of {self.elsewhere.prevalence:.1%}"] = self.elsewhere.positive_predictive_value
            found[f"NPV at a prevalence of {self.elsewhere.prevalence:.1%}"] = self.elsewhere.negative_predictive_value
        return found

    def numbers(self) -> dict[str, str]:
        """Return the same in words."""
        return {
            name: estimate_words(estimate, percent="ratio" not in name) for name, estimate in self.estimates().items()
        }

    def table(self) -> pd.DataFrame:
        """Return a row a number, with the four counts in front."""
        p = self.point
        counts = {
            "true positives": p.true_positives,
            "false negatives": p.false_negatives,
            "false positives": p.false_positives,
            "true negatives": p.true_negatives,
        }
        rows = [{"number": name, "value": count} for name, count in counts.items()]
        rows += [{"number": name} | estimate_columns(estimate) for name, estimate in self.estimates().items()]
        frame = pd.DataFrame(rows)
        frame.insert(0, "threshold", p.threshold)
        frame.insert(0, "label", self.label)
        return frame

    def chart(self) -> Chart:
        """Return the four counts; colour is the share of the row, what is shown by the reference."""
        p, name = self.point, display_name(self.label)
        counts = np.array([[p.true_positives, p.false_negatives], [p.false_positives, p.true_negatives]])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        words = tuple(
            tuple(f"{n:,}<br>{s:.1%}" for n, s in zip(*row, strict=True)) for row in zip(counts, shares, strict=True)
        )
        cells = Cells(("above", "below"), ("positive", "negative"), shares, words)
        told = "; ".join(f"{what} {number}" for what, number in self.numbers().items())
        return Chart(
            f"{name} at a score of {p.threshold:.3f}",
            (Panel(Axis("model", names=cells.columns), Axis("reference", names=cells.rows), (cells,)),),
            alt=f"Confusion of {name} at {p.threshold:.3f}: {p.true_positives:,} true and {p.false_positives:,} false "
            f"positives, {p.false_negatives:,} false and {p.true_negatives:,} true negatives. {told}. "
            f"{counts_words(p.sensitivity)}.",
            height=230,
            notes=self.notes,
        )
