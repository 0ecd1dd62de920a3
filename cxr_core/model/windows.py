"""Does the reading hang on the window? The file's other windows and tables, tried on the same film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..imaging import Radiograph, look_up, prepare
from ..labels import display_name
from .findings import Reading, find
from .predictor import Predictor

__all__ = ["MOST_WINDOWS", "with_other_windows"]

MOST_WINDOWS = 4
"""So many others are tried; each costs a forward pass."""


def with_other_windows(reading: Reading, radiograph: Radiograph, predictor: Predictor) -> Reading:
    """Return the reading with a reason to distrust it for each other window that would change a state.

    The model sees the first window that the file names. The alternatives are as valid (PS3.3 C.11.2.1.1),
    so a finding that another one turns over is not sure of its state. A film without findings, or whose file
    names one window, is returned as it is.
    """
    if not reading.findings:
        return reading
    reasons = tuple(_changes(reading, radiograph, predictor))
    if not reasons:
        return reading
    quality = reading.quality
    status = "warning" if quality.status == "ok" else quality.status
    return replace(reading, quality=replace(quality, status=status, reasons=(*quality.reasons, *reasons)))


def _changes(reading: Reading, radiograph: Radiograph, predictor: Predictor) -> Iterator[str]:
    point = predictor.card.operating_point(reading.operating_point)
    tables = [radiograph.pixels.display]
    for voi in radiograph.alternatives[1 : 1 + MOST_WINDOWS]:
        table = radiograph.display_under(voi)
        if any(np.array_equal(table, tried) for tried in tables):
            continue
        tables.append(table)
        film, _ = prepare(look_up(table, radiograph.pixels.containers), predictor.card.input.preparation())
        others = find(predictor.card, predictor.engine.infer(film[None]).logits[0], point, reading.prevalence)
        turned = [
            f"{display_name(ours.label)} ({ours.state.replace('_', ' ')} to {theirs.state.replace('_', ' ')})"
            for ours, theirs in zip(reading.findings, others, strict=True)
            if ours.state != theirs.state
        ]
        if turned:
            yield f"the file's other window ({voi.explanation}) would change {', '.join(turned)}"
