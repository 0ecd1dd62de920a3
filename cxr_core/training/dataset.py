"""Films to batches: read as the app reads them, augmented, decoded ahead of the training step."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..imaging import Preparation, prepare, read_radiograph
from .augment import POLICIES, Policy, augment
from .table import FilmTable

__all__ = ["batches", "epoch_order", "load_film"]


def load_film(path, preparation: Preparation) -> np.ndarray:
    """Return one film as the network's input, (size, size, 1) float32 in [0, 1]."""
    return prepare(read_radiograph(path.read_bytes()).display, preparation)[0]


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of the films in an epoch; it depends on nothing but the arguments."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def batches(
    films: FilmTable,
    preparation: Preparation,
    batch_size: int,
    *,
    order: np.ndarray | None = None,
    policy: Policy = POLICIES["none"],
    seed: tuple[int, ...] = (),
    workers: int = 2,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (n, size, size, 1) float32 films and (n, classes) float32 labels, in the given order.

    Pillow decodes and resizes outside Python's lock, so threads are enough. Each film's
    augmentation is drawn from ``seed`` and its row, whatever thread it falls to.
    """
    order = np.arange(len(films)) if order is None else order

    def load(row: int) -> np.ndarray:
        film = load_film(films.paths[row], preparation)
        return augment(film, policy, np.random.default_rng([*seed, row]))

    groups = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    with ThreadPoolExecutor(workers) as pool:
        ahead = [[pool.submit(load, int(row)) for row in g] for g in groups[:2]]
        for number, group in enumerate(groups):
            films_now = np.stack([future.result() for future in ahead.pop(0)])
            if number + 2 < len(groups):
                ahead.append([pool.submit(load, int(row)) for row in groups[number + 2]])
            yield films_now, films.labels[group].astype(np.float32)
