"""Model and films to a run, and a run to numbers."""

from .films import Films, gather_films
from .scoring import evaluate
from .summary import RunSummary, summarise

__all__ = ["Films", "RunSummary", "evaluate", "gather_films", "summarise"]
