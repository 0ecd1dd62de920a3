"""What a reading needs of a film beyond its pixels: so little that another process can make it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..imaging import Placement, Preparation, Quality, Radiograph, exposure_words, look_up, prepare
from .findings import ImageFacts, image_facts

__all__ = ["MOST_WINDOWS", "OtherWindow", "PreparedFilm", "prepare_film"]

MOST_WINDOWS = 4
"""So many other windows of a file are tried; each costs a forward pass."""


@dataclass(frozen=True, eq=False)
class OtherWindow:
    """The film under another window or table of its file: what the file calls it, and the network's input."""

    explanation: str
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class PreparedFilm:
    """One film as the network takes it.

    Attributes:
        sha256: hex digest of the input bytes.
        image: what is kept of the film in a reading.
        quality: the gate's verdict.
        pixels: (size, size, 1) float32 in [0, 1], the network's input; None for a film that is not to be read.
        placement: where that input lies on the original, or None likewise.
        other_windows: the same film under the file's other windows, those that display it otherwise.
    """

    sha256: str
    image: ImageFacts
    quality: Quality
    pixels: np.ndarray | None = None
    placement: Placement | None = None
    other_windows: tuple[OtherWindow, ...] = ()


def prepare_film(radiograph: Radiograph, preparation: Preparation, *, other_windows: bool = True) -> PreparedFilm:
    """Return what a reading needs of a film.

    Args:
        radiograph: the film. Where the gate refuses it and nobody overrides that, no input is made of it.
        preparation: how the model wants its input.
        other_windows: whether the file's other windows are to be tried.
    """
    display, facts = radiograph.display, image_facts(radiograph)
    if preparation.exposure != "none":
        facts = replace(facts, transforms=(*facts.transforms, exposure_words(preparation.exposure)))
    # Pillow resamples outside Python's lock, and takes as long as the gate
    verdict = _gate().submit(lambda: radiograph.quality)
    pixels, placement = prepare(display, preparation)
    quality = verdict.result()
    if quality.status == "refused" and quality.override is None:
        return PreparedFilm(radiograph.sha256, facts, quality)
    others = tuple(_other_windows(radiograph, preparation)) if other_windows else ()
    return PreparedFilm(radiograph.sha256, facts, quality, pixels, placement, others)


@cache
def _gate() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, "gate")


def _other_windows(radiograph: Radiograph, preparation: Preparation) -> Iterator[OtherWindow]:
    tables = [radiograph.pixels.display]
    for voi in radiograph.alternatives[1 : 1 + MOST_WINDOWS]:
        table = radiograph.display_under(voi)
        if any(np.array_equal(table, tried) for tried in tables):
            continue
        tables.append(table)
        pixels, _ = prepare(look_up(table, radiograph.pixels.containers), preparation)
        yield OtherWindow(voi.explanation, pixels)
