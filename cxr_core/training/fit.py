"""The training loop: stages of growing size, checkpoints, early stopping, a log, remaining time."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..datasets.batches import POLICIES, Policy, batches, decoders, epoch_order, steps_per_epoch
from ..datasets.table import ImageTable
from ..errors import TrainingRefused, WrongArguments
from ..imaging import Preparation
from ..metrics import roc_auc
from .checkpoint import (
    State,
    TrainingLog,
    Variable,
    best_weights,
    checkpoint_origin,
    load_checkpoint,
    save_best,
    save_checkpoint,
)
from .class_weights import class_weights
from .plan import Plan, Progress, Stage
from .steps import Forward, WeightAverage, compiled_forward, compiled_step, new_optimiser, remeasure_statistics

__all__ = ["fit", "mean_auc", "predict_logits"]

STATISTICS_BATCHES = 50
Report = Callable[[Progress], None]
WATCHED, STATISTICS = -1 % 2**32, -2 % 2**32
"""Epoch numbers whose orders choose the validation images to watch, and those for the statistics."""


def fit(
    network: keras.Model,
    train: ImageTable,
    validation: ImageTable,
    plan: Plan,
    folder: Path,
    *,
    resume: bool = False,
    checkpoint_seconds: float = 120.0,
    checkpoint_steps: int | None = None,
    report: Report = lambda progress: None,
    origin: dict[str, object] | None = None,
    strategy: tf.distribute.Strategy | None = None,
    pool: Executor | None = None,
) -> list[dict[str, float]]:
    """Train ``network`` in place.

    A training that was killed and resumed ends like an uninterrupted one: bit-identical where TensorFlow's operations
    are deterministic, else with the differences of any two trainings.

    Args:
        network: from :func:`cxr_core.model.network.build_network` or any other from images of any size to
            logits, whose last layer has the name ``logits`` and which draws nothing at random.
        train, validation: images of disjoint patients.
        plan: stages and options.
        folder: gets ``checkpoint.npz``, ``plan.json``, ``log.csv`` and ``events/``.
        resume: continue from the folder's checkpoint, with the order of batches, the optimiser and
            the schedule.
        checkpoint_seconds, checkpoint_steps: interval between checkpoints, besides those after each epoch.
        report: called after every step.
        origin: further origin of the weights, such as the starting weights and the split; stored with the checkpoint.
        strategy: devices, in whose scope the network was built; None is TensorFlow's choice of one.
        pool: that decodes images; see :func:`cxr_core.datasets.batches.decoders`.

    Returns:
        The log: one row after each epoch and each stage.

    Raises:
        TrainingRefused: the checkpoint comes from another plan, other images or another origin; or the loss
            is not a number.
        PathUnusable: there is no checkpoint to resume.
    """
    checkpoint_origin(folder, _origin(plan, train, validation, origin or {}), resume=resume)
    with decoders() if pool is None else nullcontext(pool) as pool:
        training = _Training(network, train, validation, plan, folder, strategy or tf.distribute.get_strategy(), pool)
        try:
            return training.run(resume, (checkpoint_seconds, checkpoint_steps), report)
        finally:
            training.log.close()


class _Training:
    """A training in progress: what is constant from step to step, and its state."""

    def __init__(
        self,
        network: keras.Model,
        train: ImageTable,
        validation: ImageTable,
        plan: Plan,
        folder: Path,
        strategy: tf.distribute.Strategy,
        pool: Executor,
    ) -> None:
        self.network, self.train, self.plan, self.folder, self.pool = network, train, plan, folder, pool
        self.strategy, self.weights = strategy, class_weights(train.positive, plan.loss)
        self.watched = validation.select(epoch_order(len(validation), plan.seed, WATCHED)[: plan.validation_images])
        self.batch_size = min(plan.batch_size, len(train))
        if self.batch_size < strategy.num_replicas_in_sync:
            raise WrongArguments(
                f"A batch of {self.batch_size} images for {strategy.num_replicas_in_sync} devices: "
                "at least an image for each is needed."
            )
        self.log = TrainingLog(folder)
        self.forward, self.moving = compiled_forward(network), compiled_forward(network, training=True)
        with strategy.scope():
            heads = {stage.head for stage in plan.stages}
            self.optimisers = {
                head: new_optimiser(network, head, plan.learning_rate, plan.weight_decay) for head in sorted(heads)
            }
            self.average = WeightAverage(network, plan.average) if plan.average else None
        self.steps = {
            head: compiled_step(network, optimiser, self.weights, strategy, head=head)
            for head, optimiser in self.optimisers.items()
        }
        self.state = State()

    def run(self, resume: bool, every: tuple[float, int | None], report: Report) -> list[dict[str, float]]:
        """Train to the end; ``every`` is the seconds and the steps between two checkpoints."""
        if resume:
            self.state = load_checkpoint(self.folder, self._variables())
        state, plan = self.state, self.plan
        clock = _Clock(plan, len(self.train), state)
        while state.stage < len(plan.stages):
            stage = plan.stages[state.stage]
            steps = plan.steps(stage, len(self.train))
            while state.step < steps and not (plan.patience and state.waited >= plan.patience):
                self._epoch(stage, steps, every, report, clock)
                self._end_epoch(stage)
                self.save()
            self._end_stage()
            self.save()
        return state.history

    def _epoch(self, stage: Stage, steps: int, every: tuple[float, int | None], report: Report, clock: _Clock) -> None:
        """Train to the end of an epoch, or of the stage where that ends first."""
        state, plan, size = self.state, self.plan, self.batch_size
        epoch, done = divmod(state.step, steps_per_epoch(len(self.train), plan.batch_size))
        todo = self._order(1000 * state.stage + epoch)[done * size :][: (steps - state.step) * size]
        seed = (plan.seed, state.stage, epoch)
        feed = self._feed(stage, todo, policy=POLICIES[plan.policy], seed=seed)
        step, rate_of = self.steps[stage.head], self.optimisers[stage.head].learning_rate
        pending: list[tuple[tf.Tensor, float]] = []
        saved, last = time.monotonic(), state.step + len(todo) // size

        def settle() -> None:
            for loss, rate in ((float(loss), rate) for loss, rate in pending):
                if not math.isfinite(loss):
                    raise TrainingRefused(
                        f"The loss of step {state.step + 1} is not a number: the training has diverged. "
                        "Start again with a lower --learning-rate."
                    )
                state.loss_sum, state.loss_steps = state.loss_sum + loss, state.loss_steps + 1
                state.step += 1
                self.log.step(self._steps_before() + state.step, loss, rate)
                report(Progress(state.stage, state.step, steps, loss, clock.seconds_left(state)))
            pending.clear()

        for images, labels in feed:
            rate = plan.rate(state.stage, (state.step + len(pending)) / steps)
            rate_of.assign(rate)
            loss = step(images, labels)
            if self.average:
                self.average.update()
            # the previous loss is fetched only now, when the accelerator already has its next step
            settle()
            pending.append((loss, rate))
            seconds, number = every
            due = time.monotonic() - saved > seconds or (number and (state.step + 1) % number == 0)
            # the last step of an epoch is saved with the evaluation after it
            if due and state.step + 1 < last:
                settle()
                self.save()
                saved = time.monotonic()
        settle()

    def _end_epoch(self, stage: Stage) -> None:
        """Score validation images with the weights that would be exported."""
        state, before = self.state, None
        if self.average:
            before = self.network.get_weights()
            self._apply_average(self.average, stage)
        logits = predict_logits(self.forward, self.watched, self.plan.preparation(stage), pool=self.pool)
        auc = mean_auc(self.watched.positive, logits)
        if self.plan.patience and not math.isnan(auc):
            better = state.best_auc is None or auc > state.best_auc
            state.waited = 0 if better else state.waited + 1
            if better:
                state.best_auc, state.best_step = auc, state.step
                save_best(self.folder, self.network.get_weights(), state)
        if before is not None:
            self.network.set_weights(before)
        row = {
            "stage": state.stage,
            "size": stage.size,
            "step": state.step,
            "loss": state.loss_sum / state.loss_steps if state.loss_steps else math.nan,
            "validation_auc": auc,
        }
        state.history.append(row)
        state.loss_sum, state.loss_steps = 0.0, 0
        self.log.epoch(self._steps_before() + state.step, state.history)

    def _end_stage(self) -> None:
        """Load the best weights of the stage; without early stopping, the average after the last stage."""
        state, stage = self.state, self.plan.stages[self.state.stage]
        if state.best_auc is not None:
            self.network.set_weights(best_weights(self.folder, state))
            if self.average:
                self.average.reset()
        elif self.average and state.stage == len(self.plan.stages) - 1:
            self._apply_average(self.average, stage)
        state.next_stage()

    def _apply_average(self, average: WeightAverage, stage: Stage) -> None:
        average.apply()
        if stage.head:
            return  # the body's statistics are unchanged
        order = self._order(STATISTICS)[: self.batch_size * STATISTICS_BATCHES]
        remeasure_statistics(self.network, self.moving, (images for images, _ in self._feed(stage, order)))

    def _order(self, epoch: int) -> np.ndarray:
        """Return the rows of an epoch in their order, whole batches only."""
        order = epoch_order(len(self.train), self.plan.seed, epoch)
        return order[: len(order) // self.batch_size * self.batch_size]

    def _feed(
        self, stage: Stage, order: np.ndarray, policy: Policy = POLICIES["none"], seed: tuple[int, ...] = ()
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        preparation = self.plan.preparation(stage)
        return batches(self.train, preparation, self.batch_size, order=order, policy=policy, seed=seed, pool=self.pool)

    def _steps_before(self) -> int:
        """Return the planned steps of the stages before this one."""
        return sum(self.plan.steps(stage, len(self.train)) for stage in self.plan.stages[: self.state.stage])

    def save(self) -> None:
        save_checkpoint(self.folder, self._variables(), self.state)

    def _variables(self) -> dict[str, list[Variable]]:
        groups = {"network": self.network.weights, "average": self.average.variables if self.average else []}
        names = {True: "head", False: "optimiser"}
        return groups | {names[head]: optimiser.variables for head, optimiser in self.optimisers.items()}


def _origin(plan: Plan, train: ImageTable, validation: ImageTable, origin: dict[str, object]) -> dict[str, object]:
    """Return the origin of a checkpoint's weights: plan, labels, images, and the caller's origin."""
    images = hashlib.sha256()
    for table in (train, validation):
        images.update("\n".join(table.names.tolist()).encode() + table.positive.tobytes() + b"|")
    return {"plan": asdict(plan), "labels": train.labels, "images_sha256": images.hexdigest(), **origin}


def predict_logits(
    forward: Forward,
    images: ImageTable,
    preparation: Preparation,
    batch_size: int = 64,
    pool: Executor | None = None,
) -> np.ndarray:
    """Return (n, classes) float32 logits, in the order of the table."""
    return np.concatenate([forward(x).numpy() for x, _ in batches(images, preparation, batch_size, pool=pool)])


def mean_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean AUC of the labels that have positives and negatives; NaN where none has.

    For the log and early stopping only: it has no interval.
    """
    values = [roc_auc(labels[:, c], scores[:, c]).value for c in range(labels.shape[1])]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else math.nan


class _Clock:
    """Remaining time, from the speed of this process; an image's cost is proportional to the input's area."""

    def __init__(self, plan: Plan, images: int, state: State) -> None:
        self.work = [plan.steps(stage, images) * stage.size**2 for stage in plan.stages]
        self.steps = [plan.steps(stage, images) for stage in plan.stages]
        self.first = self._done(state)
        self.start = time.monotonic()

    def _done(self, state: State) -> float:
        current = self.work[state.stage] * state.step / self.steps[state.stage] if state.stage < len(self.work) else 0
        return sum(self.work[: state.stage]) + current

    def seconds_left(self, state: State) -> float:
        done = self._done(state)
        return (time.monotonic() - self.start) * (sum(self.work) - done) / max(done - self.first, 1)
