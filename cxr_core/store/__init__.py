"""What is kept: a row a run in a database, and every prediction of it in a Parquet file."""

from .localisation import Localisation
from .predictions import Predictions, ReaderAnswers, read_predictions, write_predictions
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
