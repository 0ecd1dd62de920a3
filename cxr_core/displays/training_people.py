"""Who was filmed and how, part by part: ages; sexes and views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..model.data_summary import AGE_EDGES, OLDEST, PartSummary
from .marks import Axis, Bars, Chart, Line, Panel
from .training_counts import colours_of

__all__ = ["AgesDisplay", "SexesAndViewsDisplay"]

UNKNOWN = "not known"

_BINS = (*(f"{low} to {low + 4} years" for low in AGE_EDGES[:-2]), f"{AGE_EDGES[-2]} years and over")


@dataclass(frozen=True)
class AgesDisplay:
    """Films by age.

    Attributes:
        parts: of each name.
        beside: name of the part that is another data set, or empty.
    """

    parts: Mapping[str, PartSummary]
    beside: str = ""

    def table(self) -> pd.DataFrame:
        """Return one row a part and bin of ages; after them the films with an age beyond 120, and with none."""
        rows = []
        for name, part in self.parts.items():
            for k, films in enumerate(part.ages.films):
                rows.append((name, *AGE_EDGES[k : k + 2], films, films / (_known(part) or np.nan), ""))
            rows.append((name, OLDEST, None, part.ages.beyond, None, "errors of the table"))
            rows.append((name, None, None, part.ages.unknown, None, UNKNOWN))
        return pd.DataFrame(rows, columns=["part", "from_years", "to_under_years", "films", "share", "words"])

    def chart(self) -> Chart:
        """Return a staircase for each part: the share of its films in each five years."""
        known = {name: part for name, part in self.parts.items() if _known(part)}
        # the last bin, 90 and over, is drawn as wide as the others
        start = np.array([*AGE_EDGES[:-1], 2 * AGE_EDGES[-2] - AGE_EDGES[-3]], dtype=np.float64)
        lines, told = [], []
        for name, colour in zip(self.parts, colours_of(self.parts, self.beside), strict=True):
            if name not in known:
                continue
            films = np.array([*self.parts[name].ages.films, 0])
            share = films / _known(known[name])
            hover = tuple(
                f"{name}, {words}: {count:,} films, {part:.1%}"
                for words, count, part in zip((*_BINS, ""), films, share, strict=True)
            )
            lines.append(Line(start, share, name, colour, "dash" if name == self.beside else "solid", hover=hover,
                              steps=True))  # fmt: skip
            median = _BINS[np.searchsorted(np.cumsum(films), films.sum() / 2)]
            told.append(f"{name}: {films.sum():,} films, median among {median}")
        return Chart(
            "Age",
            (
                Panel(
                    Axis("years; the last step is 90 and over", 0, float(start[-1])),
                    Axis("share of films", percent=True),
                    tuple(lines),
                    words="" if lines else "No age is known.",
                ),
            ),
            alt=f"Histogram of ages. {'; '.join(told)}." if told else "No age is known.",
            height=300,
            notes=self.left_out(),
        )

    def left_out(self) -> tuple[str, ...]:
        """Say of how many films no age, or a wrong one, is known."""
        said = []
        for name, part in self.parts.items():
            if part.ages.unknown:
                said.append(f"age not known: {name}, {part.ages.unknown:,} films")
            if part.ages.beyond:
                said.append(f"{name}: {part.ages.beyond:,} films with an age beyond {OLDEST}, an error of the table")
        return tuple(said)


def _known(part: PartSummary) -> int:
    return sum(part.ages.films)


@dataclass(frozen=True)
class SexesAndViewsDisplay:
    """Films by sex and by view; arguments as of :class:`AgesDisplay`."""

    parts: Mapping[str, PartSummary]
    beside: str = ""

    def table(self) -> pd.DataFrame:
        """Return one row a part and word."""
        rows = [
            (name, what, word or UNKNOWN, films, films / part.films)
            for what, field in (("sex", "sexes"), ("view", "views"))
            for name, part in self.parts.items()
            for word, films in getattr(part, field).items()
        ]
        return pd.DataFrame(rows, columns=["part", "what", "value", "films", "share"])

    def left_out(self) -> tuple[str, ...]:
        """Say of which parts nothing is known: they are not drawn."""
        fields = {"sex": "sexes", "view": "views"}
        return tuple(
            f"{what} not known: {name}, {part.films:,} films"
            for what, field in fields.items()
            for name, part in self.parts.items()
            if set(getattr(part, field)) == {""}
        )

    def chart(self) -> Chart:
        """Return a panel of sexes and one of views: the share of the films of each part."""
        table = self.table()
        told = "; ".join(f"{row.part}: {row.value} {row.films:,} films" for row in table.itertuples())
        return Chart(
            "Sex and view",
            (self._panel(table, "sex"), self._panel(table, "view")),
            alt=f"Bars of films by sex and view. {told}.",
            columns=2,
            same_rows=True,
            height=300,
            notes=self.left_out(),
        )

    def _panel(self, table: pd.DataFrame, what: str) -> Panel:
        found = table[table["what"] == what]
        known = set(found.loc[found["value"] != UNKNOWN, "part"])
        found = found[found["part"].isin(known)]
        names = tuple(sorted(set(found["value"]), key=lambda word: (word == UNKNOWN, word)))
        bars = []
        for part, colour in zip(self.parts, colours_of(self.parts, self.beside), strict=True):
            if part not in known:
                continue
            own = found[found["part"] == part].set_index("value")
            films = [int(own["films"].get(name, 0)) for name in names]
            share = np.array([count / self.parts[part].films for count in films])
            hover = tuple(
                f"{part}, {name}: {count:,} films, {of:.1%}"
                for name, count, of in zip(names, films, share, strict=True)
            )
            bars.append(Bars(names, share, part, colour, hover))
        y = Axis("share of films" if what == "sex" else "", 0, 1, percent=True)
        return Panel(Axis(what, names=names), y, tuple(bars), words="" if bars else "Nothing is known.")
