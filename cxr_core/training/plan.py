"""What a training does, in stages: everything that decides what it ends with, besides films and first weights."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..errors import WrongArguments
from ..imaging import EXPOSURES, Preparation
from .augment import POLICIES
from .balance import LOSSES
from .dataset import steps_per_epoch

__all__ = ["PRECISIONS", "Plan", "Stage", "parse_stages", "stages_text"]

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
"""Keras' names; the weights are float32 in each, and so is what is exported."""


@dataclass(frozen=True)
class Stage:
    """So many epochs at one input size.

    Attributes:
        size: side of the input, pixels.
        epochs: passes over the training films; may be a fraction.
        head: train the last layer alone. The body then works as in use, batch normalisation by its kept
            statistics, and is not changed.
    """

    size: int
    epochs: float
    head: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a training ends with, besides films and starting weights.

    Attributes:
        stages: one after another.
        detail, fit, exposure: of the films; see :class:`cxr_core.imaging.Preparation`.
        batch_size: films a step, of all devices together.
        learning_rate: peak of the first stage.
        weight_decay: of AdamW.
        policy: of augmentation.
        seed: of everything that is drawn.
        validation_films: most films that are looked at after each epoch.
        loss: ``weighted`` as in the paper, or ``plain``.
        patience: a stage ends after so many epochs without a better validation AUC, and its best weights
            are taken; 0 goes through with every epoch and takes the last.
        average: decay of the moving average of the weights that is measured and kept; 0 is none.
        precision: one of :data:`PRECISIONS`.
    """

    stages: tuple[Stage, ...]
    detail: int | None = None
    fit: str = "pad"
    exposure: str = "none"
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    policy: str = "mild"
    seed: int = 0
    validation_films: int = 1000
    loss: str = "weighted"
    patience: int = 0
    average: float = 0.0
    precision: str = "float32"

    def __post_init__(self) -> None:
        choices = (
            ("Augmentation", self.policy, POLICIES),
            ("Exposure", self.exposure, EXPOSURES),
            ("Loss", self.loss, LOSSES),
            ("Precision", self.precision, PRECISIONS),
        )
        for name, value, accepted in choices:
            if value not in accepted:
                raise WrongArguments(f"{name} {value!r}: accepted are {', '.join(accepted)}.")
        if not 0 <= self.average < 1:
            raise WrongArguments(f"Average {self.average:g}: a decay from 0 (none) to under 1 is accepted.")

    def preparation(self, stage: Stage) -> Preparation:
        """Return what the films of a stage are brought to."""
        return Preparation(stage.size, self.fit, self.detail, exposure=self.exposure)

    def steps(self, stage: Stage, films: int) -> int:
        """Return the number of steps of a stage."""
        return max(1, round(stage.epochs * steps_per_epoch(films, self.batch_size)))

    def rate(self, number: int, share: float) -> float:
        """Return the learning rate at a share of a stage: warm-up over a twentieth, then cosine.

        The second stage of the whole network peaks at a third of the first, all later ones at a ninth.
        """
        before = sum(not stage.head for stage in self.stages[:number])
        peak = self.learning_rate / 3 ** min(before, 2)
        return peak * min(1.0, share / 0.05 + 0.01) * 0.5 * (1 + math.cos(math.pi * share))


def parse_stages(text: str) -> tuple[Stage, ...]:
    """Read ``head:64x1,64x8,128x2``: an epoch of the head at 64 pixels, eight of the whole, two at 128."""
    stages = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(head:)?(\d+)x(\d+(?:\.\d+)?)\s*", part)
        if not found or int(found[2]) < 32 or float(found[3]) <= 0:
            raise WrongArguments(
                f"Stages {text!r}: write SIZExEPOCHS, with commas between, such as 64x8,128x2; "
                "head: before one trains the last layer alone."
            )
        stages.append(Stage(int(found[2]), float(found[3]), bool(found[1])))
    return tuple(stages)


def stages_text(stages: tuple[Stage, ...]) -> str:
    """Return stages as :func:`parse_stages` reads them."""
    return ",".join(f"{'head:' if stage.head else ''}{stage.size}x{stage.epochs:g}" for stage in stages)
