"""A reading as JSON and CSV, to the contract that other programs rely on (schema 2)."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..estimate import Estimate
from ..explain import heat_maps, overlay_png
from ..imaging import Radiograph, render8
from ..labels import NOTICE
from ..model import ModelCard, Reading
from ..model.findings import FlagRate
from ..model.formatting import CROSS_VALIDATED, IN_SAMPLE
from ..model.int8_formatting import describe_precision
from ..table_files import csv_text

__all__ = [
    "CSV_COLUMNS",
    "SCHEMA",
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


SCHEMA = 2

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
    "reason",
    "reasons",
    "override",
    "notice",
    "assumed_prevalence",
    "flagged_without_findings",
    "state_changes_under",
)
"""One line per finding; a refused image has one line without a label."""


def reading_record(file: str, reading: Reading) -> dict[str, Any]:
    """Return a reading as the contract's object.

    Args:
        file: the name by which the user knows the image.
        reading: a refused image has no findings and its reasons.

    ``reason`` of a finding is null, or why its label is not evaluated. ``assumed_prevalence`` is null, or the
    proportions of positive images that the user set: an assumption, to which the probabilities, intervals and
    thresholds of these labels are shifted. ``flagged_without_findings`` is the proportion of images without findings on
    which the operating point has any label above, as the model's card says; ``view`` the same of the images in the view
    of this image, null where either is not known.
    ``small_changes`` are the names of those under which the image was read again, and null where it was not; then
    each finding has its scores under them, and the names of those under which its state is another one.
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
                "reason": finding.reason,
                "stability": _stability(reading, finding.label),
            }
            for finding in reading.findings
        ],
        "small_changes": [c.change for c in reading.under_changes] if reading.changes_checked else None,
        **_context(reading.prevalence, reading.flagged),
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
    flagged: FlagRate | None = None,
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
            "small_changes": None,
            **_context(prevalence, flagged),
        }
    )


def reading_rows(file: str, reading: Reading) -> list[dict[str, Any]]:
    """Return a reading as rows of :data:`CSV_COLUMNS`, one a finding; numbers are those of the JSON.

    An image without findings has one row, without a label. What is null is None.
    """
    flagged = _flagged(reading.flagged)
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
        "flagged_without_findings": flagged and flagged["rate"],
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
            "reason": finding.reason,
            "assumed_prevalence": (reading.prevalence or {}).get(finding.label),
            "state_changes_under": _changes_text(reading.changes_of_state(finding.label)),
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


def _stability(reading: Reading, label: str) -> dict[str, Any] | None:
    if not reading.changes_checked:
        return None
    changes = reading.changes_of_state(label)
    position = [finding.label for finding in reading.findings].index(label)
    return {
        "state_changes_under": None if changes is None else list(changes),
        "scores": {changed.change: changed.findings[position].score for changed in reading.under_changes},
    }


def _changes_text(changes: tuple[str, ...] | None) -> str | None:
    """Return the names of small changes; ``none`` where none changes the state, None where that was not tried."""
    return None if changes is None else "; ".join(changes) or "none"


def _context(prevalence: Mapping[str, float] | None, flagged: FlagRate | None) -> dict[str, Any]:
    return {
        "assumed_prevalence": None if prevalence is None else dict(prevalence),
        "flagged_without_findings": _flagged(flagged),
    }


def _flagged(flagged: FlagRate | None) -> dict[str, Any] | None:
    overall = None if flagged is None else _rate(flagged.overall)
    if flagged is None or overall is None:
        return None
    in_view = _rate(flagged.in_view)
    return overall | {
        "method": CROSS_VALIDATED if flagged.cross_validated else IN_SAMPLE,
        "view": None if in_view is None else {"name": flagged.view, **in_view},
    }


def _rate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None or estimate.value is None:
        return None
    return {
        "rate": estimate.value,
        "interval": None if estimate.low is None else [estimate.low, estimate.high],
        "images": None if estimate.counts is None else estimate.counts.images,
    }


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


# Heat maps as files: one npz for programs, one overlay a finding for eyes.


def heatmaps_npz(reading: Reading, card: ModelCard) -> bytes:
    """Return an npz file of all maps of an image that was read.

    Its arrays: ``maps`` (labels, rows, columns) float32, rectified, in logits, the network's own
    grid; ``labels``; ``to_original`` (2, 3) from a cell's centre (column, row, 1) to (x, y) of the
    original, integers at pixel centres; ``engine``, which names the precision too; ``notice``.
    """
    maps = heat_maps(reading, card)
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        maps=np.stack([heat.grid for heat in maps]),
        labels=np.array([heat.label for heat in maps]),
        to_original=maps[0].to_original,
        engine=np.array(reading.engine),
        notice=np.array(NOTICE),
    )
    return stream.getvalue()


def overlay_pngs(radiograph: Radiograph, reading: Reading, card: ModelCard) -> dict[str, bytes]:
    """Return one PNG for each label: the image as displayed, with that label's map over it."""
    grey = render8(radiograph)
    precision = describe_precision(card)
    return {heat.label: overlay_png(grey, heat, note=precision) for heat in heat_maps(reading, card)}
