"""The view of a run from which its figures are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..metrics import BootstrapOptions
from ..store import Predictions
from .outcomes import Outcome, outcomes_of
from .run_context import RunContext
from .summary import RunSummary

__all__ = ["FIGURE_OPTIONS", "RunView"]

FIGURE_OPTIONS = BootstrapOptions(resamples=500)
"""Of the intervals of a figure: fewer resamples than those of the numbers, since a figure is drawn while one waits."""


@dataclass(frozen=True, eq=False)
class RunView:
    """The data from which the figures of a run are computed.

    Attributes:
        predictions: of the run.
        context: what belongs beside its numbers.
        outcomes: truth and scores of each label in the reference standard, any finding last.
        find_summary: returns :attr:`summary`, computed where it is not known: many figures do without.
        options: of the intervals of figures.
    """

    predictions: Predictions
    context: RunContext
    outcomes: dict[str, Outcome]
    find_summary: Callable[[], RunSummary]
    options: BootstrapOptions = FIGURE_OPTIONS

    @classmethod
    def of(cls, predictions: Predictions, summary: RunSummary, options: BootstrapOptions = FIGURE_OPTIONS) -> RunView:
        """Return the view of a run for the reference standard of its summary."""
        return cls(predictions, summary, outcomes_of(predictions, summary.reference), lambda: summary, options)

    @property
    def summary(self) -> RunSummary:
        """The numbers of the run against the reference standard."""
        return self.find_summary()

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that must accompany every figure."""
        return self.context.figure_notes

    @property
    def thresholds(self) -> dict[str, float]:
        """Thresholds of the run's operating point, on the scale of the score, by label."""
        return self.context.record.thresholds
