"""A decoded radiograph: stored pixels with their tables, what the file says of them, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from types import MappingProxyType
from typing import Literal

import numpy as np

from .gate.decision import Quality, assess
from .header import SpacingSource
from .orientation import UPRIGHT, Pose
from .windowing import Lut, Voi, apply_voi, grey8, look_up

__all__ = ["LUMA", "SQUARED", "Digest", "Kind", "Pixels", "Radiograph", "render8"]

Kind = Literal["dicom", "png", "jpeg", "tiff", "webp"]
"""The format of a file, recognised by its content."""

LUMA, SQUARED = "luma", "made square"
"""Words of the transforms after which a value is not one that the file holds for that pixel."""

_SYNCHRONOUS = 1 << 20


class Digest:
    """SHA-256 of bytes, computed on another thread; reading it waits for the result.

    Hashing a detector's image takes longer than decoding it, and releases Python's lock. Up to a mebibyte is hashed
    at once. A caller that knows the digest passes it as ``known``.
    """

    def __init__(self, data: bytes, known: str | None = None) -> None:
        self._result: str | Future[str]
        if known:
            self._result = known
        else:
            self._result = _sha256(data) if len(data) <= _SYNCHRONOUS else _threads().submit(_sha256, data)

    @property
    def sha256(self) -> str:
        """Hex, 64 letters."""
        if isinstance(self._result, Future):
            self._result = self._result.result()
        return self._result


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "digest")


@dataclass(frozen=True, eq=False)
class Pixels:
    """Stored pixels, and the tables that say what each value of a container means.

    An image has millions of pixels and at most 65,536 values, so each step of the grayscale pipeline is computed
    for values and looked up for pixels on demand.

    Attributes:
        containers: (rows, columns) uint8 or uint16, row 0 on top, the patient's right on the image's left
            as filed.
        values: (256 or 65536,) float32, value of each container after the Modality LUT, before the VOI.
        display: (256 or 65536,) float32 in [0, 1], its display level; 0 is black.
        padding: (256 or 65536,) bool, True where a container is no part of the image; displayed black.
    """

    containers: np.ndarray
    values: np.ndarray
    display: np.ndarray
    padding: np.ndarray


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One frontal chest radiograph, as a workstation would show it.

    Attributes:
        digest: of the input bytes.
        kind: file format, by content.
        pixels: as stored, with the tables of values and display levels.
        voi: the window that made ``display`` from ``values``.
        inverted: True where brightness falls as ``values`` rise (polarity, applied once).
        transforms: descriptions of what was done to the stored pixels, in order.
        spacing_mm: (between rows, between columns), or None where the file does not say.
        spacing_source: attribute that states it, or empty; Imager Pixel Spacing is at the detector.
        header: fields of the file that passed the allow-list; never a patient's identity.
        age: of the patient in years, or None where it is unknown.
        warnings: of the decoding.
        override: the reason to read the image although the gate refuses it, or None.
        pose: mirroring and turns that were applied to the image.
        scalable: the first VOI LUT uses a small part of its declared range and could be scaled by its own maximum.
        square: the file states the shape of its pixels, which were made square where they are not.
        alternatives: the file's windows and tables, the one of ``display`` first; empty where the file has none.
        unit: of ``values``, where the header states one.
    """

    digest: Digest
    kind: Kind
    pixels: Pixels
    voi: Voi
    inverted: bool
    transforms: tuple[str, ...]
    spacing_mm: tuple[float, float] | None = None
    spacing_source: SpacingSource = ""
    header: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    age: float | None = None
    warnings: tuple[str, ...] = ()
    override: str | None = None
    alternatives: tuple[Voi | Lut, ...] = ()
    pose: Pose = UPRIGHT
    scalable: bool = False
    square: bool = False
    unit: str = ""

    @property
    def sha256(self) -> str:
        """Hex digest of the input bytes, which identifies the image everywhere."""
        return self.digest.sha256

    @cached_property
    def values(self) -> np.ndarray:
        """(rows, columns) float32 after the Modality LUT, before the VOI; units of the modality, or grey levels."""
        return look_up(self.pixels.values, self.pixels.containers)

    @cached_property
    def display(self) -> np.ndarray:
        """(rows, columns) float32 in [0, 1]; 0 is black.

        After VOI, Presentation LUT and polarity: what the viewer shows by default and what the model is given.
        """
        return look_up(self.pixels.display, self.pixels.containers)

    @property
    def value_note(self) -> str:
        """What ``values`` are where the file does not hold them: ``luma`` of its colours, ``resampled``; else empty."""
        if any(step.endswith(LUMA) for step in self.transforms):
            return "luma"
        return "resampled" if any(SQUARED in step for step in self.transforms) else ""

    def display_under(self, voi: Voi | Lut) -> np.ndarray:
        """Return the display level of every container under another window or table, as ``Pixels.display``."""
        brightness = apply_voi(self.pixels.values, voi)
        return np.where(self.pixels.padding, np.float32(0), 1 - brightness if self.inverted else brightness)

    @cached_property
    def quality(self) -> Quality:
        """The gate's verdict from header and pixels, with the override where it refuses."""
        quality = assess(
            self.display,
            self.header,
            self.age,
            self.warnings,
            pose=self.pose,
            scalable=self.scalable,
            square=self.square,
        )
        return replace(quality, override=self.override) if quality.status == "refused" else quality

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return int(self.pixels.containers.shape[0])

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return int(self.pixels.containers.shape[1])


def render8(radiograph: Radiograph) -> np.ndarray:
    """Return what the viewer shows by default: (rows, columns) uint8, 0 is black."""
    return look_up(grey8(radiograph.pixels.display), radiograph.pixels.containers)
