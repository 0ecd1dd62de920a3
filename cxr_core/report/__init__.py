"""Files of readings: JSON and CSV to the contract, heat maps, and the paragraph of a radiology report.

:mod:`.sheet` and :mod:`.pdf` make sheets and reports for print; they import matplotlib and reportlab, so they are not
imported here.
"""

from .record import (
    CSV_COLUMNS,
    heatmaps_npz,
    overlay_pngs,
    reading_json,
    reading_record,
    reading_rows,
    readings_csv,
    refusal_json,
    refusal_row,
    refusals_csv,
)
from .report_text import ReportImage, report_paragraph

__all__ = [
    "CSV_COLUMNS",
    "ReportImage",
    "heatmaps_npz",
    "overlay_pngs",
    "reading_json",
    "reading_record",
    "reading_rows",
    "readings_csv",
    "refusal_json",
    "refusal_row",
    "refusals_csv",
    "report_paragraph",
]
