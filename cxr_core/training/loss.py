"""Weighted cross-entropy from logits, stable at any logit."""

from __future__ import annotations

import tensorflow as tf

from .balance import ClassWeights

__all__ = ["weighted_cross_entropy"]


def weighted_cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, weights: ClassWeights, films: tf.Tensor | int | None = None
) -> tf.Tensor:
    """Return the mean over films and classes of the paper's loss.

    For each film and class, ``-(w_pos y log s(z) + w_neg (1 - y) log(1 - s(z)))`` with s the
    sigmoid, written with ``-log s(z) = softplus(-z)`` so that it is finite at any logit.

    Args:
        labels: (n, classes), 0 or 1.
        logits: (n, classes).
        weights: of the training set.
        films: the number that the mean is over; None is n. Where a batch is spread over several devices it
            is the films of all of them, so that the devices' losses, and their gradients, add up to those
            of one device.
    """
    labels = tf.cast(labels, logits.dtype)
    positive = tf.constant(weights.positive, logits.dtype)
    negative = tf.constant(weights.negative, logits.dtype)
    loss = positive * labels * tf.nn.softplus(-logits) + negative * (1 - labels) * tf.nn.softplus(logits)
    count = tf.shape(logits)[0] if films is None else films
    return tf.reduce_sum(loss) / tf.cast(count * logits.shape[1], loss.dtype)
