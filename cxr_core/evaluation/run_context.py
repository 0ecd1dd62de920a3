"""What belongs beside every number of a run, known before any is computed: reference standard, notes, basis."""

from __future__ import annotations

from dataclasses import dataclass

from ..model import ModelCard
from ..model.folder import card_of
from ..store import RunRecord, StoredRun
from .in_sample import IN_SAMPLE_NOTE, CrossValidation, cross_validation, is_in_sample

__all__ = [
    "SEEN_IN_TRAINING",
    "RunContext",
    "context_of",
    "evaluated_before",
    "run_context",
    "run_notes",
]

SEEN_IN_TRAINING = "images possibly seen in training"
"""Note of a run whose data set the model card lists as training data."""


@dataclass(frozen=True)
class RunContext:
    """What belongs beside the numbers of a run against one reference standard.

    Attributes:
        record: of the run.
        reference: name of the reference standard.
        notes: remarks that must accompany every export of the numbers.
        in_sample: whether thresholds and calibration curves were set on images of the run's patients.
        cross_validation: figures of the card that are cross-validated on these images; None where it has none.
    """

    record: RunRecord
    reference: str
    notes: tuple[str, ...]
    in_sample: bool
    cross_validation: CrossValidation | None

    @property
    def figure_notes(self) -> tuple[str, ...]:
        """Remarks that must accompany every figure."""
        return tuple(note for note in self.notes if note in (SEEN_IN_TRAINING, IN_SAMPLE_NOTE))


def run_context(record: RunRecord, reference: str, card: ModelCard | None) -> RunContext:
    """Return the context of a run.

    Args:
        record: of the run.
        reference: one of its reference standards.
        card: of the run's model, which says whether the run is in-sample; None where it is not installed.
    """
    in_sample = is_in_sample(record, card)
    return RunContext(
        record, reference, run_notes(record, in_sample), in_sample, cross_validation(record, reference, card)
    )


def context_of(run: StoredRun, reference: str) -> RunContext:
    """Return :func:`run_context` of a stored run, by the card of its model where that is installed."""
    return run_context(run.record, reference, card_of(run.record.model_sha256))


def run_notes(record: RunRecord, in_sample: bool) -> tuple[str, ...]:
    """Return the remarks that must accompany every export of the numbers of a run."""
    notes = (
        record.selection,
        SEEN_IN_TRAINING if record.seen_in_training else "",
        IN_SAMPLE_NOTE if in_sample else "",
        evaluated_before(record),
    )
    return tuple(filter(None, notes))


def evaluated_before(record: RunRecord) -> str:
    """Describe how often the same images were evaluated before; empty if never.

    >>> from types import SimpleNamespace
    >>> evaluated_before(SimpleNamespace(evaluated_before=1, part="test"))
    'Test set evaluated 1 time before'
    """
    if not record.evaluated_before:
        return ""
    images = "Images" if record.part == "all" else f"{record.part.capitalize()} set"
    return f"{images} evaluated {record.evaluated_before} time{'s' * (record.evaluated_before > 1)} before"
