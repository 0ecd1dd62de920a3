"""The moving average of the weights, with statistics of batch normalisation that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

__all__ = ["Average", "remeasure_statistics"]


class Average:
    """An exponential moving average of a network's trainable weights.

    The average of step t has the decay ``min(decay, (1 + t) / (10 + t))``, so that a short training is not
    held back by its random start. Source: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992); the ramp is
    that of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        self._network, self._decay = network, decay
        self._steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._means = [tf.Variable(v.value, trainable=False) for v in network.trainable_variables]
        self._compiled = tf.function(self._move)

    @property
    def variables(self) -> list[tf.Variable]:
        """What a checkpoint has to keep."""
        return [self._steps, *self._means]

    def move(self) -> None:
        """Take in the weights of the step that was just done."""
        self._compiled()

    def _move(self) -> None:
        step = tf.cast(self._steps.assign_add(1), tf.float32)
        decay = tf.minimum(self._decay, (1 + step) / (10 + step))
        for mean, variable in zip(self._means, self._network.trainable_variables, strict=True):
            mean.assign_sub((1 - decay) * (mean - tf.convert_to_tensor(variable.value)))

    def take(self) -> None:
        """Start again from the network's weights."""
        for mean, variable in zip(self._means, self._network.trainable_variables, strict=True):
            mean.assign(variable.value)

    def put(self) -> None:
        """Give the network the average; its statistics of batch normalisation are still those of training."""
        for mean, variable in zip(self._means, self._network.trainable_variables, strict=True):
            variable.assign(mean)


def remeasure_statistics(
    network: keras.Model, forward: Callable[[np.ndarray], object], films: Iterable[np.ndarray]
) -> None:
    """Measure means and variances of batch normalisation anew.

    The layers' own moving averages are started from nothing and freed of that start at the end, so that they
    hold the given films and nothing else. Source: Izmailov et al., Averaging Weights Leads to Wider Optima,
    UAI 2018, section 3.2.

    Args:
        network: any, whose layers of batch normalisation lie flat in it.
        forward: its forward pass in training.
        films: batches.
    """
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    moving = [(layer, v) for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    for _, variable in moving:
        variable.assign(np.zeros(variable.shape, np.float32))
    count = 0
    for batch in films:
        forward(batch)
        count += 1
    for layer, variable in moving:
        variable.assign(variable.numpy() / (1 - layer.momentum**count))
