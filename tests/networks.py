"""A small network with DenseNet's interface, for tests of the training loop: it builds in a moment."""

from __future__ import annotations

import keras


def small_network(seed: int = 0, channels: int = 8) -> keras.Model:
    """Films of any size to 14 logits, with two layers of batch normalisation."""
    keras.utils.set_random_seed(seed)
    films = keras.Input((None, None, 1))
    x = films
    for block in (1, 2):
        x = keras.layers.Conv2D(channels, 3, strides=2, use_bias=False, name=f"conv{block}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{block}")(x)
        x = keras.layers.ReLU()(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(films, keras.layers.Dense(14, name="logits", dtype="float32")(pooled))
