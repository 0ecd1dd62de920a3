"""DenseNet121, global average pooling, one logit per label: one flat functional network, and its files.

Huang et al., *Densely Connected Convolutional Networks*, CVPR 2017; the head of Wang et al. 2017
and of the paper. The head is linear in the last feature map, so its GradCAMs are exact and free
(see :mod:`cxr_core.explain.gradcam`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import openvino
import tensorflow as tf

from ..errors import ModelUnusable, PathUnusable
from .folder import GRAPH, WEIGHTS

__all__ = [
    "FEATURES_LAYER",
    "LOGITS_LAYER",
    "build_network",
    "initialise_from_file",
    "initialise_from_imagenet",
    "resize_input",
    "save_network",
]


FEATURES_LAYER = "relu"
"""The last feature map, (h, w, 1024) at 1/32 of the input."""

LOGITS_LAYER = "logits"
STEM = "conv1_conv"
SCALING = "scaling"

BLANK_VARIANCE = 1e-12
"""Keeps the normalisation of an image by its own variance finite where all pixels are equal."""

# ImageNet's mean and standard deviation, averaged over the three colours: what a grey image looks
# like to weights that were trained on colour photographs.
GREY_MEAN, GREY_STD = 0.449, 0.226


def build_network(
    classes: int,
    size: int | None = None,
    *,
    scale: float | Sequence[float] = 1 / GREY_STD,
    offset: float | Sequence[float] = -GREY_MEAN / GREY_STD,
    per_image: bool = False,
) -> keras.Model:
    """Return DenseNet121 with random weights.

    Args:
        classes: number of logits.
        size: side of the square input, or None for any.
        scale, offset: what the network does first to its input in [0, 1]. Three of each make three
            channels of it: a stem that was trained on colour stays as it is, and the normalisation of
            each colour is exact also at the border, where the stem pads with 0.
        per_image: the input is normalised by its own mean and standard deviation instead; of ``scale``
            only the number of channels counts.

    Returns:
        A model from (n, size, size, 1) float32 in [0, 1] to (n, classes) logits. Flat: every layer,
        that of the feature map included, is found by its name.
    """
    grey = keras.Input((size, size, 1), name="grey")
    colours = grey
    if not isinstance(scale, float | int):
        colours = keras.layers.Concatenate(name="colours")([grey] * len(scale))
    scaled = (
        keras.layers.LayerNormalization((1, 2, 3), epsilon=BLANK_VARIANCE, center=False, scale=False, name=SCALING)
        if per_image
        else keras.layers.Rescaling(scale, offset, name=SCALING)
    )(colours)
    backbone = keras.applications.DenseNet121(include_top=False, weights=None, input_tensor=scaled)
    features = backbone.get_layer(FEATURES_LAYER).output
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    # float32 also under mixed precision: the loss and the maps need the full logits
    logits = keras.layers.Dense(classes, name=LOGITS_LAYER, dtype="float32")(pooled)
    return keras.Model(grey, logits, name="densenet121")


def resize_input(network: keras.Model, size: int) -> keras.Model:
    """Return a copy of the network, with the same weights, for square input of one fixed side."""
    scaling = network.get_layer(SCALING)
    per_image = isinstance(scaling, keras.layers.LayerNormalization)
    channels = network.get_layer(STEM).weights[0].shape[2]
    ones, zeros = ([1.0] * 3, [0.0] * 3) if channels == 3 else (1.0, 0.0)
    network_of_size = build_network(
        network.output_shape[-1],
        size,
        scale=ones if per_image else scaling.scale,
        offset=zeros if per_image else scaling.offset,
        per_image=per_image,
    )
    network_of_size.set_weights(network.get_weights())
    return network_of_size


def initialise_from_imagenet(network: keras.Model) -> None:
    """Load ImageNet's weights into the body of ``network``.

    They are downloaded by Keras, or taken from its cache. Raises :class:`ModelUnusable` where
    neither is possible; random weights are never a silent substitute.
    """
    try:
        source = keras.applications.DenseNet121(include_top=False, weights="imagenet")
    except Exception as error:
        raise ModelUnusable(
            "ImageNet weights for DenseNet121: could not be downloaded and are not in Keras' cache. "
            "Give a local file with --init FILE, or start from random weights with --init random."
        ) from error
    _copy_body(source, network)


def initialise_from_file(network: keras.Model, path: Path) -> None:
    """Load a local weights file into the body of ``network``.

    ``path`` is a ``.keras`` model, or a Keras weights file (``.weights.h5``, ``.h5``) of
    ``keras.applications.DenseNet121`` without its top, with one or three input channels. The head
    keeps its random start. Raises :class:`ModelUnusable` where the file does not fit.
    """
    if not path.is_file():
        raise ModelUnusable(f"Starting weights: {path} is not a file. Accepted: .keras, .weights.h5, .h5.")
    try:
        source = keras.models.load_model(path, compile=False) if path.suffix == ".keras" else _backbone_of(path)
        _copy_body(source, network)
    except ModelUnusable:
        raise
    except Exception as error:
        raise ModelUnusable(
            f"Starting weights: {path.name} is not a DenseNet121 in Keras' own layout. Accepted: a .keras "
            "model, or weights of keras.applications.DenseNet121(include_top=False)."
        ) from error


def _backbone_of(path: Path) -> keras.Model:
    last: Exception | None = None
    for channels in (3, 1):
        body = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(None, None, channels))
        try:
            body.load_weights(path)
        except Exception as error:
            last = error
        else:
            return body
    raise ModelUnusable(
        f"Starting weights: {path.name} fits DenseNet121 neither with one nor with three input channels."
    ) from last


def _copy_body(source: keras.Model, network: keras.Model) -> None:
    """Copy every layer with weights but the head; a colour stem is summed to grey.

    Summing a stem's kernel over the colours is exact for a grey image given to all three.
    """
    source_layers = {layer.name: layer for layer in source.layers if layer.weights}
    for layer in network.layers:
        if not layer.weights or layer.name == LOGITS_LAYER:
            continue
        if layer.name not in source_layers:
            raise ModelUnusable(f"Starting weights: layer {layer.name} is missing; a DenseNet121 is needed.")
        weights = source_layers[layer.name].get_weights()
        if layer.name == STEM and weights[0].shape[2] == 3:
            weights = [np.sum(weights[0], axis=2, keepdims=True), *weights[1:]]
        layer.set_weights(weights)


def save_network(network: keras.Model, size: int, folder: Path) -> keras.Model:
    """Write ``model.keras`` and ``openvino/model.xml`` with ``model.bin``.

    Args:
        network: trained, of any input size.
        size: side of the input in the files, pixels.
        folder: the model folder; made where it is missing.

    Returns:
        The network with the fixed size and two outputs, ``features`` and ``logits``, as in the graph.

    Raises:
        PathUnusable: the folder cannot be written.
    """
    fixed = resize_input(network, size)
    # the graph takes the names of its outputs from the keys
    outputs = {
        "features": fixed.get_layer(FEATURES_LAYER).output,
        "logits": fixed.get_layer(LOGITS_LAYER).output,
    }
    both = keras.Model(fixed.input, outputs)
    try:
        (folder / GRAPH).parent.mkdir(parents=True, exist_ok=True)
        fixed.save(folder / WEIGHTS)
        # a network in memory, as Keras's own export passes it on, OpenVINO 2026.4 cannot convert on Python 3.13: since
        # PEP 667 `exec("del tensorflow")` does not find what an exec before it has imported
        with TemporaryDirectory(dir=folder, prefix=".") as saved:
            both.export(saved, format="tf_saved_model", verbose=False)
            openvino.serialize(openvino.convert_model(saved), folder / GRAPH)
    except (OSError, RuntimeError, tf.errors.OpError) as error:
        # HDF5 and OpenVINO raise RuntimeError for a full disk, TensorFlow an error of its own
        raise PathUnusable(f"Model folder {folder.name}: cannot be written; is there room on the disk?") from error
    return both
