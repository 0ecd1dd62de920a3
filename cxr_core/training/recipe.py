"""Input of a training: its recipe, its hardware, and the callbacks for its progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets.splits import Split
from ..datasets.table import ImageTable
from ..errors import TrainingRefused
from ..files import file_sha256
from ..model.calibration import Sampling
from .plan import Plan, Progress

__all__ = ["Callbacks", "Hardware", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the trained model, and the images that it is evaluated on.

    Attributes:
        id: name of the model and of its folder.
        images: training and validation images, and test images of the split, which are not trained on. Their labels
            are the model's outputs, in order.
        split: subset of every patient.
        plan: stages, rates, augmentation, seed.
        tests: sets of test images by name, evaluated only; of their labels, those that the model has.
        initialisation: ``imagenet``, ``random``, or a path to a weights file.
        version: of the model.
        calibrate_on: sources of the validation images that thresholds and curves are fitted on; all, if empty.
        sampling: how these images were sampled: ``consecutive``, ``enriched`` or ``unknown``.
        drop_duplicates: leave out near-duplicates of images of a later subset, instead of refusing to train.
        measure_test: evaluate the finished model on the tables' own test images too.
    """

    id: str
    images: ImageTable
    split: Split
    plan: Plan
    tests: Mapping[str, ImageTable] = field(default_factory=dict)
    initialisation: str = "imagenet"
    version: str = "1"
    calibrate_on: tuple[str, ...] = ()
    sampling: Sampling = "unknown"
    drop_duplicates: bool = False
    measure_test: bool = False

    def check_subsets(self, subsets: NDArray[np.str_]) -> None:
        """Raise TrainingRefused where a required subset has no image."""
        for subset in ("train", "validation", *(["test"] if self.measure_test else [])):
            if subset not in subsets:
                raise TrainingRefused(f"Split {self.split.name}: no image of the table is in the subset {subset}.")

    def check_calibration(self, validation: ImageTable) -> None:
        """Raise TrainingRefused where no validation image comes from a source to calibrate on."""
        missing = [source for source in self.calibrate_on if source not in validation.sources]
        if missing:
            raise TrainingRefused(
                f"To calibrate on {missing[0]}: no validation image comes from it. "
                f"There are: {', '.join(sorted(set(validation.sources.tolist())))}."
            )

    def check_tests(self) -> None:
        """Raise TrainingRefused for a set of test images that states none of the model's labels."""
        for name, table in self.tests.items():
            if not set(table.labels) & set(self.images.labels):
                raise TrainingRefused(
                    f"Test images {name}: their table states {', '.join(table.labels)}; none is a label of the model."
                )

    def origin(self) -> dict[str, object]:
        """Return the origin of a checkpoint's weights in addition to plan and images."""
        start = self.initialisation
        if start not in ("random", "imagenet"):
            start = f"{Path(start).name} {file_sha256(Path(start))}" if Path(start).is_file() else start
        return {"initialisation": start, "split_sha256": self.split.sha256}


@dataclass(frozen=True)
class Hardware:
    """Hardware of a training. It determines how long a training takes, not the trained model.

    Attributes:
        gpus: number of this machine's GPUs; 1 is TensorFlow's choice of one device, possibly the CPU.
        workers: decoding threads or processes; None is one per CPU.
        processes: decode in processes instead of threads.
        deterministic: make TensorFlow's operations deterministic, on a GPU too.
        checkpoint_steps: steps between two checkpoints, besides those after each epoch and by time.
    """

    gpus: int = 1
    workers: int | None = None
    processes: bool = False
    deterministic: bool = False
    checkpoint_steps: int | None = None


@dataclass(frozen=True)
class Callbacks:
    """Functions that are called with the progress of a training.

    Attributes:
        step: after every step.
        scored: with the name of a set of images, the number of scored images, and their total.
        compared: with the number of images compared with others, and their total.
    """

    step: Callable[[Progress], None] = lambda progress: None
    scored: Callable[[str, int, int], None] = lambda name, done, total: None
    compared: Callable[[int, int], None] = lambda done, images: None
