"""Batches of images: read as the app reads them, augmented by a named policy, decoded ahead of the training step."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputRefused, PathUnusable
from ..imaging import Preparation, apply_exposure, prepare, read_radiograph
from .table import ImageTable

__all__ = [
    "POLICIES",
    "Policy",
    "augment",
    "batches",
    "decoders",
    "epoch_order",
    "load_image",
    "steps_per_epoch",
]


@dataclass(frozen=True)
class Policy:
    """Ranges from which one augmentation is drawn, uniformly.

    Attributes:
        rotation: largest rotation in degrees, in either direction.
        shift: largest shift, as a fraction of the side.
        zoom: largest relative change of scale.
        gain: largest relative change of contrast about mid-grey.
        offset: largest change of brightness, of the range [0, 1].
        flip: mirror half of the images. It moves the heart to the wrong side.
        gamma: largest change of the exponent of the grey curve, as a factor of e, since manufacturers' curves differ.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    flip: bool = False
    gamma: float = 0.0


POLICIES: dict[str, Policy] = {
    "none": Policy(),
    "mild": Policy(rotation=7, shift=0.05, zoom=0.10, gain=0.15, offset=0.08),
    "mild-flip": Policy(rotation=7, shift=0.05, zoom=0.10, gain=0.15, offset=0.08, flip=True),
    "flip": Policy(flip=True),
    "strong": Policy(rotation=12, shift=0.08, zoom=0.15, gain=0.25, offset=0.10, gamma=0.35),
}
"""``mild`` is the default. ``flip`` is the paper's horizontal flip alone, ``mild-flip`` both; no other policy
mirrors, since a mirrored image has its heart on the wrong side. ``strong`` is for images of several manufacturers."""


def augment(radiograph: np.ndarray, policy: Policy, rng: np.random.Generator) -> np.ndarray:
    """Return an augmented copy of a prepared image.

    Args:
        radiograph: (size, size, 1) float32 in [0, 1].
        policy: ranges to draw from.
        rng: source of the draw; the same state gives the same image.
    """
    if policy == POLICIES["none"]:
        return radiograph
    size = radiograph.shape[0]
    turn, dx, dy, zoom, gain, offset = rng.uniform(-1, 1, 6)
    mirrored = policy.flip and rng.random() < 0.5
    gamma = np.exp(policy.gamma * rng.uniform(-1, 1)) if policy.gamma else 1.0
    angle = np.deg2rad(policy.rotation * turn)
    scale = 1 / (1 + policy.zoom * zoom)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        matrix = matrix @ np.diag([-1.0, 1.0])
    # Pillow maps output to input, about the corner: turn about the middle instead
    middle = np.full(2, size / 2)
    shift = middle - matrix @ middle + size * policy.shift * np.array([dx, dy])
    coefficients = (*matrix[0], shift[0], *matrix[1], shift[1])
    image = Image.fromarray(radiograph[:, :, 0]).transform(
        (size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    changed = (np.asarray(image) - 0.5) * (1 + policy.gain * gain) + 0.5 + policy.offset * offset
    changed = np.clip(changed, 0, 1, dtype=np.float32)[:, :, None]
    return changed if gamma == 1.0 else np.asarray(changed ** np.float32(gamma))


AHEAD = 3
"""Batches that are being decoded while one is trained on."""


def load_image(path: Path, preparation: Preparation) -> np.ndarray:
    """Return one image as the network's input, (size, size, 1) float32 in [0, 1]."""
    return prepare(read_radiograph(path.read_bytes()).display, preparation)[0]


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of the images in an epoch, which depends on the arguments alone."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return the number of whole batches; the remaining images are omitted in this epoch.

    A last batch of one or two images would give batch normalisation nothing to normalise by.
    """
    return max(1, images // batch_size)


def batches(
    images: ImageTable,
    preparation: Preparation,
    batch_size: int,
    *,
    order: np.ndarray | None = None,
    policy: Policy = POLICIES["none"],
    seed: tuple[int, ...] = (),
    workers: int | None = None,
    pool: Executor | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (n, size, size, 1) float32 images and (n, labels) float32, 1 where positive, in the given order.

    Each image's augmentation is drawn from ``seed`` and its row, whichever worker it falls to, and images
    come in the order given however fast each was decoded: the batches depend on the arguments alone.

    Args:
        images: to read.
        preparation: the model's.
        batch_size: images a batch; the last may have fewer.
        order: rows; None is all of them in the table's order.
        policy: of augmentation.
        seed: of the augmentation.
        workers: threads, where no pool is given; None is one for each processor.
        pool: of decoders, from :func:`decoders`.

    Raises:
        PathUnusable: an image cannot be read.
    """
    order = np.arange(len(images)) if order is None else order
    groups = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    with ExitStack() as stack:
        pool = pool or stack.enter_context(decoders(workers))

        def submit(group: np.ndarray) -> list[Future[np.ndarray]]:
            return [pool.submit(_load, images.paths[row], preparation, policy, (*seed, row)) for row in group.tolist()]

        ahead = deque(submit(group) for group in groups[:AHEAD])
        for number, group in enumerate(groups):
            ready = np.stack([future.result() for future in ahead.popleft()])
            if number + AHEAD < len(groups):
                ahead.append(submit(groups[number + AHEAD]))
            yield ready, images.positive[group].astype(np.float32)


def _load(path: Path, preparation: Preparation, policy: Policy, seed: tuple[int, ...]) -> np.ndarray:
    try:
        display = read_radiograph(path.read_bytes()).display
    except (InputRefused, OSError) as error:
        raise PathUnusable("An image of the table cannot be read; check that no file was moved or changed.") from error
    # augmentation changes the exposure, which the preparation normalises: augment first
    image, placement = prepare(display, preparation.without_exposure())
    return apply_exposure(augment(image, policy, np.random.default_rng(seed)), placement, preparation.exposure)


@contextmanager
def decoders(workers: int | None = None, *, processes: bool = False) -> Iterator[Executor]:
    """Yield a pool of threads, or of processes, that decodes images.

    Pillow and NumPy work outside Python's lock, so threads are enough for PNG and JPEG, and hand images over
    without a copy. The decoders of compressed DICOM hold it: there processes help.

    Args:
        workers: how many; None is one for each processor.
        processes: processes instead of threads.
    """
    workers = workers or os.cpu_count() or 1
    if processes:
        # spawn: a fork of a process in which TensorFlow runs may hang
        pool: Executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _end_with_parent)
    else:
        pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this process when its parent has ended: a killed training must leave no process behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
