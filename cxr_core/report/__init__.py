"""Readings to files: JSON and CSV to the contract, maps, and the sheet for paper."""

from .heatmaps import heatmaps_npz, overlay_pngs
from .record import CSV_COLUMNS, reading_json, reading_record, readings_csv, refusal_json, refusals_csv
from .sheet import sheet, sheet_png

__all__ = [
    "CSV_COLUMNS",
    "heatmaps_npz",
    "overlay_pngs",
    "reading_json",
    "reading_record",
    "readings_csv",
    "refusal_json",
    "refusals_csv",
    "sheet",
    "sheet_png",
]
