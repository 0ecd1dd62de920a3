"""Does the reading hang on the window? The file's other windows and tables, tried on the same film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..labels import display_name
from .findings import Reading, find
from .predictor import Predictor
from .prepared import PreparedFilm

__all__ = ["with_other_windows"]


def with_other_windows(reading: Reading, film: PreparedFilm, predictor: Predictor) -> Reading:
    """Return the reading with a reason to distrust it for each other window that would change a state.

    The model sees the first window that the file names. The alternatives are as valid (PS3.3 C.11.2.1.1),
    so a finding that another one turns over is not sure of its state. A film without findings, or whose file
    names one window, is returned as it is.
    """
    reasons = tuple(_changes(reading, film, predictor)) if reading.findings else ()
    if not reasons:
        return reading
    quality = reading.quality
    status = "warning" if quality.status == "ok" else quality.status
    return replace(reading, quality=replace(quality, status=status, reasons=(*quality.reasons, *reasons)))


def _changes(reading: Reading, film: PreparedFilm, predictor: Predictor) -> Iterator[str]:
    point = predictor.card.operating_point(reading.operating_point)
    for window in film.other_windows:
        logits = predictor.engine.infer(window.pixels[None]).logits[0]
        others = find(predictor.card, logits, point, reading.prevalence)
        turned = [
            f"{display_name(ours.label)} ({ours.state.replace('_', ' ')} to {theirs.state.replace('_', ' ')})"
            for ours, theirs in zip(reading.findings, others, strict=True)
            if ours.state != theirs.state
        ]
        if turned:
            yield f"the file's other window ({window.explanation}) would change {', '.join(turned)}"
