"""A run as files for other programs: the numbers, and every prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..csv_text import csv_text
from ..labels import NOTICE
from ..metrics import Estimate
from ..store import Localisation, Predictions, StoredRun
from ..whole_files import cannot_write, write_all
from .numbers import RunSummary

__all__ = ["export_run", "summary_csv"]

METRIC_COLUMNS = (
    "run",
    "reference",
    "metric",
    "label",
    "group",
    "threshold",
    *(field.name for field in fields(Estimate)),
    "notes",
    "notice",
)


def export_run(run: StoredRun, summaries: Sequence[RunSummary], folder: Path) -> tuple[Path, ...]:
    """Write ``metrics.csv``, ``metrics.json``, ``predictions.csv`` and ``run.json``; return what was written.

    A run with boxes also gets ``localisation.csv``, one row a film and boxed label. Every file carries the notice
    and what must be said of the run.

    Args:
        run: of the store.
        summaries: its numbers, against one reference or several.
        folder: to write to.

    Raises:
        PathUnusable: the folder cannot be written.
    """
    texts = {
        "metrics.csv": "".join(summary_csv(summary, header=not number) for number, summary in enumerate(summaries)),
        "metrics.json": json.dumps([asdict(summary) | {"notice": NOTICE} for summary in summaries], indent=1) + "\n",
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
    """Return one line a number: metric, label, group, value, interval, counts and reason."""
    common = {
        "run": summary.record.id,
        "reference": summary.reference,
        "notes": "; ".join(summary.notes),
        "notice": NOTICE,
    }
    rows = []
    for number in summary.numbers():
        named = {key: getattr(number, key) for key in ("metric", "label", "group", "threshold")}
        rows.append(common | named | asdict(number.estimate))
    return csv_text(METRIC_COLUMNS, rows, header=header)


def _predictions_csv(run: StoredRun, notes: tuple[str, ...]) -> str:
    p = run.predictions()
    columns = ["image", "sha256", "patient", "age", "sex", "view", "source", "quality", "label", "score", "probability"]
    references = {f"reference: {name}": said for name, said in p.references.items()}
    references |= {
        f"any finding: {name}": np.broadcast_to(said[:, None], p.scores.shape) for name, said in p.any_finding.items()
    }
    # one at a time: all of them would be a gigabyte
    rows = (row for i in range(len(p)) for row in _rows_of_film(p, i, references, notes))
    return csv_text([*columns, *references, "notes", "notice"], rows)


def _rows_of_film(
    p: Predictions, i: int, references: Mapping[str, np.ndarray], notes: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    film = {
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
        said = {name: None if answers[i, c] < 0 else int(answers[i, c]) for name, answers in references.items()}
        numbers = {"score": float(p.scores[i, c]), "probability": float(p.probabilities[i, c])}
        yield film | {"label": label} | numbers | said


def _localisation_csv(localisation: Localisation, notes: tuple[str, ...]) -> str:
    by_threshold = {
        f"{name} at {threshold:g}": getattr(localisation, name)[:, t]
        for name in ("overlap", "centre_overlap", "marked")
        for t, threshold in enumerate(localisation.thresholds.tolist())
    }
    columns = ["image", "patient", "label", "boxes", "strongest_x", "strongest_y", "hit", "centre_hit"]
    rows = []
    for row in range(len(localisation)):
        x, y = localisation.strongest[row]
        rows.append(
            {
                "image": localisation.images[row],
                "patient": localisation.patients[row],
                "label": localisation.labels[row],
                "boxes": json.dumps(localisation.boxes[row].tolist()),
                "strongest_x": float(x),
                "strongest_y": float(y),
                "hit": int(localisation.hits[row]),
                "centre_hit": int(localisation.centre_hits[row]),
                "notes": "; ".join(notes),
                "notice": NOTICE,
            }
            | {name: float(values[row]) for name, values in by_threshold.items()}
        )
    return csv_text([*columns, *by_threshold, "notes", "notice"], rows)
