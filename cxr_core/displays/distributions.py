"""Distributions of the reads of a period beside those of the validation images, as a figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..monitoring.reads import SCORE
from .marks import BLUE, GREY, RED, Axis, Chart, Dots, Panel, Symbol
from .monitoring import series_title

__all__ = ["DistributionDisplay"]


@dataclass(frozen=True, eq=False)
class DistributionDisplay:
    """How far the distribution of each number lies from that of the validation images, all periods together.

    Attributes:
        distributions: of :func:`.monitoring.distribution_table`.
    """

    distributions: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Return one row per number."""
        return self.distributions.copy()

    def chart(self) -> Chart:
        """Return the stability index with its limit, and the scores' medians with quartiles beside the reference."""
        table, title = self.distributions, "Distributions of the period beside the validation images"
        names = tuple(series_title(name).removeprefix("Score of ") for name in table["series"])
        index, limit = (table[name].to_numpy(np.float64) for name in ("stability_index", "limit"))
        rows = np.array(names, dtype=np.str_)
        panels = []
        known, outside = ~np.isnan(index), index > limit
        marks = [
            Dots(limit[known], tuple(rows[known]), "limit", GREY, "cross"),
            *(
                Dots(index[chosen], tuple(rows[chosen]), legend, colour, symbol)
                for chosen, legend, colour, symbol in _sides(known, outside)
                if chosen.any()
            ),
        ]
        high = 1.1 * float(np.nanmax(np.concatenate([index, limit]))) if known.any() else 1.0
        axis = Axis(names=names[::-1])
        missing = "too few reads"
        panels.append(
            Panel(
                Axis("stability index", 0, high),
                axis,
                tuple(marks) if known.any() else (),
                message="" if known.any() else missing,
            )
        )
        scores = known & table["series"].str.startswith(SCORE).to_numpy()
        low, middle, upper, reference = (
            table[name].to_numpy(np.float64)[scores]
            for name in ("lower_quartile", "median", "upper_quartile", "median_of_reference")
        )
        medians = (
            Dots(middle, tuple(rows[scores]), "median with quartiles", BLUE, "circle", low, upper, interval_axis="x"),
            Dots(reference, tuple(rows[scores]), "validation images, median", GREY, "diamond"),
        )
        panels.append(
            Panel(Axis("score", 0, 1), axis, medians if scores.any() else (), message="" if scores.any() else missing)
        )
        texts = [
            (
                name,
                f"{row.reads:,}",
                *(f"{v:.3f}" if not pd.isna(v) else "too few" for v in (row.stability_index, row.limit)),
            )
            for name, row in zip(names, table.itertuples(), strict=True)
        ]
        return Chart(
            title,
            tuple(panels),
            alt=f"{title}. Over the limit: " + (", ".join(rows[known & outside]) or "none") + ".",
            columns=2,
            same_rows=True,
            height=90 + 22 * max(4, len(names)),
            caption="Population stability index, one read of each patient; 5 % of samples of so many reads exceed the "
            "limit though nothing has changed.",
            table_rows=(("number", "patients", "index", "limit"), *texts),
        )


def _sides(
    known: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[tuple[NDArray[np.bool_], str, str, Symbol], ...]:
    return (known & ~outside, "within the limit", BLUE, "circle"), (known & outside, "over the limit", RED, "diamond")
