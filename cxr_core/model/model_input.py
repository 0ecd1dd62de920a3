"""Radiograph to ModelInput: the array that the network sees, with its placement on the original.

A ModelInput holds all that a reading needs of an image, and is small enough to be passed between processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..imaging import (
    SMALL_CHANGES,
    Placement,
    Preparation,
    Quality,
    Radiograph,
    SmallChange,
    describe_exposure,
    look_up,
    prepare,
)
from .findings import ImageFacts, image_facts

__all__ = ["MAX_OTHER_WINDOWS", "ChangedInput", "ModelInput", "OtherWindow", "changed_input", "prepare_input"]

MAX_OTHER_WINDOWS = 4
"""Of a file's further windows at most so many are tried: each costs a forward pass."""


@dataclass(frozen=True, eq=False)
class OtherWindow:
    """Network input under another window or VOI LUT of the file, with the file's explanation of it."""

    explanation: str
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class ChangedInput:
    """Network input after a small change of the displayed image, with the name of the change."""

    change: str
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class ModelInput:
    """One image as the network takes it.

    Attributes:
        sha256: hex digest of the input bytes.
        image: facts of the image for the reading.
        quality: the gate's verdict.
        pixels: (size, size, 1) float32 in [0, 1], the network's input; None for an image that is not to be read.
        placement: position of that input on the original; None where ``pixels`` is.
        other_windows: the same image under the file's further windows, as far as they change its display.
        small_changes: the same image after each small change, where they were asked for.
    """

    sha256: str
    image: ImageFacts
    quality: Quality
    pixels: np.ndarray | None = None
    placement: Placement | None = None
    other_windows: tuple[OtherWindow, ...] = ()
    small_changes: tuple[ChangedInput, ...] = ()


def prepare_input(
    radiograph: Radiograph, preparation: Preparation, *, other_windows: bool = True, small_changes: bool = False
) -> ModelInput:
    """Return the model input of an image.

    Args:
        radiograph: the image. Where the gate refuses it and nobody overrides that, the result has no pixels.
        preparation: of the model, see :meth:`.InputSpec.preparation`.
        other_windows: whether inputs under the file's other windows are made.
        small_changes: whether inputs under :data:`cxr_core.imaging.SMALL_CHANGES` are made.
    """
    display, facts = radiograph.display, image_facts(radiograph)
    if preparation.exposure != "none":
        facts = replace(facts, transforms=(*facts.transforms, describe_exposure(preparation.exposure)))
    # Pillow resamples outside Python's lock, and takes as long as the gate
    verdict = _gate().submit(lambda: radiograph.quality)
    pixels, placement = prepare(display, preparation)
    quality = verdict.result()
    if quality.status == "refused" and quality.override is None:
        return ModelInput(radiograph.sha256, facts, quality)
    others = tuple(_other_windows(radiograph, preparation)) if other_windows else ()
    changed = tuple(changed_input(display, change, preparation) for change in SMALL_CHANGES if small_changes)
    return ModelInput(radiograph.sha256, facts, quality, pixels, placement, others, changed)


def changed_input(display: np.ndarray, change: SmallChange, preparation: Preparation) -> ChangedInput:
    """Return the input of an image after a small change of it.

    Args:
        display: (rows, columns) float32 in [0, 1], the image as displayed.
        change: what is done to it first.
        preparation: of the model.
    """
    return ChangedInput(change.name, prepare(change.apply(display), preparation)[0])


@cache
def _gate() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, "gate")


def _other_windows(radiograph: Radiograph, preparation: Preparation) -> Iterator[OtherWindow]:
    tables = [radiograph.pixels.display]
    for voi in radiograph.alternatives[1 : 1 + MAX_OTHER_WINDOWS]:
        table = radiograph.display_under(voi)
        if any(np.array_equal(table, earlier) for earlier in tables):
            continue
        tables.append(table)
        pixels, _ = prepare(look_up(table, radiograph.pixels.containers), preparation)
        yield OtherWindow(voi.explanation, pixels)
