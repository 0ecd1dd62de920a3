"""Which labels go together on the same film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..model.data_summary import PartSummary
from .marks import Axis, Cells, Chart, Panel

__all__ = ["TogetherDisplay"]


@dataclass(frozen=True)
class TogetherDisplay:
    """Co-occurrence of labels in one part.

    Attributes:
        name: of the part.
        part: its numbers.
    """

    name: str
    part: PartSummary

    def table(self) -> pd.DataFrame:
        """Return one row for each two labels, and for each label with itself the films that have no other label."""
        labels = list(self.part.per_label)
        rows = []
        for a, label in enumerate(labels):
            for b, other in enumerate(labels):
                films = self.part.alone[a] if a == b else self.part.together[a][b]
                rows.append((label, "no other label" if a == b else other, films, self.part.together[a][a]))
        frame = pd.DataFrame(rows, columns=["label", "with", "films", "films_of_label"])
        frame["share"] = frame["films"] / frame["films_of_label"].where(frame["films_of_label"] > 0)
        return frame

    def chart(self) -> Chart:
        """Return a cell for each two labels: the share of the row's films that have the column's label too.

        The cells hold percents, which have few digits; counts are beside the names, under the pointer and in the list.
        """
        part = self.part
        labels = tuple(display_name(label) for label in part.per_label)
        films = np.array(part.together, dtype=np.float64)
        own = films.diagonal().copy()
        np.fill_diagonal(films, part.alone)
        share = np.divide(films, own[:, None], out=np.full_like(films, np.nan), where=own[:, None] > 0)
        known = share[~np.isnan(share)]
        cells = Cells(
            labels,
            tuple(f"{label} ({count:,.0f})" for label, count in zip(labels, own, strict=True)),
            share,
            tuple(tuple(map(_percent, row, of)) for row, of in zip(films, share, strict=True)),
            tuple(
                tuple(
                    f"{label}, {'alone' if label == other else other.lower()}: {count:,.0f} of {all_of:,.0f} films"
                    for other, count in zip(labels, row, strict=True)
                )
                for label, row, all_of in zip(labels, films, own, strict=True)
            ),
            high=float(known.max()) if known.size and known.max() > 0 else 1.0,
        )
        return Chart(
            f"Labels that go together: {self.name}",
            (Panel(Axis(names=labels), Axis(), (cells,)),),
            alt=f"Table of films that have two labels, {part.films:,} films of {self.name}. Most often together: "
            f"{self._commonest(labels, films)}.",
            height=470,
            caption="Percent of the films with the row's label (beside it: how many) that have the column's too; on "
            "the diagonal, that have no other.",
            listed=self._listed(labels, films),
        )

    def _commonest(self, labels: tuple[str, ...], films: np.ndarray, number: int = 5) -> str:
        return "; ".join(
            f"{labels[b]} and {labels[a].lower()} {films[a, b]:,.0f} films" for a, b in _pairs(films)[:number]
        )

    def _listed(self, labels: tuple[str, ...], films: np.ndarray, number: int = 12) -> tuple[tuple[str, ...], ...]:
        own = np.array(self.part.together).diagonal()
        rows = [
            (
                f"{labels[b]} and {labels[a].lower()}",
                f"{films[a, b]:,.0f}",
                f"{films[a, b] / own[b]:.0%} and {films[a, b] / own[a]:.0%}",
            )
            for a, b in _pairs(films)[:number]
        ]
        return (("most often together", "films", "of all with each"), *rows)


def _pairs(films: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of labels that are found together, those with the most films first."""
    pairs = [(films[a, b], a, b) for a in range(len(films)) for b in range(a) if films[a, b]]
    return [(a, b) for _, a, b in sorted(pairs, reverse=True)]


def _percent(films: float, share: float) -> str:
    if np.isnan(share):
        return ""
    return "<1" if films > 0 and share < 0.005 else f"{100 * share:.0f}"
