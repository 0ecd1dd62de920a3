"""Evaluation: scoring of labelled images as a run, and the metrics of a run."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .comparison import RunComparison, compare_runs
from .outcomes import ANY_FINDING, outcomes, reader_outcomes
from .reader_numbers import readers_in_reference
from .summary import RunSummary, summarise, summary_of

if TYPE_CHECKING:
    from .dataset import EvaluationSet, gather_images
    from .scoring import evaluate

__all__ = [
    "ANY_FINDING",
    "EvaluationSet",
    "RunComparison",
    "RunSummary",
    "compare_runs",
    "evaluate",
    "gather_images",
    "outcomes",
    "reader_outcomes",
    "readers_in_reference",
    "summarise",
    "summary_of",
]

_ON_FIRST_USE = {"EvaluationSet": "dataset", "gather_images": "dataset", "evaluate": "scoring"}
"""Imported when they are used: the numbers of stored runs need no tables, and so not the seconds to import pandas."""


def __getattr__(name: str) -> Any:
    """Return a name of :data:`_ON_FIRST_USE`."""
    if name in _ON_FIRST_USE:
        return getattr(import_module(f".{_ON_FIRST_USE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
