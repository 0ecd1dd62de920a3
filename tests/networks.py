"""Small networks with DenseNet's interface, for tests of the training loop and of whole trainings."""

from __future__ import annotations

import keras


def small_network(seed: int = 0, channels: int = 8) -> keras.Model:
    """Images of any size to 14 logits, with two layers of batch normalisation."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((None, None, 1))
    x = images
    for block in (1, 2):
        x = keras.layers.Conv2D(channels, 3, strides=2, use_bias=False, name=f"conv{block}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{block}")(x)
        x = keras.layers.ReLU()(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(14, name="logits", dtype="float32")(pooled))


def small_backbone(include_top: bool, weights: None, input_tensor: keras.KerasTensor) -> keras.Model:
    """Stand in for ``keras.applications.DenseNet121``: the same stride of 32, layer names and no top."""
    assert not include_top
    assert weights is None
    x = keras.layers.Conv2D(8, 7, strides=4, padding="same", use_bias=False, name="conv1_conv")(input_tensor)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    x = keras.layers.Conv2D(16, 9, strides=8, padding="same", use_bias=False, name="conv2_conv")(x)
    x = keras.layers.BatchNormalization(name="bn")(x)
    return keras.Model(input_tensor, keras.layers.ReLU(name="relu")(x))
