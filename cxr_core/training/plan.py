"""The plan of a training: stages, learning rates and all other options that determine the weights."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from ..datasets.batches import POLICIES, steps_per_epoch
from ..errors import WrongArguments
from ..imaging import EXPOSURES, Preparation
from .class_weights import LOSSES

__all__ = ["PRECISIONS", "Plan", "Progress", "Stage", "parse_stages", "stages_text"]

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
"""Keras' names; the weights are float32 in each, and so is what is exported."""


@dataclass(frozen=True)
class Stage:
    """A number of epochs at one input size.

    Attributes:
        size: side of the input, pixels.
        epochs: passes over the training images; may be a fraction.
        head: train the last layer alone. The body then works as in inference, with fixed batch normalisation
            statistics.
    """

    size: int
    epochs: float
    head: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that determines the weights of a training, besides images and starting weights.

    Attributes:
        stages: one after another.
        detail, fit, exposure: of the images; see :class:`cxr_core.imaging.Preparation`.
        batch_size: images per step, of all devices together.
        learning_rate: peak in the first stage.
        weight_decay: of AdamW.
        policy: of augmentation.
        seed: random seed.
        validation_images: largest number of validation images scored after each epoch.
        loss: ``weighted`` as in the paper, or ``plain``.
        patience: a stage ends after this many epochs without a better validation AUC, with its best weights; 0 runs all
            epochs and takes the last weights.
        average: decay of the moving average of the weights, which is then evaluated and exported; 0 is none.
        precision: one of :data:`PRECISIONS`.
    """

    stages: tuple[Stage, ...]
    detail: int | None = None
    fit: Literal["pad", "crop"] = "pad"
    exposure: Literal["none", "stretched"] = "none"
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    policy: str = "mild"
    seed: int = 0
    validation_images: int = 1000
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
        """Return the preparation of the images of a stage."""
        return Preparation(stage.size, self.fit, self.detail, exposure=self.exposure)

    def steps(self, stage: Stage, images: int) -> int:
        """Return the number of steps of a stage."""
        return max(1, round(stage.epochs * steps_per_epoch(images, self.batch_size)))

    def rate(self, number: int, progress: float) -> float:
        """Return the learning rate at a fraction of a stage: warm-up over a twentieth, then cosine.

        The second stage of the whole network peaks at a third of the first, all later ones at a ninth.
        """
        before = sum(not stage.head for stage in self.stages[:number])
        peak = self.learning_rate / 3.0 ** min(before, 2)
        return peak * min(1.0, progress / 0.05 + 0.01) * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class Progress:
    """Progress of a training; ``seconds_left`` is estimated from the speed so far."""

    stage: int
    step: int
    steps: int
    loss: float
    seconds_left: float


def parse_stages(text: str) -> tuple[Stage, ...]:
    """Parse ``head:64x1,64x8,128x2``: an epoch of the head at 64 pixels, eight of the whole network, two at 128."""
    stages = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(head:)?(\d+)x(\d+(?:\.\d+)?)\s*", part)
        if not match or int(match[2]) < 32 or float(match[3]) <= 0:
            raise WrongArguments(
                f"Stages {text!r}: write SIZExEPOCHS, with commas between, such as 64x8,128x2; "
                "head: before one trains the last layer alone."
            )
        stages.append(Stage(int(match[2]), float(match[3]), bool(match[1])))
    return tuple(stages)


def stages_text(stages: tuple[Stage, ...]) -> str:
    """Return stages in the form that :func:`parse_stages` accepts."""
    return ",".join(f"{'head:' if stage.head else ''}{stage.size}x{stage.epochs:g}" for stage in stages)
