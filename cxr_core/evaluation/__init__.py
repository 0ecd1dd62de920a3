"""Model and films to a run, and a run to numbers."""

from .comparison import RunComparison, compare_runs
from .films import Films, gather_films
from .scoring import evaluate
from .summary import ANY_FINDING, RunSummary, outcomes, reader_outcomes, run_notes, summarise

__all__ = [
    "ANY_FINDING",
    "Films",
    "RunComparison",
    "RunSummary",
    "compare_runs",
    "evaluate",
    "gather_films",
    "outcomes",
    "reader_outcomes",
    "run_notes",
    "summarise",
]
