"""The compiled training step on one or several devices, its loss, and the moving average of the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from ..errors import WrongArguments
from ..model.network import LOGITS_LAYER
from .class_weights import ClassWeights

__all__ = [
    "Forward",
    "Step",
    "WeightAverage",
    "compiled_forward",
    "compiled_step",
    "devices",
    "new_optimiser",
    "precision",
    "remeasure_statistics",
    "weighted_cross_entropy",
]


class WeightAverage:
    """An exponential moving average of a network's trainable weights.

    The average of step t has the decay ``min(decay, (1 + t) / (10 + t))``, so that a short training is not
    biased towards its random start. Source: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992); the ramp is
    that of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        self._network, self._decay = network, decay
        self._steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._means = [tf.Variable(v.value, trainable=False) for v in network.trainable_variables]
        self._compiled = tf.function(self._update)

    @property
    def variables(self) -> list[tf.Variable]:
        """Variables to keep in a checkpoint."""
        return [self._steps, *self._means]

    def update(self) -> None:
        """Include the weights after one more step."""
        self._compiled()

    def _update(self) -> None:
        step = tf.cast(self._steps.assign_add(1), tf.float32)
        decay = tf.minimum(self._decay, (1 + step) / (10 + step))
        for mean, variable in zip(self._means, self._network.trainable_variables, strict=True):
            mean.assign_sub((1 - decay) * (mean - tf.convert_to_tensor(variable.value)))

    def reset(self) -> None:
        """Restart the average from the network's weights."""
        for mean, variable in zip(self._means, self._network.trainable_variables, strict=True):
            mean.assign(variable.value)

    def apply(self) -> None:
        """Assign the average to the network; its batch normalisation statistics are still those of training."""
        for mean, variable in zip(self._means, self._network.trainable_variables, strict=True):
            variable.assign(mean)


def remeasure_statistics(
    network: keras.Model, forward: Callable[[np.ndarray], object], images: Iterable[np.ndarray]
) -> None:
    """Recompute the moving means and variances of batch normalisation from the given images alone.

    The layers' moving averages start at zero, and that bias is corrected at the end.
    Source: Izmailov et al., Averaging Weights Leads to Wider Optima, UAI 2018, section 3.2.

    Args:
        network: with its batch normalisation layers at the top level.
        forward: its forward pass in training mode.
        images: batches.
    """
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    moving = [(layer, v) for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    for _, variable in moving:
        variable.assign(np.zeros(variable.shape, np.float32))
    count = 0
    for batch in images:
        forward(batch)
        count += 1
    for layer, variable in moving:
        variable.assign(variable.numpy() / (1 - layer.momentum**count))


ANY_IMAGES = tf.TensorSpec((None, None, None, 1), tf.float32)
ANY_LABELS = tf.TensorSpec((None, None), tf.float32)

Forward = Callable[[np.ndarray], tf.Tensor]
Step = Callable[[np.ndarray, np.ndarray], tf.Tensor]


def devices(gpus: int = 1) -> tf.distribute.Strategy:
    """Return the distribution strategy: one device as TensorFlow chooses it, or several GPUs of this machine.

    Raises WrongArguments where there are fewer GPUs than asked for.
    """
    if gpus == 1:
        return tf.distribute.get_strategy()
    available = tf.config.list_logical_devices("GPU")
    if gpus > len(available):
        raise WrongArguments(f"{gpus} GPUs asked for, TensorFlow finds {len(available)} on this machine.")
    return tf.distribute.MirroredStrategy([device.name for device in available[:gpus]])


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Build layers with a precision policy; layers built outside the context are float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def new_optimiser(network: keras.Model, head: bool, rate: float, weight_decay: float) -> keras.optimizers.Optimizer:
    """Return AdamW for the whole network or for its head, with all its variables made."""
    optimiser = keras.optimizers.AdamW(rate, weight_decay=weight_decay)
    if "float16" in {getattr(layer, "compute_dtype", "") for layer in network.layers}:
        # gradients of half precision vanish unless the loss is scaled up
        optimiser = keras.optimizers.LossScaleOptimizer(optimiser)
    optimiser.build(trained_variables(network, head))
    return optimiser


def trained_variables(network: keras.Model, head: bool) -> list[keras.Variable]:
    """Return the variables that a step changes by gradients."""
    variables: list[keras.Variable] = (network.get_layer(LOGITS_LAYER) if head else network).trainable_variables
    return variables


def compiled_step(
    network: keras.Model,
    optimiser: keras.optimizers.Optimizer,
    weights: ClassWeights,
    strategy: tf.distribute.Strategy,
    *,
    head: bool = False,
) -> Step:
    """Return the step: images and labels in, loss out, weights changed.

    On several devices each takes a part of the batch. The loss is divided by the images of all of them,
    so gradients add up to those of one device; batch normalisation is synchronised, or, where the head
    alone is trained, uses fixed statistics.
    """
    variables = trained_variables(network, head)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = strategy.num_replicas_in_sync > 1

    def replica_step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        device = tf.distribute.get_replica_context()
        count, replicas = tf.shape(images)[0], device.num_replicas_in_sync
        first = device.replica_id_in_sync_group * count // replicas
        after = (device.replica_id_in_sync_group + 1) * count // replicas
        with tf.GradientTape() as tape:
            logits = network(images[first:after], training=not head)
            loss = weighted_cross_entropy(labels[first:after], logits, weights, images=count)
            scaled = optimiser.scale_loss(loss)
        optimiser.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return loss

    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(replica_step, args=(images, labels)), axis=None)

    # any batch and any size: traced once for all stages
    compiled: Step = tf.function(step, input_signature=[ANY_IMAGES, ANY_LABELS])
    return compiled


def compiled_forward(network: keras.Model, *, training: bool = False) -> Forward:
    """Return the forward pass of images to logits; in training it moves the statistics of batch normalisation."""
    compiled: Forward = tf.function(lambda images: network(images, training=training), input_signature=[ANY_IMAGES])
    return compiled


def weighted_cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, weights: ClassWeights, images: tf.Tensor | int | None = None
) -> tf.Tensor:
    """Return the mean over images and classes of the paper's loss.

    For each image and class, ``-(w_pos y log s(z) + w_neg (1 - y) log(1 - s(z)))`` with s the
    sigmoid, written with ``-log s(z) = softplus(-z)`` so that it is finite at any logit.

    Args:
        labels: (n, classes), 0 or 1.
        logits: (n, classes).
        weights: of the training set.
        images: the number that the mean is over; None is n. Where a batch is spread over several devices it
            is the images of all of them, so that the devices' losses, and their gradients, add up to those
            of one device.
    """
    labels = tf.cast(labels, logits.dtype)
    positive = tf.constant(weights.positive, logits.dtype)
    negative = tf.constant(weights.negative, logits.dtype)
    loss = positive * labels * tf.nn.softplus(-logits) + negative * (1 - labels) * tf.nn.softplus(logits)
    count = tf.shape(logits)[0] if images is None else images
    return tf.reduce_sum(loss) / tf.cast(count * logits.shape[1], loss.dtype)
