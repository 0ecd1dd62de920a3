"""The training loop: stages of growing size, checkpoints, early stopping, a log, time left."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..errors import TrainingRefused, WrongArguments
from ..metrics import roc_auc
from .augment import POLICIES
from .averaging import Average, remeasure_statistics
from .balance import class_weights
from .checkpoint import State, best_weights, checkpoint_origin, load_checkpoint, save_best, save_checkpoint
from .dataset import batches, epoch_order, steps_per_epoch
from .decoding import decoders
from .journal import Journal
from .plan import Plan, Stage, parse_stages
from .steps import compiled_forward, compiled_step, new_optimiser
from .table import FilmTable

__all__ = ["Plan", "Progress", "Stage", "fit", "mean_auc", "parse_stages", "predict_logits"]

STATISTICS_BATCHES = 50
WATCHED, STATISTICS = -1 % 2**32, -2 % 2**32
"""Epochs whose orders choose films for other ends than training."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands; ``seconds_left`` is an estimate from the pace so far."""

    stage: int
    step: int
    steps: int
    loss: float
    seconds_left: float


def fit(
    network: keras.Model,
    train: FilmTable,
    validation: FilmTable,
    plan: Plan,
    folder: Path,
    *,
    resume: bool = False,
    checkpoint_seconds: float = 120.0,
    checkpoint_steps: int | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    origin: dict[str, str] | None = None,
    strategy: tf.distribute.Strategy | None = None,
    pool: Executor | None = None,
) -> list[dict[str, float]]:
    """Train ``network`` in place.

    Killed at any moment and resumed, a training ends as one that was never killed: with the same bits where
    TensorFlow's operations are deterministic, else as two trainings that were never killed differ.

    Args:
        network: from :func:`cxr_core.model.network.build_network` or any other from films of any size to
            logits, whose last layer has the name ``logits`` and which draws nothing at random.
        train, validation: films of disjoint patients.
        plan: what to do.
        folder: gets ``checkpoint.npz``, ``plan.json``, ``log.csv`` and ``events/``.
        resume: go on from the folder's checkpoint, with the order of batches, the optimiser and
            the schedule.
        checkpoint_seconds, checkpoint_steps: how often a checkpoint is written, besides after each epoch.
        report: called after every step.
        origin: what else the weights come from, such as the starting weights and the split; kept with
            the checkpoint.
        strategy: devices, in whose scope the network was built; None is TensorFlow's choice of one.
        pool: who decodes films; see :func:`.decoding.decoders`.

    Returns:
        The log: one row after each epoch and each stage.

    Raises:
        TrainingRefused: the checkpoint comes from another plan, other films or another origin; or the loss
            is not a number.
        PathUnusable: there is no checkpoint to resume.
    """
    checkpoint_origin(folder, _origin(plan, train, validation, origin or {}), resume=resume)
    with decoders() if pool is None else nullcontext(pool) as pool:
        training = _Training(network, train, validation, plan, folder, strategy or tf.distribute.get_strategy(), pool)
        try:
            return training.run(resume, (checkpoint_seconds, checkpoint_steps), report)
        finally:
            training.journal.close()


class _Training:
    """A training that goes on: what stays the same from step to step, and its state."""

    def __init__(self, network, train, validation, plan, folder, strategy, pool) -> None:
        self.network, self.train, self.plan, self.folder, self.pool = network, train, plan, folder, pool
        self.strategy, self.weights = strategy, class_weights(train.labels, plan.loss)
        self.watched = validation.select(epoch_order(len(validation), plan.seed, WATCHED)[: plan.validation_films])
        self.batch_size = min(plan.batch_size, len(train))
        if self.batch_size < strategy.num_replicas_in_sync:
            raise WrongArguments(
                f"A batch of {self.batch_size} films for {strategy.num_replicas_in_sync} devices: "
                "at least a film for each is needed."
            )
        self.journal = Journal(folder)
        self.forward, self.moving = compiled_forward(network), compiled_forward(network, training=True)
        with strategy.scope():
            heads = {stage.head for stage in plan.stages}
            self.optimisers = {
                head: new_optimiser(network, head, plan.learning_rate, plan.weight_decay) for head in sorted(heads)
            }
            self.average = Average(network, plan.average) if plan.average else None
        self.steps = {
            head: compiled_step(network, optimiser, self.weights, strategy, head=head)
            for head, optimiser in self.optimisers.items()
        }
        self.state = State()

    def run(self, resume: bool, every: tuple[float, int | None], report) -> list[dict[str, float]]:
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

    def _epoch(self, stage: Stage, steps: int, every: tuple[float, int | None], report, clock: _Clock) -> None:
        """Do what is left of an epoch, or of the stage where that ends before."""
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
                        f"The loss of step {state.step + 1} is not a number: the training has run away. "
                        "Start again with a lower --learning-rate."
                    )
                state.loss_sum, state.loss_steps = state.loss_sum + loss, state.loss_steps + 1
                state.step += 1
                self.journal.step(self._steps_before() + state.step, loss, rate)
                report(Progress(state.stage, state.step, steps, loss, clock.seconds_left(state)))
            pending.clear()

        for films, labels in feed:
            rate = plan.rate(state.stage, (state.step + len(pending)) / steps)
            rate_of.assign(rate)
            loss = step(films, labels)
            if self.average:
                self.average.move()
            # the loss before is asked for only now: an accelerator has its next step already
            settle()
            pending.append((loss, rate))
            seconds, number = every
            due = time.monotonic() - saved > seconds or (number and (state.step + 1) % number == 0)
            # the last step of an epoch is kept with what is measured after it
            if due and state.step + 1 < last:
                settle()
                self.save()
                saved = time.monotonic()
        settle()

    def _end_epoch(self, stage: Stage) -> None:
        """Measure on validation films, with the weights that would be kept."""
        state, before = self.state, None
        if self.average:
            before = self.network.get_weights()
            self._put_average(stage)
        logits = predict_logits(self.forward, self.watched, self.plan.preparation(stage), pool=self.pool)
        auc = mean_auc(self.watched.labels, logits)
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
        self.journal.epoch(self._steps_before() + state.step, state.history)

    def _end_stage(self) -> None:
        """Take the best weights of the stage; after the last stage without a choice, the average."""
        state, stage = self.state, self.plan.stages[self.state.stage]
        if state.best_auc is not None:
            self.network.set_weights(best_weights(self.folder, state))
            if self.average:
                self.average.take()
        elif self.average and state.stage == len(self.plan.stages) - 1:
            self._put_average(stage)
        state.next_stage()

    def _put_average(self, stage: Stage) -> None:
        self.average.put()
        if stage.head:
            return  # the body's statistics were not moved, and belong to it
        order = self._order(STATISTICS)[: self.batch_size * STATISTICS_BATCHES]
        remeasure_statistics(self.network, self.moving, (films for films, _ in self._feed(stage, order)))

    def _order(self, epoch: int) -> np.ndarray:
        """Return the rows of an epoch in their order, whole batches only."""
        order = epoch_order(len(self.train), self.plan.seed, epoch)
        return order[: len(order) // self.batch_size * self.batch_size]

    def _feed(self, stage: Stage, order: np.ndarray, **options):
        preparation = self.plan.preparation(stage)
        return batches(self.train, preparation, self.batch_size, order=order, pool=self.pool, **options)

    def _steps_before(self) -> int:
        """Return the steps of the stages before this one, as they were planned."""
        return sum(self.plan.steps(stage, len(self.train)) for stage in self.plan.stages[: self.state.stage])

    def save(self) -> None:
        save_checkpoint(self.folder, self._variables(), self.state)

    def _variables(self) -> dict[str, list]:
        groups = {"network": self.network.weights, "average": self.average.variables if self.average else []}
        names = {True: "head", False: "optimiser"}
        return groups | {names[head]: optimiser.variables for head, optimiser in self.optimisers.items()}


def _origin(plan: Plan, train: FilmTable, validation: FilmTable, origin: dict[str, str]) -> dict[str, object]:
    """Return everything that the weights of a checkpoint come from."""
    films = hashlib.sha256()
    for table in (train, validation):
        films.update("\n".join(table.names.tolist()).encode() + table.labels.tobytes() + b"|")
    return {"plan": asdict(plan), "films_sha256": films.hexdigest(), **origin}


def predict_logits(
    forward: Callable[[np.ndarray], tf.Tensor],
    films: FilmTable,
    preparation,
    batch_size: int = 64,
    pool: Executor | None = None,
) -> np.ndarray:
    """Return (n, classes) float32 logits, in the order of the table."""
    return np.concatenate([forward(x).numpy() for x, _ in batches(films, preparation, batch_size, pool=pool)])


def mean_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean AUC of the classes that have positives and negatives; NaN where none has.

    For the log and for early choices only: it has no interval.
    """
    values = [roc_auc(labels[:, c], scores[:, c]).value for c in range(labels.shape[1])]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else math.nan


class _Clock:
    """Time left, from the pace of this process; a film's cost grows with the area of the input."""

    def __init__(self, plan: Plan, films: int, state: State) -> None:
        self.work = [plan.steps(stage, films) * stage.size**2 for stage in plan.stages]
        self.steps = [plan.steps(stage, films) for stage in plan.stages]
        self.first = self._done(state)
        self.start = time.monotonic()

    def _done(self, state: State) -> float:
        current = self.work[state.stage] * state.step / self.steps[state.stage] if state.stage < len(self.work) else 0
        return sum(self.work[: state.stage]) + current

    def seconds_left(self, state: State) -> float:
        done = self._done(state)
        return (time.monotonic() - self.start) * (sum(self.work) - done) / max(done - self.first, 1)
