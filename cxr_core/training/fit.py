"""The training loop: stages of growing size, checkpoints, a log, time left."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..errors import PathUnusable, TrainingRefused, WrongArguments
from ..imaging import Preparation
from ..metrics import roc_auc
from .augment import POLICIES
from .balance import class_weights
from .dataset import batches, epoch_order
from .loss import weighted_cross_entropy
from .table import FilmTable

__all__ = ["Plan", "Progress", "Stage", "fit", "mean_auc", "parse_stages", "predict_logits"]


ANY_FILMS = tf.TensorSpec((None, None, None, 1), tf.float32)


@dataclass(frozen=True)
class Stage:
    """So many epochs at one input size. ``epochs`` may be a fraction."""

    size: int
    epochs: float


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a training ends with, besides films and starting weights."""

    stages: tuple[Stage, ...]
    detail: int | None = None
    fit: str = "pad"
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    policy: str = "mild"
    seed: int = 0
    validation_films: int = 1000

    def preparation(self, stage: Stage) -> Preparation:
        """Return what the films of a stage are brought to."""
        return Preparation(stage.size, self.fit, self.detail)

    def steps(self, stage: Stage, films: int) -> int:
        """Return the number of steps of a stage."""
        return max(1, round(stage.epochs * films / self.batch_size))

    def rate(self, stage_number: int, share: float) -> float:
        """Return the learning rate at a share of a stage: warm-up over a twentieth, then cosine.

        The second stage peaks at a third of the first, all later ones at a ninth.
        """
        peak = self.learning_rate / 3 ** min(stage_number, 2)
        return peak * min(1.0, share / 0.05 + 0.01) * 0.5 * (1 + math.cos(math.pi * share))


def parse_stages(text: str) -> tuple[Stage, ...]:
    """Read ``64x8,128x2`` as eight epochs at 64 pixels, then two at 128."""
    stages = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)x(\d+(?:\.\d+)?)\s*", part)
        if not found or int(found[1]) < 32 or float(found[2]) <= 0:
            raise WrongArguments(f"Stages {text!r}: write SIZExEPOCHS, with commas between, such as 64x8,128x2.")
        stages.append(Stage(int(found[1]), float(found[2])))
    return tuple(stages)


@dataclass(frozen=True)
class Progress:
    """Where a training stands; ``seconds_left`` is an estimate from the pace so far."""

    stage: int
    step: int
    steps: int
    loss: float
    seconds_left: float


@dataclass
class _State:
    """Where a checkpoint was taken: the next step to do, and the log so far."""

    stage: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    network: keras.Model,
    train: FilmTable,
    validation: FilmTable,
    plan: Plan,
    folder: Path,
    *,
    resume: bool = False,
    checkpoint_seconds: float = 120.0,
    report: Callable[[Progress], None] = lambda progress: None,
    origin: dict[str, str] | None = None,
) -> list[dict[str, float]]:
    """Train ``network`` in place.

    Args:
        network: from :func:`cxr_core.model.network.build_network`, any input size.
        train, validation: films of disjoint patients.
        plan: what to do.
        folder: gets ``checkpoint.npz`` (about every ``checkpoint_seconds`` and after each epoch),
            ``plan.json`` and ``log.csv``.
        resume: go on from the folder's checkpoint, with the order of batches, the optimiser and
            the schedule.
        report: called after every step.
        origin: what else the weights come from, such as the starting weights and the split; kept with
            the checkpoint.

    Returns:
        The log: one row after each epoch and each stage.

    Raises:
        TrainingRefused: the checkpoint comes from another plan, other films or another origin.
        PathUnusable: there is no checkpoint to resume.
    """
    recipe = _recipe(plan, train, validation, origin or {})
    folder.mkdir(parents=True, exist_ok=True)
    optimiser = keras.optimizers.AdamW(plan.learning_rate, weight_decay=plan.weight_decay)
    optimiser.build(network.trainable_variables)
    state = _restore(folder, network, optimiser, recipe) if resume else _State()
    (folder / "plan.json").write_text(json.dumps(recipe, indent=1))
    step = _compiled_step(network, optimiser, class_weights(train.labels))
    watched = validation.select(epoch_order(len(validation), plan.seed, -1 % 2**32)[: plan.validation_films])
    clock = _Clock(plan, len(train), state)
    saved = time.monotonic()
    while state.stage < len(plan.stages):
        stage = plan.stages[state.stage]
        steps, per_epoch = plan.steps(stage, len(train)), math.ceil(len(train) / plan.batch_size)
        losses: list[float] = []
        while state.step < steps:
            epoch, done = divmod(state.step, per_epoch)
            order = epoch_order(len(train), plan.seed, 1000 * state.stage + epoch)
            todo = order[done * plan.batch_size :][: (steps - state.step) * plan.batch_size]
            feed = batches(
                train,
                plan.preparation(stage),
                plan.batch_size,
                order=todo,
                policy=POLICIES[plan.policy],
                seed=(plan.seed, state.stage, epoch),
            )
            for films, labels in feed:
                optimiser.learning_rate.assign(plan.rate(state.stage, state.step / steps))
                losses.append(float(step(films, labels)))
                state.step += 1
                report(Progress(state.stage, state.step, steps, losses[-1], clock.seconds_left(state)))
                if time.monotonic() - saved > checkpoint_seconds:
                    _save(folder, network, optimiser, state)
                    saved = time.monotonic()
            auc = mean_auc(watched.labels, predict_logits(network, watched, plan.preparation(stage)))
            state.history.append(
                {
                    "stage": state.stage,
                    "size": stage.size,
                    "step": state.step,
                    "loss": float(np.mean(losses)) if losses else math.nan,
                    "validation_auc": auc,
                }
            )
            losses.clear()
            _write_log(folder, state.history)
            _save(folder, network, optimiser, state)
        state.stage, state.step = state.stage + 1, 0
    _save(folder, network, optimiser, state)
    return state.history


def _recipe(plan: Plan, train: FilmTable, validation: FilmTable, origin: dict[str, str]) -> dict[str, object]:
    """Return everything that the weights of a checkpoint come from, as JSON gives it back."""
    films = hashlib.sha256()
    for table in (train, validation):
        films.update("\n".join(table.names.tolist()).encode() + table.labels.tobytes() + b"|")
    return json.loads(json.dumps({"plan": asdict(plan), "films_sha256": films.hexdigest(), **origin}))


def _compiled_step(network, optimiser, weights):
    # any batch and any size: one trace for all stages
    @tf.function(input_signature=[ANY_FILMS, tf.TensorSpec((None, None), tf.float32)])
    def step(films, labels):
        with tf.GradientTape() as tape:
            loss = weighted_cross_entropy(labels, network(films, training=True), weights)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimiser.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    return step


def predict_logits(
    network: keras.Model, films: FilmTable, preparation: Preparation, batch_size: int = 64
) -> np.ndarray:
    """Return (n, classes) float32 logits, in the order of the table."""
    forward = tf.function(lambda x: network(x, training=False), input_signature=[ANY_FILMS])
    return np.concatenate([forward(x).numpy() for x, _ in batches(films, preparation, batch_size)])


def mean_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean AUC of the classes that have positives and negatives; NaN where none has.

    For the log and for early choices only: it has no interval.
    """
    values = [roc_auc(labels[:, c], scores[:, c]).value for c in range(labels.shape[1])]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else math.nan


class _Clock:
    """Time left, from the pace of this process; a film's cost grows with the area of the input."""

    def __init__(self, plan: Plan, films: int, state: _State) -> None:
        self.work = [plan.steps(stage, films) * stage.size**2 for stage in plan.stages]
        self.steps = [plan.steps(stage, films) for stage in plan.stages]
        self.first = self._done(state)
        self.start = time.monotonic()

    def _done(self, state: _State) -> float:
        current = self.work[state.stage] * state.step / self.steps[state.stage] if state.stage < len(self.work) else 0
        return sum(self.work[: state.stage]) + current

    def seconds_left(self, state: _State) -> float:
        done = self._done(state)
        return (time.monotonic() - self.start) * (sum(self.work) - done) / max(done - self.first, 1)


def _save(folder: Path, network: keras.Model, optimiser, state: _State) -> None:
    """Write the checkpoint beside the last one, then put it in its place: a cut leaves one whole."""
    arrays = {f"network_{i}": value for i, value in enumerate(network.get_weights())}
    arrays |= {f"optimiser_{i}": v.numpy() for i, v in enumerate(optimiser.variables)}
    arrays["state"] = np.frombuffer(json.dumps(asdict(state)).encode(), dtype=np.uint8)
    part = folder / "checkpoint.part"
    with part.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / "checkpoint.npz")


def _restore(folder: Path, network: keras.Model, optimiser, recipe: dict[str, object]) -> _State:
    path = folder / "checkpoint.npz"
    if not path.is_file():
        raise PathUnusable(f"Nothing to resume: {path} is missing. Leave out --resume to start.")
    try:
        before = json.loads((folder / "plan.json").read_text())
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Nothing to resume: {folder / 'plan.json'} is missing or broken.") from error
    changed = sorted(key for key in before.keys() | recipe.keys() if before.get(key) != recipe.get(key))
    if changed:
        raise TrainingRefused(
            f"The checkpoint of {folder} comes from another training: {', '.join(changed)} differ. Resumed, its card "
            "would be wrong and patients might cross. Give the same options, or leave out --resume to start."
        )
    with np.load(path) as arrays:
        network.set_weights([arrays[f"network_{i}"] for i in range(len(network.weights))])
        for i, variable in enumerate(optimiser.variables):
            variable.assign(arrays[f"optimiser_{i}"])
        return _State(**json.loads(arrays["state"].tobytes()))


def _write_log(folder: Path, history: Sequence[dict[str, float]]) -> None:
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
