"""The nouns of imaging: a radiograph, its window, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

__all__ = ["Kind", "Lut", "Quality", "Radiograph", "Status", "Voi"]

Kind = Literal["dicom", "png", "jpeg", "tiff"]
Status = Literal["ok", "warning", "refused"]


@dataclass(frozen=True)
class Voi:
    """The values of interest: how values become brightness (PS3.3 C.11.2).

    ``function`` is ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID`` (C.11.2.1.2, C.11.2.1.3); ``center``
    and ``width`` are in the units of :attr:`Radiograph.values`. ``explanation`` is what the file
    calls it, or why we chose it.
    """

    center: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"
    explanation: str = ""


@dataclass(frozen=True)
class Lut:
    """A look-up table (PS3.3 C.11.1.1, C.11.2.1.1).

    Attributes:
        entries: (n,) uint16.
        first: the input value that the first entry belongs to; smaller ones get it too, and values
            beyond the last entry get the last.
        bits: of an entry; its nominal range is 0 to 2**bits - 1.
        explanation: what the file calls it.
    """

    entries: np.ndarray
    first: int
    bits: int
    explanation: str = ""


@dataclass(frozen=True)
class Quality:
    """Whether the film may be read, and the reasons to distrust the reading.

    ``override`` is the reason that a user gave for reading a refused film, else None. ``turned`` says by
    how many degrees, counter-clockwise, the film looks turned: 0, 90, 180 or 270.
    """

    status: Status = "ok"
    reasons: tuple[str, ...] = ()
    override: str | None = None
    turned: int = 0


@dataclass(frozen=True)
class Radiograph:
    """One frontal chest radiograph, as a workstation would show it.

    Attributes:
        sha256: hex digest of the input bytes; names the film everywhere.
        kind: what the bytes are, by their content.
        values: (rows, columns) float32 after the Modality LUT, before the VOI; row 0 on top, the
            patient's right on the image's left as filed. Units of the modality, or grey levels.
        display: (rows, columns) float32 in [0, 1]; 0 is black. After VOI, Presentation LUT and
            polarity. This is what the viewer shows by default and what the model is given.
        voi: the window that made ``display`` from ``values``.
        inverted: True where brightness falls as ``values`` rise (polarity, applied once).
        transforms: what was done to the stored pixels, in order, in words.
        spacing_mm: (between rows, between columns) at the detector, or None where the file does
            not say.
        header: fields of the file that passed the allow-list; never a patient's identity.
        quality: the gate's verdict from header and pixels.
        alternatives: the file's windows and tables in their order, the one of ``display`` among them;
            empty where the file names none.
    """

    sha256: str
    kind: Kind
    values: np.ndarray
    display: np.ndarray
    voi: Voi
    inverted: bool
    transforms: tuple[str, ...]
    spacing_mm: tuple[float, float] | None = None
    header: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    quality: Quality = field(default_factory=Quality)
    alternatives: tuple[Voi | Lut, ...] = ()

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return int(self.display.shape[0])

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return int(self.display.shape[1])
