"""The area under the ROC curve of every class: dots with intervals and counts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..evaluation import ANY_FINDING, RunSummary
from ..evaluation.published import Published, comparable
from ..labels import display_name
from ..metrics import Estimate
from .display import counts_words, estimate_columns, estimate_words, limits, words_of
from .marks import BLUE, GREEN, ORANGE, PINK, Axis, Chart, Dots, Panel, Rule

__all__ = ["AucDisplay"]


@dataclass(frozen=True, eq=False)
class AucDisplay:
    """AUC of each class of a run, with patient intervals and counts.

    Attributes:
        auc: Estimate of each label.
        notes: what must stand beside the numbers.
        published: of others on the same split's test films; empty where the run is on other films.
    """

    auc: dict[str, Estimate]
    notes: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()

    @classmethod
    def of(cls, summary: RunSummary) -> AucDisplay:
        """Take the numbers from a run's summary."""
        return cls(summary.auc, summary.notes, comparable(summary.record))

    def table(self) -> pd.DataFrame:
        """Return one row a label."""
        others = {published.name: published.auc for published in self.published}
        return pd.DataFrame(
            [
                {"label": label}
                | estimate_columns(auc)
                | {f"published: {name}": values.get(label) for name, values in others.items()}
                for label, auc in self.auc.items()
            ]
        )

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
        published = [
            _published(other, colour, [label for label, _ in known], names)
            for other, colour in zip(self.published, (ORANGE, GREEN, PINK), strict=False)
        ]
        lowest = min([0.45, *(float(low) for low in ends["low"] if low == low)])
        told = "; ".join(f"{display_name(label)} {estimate_words(auc)}, {counts_words(auc)}" for label, auc in known)
        return Chart(
            "AUC of each label, 95 % interval by patients",
            (
                Panel(
                    Axis("area under the ROC curve", lowest - 0.03, 1.01),
                    Axis("", names=names),
                    (Rule("x", 0.5), *published, dots),
                    words="" if known else "No label has enough cases for an AUC.",
                ),
            ),
            alt=f"Dot plot of the area under the ROC curve with intervals. {told}." if told else "No AUC is known.",
            height=90 + 27 * max(3, len(known)),
            caption="In brackets: patients with any film that shows it. Dotted: chance.",
            notes=self.notes,
        )


def _published(other: Published, colour: str, labels: list[str], names: tuple[str, ...]) -> Dots:
    both = [(label, name) for label, name in zip(labels, names, strict=True) if label in other.auc]
    return Dots(
        tuple(other.auc[label] for label, _ in both),
        tuple(name for _, name in both),
        f"{other.name}, as published",
        colour,
        "diamond",
        hover=tuple(f"{other.name}, {display_name(label)}: {other.auc[label]:.3f}" for label, _ in both),
    )
