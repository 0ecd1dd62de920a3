"""Readers minus model: at each reader's own point, and by the Obuchowski-Rockette analysis."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..formatting import format_counts, format_estimate, format_p_value
from ..labels import display_name
from ..metrics import Estimate
from .display import RunView, estimate_columns, estimate_panel, numbers_by_row, table_cell, table_counts
from .marks import Chart

__all__ = ["ReaderAnalysisDisplay", "ReaderDifferencesDisplay"]

_MEAN = "mean of the readers"

Row = tuple[str, dict[str, Estimate]]
"""Name and estimates by metric."""


@dataclass(frozen=True, eq=False)
class ReaderDifferencesDisplay:
    """Each reader minus the model at the reader's own point, for one label.

    Attributes:
        label: that is read.
        rows: numbers of each reader, then of their mean, by metric.
        notes: what must accompany the numbers.
    """

    label: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: RunView, label: str) -> ReaderDifferencesDisplay | None:
        """Return the figure of a label; None where fewer than three readers answered."""
        each = numbers_by_row(run, "reader_differences_each", label)
        mean = numbers_by_row(run, "reader_differences", label)
        rows = [(name, numbers) for (_, name), numbers in each.items()]
        rows += [(_MEAN, numbers) for numbers in mean.values()]
        return cls(label, tuple(rows), run.notes) if rows else None

    def table(self) -> pd.DataFrame:
        """Return one row per reader, then their mean."""
        return pd.DataFrame([{"label": self.label, "reader": name} | _columns(numbers) for name, numbers in self.rows])

    def chart(self) -> Chart:
        """Return dot plots of both differences over the same readers."""
        names = [name for name, _ in self.rows]
        sensitivity, specificity = (
            [numbers[metric] for _, numbers in self.rows]
            for metric in ("sensitivity_difference", "specificity_difference")
        )
        missing = _reasons([(name, numbers["sensitivity_difference"]) for name, numbers in self.rows])
        panels = (
            estimate_panel("sensitivity", names, sensitivity, percent=True, signed=True, missing=missing),
            estimate_panel("specificity", names, specificity, percent=True, signed=True, missing=missing),
        )
        as_text = [
            (
                name,
                table_cell(numbers["sensitivity_difference"], percent=True, signed=True),
                _p_cell(numbers["sensitivity_difference_p"]),
                table_cell(numbers["specificity_difference"], percent=True, signed=True),
                _p_cell(numbers["specificity_difference_p"]),
                table_counts(numbers["sensitivity_difference"]),
            )
            for name, numbers in self.rows
        ]
        text = "; ".join(f"{name}: sensitivity {se}, specificity {sp}" for name, se, _, sp, _, _ in as_text)
        counts = format_counts(sensitivity[-1])
        return Chart(
            f"Reader minus model at the reader's own point, {display_name(self.label)}",
            panels,
            alt=f"Each reader minus the model at the reader's specificity, and at the reader's sensitivity. {text}.",
            columns=2,
            same_rows=True,
            height=90 + 30 * max(3, len(names)),
            caption=(
                "Above 0 the reader is better. Both are compared with the majority of the other readers, on the same "
                f"images ({counts} for the reader with the fewest). The model's threshold is chosen on these images "
                "at the reader's own specificity or sensitivity: it is in-sample. p-values are Holm's, of a reader "
                f"over all readers and labels, of the mean over the labels.{_not_estimated(missing)}"
            ),
            notes=self.notes,
            table_rows=(
                ("reader", "sensitivity (95 % CI)", "p", "specificity (95 % CI)", "p", "positive / negative patients"),
                *as_text,
            ),
        )


@dataclass(frozen=True, eq=False)
class ReaderAnalysisDisplay:
    """Mean of the readers minus model in (sensitivity + specificity) / 2, for all labels with an operating point.

    Attributes:
        rows: label and numbers, by metric.
        notes: what must accompany the numbers.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: RunView, _label: str = "") -> ReaderAnalysisDisplay | None:
        """Return the figure of a run; None without three readers or without an operating point."""
        rows = [(label, numbers) for (label, _), numbers in numbers_by_row(run, "reader_analysis").items()]
        return cls(tuple(rows), run.notes) if rows else None

    def table(self) -> pd.DataFrame:
        """Return one row per label."""
        return pd.DataFrame([{"label": label} | _columns(numbers) for label, numbers in self.rows])

    def chart(self) -> Chart:
        """Return dot plots of the difference by the three analyses, over the same labels."""
        named = [(display_name(label), numbers) for label, numbers in self.rows]
        missing = _reasons([(name, numbers["difference_random"]) for name, numbers in named])
        drawn = [(name, numbers) for name, numbers in named if numbers["difference_random"].value is not None]
        names = [name for name, _ in drawn]
        panels = tuple(
            estimate_panel(title, names, [numbers[metric] for _, numbers in drawn], signed=True, missing=missing)
            for title, metric in (
                ("readers and cases random", "difference_random"),
                ("these readers, cases random", "difference_fixed_readers"),
                ("readers random, these cases", "difference_fixed_cases"),
            )
        )
        text = "; ".join(
            f"{name} {format_estimate(numbers['difference_random'], signed=True)}" for name, numbers in drawn
        )
        return Chart(
            "Readers minus model, all labels (Obuchowski-Rockette)",
            panels,
            alt=f"Mean of the readers minus model in (sensitivity + specificity) / 2, both random. {text}.",
            columns=3,
            same_rows=True,
            height=90 + 26 * max(3, len(names)),
            caption=(
                "Difference in (sensitivity + specificity) / 2 between the mean of the readers and the model at its "
                "operating point, against the majority of the other readers; above 0 the readers are better. Only "
                "the first analysis speaks of other readers and other patients. p-values are Holm's, over the labels."
                f"{_not_estimated(missing)}"
            ),
            notes=self.notes,
            table_rows=self.table_rows(),
        )

    def table_rows(self) -> tuple[tuple[str, ...], ...]:
        """Return all numbers as text, the headings first: what a table of the page shows."""
        headings = ["label"]
        for analysis in ("both random", "these readers", "these cases"):
            headings += [f"difference, {analysis}", "p"]
        headings += ["readers, mean", "model", "positive / negative patients"]
        rows = []
        for label, numbers in self.rows:
            cells = [display_name(label)]
            for analysis in ("random", "fixed_readers", "fixed_cases"):
                cells.append(table_cell(numbers[f"difference_{analysis}"], signed=True))
                cells.append(_p_cell(numbers[f"difference_{analysis}_p"]))
            cells += [table_cell(numbers[f"balanced_accuracy_{who}"]) for who in ("readers", "model")]
            rows.append((*cells, table_counts(numbers["difference_random"])))
        return tuple(headings), *rows


def _columns(numbers: dict[str, Estimate]) -> dict[str, object]:
    columns: dict[str, object] = {}
    for metric, estimate in numbers.items():
        columns |= {metric: estimate.value} if metric.endswith("_p") else estimate_columns(estimate, f"{metric}_")
    return columns


def _p_cell(p_value: Estimate) -> str:
    return format_p_value(p_value.value, "-")


def _not_estimated(missing: str) -> str:
    return f" Not estimated: {missing}." if missing else ""


def _reasons(rows: list[tuple[str, Estimate]]) -> str:
    """Return why rows have no value, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for name, estimate in rows:
        if estimate.value is None:
            by_reason.setdefault(estimate.reason or "", []).append(name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
