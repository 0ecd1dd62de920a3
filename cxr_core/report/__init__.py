"""Readings to files: JSON and CSV to the contract, maps, and the sheet for paper."""

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
from .sheet import sheet, sheet_png

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
    "sheet",
    "sheet_png",
]
