"""Training of the gate's view classifier (:mod:`cxr_core.imaging.gate.view_classifier`).

Negative examples are made from radiographs (rotated, inverted, cropped, shuffled) and drawn (noise, shapes, text,
slices, fans). Real images of other kinds are therefore not needed for training, and remain for evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw

from ..datasets.table import ImageTable
from ..files import cannot_write, whole_file
from ..imaging import phantom, read_radiograph
from ..imaging.gate.view_classifier import CLASSES, SIDE, class_scores, classifier_input

__all__ = ["REFUSED_FRACTION", "WARNED_FRACTION", "draw_non_radiograph", "fit_view_classifier", "half", "load_displays"]

REFUSED_FRACTION, WARNED_FRACTION = 0.003, 0.02
"""Fractions of validation images below the two thresholds."""

PHANTOMS = 40
EPOCHS, BATCH, RATE = 20, 256, 2e-3


def load_displays(images: ImageTable, side: int = 128) -> list[np.ndarray]:
    """Return the images as displayed, float32, brought to at most ``side`` pixels."""

    def load(path: Path) -> np.ndarray:
        display = read_radiograph(path.read_bytes()).display
        scale = min(1.0, side / max(display.shape))
        size = (max(1, round(display.shape[1] * scale)), max(1, round(display.shape[0] * scale)))
        return np.asarray(Image.fromarray(display).resize(size, Image.Resampling.BOX))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(load, images.paths))


def fit_view_classifier(train: ImageTable, validation: ImageTable, path: Path, *, seed: int = 1) -> dict[str, float]:
    """Train on images of adults and write weights and thresholds.

    Args:
        train, validation: frontal images of disjoint patients.
        path: the npz file to write.
        seed: random seed.

    Returns:
        The thresholds, and the proportion of validation examples that are classified correctly.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    example = phantom(256, 224).astype(np.float32) / 4095
    displays = load_displays(validation)
    pictures, kinds = _drawn([*load_displays(train), *[example] * PHANTOMS], rng)
    validation_pictures, validation_kinds = _drawn(displays, rng)
    network = keras.Sequential(
        [
            keras.Input((SIDE * SIDE,)),
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(192, "relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(len(CLASSES)),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * len(pictures) // BATCH)
    network.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    network.fit(pictures.reshape(len(pictures), -1), kinds, BATCH, EPOCHS, verbose=0)
    # half precision halves the file; the thresholds are set with the rounded weights
    weights = [np.asarray(w, dtype=np.float16) for w in network.get_weights()]
    rounded = [w.astype(np.float32) for w in weights]
    upright = class_scores(np.stack([classifier_input(image) for image in displays]), rounded)[:, 0]
    refuse, warn = np.quantile(upright, (REFUSED_FRACTION, WARNED_FRACTION))
    thresholds = {"refuse_below": np.float32(refuse), "warn_below": np.float32(warn)}
    named = {f"weights_{i}": w for i, w in enumerate(weights)}
    try:
        with whole_file(path) as file:
            np.savez_compressed(file, allow_pickle=False, **named, **thresholds)
    except OSError as error:
        raise cannot_write(f"Output {path}", error) from error
    recognised = float((class_scores(validation_pictures, rounded).argmax(axis=1) == validation_kinds).mean())
    return {"refuse_below": float(refuse), "warn_below": float(warn), "recognised": recognised}


def _drawn(images: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return reduced examples and their class numbers, nine for each image."""
    pairs = [pair for image in images for pair in _kinds_of(image, rng)]
    return np.stack([classifier_input(picture) for picture, _ in pairs]), np.array([kind for _, kind in pairs])


def _kinds_of(image: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, int]]:
    yield _varied(image, rng), 0
    yield _varied(image, rng), 0
    for quarter in (1, 2, 3):
        yield np.rot90(_varied(image, rng), quarter), quarter
    yield 1 - _varied(image, rng), 4
    yield half(image, rng), 5
    yield draw_non_radiograph(image, rng), 6
    yield draw_non_radiograph(image, rng), 6


def _varied(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crop, pad and change the contrast, as in images of other machines."""
    if rng.random() < 0.5:
        top, left, bottom, right = rng.uniform(0, 0.1, 4)
        image = _cut(image, top, 1 - bottom, left, 1 - right)
    if rng.random() < 0.3:
        rows, columns = (int(rng.uniform(0, 0.15) * side) for side in image.shape)
        image = np.pad(image, ((rows, rows), (columns, columns)))
    return np.asarray(np.clip(image, 0, 1) ** np.float32(rng.uniform(0.6, 1.6)))


def _cut(image: np.ndarray, top: float, bottom: float, left: float, right: float) -> np.ndarray:
    rows, columns = image.shape
    return image[int(top * rows) : int(bottom * rows), int(left * columns) : int(right * columns)]


def half(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the left, right, upper or lower 40 to 58 % of an image."""
    fraction = rng.uniform(0.4, 0.58)
    edges = ((0, 1, 0, fraction), (0, 1, 1 - fraction, 1), (0, fraction, 0, 1), (1 - fraction, 1, 0, 1))
    return _cut(image, *edges[rng.integers(4)])


def draw_non_radiograph(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture that is not a radiograph, float32 in [0, 1]."""
    draw = (_patch, _patch, _shuffled, _same_spectrum, _blobs, _blobs, _shapes, _shapes, _text, _slice, _fan, _noise)
    picture: Callable[[np.ndarray, np.random.Generator], np.ndarray] = draw[rng.integers(len(draw))]
    return np.asarray(np.clip(picture(image, rng), 0, 1), dtype=np.float32)


def _patch(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    fraction = rng.uniform(0.2, 0.45)
    top, left = rng.uniform(0, 1 - fraction, 2)
    return _cut(image, top, top + fraction, left, left + fraction)


def _shuffled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(2, 5))
    grid = np.asarray(Image.fromarray(image).resize((16 * count, 16 * count)))
    tiles = grid.reshape(count, 16, count, 16).swapaxes(1, 2).reshape(-1, 16, 16)[rng.permutation(count**2)]
    return tiles.reshape(count, count, 16, 16).swapaxes(1, 2).reshape(16 * count, 16 * count)


def _same_spectrum(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture with a radiograph's power spectrum and random phases."""
    spectrum = np.abs(np.fft.fft2(np.asarray(Image.fromarray(image).resize((64, 64)))))
    phases = np.angle(np.fft.fft2(rng.random((64, 64))))
    picture = np.fft.ifft2(spectrum * np.exp(1j * phases)).real
    return np.asarray((picture - picture.min()) / (np.ptp(picture) + 1e-6))


def _blobs(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _clouds(rng, int(rng.choice([2, 3, 4, 6, 8, 12, 16, 32, 64])))


def _clouds(rng: np.random.Generator, grain: int) -> np.ndarray:
    grains = Image.fromarray(rng.random((grain, grain)).astype(np.float32))
    return np.asarray(grains.resize((96, 96), Image.Resampling.BICUBIC))


def _shapes(radiograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = Image.new("F", (96, 96), float(rng.random()))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(1, 14)):
        points, ink = rng.uniform(-10, 106, (int(rng.integers(2, 5)), 2)), float(rng.random())
        if rng.random() < 1 / 3:
            pen.ellipse([*points[:2].min(axis=0), *points[:2].max(axis=0)], fill=ink)
        elif len(points) > 2:
            pen.polygon([tuple(point) for point in points], fill=ink)
        else:
            pen.line([tuple(point) for point in points], fill=ink, width=int(rng.integers(1, 12)))
    return np.asarray(image) + rng.normal(0, rng.uniform(0, 0.1), (96, 96))


def _text(radiograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    paper = 255 if rng.random() < 0.7 else 0
    image = Image.new("L", (200, 260), paper)
    pen, y = ImageDraw.Draw(image), 10
    while y < 250:
        letters = rng.integers(0, 31, int(rng.integers(8, 38)))
        pen.text((8, y), "".join(chr(97 + c) if c < 26 else " " for c in letters.tolist()), fill=255 - paper)
        y += int(rng.integers(8, 24))
    return np.asarray(image) / np.float32(255)


def _slice(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A bright ellipse with a rim on black, like a CT or MR slice."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    radius = np.hypot(x / rng.uniform(0.4, 1), y / rng.uniform(0.4, 1))
    inside = rng.uniform(0.2, 0.8) + rng.uniform(0.05, 0.4) * (_clouds(rng, int(rng.choice([3, 5, 8, 12]))) - 0.5)
    return np.asarray((radius < 1) * inside + (np.abs(radius - 1) < rng.uniform(0.02, 0.15)) * rng.random())


def _fan(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sector of echoes on black, like an ultrasound image."""
    y, x = np.mgrid[0:1:96j, -1:1:96j]
    radius, angle = np.hypot(x, y + 0.1), np.arctan2(x, y + 0.1)
    sector = (np.abs(angle) < rng.uniform(0.4, 0.9)) & (radius < rng.uniform(0.7, 1.1))
    return np.asarray((sector & (radius > rng.uniform(0.05, 0.25))) * _clouds(rng, 12) * rng.uniform(0.4, 1))


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0.5, rng.uniform(0.05, 0.4), (64, 64))
