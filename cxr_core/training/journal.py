"""What a training writes down as it goes: a CSV that pandas reads, and events that TensorBoard reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from ..csv_text import csv_text
from ..whole_files import cannot_write, write_whole

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
        """Note that an epoch has ended: the last row of the history is new; raises PathUnusable."""
        try:
            write_whole(self._csv, csv_text(list(history[0]), history).encode())
        except OSError as error:
            raise cannot_write(f"Training log {self._csv}", error) from error
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
