"""Keras weights files that circulate for this very network, as our own network.

They are of ``keras.applications.DenseNet121`` without its top, global average pooling and one dense layer, saved
as HDF5 by Keras 2 (``.h5``, weights or a whole model) or Keras 3 (``.weights.h5``). Arrays are read, a model's
description in the file is not: nothing of it is ever built or run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ..errors import WeightsRefused
from ..model.network import LOGITS_LAYER, STEM, build_network
from ..model.weights import MAX_FILE_BYTES

__all__ = ["network_from_keras"]

# what keras.applications.densenet.preprocess_input does to colours in [0, 1]
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

ACCEPTED = (
    "Accepted: Keras HDF5 weights (.h5, .weights.h5) of keras.applications.DenseNet121 without top, global average "
    "pooling, and one dense layer."
)


def network_from_keras(file: Path, classes: int) -> keras.Model:
    """Return our network with the weights of a Keras file.

    Args:
        file: HDF5, with one or three input channels, flat or with DenseNet121 as one layer.
        classes: number of outputs of its dense layer.

    Returns:
        A network from displayed grey in [0, 1], any size, to ``classes`` logits. A colour stem is
        given grey in all three channels, each normalised by ImageNet's mean and standard deviation as
        keras.applications does; a grey stem is given grey as it is, normalised by their average.

    Raises:
        WeightsRefused: the file is missing, no HDF5, or of another network.
    """
    if not file.is_file():
        raise WeightsRefused(f"Weights {file}: no such file. {ACCEPTED}")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise WeightsRefused(f"Weights {file.name}: more than {MAX_FILE_BYTES / 1e6:.0f} MB. {ACCEPTED}")
    with file.open("rb") as opened:
        if opened.read(8) != b"\x89HDF\r\n\x1a\n":
            raise WeightsRefused(f"Weights {file.name}: it is no HDF5 file. {ACCEPTED}")
    body, head = _loaded(file, classes)
    of = {layer.name: layer.get_weights() for layer in body.layers if layer.weights}
    of[LOGITS_LAYER] = head.get_weights()
    if not all(np.isfinite(value).all() for values in of.values() for value in values):
        raise WeightsRefused(f"Weights {file.name}: it holds values that are no finite numbers. Get the file again.")
    colour = of[STEM][0].shape[2] == 3
    network = (
        build_network(
            classes,
            scale=[1 / deviation for deviation in DEVIATION],
            offset=[-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)],
        )
        if colour
        else build_network(classes)
    )
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(of[layer.name])
    return network


def _loaded(file: Path, classes: int) -> tuple[keras.Model, keras.layers.Layer]:
    """Return body and head of the first arrangement whose every array the file fills."""
    last: Exception | None = None
    for channels in (3, 1):
        for arrange in (_flat, _nested):
            whole, body, head = arrange(channels, classes)
            try:
                whole.load_weights(file)
            # h5py and Keras raise many kinds, and which of them is no promise of theirs
            except Exception as error:
                last = error
            else:
                return body, head
    raise WeightsRefused(f"Weights {file.name}: not of this network with {classes} outputs. {ACCEPTED}") from last


Arranged = tuple[keras.Model, keras.Model, keras.layers.Layer]
_Arrange = Callable[[int, int], Arranged]


def _flat(channels: int, classes: int) -> Arranged:
    body = keras.applications.DenseNet121(
        include_top=False, weights=None, input_shape=(None, None, channels), pooling="avg"
    )
    head = keras.layers.Dense(classes)
    whole = keras.Model(body.input, head(body.output))
    return whole, body, head


def _nested(channels: int, classes: int) -> Arranged:
    body = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(None, None, channels))
    head = keras.layers.Dense(classes)
    whole = keras.Sequential([keras.Input((None, None, channels)), body, keras.layers.GlobalAveragePooling2D(), head])
    return whole, body, head
