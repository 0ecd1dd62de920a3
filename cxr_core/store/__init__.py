"""Stored runs: a database with one row per run, and a Parquet file with the predictions of each.

Studies, reads and opinions are in the same database; :class:`.reads.ReadStore` is not imported here, since it needs the
model.
"""

from .predictions import Localisation, Predictions, ReaderAnswers, read_predictions, write_predictions
from .record import RunRecord
from .runs import RunStore, StoredRun

__all__ = [
    "Localisation",
    "Predictions",
    "ReaderAnswers",
    "RunRecord",
    "RunStore",
    "StoredRun",
    "read_predictions",
    "write_predictions",
]
