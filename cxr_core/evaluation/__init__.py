"""Evaluation: scoring of labelled images as a run, and the metrics of a run."""

from .comparison import RunComparison, compare_runs
from .dataset import EvaluationSet, gather_images
from .outcomes import ANY_FINDING, outcomes, reader_outcomes
from .reader_numbers import readers_in_reference
from .scoring import evaluate
from .summary import RunSummary, summarise, summary_of

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
