"""False negative rate, false positive rate and AUC by sex, age and view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..evaluation.outcomes import Outcome
from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import BootstrapOptions, Estimate, SubgroupRow, age_bands, subgroups
from ..store import Predictions
from .display import FIGURE_OPTIONS, RunView, estimate_columns, estimate_dots, hover_text
from .marks import BLUE, ORANGE, Axis, Chart, Panel, Rule

__all__ = ["SubgroupDisplay"]

_ALL_IMAGES = "all images"


@dataclass(frozen=True, eq=False)
class SubgroupDisplay:
    """Error rates and AUC of one label in subgroups by sex, age and view and in their intersections.

    Attributes:
        label: the label.
        threshold: on the scale of the score.
        rows: all images first, then subgroups, then intersections.
        notes: remarks that must accompany the numbers.
        threshold_source: a sentence on the origin of the threshold; or empty.
    """

    label: str
    threshold: float
    rows: tuple[SubgroupRow, ...]
    notes: tuple[str, ...] = ()
    threshold_source: str = ""

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        predictions: Predictions,
        threshold: float,
        crossings: int = 2,
        notes: tuple[str, ...] = (),
        options: BootstrapOptions = FIGURE_OPTIONS,
    ) -> SubgroupDisplay:
        """Compute the subgroups of a label of a run."""
        groups = {
            "sex": predictions.sexes[outcome.rows],
            "age": age_bands(predictions.ages[outcome.rows]),
            "view": predictions.views[outcome.rows],
        }
        rows = subgroups(outcome.truth, outcome.scores, threshold, outcome.patients, groups, crossings, options)
        return cls(outcome.label, float(threshold), tuple(rows), notes)

    @classmethod
    def of_run(cls, run: RunView, label: str) -> SubgroupDisplay | None:
        """Return the subgroups of a label of a run at its operating point; None without positives or negatives.

        A label without an operating point is evaluated at the 90th percentile of its negative images.
        """
        outcome = run.outcomes[label]
        if outcome.truth.all() or not outcome.truth.any():
            return None
        threshold, source = run.thresholds.get(label), "Threshold: the model's default operating point."
        if threshold is None:
            threshold = float(np.quantile(outcome.scores[~outcome.truth], 0.9))
            source = (
                "Threshold: the model has no operating point for this label, so the 90th percentile of the negative "
                "images is used (false positive rate 10 %). Compare the subgroups with one another only."
            )
        display = cls.of(outcome, run.predictions, threshold, notes=run.notes, options=run.options)
        return replace(display, threshold_source=source)

    def table(self) -> pd.DataFrame:
        """Return one row per subgroup."""
        return pd.DataFrame(
            [
                {"label": self.label, "threshold": self.threshold, "group": group_name(row)}
                | {"images": row.images, "patients": row.patients}
                | estimate_columns(row.false_negative_rate, "false_negative_rate_")
                | (estimate_columns(row.gap, "gap_") if row.gap is not None else {})
                | estimate_columns(row.false_positive_rate, "false_positive_rate_")
                | estimate_columns(row.auc, "auc_")
                for row in self.rows
            ]
        )

    def chart(self) -> Chart:
        """Return dot plots of the three metrics; the dotted line is the value of all images."""
        rows = [row for row in self.rows if len(row.group) <= 1][::-1]
        return self._chart(rows, "Subgroups")

    def crossings(self) -> Chart:
        """Return the chart of the intersections of two subgroups with enough cases for a false negative rate."""
        rows = [row for row in self.rows if len(row.group) == 2 and row.false_negative_rate.value is not None][::-1]
        return self._chart(rows, "Intersections of subgroups")

    def _chart(self, rows: list[SubgroupRow], title: str) -> Chart:
        names = tuple(_axis_name(row) for row in rows)
        panels = []
        for metric, panel_title, colour in (
            ("false_negative_rate", "false negative rate", ORANGE),
            ("false_positive_rate", "false positive rate", BLUE),
            ("auc", "AUC", BLUE),
        ):
            estimates: list[Estimate] = [getattr(row, metric) for row in rows]
            known = [entry for entry in zip(names, rows, estimates, strict=True) if entry[2].value is not None]
            dots = estimate_dots(
                [estimate for _, _, estimate in known],
                [name for name, _, _ in known],
                [_tooltip(row, estimate, percent=metric != "auc") for _, row, estimate in known],
                colour=colour,
            )
            overall: Estimate = getattr(self.rows[0], metric)
            rule = (Rule("x", overall.value),) if overall.value is not None else ()
            axis = Axis("", 0.3 if metric == "auc" else -0.01, 1.01, percent=metric != "auc")
            # titled above, because a narrow screen has no room for a title below the axis
            marks, message = ((*rule, dots), "") if known else ((), "too few cases")
            numbers = [
                f"{group_name(row)} {format_estimate(estimate, percent=metric != 'auc')}"
                for row, estimate in zip(rows[::-1], estimates[::-1], strict=True)
            ]
            alt = f"{title} of {display_name(self.label)}, {panel_title}: {'; '.join(numbers)}."
            panels.append(Panel(axis, Axis(names=names), marks, panel_title, message, alt=alt))
        return Chart(
            f"{title}, {display_name(self.label)}, threshold {self.threshold:.3f}",
            tuple(panels),
            alt=" ".join(panel.alt for panel in panels),
            columns=3,
            same_rows=True,
            height=110 + 25 * max(3, len(names)),
            caption=f"Positive images in parentheses. Dotted line: all images. {self.threshold_source}".rstrip(),
            notes=self.notes,
            table_rows=self.table_rows(rows[::-1]),
        )

    def table_rows(self, rows: Sequence[SubgroupRow]) -> tuple[tuple[str, ...], ...]:
        """Return subgroups as a table of text, headings first."""
        rates = ("false negative rate", "difference from all others", "false positive rate", "AUC")
        lines = [
            (
                group_name(row),
                f"{row.images:,}",
                f"{row.patients:,}",
                format_estimate(row.false_negative_rate, percent=True),
                "" if row.gap is None else format_estimate(row.gap, percent=True, signed=True),
                format_estimate(row.false_positive_rate, percent=True),
                format_estimate(row.auc),
            )
            for row in rows
        ]
        return (("subgroup", "images", "patients", *rates), *lines)


def group_name(row: SubgroupRow) -> str:
    """Return the displayed name of a subgroup."""
    if not row.group:
        return _ALL_IMAGES
    return ", ".join(f"{characteristic} {name}" for characteristic, name in row.group)


def _axis_name(row: SubgroupRow) -> str:
    return f"{group_name(row)} ({row.false_negative_rate.positives:,})"


def _tooltip(row: SubgroupRow, estimate: Estimate, *, percent: bool) -> str:
    text = hover_text(group_name(row), estimate, percent=percent)
    if row.gap is not None and estimate is row.false_negative_rate and row.gap.value is not None:
        text += "<br>" + hover_text("difference from all others", row.gap, percent=True).split("<br>")[0]
    return text
