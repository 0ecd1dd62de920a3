"""Label noise: another reference standard of the run held against the chosen one, and the AUC against both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import Estimate
from .display import (
    RunView,
    estimate_columns,
    estimate_dots,
    estimate_panel,
    hover_text,
    numbers_by_row,
    table_cell,
    table_counts,
)
from .marks import BLUE, ORANGE, Chart, Dots, Panel, Symbol

__all__ = ["LabelNoiseDisplay"]

_PERCENT = ("label_sensitivity", "label_specificity")
_RATES = (*_PERCENT, "label_kappa")


@dataclass(frozen=True, eq=False)
class LabelNoiseDisplay:
    """Another reference standard held against the run's, and the model's AUC by each, for all labels.

    Attributes:
        reference: name of the run's reference standard.
        rows: name of the other one, label, and numbers by metric.
        notes: what must accompany the numbers.
    """

    reference: str
    rows: tuple[tuple[str, str, dict[str, Estimate]], ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: RunView, _label: str = "") -> LabelNoiseDisplay | None:
        """Return the figure of a run; None where it has one reference standard."""
        rows = [(other, label, numbers) for (label, other), numbers in numbers_by_row(run, "label_noise").items()]
        return cls(run.context.reference, tuple(rows), run.notes) if rows else None

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the other reference standards."""
        return tuple(dict.fromkeys(other for other, _, _ in self.rows))

    def table(self) -> pd.DataFrame:
        """Return one row per other reference standard and label."""
        rows = []
        for other, label, numbers in self.rows:
            row: dict[str, object] = {"reference": self.reference, "other": other, "label": label}
            for metric, estimate in numbers.items():
                row |= estimate_columns(estimate, f"{metric}_")
            rows.append(row)
        return pd.DataFrame(rows)

    def chart(self) -> Chart:
        """Return dot plots of sensitivity, specificity, kappa, both AUCs and the change of the AUC."""
        drawn = [
            (self._name(other, label), numbers)
            for other, label, numbers in self.rows
            if any(numbers[metric].value is not None for metric in ("label_sensitivity", "auc_change"))
        ]
        left_out = [self._name(other, label) for other, label, _ in self.rows]
        left_out = [name for name in left_out if name not in dict(drawn)]
        names = [name for name, _ in drawn]
        column = {
            metric: [numbers[metric] for _, numbers in drawn] for metric in (*_RATES, "auc_of_both", "auc_change")
        }
        other = self.others[0] if len(self.others) == 1 else "the other reference"
        few = "too few cases"
        kappas = estimate_panel("kappa", names, column["label_kappa"], missing=few)
        panels = (
            estimate_panel("sensitivity", names, column["label_sensitivity"], percent=True, missing=few),
            estimate_panel("specificity", names, column["label_specificity"], percent=True, missing=few),
            replace(kappas, x=replace(kappas.x, low=-0.25)),
            self._aucs(names, [numbers for _, numbers in drawn]),
            estimate_panel("change of the AUC", names, column["auc_change"], signed=True, missing=few),
        )
        text = "; ".join(
            f"{name}: sensitivity {format_estimate(numbers['label_sensitivity'], percent=True)}, kappa "
            f"{format_estimate(numbers['label_kappa'])}, change of the AUC "
            f"{format_estimate(numbers['auc_change'], signed=True)}"
            for name, numbers in drawn
        )
        missing = f" Too few cases: {', '.join(left_out)}." if left_out else ""
        return Chart(
            "Label noise: another reference standard against this one",
            panels,
            alt=f"{other} held against {self.reference}. {text}.",
            columns=5,
            same_rows=True,
            height=100 + 26 * max(3, len(names)),
            caption=(
                f"{other[:1].upper()}{other[1:]} held against {self.reference}, as a test for it: sensitivity, "
                f"specificity, Cohen's kappa. AUC of the model on the same images: blue by {self.reference}, orange "
                f"by {other}; change: by the other minus by this one, paired by patient. Neither need be the truth: a "
                f"sensitivity analysis.{missing}"
            ),
            notes=self.notes,
            table_rows=self.table_rows(),
        )

    def table_rows(self) -> tuple[tuple[str, ...], ...]:
        """Return the numbers as text, the headings first."""
        headings = ("label", "sensitivity", "specificity", "kappa", "AUC", "AUC by the other", "change of the AUC")
        metrics = (*_RATES, "auc_of_both", "auc_by_other", "auc_change")
        rows = [
            (
                self._name(other, label),
                *(
                    table_cell(numbers[metric], percent=metric in _PERCENT, signed=metric == "auc_change")
                    for metric in metrics
                ),
                table_counts(numbers["auc_of_both"]),
                table_counts(numbers["auc_by_other"]),
            )
            for other, label, numbers in self.rows
        ]
        return (*headings, "positive / negative patients", "by the other"), *rows

    def _name(self, other: str, label: str) -> str:
        return display_name(label) if len(self.others) == 1 else f"{display_name(label)}, {other}"

    def _aucs(self, names: list[str], rows: list[dict[str, Estimate]]) -> Panel:
        panel = estimate_panel("AUC", names, [numbers["auc_of_both"] for numbers in rows], missing="too few cases")
        marks = [_dots(names, rows, "auc_of_both", BLUE), _dots(names, rows, "auc_by_other", ORANGE)]
        ends = [row[metric].low for row in rows for metric in ("auc_of_both", "auc_by_other")]
        low = min([0.5, *(end for end in ends if end is not None)]) - 0.01
        return replace(
            panel, x=replace(panel.x, low=low), marks=tuple(mark for mark in marks if len(mark.x)), message=""
        )


def _dots(names: list[str], rows: list[dict[str, Estimate]], metric: str, colour: str) -> Dots:
    known = [(name, row[metric]) for name, row in zip(names, rows, strict=True) if row[metric].value is not None]
    hover = [hover_text(*pair) for pair in known]
    symbol: Symbol = "circle" if colour == BLUE else "diamond"
    return estimate_dots(
        [estimate for _, estimate in known], [name for name, _ in known], hover, colour=colour, symbol=symbol
    )
