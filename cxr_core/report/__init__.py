"""Readings to files: JSON and CSV to the contract, and maps.

The sheet for paper is :mod:`.sheet`, which brings matplotlib: who wants one imports it there.
"""

from .heatmaps import heatmaps_npz, overlay_pngs
from .record import (
    CSV_COLUMNS,
    reading_json,
    reading_record,
    reading_rows,
    readings_csv,
    refusal_json,
    refusal_row,
    refusals_csv,
)

__all__ = [
    "CSV_COLUMNS",
    "heatmaps_npz",
    "overlay_pngs",
    "reading_json",
    "reading_record",
    "reading_rows",
    "readings_csv",
    "refusal_json",
    "refusal_row",
    "refusals_csv",
]
