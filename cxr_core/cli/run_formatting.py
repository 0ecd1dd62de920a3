"""The numbers of a run as text for a terminal, section by section of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from ..evaluation import RunSummary
from ..evaluation.box_sources import SOURCES
from ..evaluation.catalogue import Entry, entries
from ..evaluation.summary import Row
from ..labels import NOTICE
from ..metrics import Estimate

__all__ = ["format_summary"]


def format_summary(summary: RunSummary) -> str:
    """Return the numbers of a run, a section per entry of the catalogue."""
    record = summary.record
    return "\n".join(
        [
            f"{record.name} ({record.id})",
            NOTICE,
            f"Model {record.model}; {record.images:,} images of {record.patients:,} patients "
            f"({', '.join(record.data)}, {record.part}); reference standard: {summary.reference}",
            *(f"note: {note}" for note in summary.notes),
            *([f"Maps are compared with {SOURCES[summary.box_source].description}."] if summary.box_source else []),
            "Intervals: 95 % CI (patient bootstrap, or clustered by patient where cases are few).",
            *(line for entry in entries("terminal") for line in _section(entry, summary)),
        ]
    )


def _section(entry: Entry, summary: RunSummary) -> Iterator[str]:
    rows = summary.rows(entry)
    if not rows:
        if entry.absent:
            yield f"{summary.title(entry)}: {entry.absent}"
        return
    columns = {
        metric: entry.columns[metric].heading for row in rows for metric in row.estimates if len(row.estimates) > 1
    }
    yield f"{summary.title(entry)}: {'; '.join(columns.values())}:" if columns else f"{summary.title(entry)}:"
    for row in rows:
        yield _line(row, entry)


def _line(row: Row, entry: Entry) -> str:
    text = "; ".join(filter(None, [row.threshold, _values(row.estimates, entry) or entry.missing]))
    return f"  {row.name:<20}{text}" if len(row.name) < 20 else f"  {row.name}: {text}"


def _values(estimates: dict[str, Estimate], entry: Entry) -> str:
    """Return numbers side by side, or once the reason why all are missing; a single number with its counts."""
    if len(estimates) == 1:
        ((metric, estimate),) = estimates.items()
        return entry.columns[metric].format(estimate, counts=estimate)
    texts = [entry.columns[metric].format(estimate) for metric, estimate in estimates.items()]
    missing = all(estimate.value is None for estimate in estimates.values())
    return texts[0] if len(set(texts)) == 1 and missing else "; ".join(texts)
