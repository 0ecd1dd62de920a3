"""AUC per label of one run, and paired differences of AUC between two runs."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..evaluation import ANY_FINDING, RunComparison, RunSummary
from ..evaluation.reference_results import Published, comparable
from ..formatting import format_counts, format_estimate, format_p_value
from ..labels import display_name
from ..metrics import Estimate, ModelComparison
from .display import RunView, estimate_columns, estimate_dots, hover_text
from .marks import BLUE, GREEN, GREY, ORANGE, PINK, Axis, Chart, Dots, Mark, Panel, Rule

__all__ = [
    "AucDisplay",
    "ComparisonDisplay",
]


@dataclass(frozen=True, eq=False)
class AucDisplay:
    """AUC per label of a run, with intervals and patient counts.

    Attributes:
        auc: by label.
        notes: remarks that must accompany the numbers.
        published: published results on the same test split; empty if there are none.
    """

    auc: dict[str, Estimate]
    notes: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()

    @classmethod
    def of(cls, summary: RunSummary) -> AucDisplay:
        """Take the numbers from a run's summary."""
        return cls(summary.auc, summary.figure_notes, comparable(summary.record))

    @classmethod
    def of_run(cls, run: RunView, _label: str = "") -> AucDisplay:
        """Return the figure of a run."""
        return cls.of(run.summary)

    def table(self) -> pd.DataFrame:
        """Return one row per label."""
        return pd.DataFrame(
            [
                {"label": label}
                | estimate_columns(auc)
                | {f"published: {other.name}": other.auc.get(label) for other in self.published}
                for label, auc in self.auc.items()
            ]
        )

    def missing(self) -> dict[str, str]:
        """Return the labels without a value, and the reasons."""
        return {label: auc.reason or "not known" for label, auc in self.auc.items() if auc.value is None}

    def chart(self) -> Chart:
        """Return a dot plot: the highest AUC on top, any finding at the bottom, positive patients after the names."""
        known = [(label, auc) for label, auc in self.auc.items() if auc.value is not None]
        known.sort(key=lambda pair: (pair[0] != ANY_FINDING, pair[1].value_or_nan))
        names = tuple(f"{display_name(label)} ({auc.positive_patients:,})" for label, auc in known)
        dots = estimate_dots(
            [auc for _, auc in known], names, [hover_text(display_name(label), auc) for label, auc in known]
        )
        published = [
            _published(other, colour, [label for label, _ in known], names)
            for other, colour in zip(self.published, (ORANGE, GREEN, PINK), strict=False)
        ]
        lowest = min([0.45, *(auc.low for _, auc in known if auc.low is not None)])
        text = "; ".join(f"{display_name(label)} {format_estimate(auc)}, {format_counts(auc)}" for label, auc in known)
        return Chart(
            "AUC per label, 95 % CI (patient bootstrap)",
            (
                Panel(
                    Axis("AUC", lowest - 0.03, 1.01),
                    Axis("", names=names),
                    (Rule("x", 0.5), *published, dots),
                    message="" if known else "No label has enough cases for an AUC.",
                ),
            ),
            alt=f"Dot plot of AUC per label with 95 % CI. {text}." if text else "No label has an AUC.",
            height=90 + 27 * max(3, len(known)),
            caption="Positive patients in parentheses. Dotted line: chance (AUC 0.5).",
            notes=self.notes,
        )


def _published(other: Published, colour: str, labels: list[str], names: tuple[str, ...]) -> Dots:
    shared = [(label, name) for label, name in zip(labels, names, strict=True) if label in other.auc]
    return Dots(
        tuple(other.auc[label] for label, _ in shared),
        tuple(name for _, name in shared),
        f"{other.name} (published)",
        colour,
        "diamond",
        hover=tuple(f"{other.name}, {display_name(label)}: {other.auc[label]:.3f}" for label, _ in shared),
    )


@dataclass(frozen=True, eq=False)
class ComparisonDisplay:
    """Paired differences in AUC per label, first run minus second."""

    comparison: RunComparison

    def table(self) -> pd.DataFrame:
        """Return one row per label: difference, interval, p-value, and Holm-adjusted p-value."""
        c = self.comparison
        return pd.DataFrame(
            [
                {"label": label}
                | estimate_columns(test.difference)
                | {"p_value": test.p_value, "holm_p_value": test.adjusted_p_value}
                for label, test in c.differences.items()
            ]
        )

    def chart(self) -> Chart:
        """Return a dot plot; differences with a Holm-adjusted p-value under 0.05 are coloured."""
        c = self.comparison
        known = [(label, test) for label, test in c.differences.items() if test.difference.value is not None][::-1]
        names = tuple(display_name(label) for label, _ in known)
        marks: list[Mark] = [Rule("x", 0.0)]
        for significant, legend, colour in (
            (True, "significant (Holm-adjusted p < 0.05)", BLUE),
            (False, "no significant difference", GREY),
        ):
            tests = [(display_name(label), test) for label, test in known if _is_significant(test) == significant]
            if tests:
                hover = [
                    f"{name}: {format_estimate(test.difference, signed=True)}"
                    f"<br>Holm-adjusted p {format_p_value(test.adjusted_p_value)}<br>{format_counts(test.difference)}"
                    for name, test in tests
                ]
                differences = [test.difference for _, test in tests]
                marks.append(
                    estimate_dots(differences, [name for name, _ in tests], hover, legend=legend, colour=colour)
                )
        text = "; ".join(f"{display_name(label)} {format_estimate(t.difference, signed=True)}" for label, t in known)
        return Chart(
            f"Difference in AUC, {c.one.name} minus {c.two.name}{f', view {c.view}' if c.view else ''}",
            (
                Panel(
                    Axis("difference in AUC"),
                    Axis(names=names),
                    tuple(marks) if known else (),
                    message="" if known else "No label has enough cases in both runs.",
                ),
            ),
            alt=f"Dot plot of paired differences in AUC on {c.images:,} images. {text or 'No label has one.'}",
            height=100 + 27 * max(3, len(known)),
            notes=c.notes,
        )


def _is_significant(test: ModelComparison) -> bool:
    return test.adjusted_p_value is not None and test.adjusted_p_value < 0.05
