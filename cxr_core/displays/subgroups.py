"""Who is missed: the false negative rate of groups of patients, first; then who is falsely called; then the area."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..labels import display_name
from ..metrics import Estimate, SubgroupRow, age_bands, subgroups
from ..store import Predictions
from .display import estimate_columns, limits, words_of
from .marks import BLUE, ORANGE, Axis, Chart, Dots, Panel, Rule
from .outcome import Outcome

__all__ = ["SubgroupDisplay"]

_EVERYONE = "all films"


@dataclass(frozen=True, eq=False)
class SubgroupDisplay:
    """One class, at one threshold, in groups by sex, age and view, and in their crossings.

    Attributes:
        label: of the class.
        threshold: on the scale of the score.
        rows: all films first, then groups, then crossings.
        notes: what must stand beside the numbers.
    """

    label: str
    threshold: float
    rows: tuple[SubgroupRow, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        predictions: Predictions,
        threshold: float,
        crossings: int = 2,
        notes: tuple[str, ...] = (),
        resamples: int = 500,
    ) -> SubgroupDisplay:
        """Compute the groups of a class of a run."""
        groups = {
            "sex": predictions.sexes[outcome.rows],
            "age": age_bands(predictions.ages[outcome.rows]),
            "view": predictions.views[outcome.rows],
        }
        rows = subgroups(
            outcome.truth, outcome.scores, threshold, outcome.patients, groups, crossings, resamples=resamples
        )
        return cls(outcome.label, float(threshold), tuple(rows), notes)

    def table(self) -> pd.DataFrame:
        """Return a row a group."""
        return pd.DataFrame(
            [
                {"label": self.label, "threshold": self.threshold, "group": group_words(row)}
                | {"films": row.films, "patients": row.patients}
                | estimate_columns(row.false_negative_rate, "false_negative_rate_")
                | (estimate_columns(row.gap, "gap_") if row.gap is not None else {})
                | estimate_columns(row.false_positive_rate, "false_positive_rate_")
                | estimate_columns(row.auc, "auc_")
                for row in self.rows
            ]
        )

    def chart(self) -> Chart:
        """Return three dot plots over the same groups; a dotted line is the value of all films."""
        rows = [row for row in self.rows if len(row.group) <= 1][::-1]
        return self._chart(rows, "Subgroups")

    def crossings(self) -> Chart:
        """Return the same for crossings of two groups that have enough cases for a false negative rate."""
        rows = [row for row in self.rows if len(row.group) == 2 and row.false_negative_rate.value is not None][::-1]
        return self._chart(rows, "Crossings of subgroups")

    def _chart(self, rows: list[SubgroupRow], title: str) -> Chart:
        names = tuple(_axis_words(row) for row in rows)
        everyone = self.rows[0]
        panels = []
        for what, words, colour in (
            ("false_negative_rate", "missed: false negative rate", ORANGE),
            ("false_positive_rate", "falsely called: false positive rate", BLUE),
            ("auc", "area under the ROC curve", BLUE),
        ):
            of = [(name, row, getattr(row, what)) for name, row in zip(names, rows, strict=True)]
            known = [(name, row, estimate) for name, row, estimate in of if estimate.value is not None]
            dots = Dots(
                tuple(e.value for _, _, e in known),
                tuple(name for name, _, _ in known),
                colour=colour,
                across="x",
                hover=tuple(_told(row, e, percent=what != "auc") for _, row, e in known),
                **limits([e for _, _, e in known]),
            )
            whole: Estimate = getattr(everyone, what)
            rule = (Rule("x", whole.value),) if whole.value is not None else ()
            axis = Axis("", *((0.3, 1.01) if what == "auc" else (-0.01, 1.01)), percent=what != "auc")
            drawn = (*rule, dots) if known else ()
            # in the title, since below the axis alone a narrow screen has no room for it
            panels.append(Panel(axis, Axis(names=names), drawn, words, words="" if known else "too few cases"))
        return Chart(
            f"{title}, {display_name(self.label)} at a score of {self.threshold:.3f}",
            tuple(panels),
            alt=f"{title} of {display_name(self.label)}. "
            + "; ".join(words_of(group_words(r), r.false_negative_rate, percent=True) for r in rows[::-1]).replace(
                "<br>", ", "
            ),
            columns=3,
            same_rows=True,
            height=110 + 25 * max(3, len(names)),
            caption="In brackets: films of the group that show it, of which the missed are a share. Dotted: all films.",
            notes=self.notes,
        )


def group_words(row: SubgroupRow) -> str:
    """Return a group as a person would write it."""
    if not row.group:
        return _EVERYONE
    return ", ".join(f"{characteristic} {name}" for characteristic, name in row.group)


def _axis_words(row: SubgroupRow) -> str:
    return f"{group_words(row)} ({row.false_negative_rate.positives:,})"


def _told(row: SubgroupRow, estimate: Estimate, *, percent: bool) -> str:
    told = words_of(group_words(row), estimate, percent=percent)
    if row.gap is not None and estimate is row.false_negative_rate and row.gap.value is not None:
        told += "<br>" + words_of("against all others", row.gap, percent=True).split("<br>")[0]
    return told
