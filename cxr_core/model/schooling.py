"""What a card says of how its weights were trained, beside what they were trained on."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

__all__ = ["LossBalance", "StageEnd"]

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class LossBalance:
    """What positives and negatives of one label contribute to its loss, where every film loses the same.

    Means over training films, before and after the class weights; the same twice with the plain loss. It is
    what figures 3.4.1.a and b of the paper show, not what the trained network loses on them.
    """

    positive_before: float
    negative_before: float
    positive_after: float
    negative_after: float


@dataclass(frozen=True, config=_STRICT)
class StageEnd:
    """Where a stage of a training with early stopping ended, and the step whose weights were kept.

    ``validation_auc`` is the mean over labels on the validation films that were watched, and the best of
    several: it flatters.
    """

    stage: int
    steps: int
    steps_planned: int
    kept_step: int
    validation_auc: float
