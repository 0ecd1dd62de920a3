"""What a training writes down as it goes: a CSV that pandas reads, and events that TensorBoard reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

__all__ = ["Journal"]

EVERY = 20
"""Steps between two points of the curve of the loss."""


class Journal:
    """The log of one training.

    ``log.csv`` has a row for each epoch. ``events/`` has the loss and the learning rate of every twentieth
    step, and the validation AUC of every epoch; the format is TensorBoard's, which need not be installed.
    """

    def __init__(self, folder: Path) -> None:
        self._csv = folder / "log.csv"
        self._events = tf.summary.create_file_writer(str(folder / "events"))

    def step(self, step: int, loss: float, rate: float) -> None:
        """Note a step, counted over all stages."""
        if step % EVERY == 0:
            self._point("loss", loss, step)
            self._point("learning rate", rate, step)

    def epoch(self, step: int, history: Sequence[dict[str, float]]) -> None:
        """Note that an epoch has ended: the last row of the history is new."""
        with self._csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(history[0]))
            writer.writeheader()
            writer.writerows(history)
        self._point("validation AUC", history[-1]["validation_auc"], step)
        self._point("input size", history[-1]["size"], step)
        self._events.flush()

    def close(self) -> None:
        """Write what is still held."""
        self._events.close()

    def _point(self, name: str, value: float, step: int) -> None:
        # tf.summary.scalar is TensorBoard's own code: this writes the same without it
        scalar = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
        )
        with self._events.as_default():
            tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=scalar)
