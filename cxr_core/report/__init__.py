"""Readings to files: JSON and CSV to the contract, and the sheet for paper."""

from .record import CSV_COLUMNS, reading_json, reading_record, readings_csv, refusal_json
from .sheet import sheet, sheet_png

__all__ = [
    "CSV_COLUMNS",
    "reading_json",
    "reading_record",
    "readings_csv",
    "refusal_json",
    "sheet",
    "sheet_png",
]
