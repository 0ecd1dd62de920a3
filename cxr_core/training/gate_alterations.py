"""Training of the gate's networks that notice altered images: their geometry, and their grey.

Examples are made from radiographs as they are: cropped, stretched, under other windows and gamma curves. Of the
training patients one in five fits nothing: their images, unaltered, set the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image

from ..datasets.table import ImageTable
from ..files import cannot_write, whole_file
from ..imaging import phantom
from ..imaging.gate import geometry, tone
from ..imaging.gate.decision import block_means
from ..imaging.gate.view_classifier import class_scores
from .gate_training import load_displays

__all__ = ["BOUND_FRACTION", "crop", "fit_geometry", "fit_tone", "original_ratios", "stretch"]

BOUND_FRACTION = 0.02
"""Largest proportion of unaltered images beyond a bound, in each view, of the training patients who set the bounds."""

BOUND_PATIENTS = 5
"""One training patient in so many sets bounds and fits nothing."""

PHANTOMS = 40
SOURCE_SIDE = 2 * geometry.SIDE
BATCH, RATE = 128, 2e-3
GEOMETRY_EPOCHS, TONE_EPOCHS = 24, 30
STRETCH, CROP = 0.35, (0.04, 0.18)
"""Largest logarithm of a drawn ratio; proportions that are drawn for a crop at each edge."""


def original_ratios(tables: Iterable[Path], names: np.ndarray) -> np.ndarray:
    """Return width over height of the originals of NIH's images, (n,) float64; 1 where a table does not say.

    NIH made every image square, whatever the shape of the original: an image of 2,500 x 2,048 pixels is squeezed.
    """
    ratios: dict[str, float] = {}
    for path in tables:
        frame = pd.read_csv(path)
        if "OriginalImage[Width" in frame.columns:
            ratios |= dict(zip(frame["Image Index"], frame["OriginalImage[Width"] / frame["Height]"], strict=True))
    return np.array([ratios.get(name, 1.0) for name in names.tolist()])


def stretch(display: np.ndarray, ratio: float) -> np.ndarray:
    """Return an image whose width was multiplied by a ratio, (rows, columns) float32 in [0, 1]."""
    rows, columns = display.shape
    size = (max(1, round(columns * max(1.0, ratio))), max(1, round(rows * max(1.0, 1 / ratio))))
    return np.asarray(Image.fromarray(display).resize(size, Image.Resampling.BILINEAR))


def crop(display: np.ndarray, edges: np.ndarray | Iterable[float]) -> np.ndarray:
    """Return an image without the given proportions at its top, bottom, left and right."""
    top, bottom, left, right = edges
    rows, columns = display.shape
    return display[round(top * rows) : round((1 - bottom) * rows), round(left * columns) : round((1 - right) * columns)]


def fit_geometry(train: ImageTable, ratios: np.ndarray, path: Path, *, seed: int = 1) -> dict[str, float]:
    """Train on frontal images of adults, and write weights and bounds.

    Args:
        train: images of training patients.
        ratios: width over height of the originals, to which the images are brought first.
        path: the npz file to write.
        seed: random seed.

    Returns:
        The bounds.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    displays = [stretch(image, ratio) for image, ratio in zip(load_displays(train, SOURCE_SIDE), ratios, strict=True)]
    bounding = _sets_bounds(train)
    example = phantom(256, 224).astype(np.float32) / 4095
    fitting = [display for display, held_out in zip(displays, bounding, strict=True) if not held_out]
    fitting += [example] * PHANTOMS
    network = _geometry_network()
    image = keras.Input((geometry.SIDE, geometry.SIDE, 1))
    scores, mirror = network(image), network(keras.ops.flip(image, axis=2))
    both = keras.layers.Concatenate()([scores[:, :1] - mirror[:, :1], (scores[:, 1:] + mirror[:, 1:]) / 2])
    model = keras.Model(image, both)
    steps = GEOMETRY_EPOCHS * -(-len(fitting) // BATCH)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(RATE, steps), weight_decay=2e-3), _geometry_loss
    )
    for _ in range(GEOMETRY_EPOCHS):
        inputs, targets = _geometry_examples(fitting, rng)
        model.fit(inputs[..., None], targets, BATCH, verbose=0)
    # half precision halves the file; the bounds are set with the rounded weights
    weights = [np.asarray(w, dtype=np.float16) for w in network.get_weights()]
    unaltered = np.stack([geometry.geometry_input(displays[i]) for i in np.flatnonzero(bounding)])
    looks = geometry.geometry_scores(unaltered, [w.astype(np.float32) for w in weights])
    views = train.views[bounding]
    bounds = {
        "mirrored": max(0.0, _bound(-looks[:, 0], views)),
        "stretched": _bound(np.abs(looks[:, 1]), views),
        "cropped": _bound(looks[:, 2], views),
    }
    _write(path, weights, bounds)
    return bounds


def _geometry_network() -> keras.Sequential:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((geometry.SIDE, geometry.SIDE, 1)),
            layers.GaussianNoise(0.02),
            *(
                layers.Conv2D(filters, size, stride, activation="relu")
                for filters, size, stride in zip((16, 32, 32), (5, 3, 3), geometry.STRIDES, strict=True)
            ),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(48, "relu"),
            layers.Dropout(0.2),
            layers.Dense(3),
        ]
    )


def _geometry_loss(targets: keras.KerasTensor, scores: keras.KerasTensor) -> keras.KerasTensor:
    """Every example is the right way round: the score of its mirror image is the negative of its own."""
    way_round = keras.ops.softplus(-scores[:, 0])
    errors = keras.ops.square(targets - scores[:, 1:]) / keras.ops.convert_to_tensor([0.04, 0.005])
    return way_round + keras.ops.sum(errors, axis=1) / 2


def _geometry_examples(displays: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return one input of each image and its (logarithm of the ratio, proportion cut off)."""
    inputs, targets = [], []
    for display in displays:
        log_ratio = rng.uniform(-STRETCH, STRETCH) if rng.random() < 0.6 else 0.0
        cut = rng.uniform(*CROP) if rng.random() < 0.5 else 0.0
        image = display ** np.float32(np.exp(rng.uniform(-0.3, 0.3)))
        if cut:
            image = crop(image, np.clip(cut + rng.uniform(-0.02, 0.02, 4), 0, None))
        inputs.append(geometry.geometry_input(stretch(np.ascontiguousarray(image), np.exp(log_ratio))))
        targets.append((log_ratio, cut))
    return np.stack(inputs), np.array(targets, dtype=np.float32)


def fit_tone(train: ImageTable, path: Path, *, seed: int = 1) -> dict[str, float]:
    """Train on frontal images of adults, and write weights and the bound; arguments as :func:`fit_geometry`."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    displays, bounding = load_displays(train), _sets_bounds(train)
    example = phantom(256, 224).astype(np.float32) / 4095
    pairs = []
    for image, held_out in zip([*displays, *[example] * PHANTOMS], [*bounding, *[False] * PHANTOMS], strict=True):
        if not held_out:
            pairs += [(_features(change(image, rng)), kind) for kind, change in enumerate(_TONES)]
    inputs, kinds = np.stack([features for features, _ in pairs]), np.array([kind for _, kind in pairs])
    network = keras.Sequential(
        [
            keras.Input((inputs.shape[1],)),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(len(tone.CLASSES)),
        ]
    )
    steps = TONE_EPOCHS * -(-len(inputs) // BATCH)
    network.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(RATE, steps), weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    network.fit(inputs, kinds, BATCH, TONE_EPOCHS, verbose=0)
    weights = [np.asarray(w, dtype=np.float32) for w in network.get_weights()]
    unaltered = np.stack([_features(displays[i]) for i in np.flatnonzero(bounding)])
    ordinary = class_scores(unaltered, weights)[:, 0]
    bounds = {"ordinary": -_bound(-ordinary, train.views[bounding])}
    _write(path, weights, bounds)
    return bounds


def _features(display: np.ndarray) -> np.ndarray:
    return tone.tone_features(block_means(np.clip(display, 0, 1)))


def _flatten(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    span = rng.uniform(0.25, 0.6)
    return np.float32(rng.uniform(0, 1 - span)) + np.float32(span) * image


def _window(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    low, high = np.percentile(image, (rng.uniform(5, 20), 100 - rng.uniform(5, 20)))
    return (image - np.float32(low)) / np.float32(max(high - low, 0.02))


_TONES: tuple[Callable[[np.ndarray, np.random.Generator], np.ndarray], ...] = (
    # exports differ a little without having been changed
    lambda image, rng: image ** np.float32(np.exp(rng.uniform(-0.2, 0.2))),
    _flatten,
    _window,
    lambda image, rng: image ** np.float32(rng.uniform(0.35, 0.6)),
    lambda image, rng: image ** np.float32(rng.uniform(1.7, 3)),
)
"""One change for each of :data:`cxr_core.imaging.gate.tone.CLASSES`."""


def _sets_bounds(train: ImageTable) -> np.ndarray:
    _, order = np.unique(train.patients, return_inverse=True)
    return np.asarray(order % BOUND_PATIENTS == 0)


def _bound(scores: np.ndarray, views: np.ndarray) -> float:
    """Return the least bound that no more than the permitted proportion of any view's scores exceeds."""
    return max(float(np.quantile(scores[views == view], 1 - BOUND_FRACTION)) for view in np.unique(views))


def _write(path: Path, weights: list[np.ndarray], bounds: dict[str, float]) -> None:
    named = {f"weights_{i}": w for i, w in enumerate(weights)}
    rounded = {name: np.float32(bound) for name, bound in bounds.items()}
    try:
        with whole_file(path) as file:
            np.savez_compressed(file, allow_pickle=False, **named, **rounded)
    except OSError as error:
        raise cannot_write(f"Output {path}", error) from error
