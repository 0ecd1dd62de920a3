"""Export of a run as files for other programs: its numbers, and every prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..estimate import Estimate
from ..files import cannot_write, write_all
from ..labels import NOTICE
from ..store import Localisation, Predictions, StoredRun
from ..table_files import csv_text
from .catalogue import entries
from .summary import RunSummary

__all__ = ["export_run", "summary_csv"]

METRIC_COLUMNS = (
    "run",
    "reference",
    "metric",
    "label",
    "group",
    "threshold",
    *Estimate(0.0).columns(),
    "basis",
    "notes",
    "notice",
)


def export_run(run: StoredRun, summaries: Sequence[RunSummary], folder: Path) -> tuple[Path, ...]:
    """Write ``metrics.csv``, ``metrics.json``, ``predictions.csv`` and ``run.json``; return their paths.

    A run with boxes also has ``localisation.csv``, one row per image and label with boxes. Every file contains the
    notice and the notes of the run.

    Args:
        run: of the store.
        summaries: its numbers, against one or more reference standards.
        folder: destination.

    Raises:
        PathUnusable: the folder cannot be written.
    """
    texts = {
        "metrics.csv": "".join(summary_csv(summary, header=not number) for number, summary in enumerate(summaries)),
        "metrics.json": json.dumps([summary_json(summary) for summary in summaries], indent=1) + "\n",
        "run.json": json.dumps(asdict(run.record) | {"notice": NOTICE, "notes": summaries[0].notes}, indent=1) + "\n",
        "predictions.csv": _predictions_csv(run, summaries[0].notes),
    }
    localisation = run.localisation()
    if localisation is not None:
        texts["localisation.csv"] = _localisation_csv(localisation, summaries[0].notes)
    files = {folder / name: text.encode() for name, text in texts.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_all(files)
    except OSError as error:
        raise cannot_write(f"Output {folder}", error) from error
    return tuple(files)


def summary_csv(summary: RunSummary, *, header: bool = True) -> str:
    """Return the numbers as CSV, one line each: metric, label, group, value, interval, counts, reason and basis.

    The basis is ``in-sample``, ``cross-validated`` or empty.
    """
    common = {
        "run": summary.record.id,
        "reference": summary.reference,
        "notes": "; ".join(summary.notes),
        "notice": NOTICE,
    }
    rows = []
    for entry in entries("export"):
        for number in summary.of(entry):
            keys = {key: getattr(number, key) for key in ("metric", "label", "group", "threshold")}
            rows.append(common | keys | number.estimate.columns() | {"basis": summary.basis(entry)})
    return csv_text(METRIC_COLUMNS, rows, header=header)


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """Return the numbers of each label by metric, and the others as a list, with the record of the run."""
    labels: dict[str, dict[str, Any]] = {}
    others = []
    for entry in entries("export"):
        basis = {"basis": summary.basis(entry)}
        for number in summary.of(entry):
            if entry.per_label is not None and number.label:
                labels.setdefault(number.label, {})[number.metric] = asdict(number.estimate) | basis
            else:
                others.append(asdict(number) | basis)
    return {
        "record": asdict(summary.record),
        "reference": summary.reference,
        "labels": labels,
        "numbers": others,
        "boxes": {label: asdict(boxes) for label, boxes in summary.boxes.items()},
        "resamples": summary.resamples,
        "notes": summary.notes,
        "notice": NOTICE,
    }


def _predictions_csv(run: StoredRun, notes: tuple[str, ...]) -> str:
    p = run.predictions()
    columns = ["image", "sha256", "patient", "age", "sex", "view", "source", "quality", "label", "score", "probability"]
    references = {f"reference: {name}": truth for name, truth in p.references.items()}
    references |= {
        f"any finding: {name}": np.broadcast_to(truth[:, None], p.scores.shape) for name, truth in p.any_finding.items()
    }
    # a generator, because the rows of a large run would take a gigabyte
    rows = (row for i in range(len(p)) for row in _rows_of_image(p, i, references, notes))
    return csv_text([*columns, *references, "notes", "notice"], rows)


def _rows_of_image(
    p: Predictions, i: int, references: Mapping[str, np.ndarray], notes: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    image = {
        "image": p.images[i],
        "sha256": p.sha256[i],
        "patient": p.patients[i],
        "age": float(p.ages[i]),
        "sex": p.sexes[i],
        "view": p.views[i],
        "source": p.sources[i],
        "quality": p.quality[i],
        "notes": "; ".join(notes),
        "notice": NOTICE,
    }
    for c, label in enumerate(p.labels):
        truth = {name: None if answers[i, c] < 0 else int(answers[i, c]) for name, answers in references.items()}
        numbers = {"score": float(p.scores[i, c]), "probability": float(p.probabilities[i, c])}
        yield image | {"label": label} | numbers | truth


def _localisation_csv(localisation: Localisation, notes: tuple[str, ...]) -> str:
    by_threshold = {
        f"{name} at {threshold:g}": getattr(localisation, name)[:, t]
        for name in ("overlap", "centre_overlap", "average_overlap", "marked")
        if getattr(localisation, name) is not None
        for t, threshold in enumerate(localisation.thresholds.tolist())
    }
    averages = {"average_hit": localisation.average_hits} | {
        name: getattr(localisation, name) for name in ("inside", "average_inside", "area")
    }
    by_image = {name: values for name, values in averages.items() if values is not None} | by_threshold
    columns = ["image", "patient", "label", "box_source", "boxes", "strongest_x", "strongest_y", "hit", "centre_hit"]
    rows = []
    for row in range(len(localisation)):
        x, y = localisation.strongest[row]
        rows.append(
            {
                "image": localisation.images[row],
                "patient": localisation.patients[row],
                "label": localisation.labels[row],
                "box_source": localisation.source,
                "boxes": json.dumps(localisation.boxes[row].tolist()),
                "strongest_x": float(x),
                "strongest_y": float(y),
                "hit": int(localisation.hits[row]),
                "centre_hit": int(localisation.centre_hits[row]),
                "notes": "; ".join(notes),
                "notice": NOTICE,
            }
            | {name: float(values[row]) for name, values in by_image.items()}
        )
    return csv_text([*columns, *by_image, "notes", "notice"], rows)
