"""The same images at float32 and at INT8: logits, familiarity, and how far the maps are apart."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..calibration.sample import ScoredImages
from ..datasets.batches import load_image
from ..datasets.table import ImageTable
from ..errors import InputRefused
from ..imaging import Preparation
from ..model.engines import Engine, class_maps
from ..model.familiarity import FamiliarityReference

__all__ = ["PairedScores", "load_readable", "score_both"]

_GROUP = 16


@dataclass(frozen=True, eq=False)
class PairedScores:
    """n images at both precisions, C labels.

    Attributes:
        float32, int8: outputs on the same images.
        correlations: (n, C) float64, Pearson's, of the cells of both class maps; NaN where one is constant.
        cells_apart: (n, C) int, from the strongest cell at float32 to that at INT8, in cells: the larger of rows and
            columns.
        distances_float32, distances: (n,) float64, of :class:`.FamiliarityReference`; None for a model without one.
    """

    float32: ScoredImages
    int8: ScoredImages
    correlations: NDArray[np.float64]
    cells_apart: NDArray[np.intp]
    distances_float32: NDArray[np.float64] | None
    distances: NDArray[np.float64] | None


@dataclass(frozen=True)
class _Output:
    logits: NDArray[np.float64]
    maps: NDArray[np.float32]
    pooled: NDArray[np.float32]


def score_both(
    labels: tuple[str, ...],
    images: ImageTable,
    preparation: Preparation,
    float32: Engine,
    int8: Engine,
    reference: FamiliarityReference | None,
    report: Callable[[int, int], None] = lambda done, images: None,
) -> PairedScores:
    """Read images at both precisions; those that cannot be read are left out.

    Args:
        labels: of the model.
        images: to read.
        preparation: of the model.
        float32, int8: its engines.
        reference: of its training images, or None.
        report: called with the number of images done, and of all.
    """

    def read(path: Path) -> tuple[_Output, _Output] | None:
        image = load_readable(path, preparation)
        return None if image is None else (_output(float32, image), _output(int8, image))

    pairs: list[tuple[_Output, _Output] | None] = []
    # as many at a time as the engines take
    with ThreadPoolExecutor(min(float32.requests, int8.requests)) as pool:
        for start in range(0, len(images), _GROUP):
            pairs += pool.map(read, images.paths[start : start + _GROUP])
            report(len(pairs), len(images))
    readable = np.array([pair is not None for pair in pairs], dtype=np.bool_)
    outputs = [pair for pair in pairs if pair is not None]
    kept, none = images.select(readable), np.zeros((0, len(labels)))
    at_float32, at_int8 = ([pair[precision] for pair in outputs] for precision in (0, 1))
    return PairedScores(
        float32=_scored(labels, kept, at_float32),
        int8=_scored(labels, kept, at_int8),
        correlations=np.stack([_correlations(*pair) for pair in outputs]) if outputs else none,
        cells_apart=np.stack([_cells_apart(*pair) for pair in outputs]) if outputs else none.astype(np.intp),
        distances_float32=_distances(reference, at_float32),
        distances=_distances(reference, at_int8),
    )


def load_readable(path: Path, preparation: Preparation) -> np.ndarray | None:
    """Return an image as the network's input, or None where it cannot be read."""
    try:
        return load_image(path, preparation)
    except (InputRefused, OSError):
        return None


def _output(engine: Engine, image: np.ndarray) -> _Output:
    inference = engine.infer(image[None])
    features = inference.features[0]
    maps = class_maps(features, engine.head)
    return _Output(inference.logits[0].astype(np.float64), maps, features.mean(axis=(0, 1)))


def _scored(labels: tuple[str, ...], images: ImageTable, outputs: list[_Output]) -> ScoredImages:
    none = np.zeros((0, len(labels)))
    return ScoredImages(
        labels,
        images,
        np.stack([one.logits for one in outputs]) if outputs else none,
        np.stack([one.maps.max(axis=(1, 2)) for one in outputs]) if outputs else none.astype(np.float32),
    )


def _distances(reference: FamiliarityReference | None, outputs: list[_Output]) -> NDArray[np.float64] | None:
    if reference is None or not outputs:
        return None
    return np.asarray(reference.distance(np.stack([one.pooled for one in outputs])))


def _correlations(one: _Output, other: _Output) -> NDArray[np.float64]:
    first, second = (output.maps.reshape(len(output.maps), -1).astype(np.float64) for output in (one, other))
    first, second = (cells - cells.mean(axis=1, keepdims=True) for cells in (first, second))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    undefined = np.full(len(scale), np.nan)
    return np.asarray(np.divide((first * second).sum(axis=1), scale, out=undefined, where=scale > 0))


def _cells_apart(one: _Output, other: _Output) -> NDArray[np.intp]:
    columns = one.maps.shape[2]
    first, second = (output.maps.reshape(len(output.maps), -1).argmax(axis=1) for output in (one, other))
    rows_apart, columns_apart = (
        abs(a - b) for a, b in zip(divmod(first, columns), divmod(second, columns), strict=True)
    )
    return np.asarray(np.maximum(rows_apart, columns_apart), dtype=np.intp)
