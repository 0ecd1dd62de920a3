"""The reference engine: Keras on TensorFlow."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ..errors import ModelUnusable
from .engines import Head, Inference
from .folder import ModelFolder

__all__ = ["TensorFlowEngine"]


class TensorFlowEngine:
    """Runs the Keras model as one compiled function from images to feature map and logits."""

    name = "tensorflow"
    requests = 2

    def __init__(self, folder: ModelFolder) -> None:
        architecture = folder.card.architecture
        try:
            network = keras.models.load_model(folder.weights, compile=False)
            features = network.get_layer(architecture.features_layer).output
            kernel, bias = network.get_layer(architecture.head).get_weights()
        except (ValueError, OSError) as error:
            raise ModelUnusable(f"Model {folder.card.id}: Keras cannot use {folder.weights.name}.") from error
        self.head = Head(kernel, bias)
        both = keras.Model(network.input, [features, network.output])
        size = folder.card.input.size
        signature = [tf.TensorSpec((None, size, size, 1), tf.float32)]
        self._forward = tf.function(lambda images: both(images, training=False), input_signature=signature)

    def infer(self, images: np.ndarray) -> Inference:
        """Run (n, size, size, 1) float32 images in [0, 1] forward, once."""
        features, logits = self._forward(tf.convert_to_tensor(images, tf.float32))
        return Inference(features.numpy(), logits.numpy())
