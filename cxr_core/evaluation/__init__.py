"""Model and films to a run, and a run to numbers."""

from .films import Films, gather_films
from .scoring import evaluate
from .summary import ANY_FINDING, RunSummary, outcomes, summarise

__all__ = ["ANY_FINDING", "Films", "RunSummary", "evaluate", "gather_films", "outcomes", "summarise"]
