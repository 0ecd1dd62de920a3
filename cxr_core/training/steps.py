"""One training step, compiled, on one device or on several that hold the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from ..errors import WrongArguments
from ..model.network import LOGITS_LAYER
from .balance import ClassWeights
from .loss import weighted_cross_entropy

__all__ = ["Step", "compiled_forward", "compiled_step", "devices", "new_optimiser", "precision"]

ANY_FILMS = tf.TensorSpec((None, None, None, 1), tf.float32)
ANY_LABELS = tf.TensorSpec((None, None), tf.float32)

Step = Callable[[np.ndarray, np.ndarray], tf.Tensor]


def devices(gpus: int = 1) -> tf.distribute.Strategy:
    """Return how the work is spread: one device as TensorFlow chooses it, or several GPUs of this machine.

    Raises WrongArguments where there are fewer GPUs than asked for.
    """
    if gpus == 1:
        return tf.distribute.get_strategy()
    found = tf.config.list_logical_devices("GPU")
    if gpus > len(found):
        raise WrongArguments(f"{gpus} GPUs asked for, TensorFlow finds {len(found)} on this machine.")
    return tf.distribute.MirroredStrategy([device.name for device in found[:gpus]])


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Build layers of another precision; what is built outside, such as the graph that serves, is float32."""
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
    return network.get_layer(LOGITS_LAYER).trainable_variables if head else network.trainable_variables


def compiled_step(
    network: keras.Model,
    optimiser: keras.optimizers.Optimizer,
    weights: ClassWeights,
    strategy: tf.distribute.Strategy,
    *,
    head: bool = False,
) -> Step:
    """Return the step: films and labels in, loss out, weights changed.

    On several devices each takes its share of the films. The loss is divided by the films of all of them,
    so gradients add up to those of one device; batch normalisation is synchronised, or, where the head
    alone is trained, uses its kept statistics.
    """
    variables = trained_variables(network, head)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = strategy.num_replicas_in_sync > 1

    def on_one(films: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        device = tf.distribute.get_replica_context()
        count, shares = tf.shape(films)[0], device.num_replicas_in_sync
        first = device.replica_id_in_sync_group * count // shares
        after = (device.replica_id_in_sync_group + 1) * count // shares
        with tf.GradientTape() as tape:
            logits = network(films[first:after], training=not head)
            loss = weighted_cross_entropy(labels[first:after], logits, weights, films=count)
            scaled = optimiser.scale_loss(loss)
        optimiser.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return loss

    # any batch and any size: one trace for all stages
    @tf.function(input_signature=[ANY_FILMS, ANY_LABELS])
    def step(films: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(on_one, args=(films, labels)), axis=None)

    return step


def compiled_forward(network: keras.Model, *, training: bool = False) -> Callable[[np.ndarray], tf.Tensor]:
    """Return the forward pass of films to logits; in training it moves the statistics of batch normalisation."""
    return tf.function(lambda films: network(films, training=training), input_signature=[ANY_FILMS])
