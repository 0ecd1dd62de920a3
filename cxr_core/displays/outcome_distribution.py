"""How scores, or probabilities, are spread among positives and among negatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..labels import display_name
from ..metrics import OutcomeHistogram, outcome_histogram
from .marks import BLUE, ORANGE, Axis, Bars, Chart, Panel, Rule
from .outcome import Outcome

__all__ = ["OutcomeDisplay"]

_BINS = 40


@dataclass(frozen=True, eq=False)
class OutcomeDisplay:
    """Two histograms of the same bins.

    Attributes:
        label: of the class.
        scale: ``probability``, or ``score`` where the card allows no probability.
        histogram: counts of films.
        threshold: of the operating point on that scale, or None.
        notes: what must stand beside the numbers.
    """

    label: str
    scale: str
    histogram: OutcomeHistogram
    threshold: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome, threshold: float | None = None, notes: tuple[str, ...] = ()) -> OutcomeDisplay:
        """Count films; ``threshold`` is on the scale of the score, and not drawn among probabilities."""
        if outcome.probabilities is None:
            return cls(outcome.label, "score", _counted(outcome.truth, outcome.scores), threshold, notes)
        return cls(outcome.label, "probability", _counted(outcome.truth, outcome.probabilities), None, notes)

    def table(self) -> pd.DataFrame:
        """Return a row a bin."""
        edges = self.histogram.edges
        return pd.DataFrame(
            {
                "label": self.label,
                "scale": self.scale,
                "from": edges[:-1],
                "to": edges[1:],
                "positives": self.histogram.positives,
                "negatives": self.histogram.negatives,
            }
        )

    def chart(self) -> Chart:
        """Return the share of each kind in each bin: positives are few, and counts would hide them."""
        name, edges = display_name(self.label), self.histogram.edges
        middle = (edges[1:] + edges[:-1]) / 2
        width = float(edges[1] - edges[0])
        kinds = (("negative", self.histogram.negatives, BLUE), ("positive", self.histogram.positives, ORANGE))
        panels = []
        last = max([edges[k + 1] for k in range(len(middle)) if any(c[k] for _, c, _ in kinds)], default=1.0)
        for kind, counts, colour in kinds:
            total = int(counts.sum())
            x = Axis(self.scale if kind == "positive" else "", 0, float(last))
            y = Axis("share of films", percent=True)
            words = "" if total else f"no {kind} film"
            bars = Bars(middle, _shares(counts), f"{kind} ({total:,} films)", colour, _hover(edges, counts), width)
            rule = (Rule("x", self.threshold),) if self.threshold is not None else ()
            panels.append(Panel(x, y, (bars, *rule) if total else rule, words=words))
        return Chart(
            f"{self.scale.capitalize()} by outcome, {name}",
            tuple(panels),
            alt=f"Histograms of the {self.scale} of {name}: {int(self.histogram.positives.sum()):,} positive films, "
            f"{int(self.histogram.negatives.sum()):,} negative ones.",
            height=185,
            caption="" if self.threshold is None else f"Dashed: the operating point, {self.threshold:.3f}.",
            notes=self.notes,
        )


def _counted(truth: NDArray[np.bool_], values: NDArray[np.float64]) -> OutcomeHistogram:
    return outcome_histogram(truth, values, _BINS)


def _shares(counts: NDArray) -> NDArray[np.float64]:
    return counts / max(int(counts.sum()), 1)


def _hover(edges: NDArray, counts: NDArray) -> tuple[str, ...]:
    return tuple(
        f"{low:.3f} to {high:.3f}: {count:,} films" for low, high, count in zip(edges, edges[1:], counts, strict=False)
    )
