"""Films to batches: read as the app reads them, augmented, decoded ahead of the training step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..errors import InputRefused, PathUnusable
from ..imaging import Preparation, exposed, prepare, read_radiograph
from .augment import POLICIES, Policy, augment
from .decoding import decoders
from .table import FilmTable

__all__ = ["batches", "epoch_order", "load_film", "steps_per_epoch"]

AHEAD = 3
"""Batches that are being decoded while one is trained on."""


def load_film(path: Path, preparation: Preparation) -> np.ndarray:
    """Return one film as the network's input, (size, size, 1) float32 in [0, 1]."""
    return prepare(read_radiograph(path.read_bytes()).display, preparation)[0]


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of the films in an epoch; it depends on nothing but the arguments."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def steps_per_epoch(films: int, batch_size: int) -> int:
    """Return the number of whole batches; the films that are over fall to another epoch's order.

    A last batch of one or two films would give batch normalisation nothing to normalise by.
    """
    return max(1, films // batch_size)


def batches(
    films: FilmTable,
    preparation: Preparation,
    batch_size: int,
    *,
    order: np.ndarray | None = None,
    policy: Policy = POLICIES["none"],
    seed: tuple[int, ...] = (),
    workers: int | None = None,
    pool: Executor | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (n, size, size, 1) float32 films and (n, classes) float32 labels, in the given order.

    Each film's augmentation is drawn from ``seed`` and its row, whichever worker it falls to, and films
    come in the order given however fast each was decoded: the batches depend on the arguments alone.

    Args:
        films: what to read.
        preparation: the model's.
        batch_size: films a batch; the last may have fewer.
        order: rows; None is all of them in the table's order.
        policy: of augmentation.
        seed: of the augmentation.
        workers: threads, where no pool is given; None is one for each processor.
        pool: who decodes, from :func:`.decoding.decoders`.

    Raises:
        PathUnusable: a film cannot be read.
    """
    order = np.arange(len(films)) if order is None else order
    groups = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    with ExitStack() as stack:
        pool = pool or stack.enter_context(decoders(workers))

        def submit(group: np.ndarray) -> list[Future]:
            return [pool.submit(_load, films.paths[row], preparation, policy, (*seed, row)) for row in group.tolist()]

        ahead = deque(submit(group) for group in groups[:AHEAD])
        for number, group in enumerate(groups):
            ready = np.stack([future.result() for future in ahead.popleft()])
            if number + AHEAD < len(groups):
                ahead.append(submit(groups[number + AHEAD]))
            yield ready, films.labels[group].astype(np.float32)


def _load(path: Path, preparation: Preparation, policy: Policy, seed: tuple[int, ...]) -> np.ndarray:
    try:
        display = read_radiograph(path.read_bytes()).display
    except (InputRefused, OSError) as error:
        raise PathUnusable("A film of the table cannot be read; check that no file was moved or changed.") from error
    # another exposure is what a stretch has to undo: it comes first
    film, placement = prepare(display, preparation.unexposed())
    return exposed(augment(film, policy, np.random.default_rng(seed)), placement, preparation.exposure)
