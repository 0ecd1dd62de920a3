"""How many films and patients carry each label, part by part, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..model.measure import Counts
from .marks import GREY, PALETTE, Axis, Bars, Chart, Panel

__all__ = ["CountsDisplay", "colours_of"]


@dataclass(frozen=True)
class CountsDisplay:
    """Counts of each label in each part.

    Attributes:
        counts: part to label to counts.
        beside: name of the part that is another data set, for comparison, or empty.
    """

    counts: Mapping[str, Mapping[str, Counts]]
    beside: str = ""

    def table(self) -> pd.DataFrame:
        """Return one row a part and label."""
        columns = ["part", "label", "positive_films", "negative_films", "positive_patients", "negative_patients"]
        rows = [
            {"part": part, "label": label} | {name: getattr(of, name) for name in columns[2:]}
            for part, labels in self.counts.items()
            for label, of in labels.items()
        ]
        return pd.DataFrame(rows, columns=columns)

    def chart(self) -> Chart:
        """Return a panel of films and one of patients, the commonest label first."""
        first = next(iter(self.counts.values()), {})
        order = sorted(first, key=lambda label: -first[label].positive_films)
        told = "; ".join(
            f"{display_name(label)} "
            + ", ".join(f"{of[label].positive_films:,} {part}" for part, of in self.counts.items() if label in of)
            for label in order
        )
        return Chart(
            "Films and patients of each label",
            (self._panel(order, "films"), self._panel(order, "patients")),
            alt=f"Bars of positive films of each label and part, on a logarithmic axis. {told}.",
            height=260,
            notes=("a patient is positive where any film is",),
        )

    def _panel(self, order: list[str], what: str) -> Panel:
        names = tuple(display_name(label) for label in order)
        bars, highest = [], 1
        for part, colour in zip(self.counts, colours_of(self.counts, self.beside), strict=True):
            of = self.counts[part]
            found = [getattr(of[label], f"positive_{what}") if label in of else 0 for label in order]
            highest = max([highest, *found])
            hover = tuple(f"{name}, {part}: {number:,} {what}" for name, number in zip(names, found, strict=True))
            bars.append(Bars(names, np.array(found, dtype=np.float64), part, colour, hover))
        # from a half on, so that a bar of one is seen
        axis = Axis(f"positive {what}", 0.5, 2.0 * highest, log=True)
        empty = "" if order else "The card has no counts of labels."
        return Panel(Axis(names=names, bare=what == "films"), axis, tuple(bars) if order else (), words=empty)


def colours_of(parts: Mapping[str, object], beside: str = "") -> tuple[str, ...]:
    """Return a colour for each part, the same in all figures; what stands beside for comparison is grey."""
    own = iter(PALETTE)
    return tuple(GREY if part == beside else next(own, GREY) for part in parts)
