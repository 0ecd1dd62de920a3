"""Whether an image is mirrored, stretched or cropped, as far as its pixels tell.

A small convolutional network on 40 x 40 pixels of one exposure, trained by
:mod:`cxr_core.training.gate_alterations`; its weights and bounds are in the file beside this module. It looks at the
image and at its mirror image: what tells them apart is the difference of two scores, so that neither side is favoured.
In situs inversus and dextrocardia an image is the right way round and looks mirrored: the pixels cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..model_input import stretch_exposure

__all__ = ["SIDE", "STRIDES", "WEIGHTS", "Geometry", "assess_geometry", "geometry_input", "geometry_scores"]

SIDE = 40
STRIDES = (2, 2, 1)
"""Of the convolutions; dense layers follow."""

WEIGHTS = Path(__file__).with_name("geometry.npz")
_SAMPLED = 4 * SIDE


@dataclass(frozen=True)
class Geometry:
    """What an image looks like.

    Attributes:
        mirrored: left and right look exchanged.
        stretched: the chest looks wider, or narrower, than chests are.
        cropped: the margin looks cut off.
        ratio: estimate of width over height, as a multiple of the true one; no measurement.
    """

    mirrored: bool = False
    stretched: bool = False
    cropped: bool = False
    ratio: float = 1.0


def geometry_input(display: np.ndarray) -> np.ndarray:
    """Return the input of the network: (SIDE, SIDE) float32, mean 0 inside the image, 0 around it.

    Args:
        display: (rows, columns) float32 in [0, 1]; its longer side becomes SIDE pixels.
    """
    step = max(1, max(display.shape) // (4 * _SAMPLED))
    image = Image.fromarray(np.ascontiguousarray(display[::step, ::step], dtype=np.float32))
    scale = SIDE / max(display.shape)
    rows, columns = (max(4, round(side * scale)) for side in display.shape)
    small = stretch_exposure(np.asarray(image.resize((columns, rows), Image.Resampling.BOX, reducing_gap=2.0)))
    canvas = np.zeros((SIDE, SIDE), dtype=np.float32)
    top, left = (SIDE - rows) // 2, (SIDE - columns) // 2
    canvas[top : top + rows, left : left + columns] = small - small.mean()
    return canvas


def geometry_scores(inputs: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Return (n, 3) scores of (n, SIDE, SIDE) inputs.

    The first is above 0 where the image looks the right way round, the second an estimate of the logarithm of the ratio
    in :class:`Geometry`, the third of the proportion that was cut off at each edge. ``weights`` are kernel and bias of
    each layer, with ReLU between layers.
    """
    both = _forward(np.concatenate([inputs, inputs[:, :, ::-1]]), weights)
    image, mirror = both[: len(inputs)], both[len(inputs) :]
    return np.column_stack([image[:, 0] - mirror[:, 0], (image[:, 1:] + mirror[:, 1:]) / 2])


def _forward(images: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    signal = images[..., None]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    for (kernel, bias), stride in zip(layers, STRIDES, strict=False):
        signal = np.maximum(_convolve(signal, kernel, stride) + bias, 0)
    signal = signal.reshape(len(signal), -1)
    dense = layers[len(STRIDES) :]
    for number, (kernel, bias) in enumerate(dense, 1):
        signal = signal @ kernel + bias
        if number < len(dense):
            signal = np.maximum(signal, 0)
    return signal


def _convolve(images: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Return (n, rows, columns, channels) images convolved without padding."""
    size = kernel.shape[0]
    patches = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    # the window's axes come last: (n, rows, columns, channels, size, size)
    return np.tensordot(patches, kernel, axes=((4, 5, 3), (0, 1, 2)))


def assess_geometry(display: np.ndarray) -> Geometry:
    """Return what an image looks like; (rows, columns) float32 in [0, 1]."""
    weights, bounds = _trained()
    way_round, log_ratio, cut = geometry_scores(geometry_input(display)[None], weights)[0]
    return Geometry(
        mirrored=bool(way_round < -bounds["mirrored"]),
        stretched=bool(abs(log_ratio) > bounds["stretched"]),
        cropped=bool(cut > bounds["cropped"]),
        ratio=float(np.exp(log_ratio)),
    )


@lru_cache(maxsize=1)
def _trained() -> tuple[list[np.ndarray], dict[str, float]]:
    with np.load(WEIGHTS) as file:
        layers = sum(name.startswith("weights_") for name in file.files)
        weights = [file[f"weights_{i}"].astype(np.float32) for i in range(layers)]
        return weights, {name: float(file[name]) for name in ("mirrored", "stretched", "cropped")}
