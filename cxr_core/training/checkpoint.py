"""Checkpoints of a training, written atomically, from which it resumes after it was killed; and its log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf

from ..errors import PathUnusable, TrainingRefused
from ..files import cannot_write, whole_file, write_whole
from ..labels import LABELS
from ..table_files import csv_text

__all__ = [
    "State",
    "TrainingLog",
    "Variable",
    "best_weights",
    "check_resumable",
    "checkpoint_origin",
    "load_checkpoint",
    "save_best",
    "save_checkpoint",
]


CHECKPOINT, PLAN = "checkpoint.npz", "plan.json"
_FILMS = re.compile(r'(?<=["_])film(?=[a-z_0-9]*"\s*:)')


class Variable(Protocol):
    """A variable of TensorFlow or Keras."""

    def numpy(self) -> np.ndarray:
        """Return the value."""
        ...

    def assign(self, value: np.ndarray, /) -> object:
        """Set the value."""
        ...


@dataclass
class State:
    """Position of a training.

    Attributes:
        stage, step: the next step.
        history: the log so far.
        loss_sum, loss_steps: of the current epoch.
        best_auc: best validation AUC of the stage, None where there is none yet.
        best_step: step of that AUC.
        waited: epochs since then.
    """

    stage: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_steps: int = 0
    best_auc: float | None = None
    best_step: int = 0
    waited: int = 0

    def next_stage(self) -> None:
        """Go to the start of the next stage."""
        self.stage, self.step = self.stage + 1, 0
        self.best_auc, self.best_step, self.waited = None, 0, 0


def save_checkpoint(folder: Path, variables: Mapping[str, Sequence[Variable]], state: State) -> None:
    """Write a checkpoint, replacing the last one atomically.

    Args:
        folder: of the training.
        variables: lists by name.
        state: of the training.
    """
    arrays = {f"{name}_{i}": v.numpy() for name, group in variables.items() for i, v in enumerate(group)}
    _write(folder / CHECKPOINT, arrays | {"state": np.frombuffer(json.dumps(asdict(state)).encode(), dtype=np.uint8)})
    best = _best_path(folder, state)
    for old in folder.glob("best-*.npz"):
        if old != best:
            old.unlink()


def check_resumable(folder: Path) -> None:
    """Raise PathUnusable where a folder has no checkpoint."""
    if not (folder / CHECKPOINT).is_file():
        raise PathUnusable(f"Nothing to resume: {folder / CHECKPOINT} is missing. Leave out --resume to start.")


def load_checkpoint(folder: Path, variables: Mapping[str, Sequence[Variable]]) -> State:
    """Assign the values of the checkpoint to the variables and return its state.

    Raises PathUnusable where there is none, or it was written by another version of this program.
    """
    check_resumable(folder)
    path = folder / CHECKPOINT
    try:
        with np.load(path) as arrays:
            values = {(name, i): arrays[f"{name}_{i}"] for name, group in variables.items() for i in range(len(group))}
            state = State(**json.loads(arrays["state"].tobytes()))
        for (name, i), value in values.items():
            variables[name][i].assign(value)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PathUnusable(
            f"Nothing to resume: {path} was written by another version of the program. Leave out --resume to start."
        ) from error
    return state


def checkpoint_origin(folder: Path, origin: Mapping[str, object], *, resume: bool) -> None:
    """Write the origin of a training's weights or, to resume it, compare it with the one written.

    Raises:
        TrainingRefused: the checkpoint comes from something else.
        PathUnusable: there is nothing written, or the folder cannot be written.
    """
    path = folder / PLAN
    origin = json.loads(json.dumps(origin))
    if not resume:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # an earlier training's checkpoint may have taken days: it is renamed, not overwritten
            for name in (CHECKPOINT, PLAN):
                if (folder / name).is_file():
                    (folder / name).replace(folder / f"before-{name}")
            write_whole(path, json.dumps(origin, indent=1).encode())
        except OSError as error:
            raise cannot_write(f"Training folder {folder}", error) from error
        return
    check_resumable(folder)
    try:
        # version 0.1.0 wrote film for image, and had NIH's fourteen labels only
        before = {"labels": list(LABELS)} | json.loads(_FILMS.sub("image", path.read_text()))
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Nothing to resume: {path} is missing or broken.") from error
    changed = sorted(key for key in before.keys() | origin.keys() if before.get(key) != origin.get(key))
    if changed:
        raise TrainingRefused(
            f"The checkpoint of {folder} comes from another training: {', '.join(changed)} differ. Resumed, its card "
            "would be wrong and patients might cross the split. Give the same options, or leave out --resume to start."
        )


def save_best(folder: Path, weights: Sequence[np.ndarray], state: State) -> None:
    """Write the weights of the state's best step; they are used once a checkpoint names that step."""
    _write(_best_path(folder, state), {f"network_{i}": value for i, value in enumerate(weights)})


def best_weights(folder: Path, state: State) -> list[np.ndarray]:
    """Return the weights of the state's best step."""
    with np.load(_best_path(folder, state)) as arrays:
        return [arrays[f"network_{i}"] for i in range(len(arrays.files))]


def _best_path(folder: Path, state: State) -> Path:
    return folder / f"best-{state.stage}-{state.best_step}.npz"


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    try:
        with whole_file(path) as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise cannot_write(f"Checkpoint {path}", error) from error


STEPS_PER_POINT = 20
"""Steps between two points of the curve of the loss."""


class TrainingLog:
    """Log of one training.

    ``log.csv`` has a row for each epoch. ``events/`` has the loss and the learning rate of every twentieth
    step, and the validation AUC of every epoch; the format is TensorBoard's, which need not be installed.
    """

    def __init__(self, folder: Path) -> None:
        self._csv = folder / "log.csv"
        self._events = tf.summary.create_file_writer(str(folder / "events"))

    def step(self, step: int, loss: float, rate: float) -> None:
        """Record a step, counted over all stages."""
        if step % STEPS_PER_POINT == 0:
            self._point("loss", loss, step)
            self._point("learning rate", rate, step)

    def epoch(self, step: int, history: Sequence[dict[str, float]]) -> None:
        """Record the end of an epoch, the last row of the history; raises PathUnusable."""
        try:
            write_whole(self._csv, csv_text(list(history[0]), history).encode())
        except OSError as error:
            raise cannot_write(f"Training log {self._csv}", error) from error
        self._point("validation AUC", history[-1]["validation_auc"], step)
        self._point("input size", history[-1]["size"], step)
        self._events.flush()

    def close(self) -> None:
        """Flush and close the event file."""
        self._events.close()

    def _point(self, name: str, value: float, step: int) -> None:
        # tf.summary.scalar is TensorBoard's own code: this writes the same without it
        scalar = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
        )
        with self._events.as_default():
            tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=scalar)
