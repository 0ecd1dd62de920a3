"""The area under the ROC curve of every class: dots with intervals and counts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..evaluation import ANY_FINDING, RunSummary
from ..labels import display_name
from ..metrics import Estimate
from .display import counts_words, estimate_columns, estimate_words, limits, words_of
from .marks import BLUE, Axis, Chart, Dots, Panel, Rule

__all__ = ["AucDisplay"]


@dataclass(frozen=True, eq=False)
class AucDisplay:
    """AUC of each class of a run, with patient intervals and counts.

    Attributes:
        auc: Estimate of each label.
        notes: what must stand beside the numbers.
        data: names of the data sets.
    """

    auc: dict[str, Estimate]
    notes: tuple[str, ...] = ()
    data: tuple[str, ...] = ()

    @classmethod
    def of(cls, summary: RunSummary) -> AucDisplay:
        """Take the numbers from a run's summary."""
        return cls(summary.auc, summary.notes, summary.record.data)

    def table(self) -> pd.DataFrame:
        """Return one row a label."""
        return pd.DataFrame([{"label": label} | estimate_columns(auc) for label, auc in self.auc.items()])

    def missing(self) -> dict[str, str]:
        """Return the labels that have no value, and why."""
        return {label: auc.reason or "not known" for label, auc in self.auc.items() if auc.value is None}

    def chart(self) -> Chart:
        """Return dots, the best on top, any finding at the foot; counts stand beside the names."""
        known = [(label, auc) for label, auc in self.auc.items() if auc.value is not None]
        known.sort(key=lambda pair: (pair[0] != ANY_FINDING, pair[1].value))
        names = tuple(f"{display_name(label)} ({auc.positive_patients:,})" for label, auc in known)
        ends = limits([auc for _, auc in known])
        dots = Dots(
            tuple(auc.value for _, auc in known),
            names,
            colour=BLUE,
            across="x",
            hover=tuple(words_of(display_name(label), auc) for label, auc in known),
            words=(),
            **ends,
        )
        lowest = min([0.45, *(float(low) for low in ends["low"] if low == low)])
        told = "; ".join(f"{display_name(label)} {estimate_words(auc)}, {counts_words(auc)}" for label, auc in known)
        return Chart(
            "AUC of each label, 95 % interval by patients",
            (
                Panel(
                    Axis("area under the ROC curve", lowest - 0.03, 1.01),
                    Axis("", names=names),
                    (Rule("x", 0.5, "chance"), dots),
                    words="" if known else "No label has enough cases for an AUC.",
                ),
            ),
            alt=f"Dot plot of the area under the ROC curve with intervals. {told}." if told else "No AUC is known.",
            height=90 + 27 * max(3, len(known)),
            notes=self.notes,
        )
