"""What a training needs to go on after it was killed, in files that a kill leaves whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..errors import PathUnusable, TrainingRefused
from ..whole_files import cannot_write, whole_file, write_whole

__all__ = [
    "State",
    "best_weights",
    "check_resumable",
    "checkpoint_origin",
    "load_checkpoint",
    "save_best",
    "save_checkpoint",
]

CHECKPOINT, PLAN = "checkpoint.npz", "plan.json"


@dataclass
class State:
    """Where a checkpoint was taken.

    Attributes:
        stage, step: the next step to do.
        history: the log so far.
        loss_sum, loss_steps: of the epoch that is going on.
        best_auc: best validation AUC of the stage, None where there is none yet.
        best_step: the step it was reached at.
        waited: epochs since.
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


def save_checkpoint(folder: Path, variables: Mapping[str, Sequence], state: State) -> None:
    """Write the checkpoint beside the last one, then put it in its place.

    Args:
        folder: of the training.
        variables: lists by name, of anything with ``numpy()``.
        state: where it is taken.
    """
    arrays = {f"{name}_{i}": v.numpy() for name, group in variables.items() for i, v in enumerate(group)}
    _write(folder / CHECKPOINT, arrays | {"state": np.frombuffer(json.dumps(asdict(state)).encode(), dtype=np.uint8)})
    kept = _best_path(folder, state)
    for old in folder.glob("best-*.npz"):
        if old != kept:
            old.unlink()


def check_resumable(folder: Path) -> None:
    """Raise PathUnusable where a folder has no checkpoint."""
    if not (folder / CHECKPOINT).is_file():
        raise PathUnusable(f"Nothing to resume: {folder / CHECKPOINT} is missing. Leave out --resume to start.")


def load_checkpoint(folder: Path, variables: Mapping[str, Sequence]) -> State:
    """Give the variables the values of the checkpoint and return where it was taken.

    Raises PathUnusable where there is none, or it was made by another version of this program.
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
            f"Nothing to resume: {path} is of another version of this program. Leave out --resume to start."
        ) from error
    return state


def checkpoint_origin(folder: Path, origin: Mapping[str, object], *, resume: bool) -> None:
    """Write what the weights of a training come from or, to resume it, compare it with what was written.

    Raises:
        TrainingRefused: the checkpoint comes from something else.
        PathUnusable: there is nothing written, or the folder cannot be written.
    """
    path = folder / PLAN
    origin = json.loads(json.dumps(origin))
    if not resume:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # an earlier training's checkpoint is not this one's, and may have cost days: it is put aside
            for name in (CHECKPOINT, PLAN):
                if (folder / name).is_file():
                    (folder / name).replace(folder / f"before-{name}")
            write_whole(path, json.dumps(origin, indent=1).encode())
        except OSError as error:
            raise cannot_write(f"Training folder {folder}", error) from error
        return
    check_resumable(folder)
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Nothing to resume: {path} is missing or broken.") from error
    changed = sorted(key for key in before.keys() | origin.keys() if before.get(key) != origin.get(key))
    if changed:
        raise TrainingRefused(
            f"The checkpoint of {folder} comes from another training: {', '.join(changed)} differ. Resumed, its card "
            "would be wrong and patients might cross. Give the same options, or leave out --resume to start."
        )


def save_best(folder: Path, weights: Sequence[np.ndarray], state: State) -> None:
    """Write the weights of the state's best step; they count once a checkpoint names them."""
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
            np.savez(file, **arrays)
    except OSError as error:
        raise cannot_write(f"Checkpoint {path}", error) from error
