"""A reading as JSON and CSV, to the contract that other programs rely on (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..csv_text import csv_text
from ..labels import NOTICE
from ..model import Metric, Reading

__all__ = [
    "CSV_COLUMNS",
    "SCHEMA",
    "reading_json",
    "reading_record",
    "reading_rows",
    "readings_csv",
    "refusal_json",
    "refusal_row",
    "refusals_csv",
]

SCHEMA = 1

CSV_COLUMNS = (
    "file",
    "sha256",
    "model",
    "model_sha256",
    "engine",
    "operating_point",
    "quality",
    "label",
    "score",
    "probability",
    "interval_low",
    "interval_high",
    "threshold",
    "state",
    "reasons",
    "override",
    "notice",
    "assumed_prevalence",
    "flagged_without_findings",
)
"""One line per finding; a refused film has one line without a label."""


def reading_record(file: str, reading: Reading) -> dict[str, Any]:
    """Return a reading as the contract's object.

    Args:
        file: the name by which the user knows the film.
        reading: a refused film has no findings and its reasons.

    ``assumed_prevalence`` is null, or the shares of positive films that the user set: an assumption, to which the
    probabilities, intervals and thresholds of these labels are shifted. ``flagged_without_findings`` is the share
    of films without findings on which the operating point has any label above, as the model's card says.
    """
    image, quality = reading.image, reading.quality
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "file": file,
        "sha256": reading.sha256,
        "operating_point": reading.operating_point,
        "model": {"id": reading.model_id, "sha256": reading.model_sha256},
        "engine": reading.engine,
        "image": {
            "kind": image.kind,
            "rows": image.rows,
            "columns": image.columns,
            "transforms": list(image.transforms),
        },
        "quality": {
            "status": quality.status,
            "reasons": list(quality.reasons),
            "notes": list(quality.notes),
            "override": quality.override,
        },
        "findings": [
            {
                "label": finding.label,
                "score": finding.score,
                "probability": finding.probability,
                "interval": None if finding.interval is None else list(finding.interval),
                "threshold": finding.threshold,
                "state": finding.state,
            }
            for finding in reading.findings
        ],
        **_context(reading.prevalence, reading.flagged_without_findings),
    }


def reading_json(file: str, reading: Reading) -> str:
    """Return :func:`reading_record` as one line of JSON."""
    return _line(reading_record(file, reading))


def refusal_json(
    file: str,
    sha256: str | None,
    reason: str,
    *,
    model_id: str,
    model_sha256: str,
    engine: str,
    operating_point: str,
    prevalence: Mapping[str, float] | None = None,
    flagged_without_findings: Metric | None = None,
) -> str:
    """Return the line of a file that could not be decoded: the same object, ``image`` null.

    ``sha256`` is None where the file could not be opened.
    """
    return _line(
        {
            "schema": SCHEMA,
            "notice": NOTICE,
            "file": file,
            "sha256": sha256,
            "operating_point": operating_point,
            "model": {"id": model_id, "sha256": model_sha256},
            "engine": engine,
            "image": None,
            "quality": {"status": "refused", "reasons": [reason], "notes": [], "override": None},
            "findings": [],
            **_context(prevalence, flagged_without_findings),
        }
    )


def reading_rows(file: str, reading: Reading) -> list[dict[str, Any]]:
    """Return a reading as rows of :data:`CSV_COLUMNS`, one a finding; numbers are those of the JSON.

    A film without findings has one row, without a label. What is null is None.
    """
    flagged = _share(reading.flagged_without_findings)
    common = {
        "file": file,
        "sha256": reading.sha256,
        "model": reading.model_id,
        "model_sha256": reading.model_sha256,
        "engine": reading.engine,
        "operating_point": reading.operating_point,
        "quality": reading.quality.status,
        "reasons": "; ".join(reading.quality.reasons),
        "override": reading.quality.override,
        "notice": NOTICE,
        "flagged_without_findings": flagged and flagged["share"],
    }
    rows = [
        common
        | {
            "label": finding.label,
            "score": finding.score,
            "probability": finding.probability,
            "interval_low": finding.interval and finding.interval[0],
            "interval_high": finding.interval and finding.interval[1],
            "threshold": finding.threshold,
            "state": finding.state,
            "assumed_prevalence": (reading.prevalence or {}).get(finding.label),
        }
        for finding in reading.findings
    ]
    return rows or [common]


def refusal_row(file: str, sha256: str | None, reason: str) -> dict[str, Any]:
    """Return the row of a file that could not be decoded."""
    return {"file": file, "sha256": sha256, "quality": "refused", "reasons": reason, "notice": NOTICE}


def readings_csv(readings: Sequence[tuple[str, Reading]], *, header: bool = True) -> str:
    """Return readings as CSV with :data:`CSV_COLUMNS`; numbers are those of the JSON."""
    rows = (row for file, reading in readings for row in reading_rows(file, reading))
    return csv_text(CSV_COLUMNS, rows, header=header)


def refusals_csv(refusals: Sequence[tuple[str, str | None, str]]) -> str:
    """Return lines for files that could not be decoded: (file, sha256, reason) of each."""
    return csv_text(CSV_COLUMNS, (refusal_row(*refusal) for refusal in refusals), header=False)


def _context(prevalence: Mapping[str, float] | None, flagged: Metric | None) -> dict[str, Any]:
    return {
        "assumed_prevalence": None if prevalence is None else dict(prevalence),
        "flagged_without_findings": _share(flagged),
    }


def _share(metric: Metric | None) -> dict[str, Any] | None:
    if metric is None or metric.value is None:
        return None
    return {
        "share": metric.value,
        "interval": None if metric.low is None else [metric.low, metric.high],
        "films": metric.counts.positive_films + metric.counts.negative_films,
    }


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False)
