"""Two runs on the same films: by how much the areas differ, class by class."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..evaluation import RunComparison
from ..labels import display_name
from ..metrics import ModelComparison
from .display import counts_words, estimate_columns, estimate_words, limits
from .marks import BLUE, GREY, Axis, Chart, Dots, Panel, Rule

__all__ = ["ComparisonDisplay"]


@dataclass(frozen=True, eq=False)
class ComparisonDisplay:
    """Paired differences of the AUC, the first run less the second.

    Attributes:
        comparison: the numbers.
    """

    comparison: RunComparison

    def table(self) -> pd.DataFrame:
        """Return a row a label: difference, interval, p-value, and Holm's over the labels."""
        c = self.comparison
        return pd.DataFrame(
            [
                {"label": label}
                | estimate_columns(found.difference)
                | {"p_value": found.p_value, "holm_p_value": found.adjusted_p_value}
                for label, found in c.differences.items()
            ]
        )

    def chart(self) -> Chart:
        """Return dots around 0; those whose Holm's p-value is under 0.05 are drawn in colour."""
        c = self.comparison
        known = [(label, found) for label, found in c.differences.items() if found.difference.value is not None][::-1]
        names = tuple(display_name(label) for label, _ in known)
        marks: list = [Rule("x", 0.0)]
        for differs, name, colour in ((True, "differs (Holm, p < 0.05)", BLUE), (False, "not told apart", GREY)):
            own = [(label, f) for label, f in known if _differs(f) == differs]
            if own:
                marks.append(
                    Dots(
                        tuple(f.difference.value for _, f in own),
                        tuple(display_name(label) for label, _ in own),
                        name,
                        colour,
                        across="x",
                        hover=tuple(
                            f"{display_name(label)}: {estimate_words(f.difference, signed=True)}"
                            f"<br>Holm's p {p_words(f.adjusted_p_value)}<br>{counts_words(f.difference)}"
                            for label, f in own
                        ),
                        **limits([f.difference for _, f in own]),
                    )
                )
        told = "; ".join(f"{display_name(label)} {estimate_words(f.difference, signed=True)}" for label, f in known)
        return Chart(
            f"AUC, {c.one.name} less {c.two.name}",
            (
                Panel(
                    Axis("difference of the AUC"),
                    Axis(names=names),
                    tuple(marks) if known else (),
                    words="" if known else "No label has enough cases in both runs.",
                ),
            ),
            alt=f"Dot plot of paired differences of the AUC on {c.films:,} films. {told or 'None is known.'}",
            height=100 + 27 * max(3, len(known)),
            notes=c.notes,
        )


def _differs(found: ModelComparison) -> bool:
    return found.adjusted_p_value is not None and found.adjusted_p_value < 0.05


def p_words(p_value: float | None) -> str:
    """Return Holm's p-value in words."""
    if p_value is None:
        return "no test"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
