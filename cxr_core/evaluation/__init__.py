"""Model and films to a run, and a run to numbers."""

from .comparison import RunComparison, compare_runs
from .films import Films, gather_films
from .kept import summary_of
from .numbers import RunSummary
from .outcomes import ANY_FINDING, outcomes, reader_outcomes
from .scoring import evaluate
from .summary import summarise

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
    "summarise",
    "summary_of",
]
