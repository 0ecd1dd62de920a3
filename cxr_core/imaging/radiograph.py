"""The noun of imaging: a radiograph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import numpy as np

from .digest import Digest
from .display import brightness
from .gate import judge
from .lookup import look_up
from .orientation import UPRIGHT, Pose
from .pixels import Pixels
from .quality import Quality
from .voi import Lut, Voi

__all__ = ["Kind", "Radiograph"]

Kind = Literal["dicom", "png", "jpeg", "tiff", "webp"]


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One frontal chest radiograph, as a workstation would show it.

    Attributes:
        digest: of the input bytes.
        kind: what the bytes are, by their content.
        pixels: as stored, with the tables that give values and display.
        voi: the window that made ``display`` from ``values``.
        inverted: True where brightness falls as ``values`` rise (polarity, applied once).
        transforms: what was done to the stored pixels, in order, in words.
        spacing_mm: (between rows, between columns) at the detector, or None where the file does
            not say.
        header: fields of the file that passed the allow-list; never a patient's identity.
        age: of the patient in years, or None where it is unknown.
        concerns: what the decoding found that speaks against the film, in words.
        override: why the film shall be read though the gate refuses it, or None.
        pose: what the picture was brought into before it is shown: mirrored or turned.
        scalable: a table of the file reaches a small part of the range that it declares.
        alternatives: the file's windows and tables in their order, the one of ``display`` among them;
            empty where the file names none.
    """

    digest: Digest
    kind: Kind
    pixels: Pixels
    voi: Voi
    inverted: bool
    transforms: tuple[str, ...]
    spacing_mm: tuple[float, float] | None = None
    header: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    age: float | None = None
    concerns: tuple[str, ...] = ()
    override: str | None = None
    alternatives: tuple[Voi | Lut, ...] = ()
    pose: Pose = UPRIGHT
    scalable: bool = False

    @property
    def sha256(self) -> str:
        """Hex digest of the input bytes; names the film everywhere."""
        return self.digest.sha256

    @cached_property
    def values(self) -> np.ndarray:
        """(rows, columns) float32 after the Modality LUT, before the VOI; units of the modality, or grey levels."""
        return look_up(self.pixels.values, self.pixels.containers)

    @cached_property
    def display(self) -> np.ndarray:
        """(rows, columns) float32 in [0, 1]; 0 is black.

        After VOI, Presentation LUT and polarity: what the viewer shows by default and what the model is
        given.
        """
        return look_up(self.pixels.display, self.pixels.containers)

    def display_under(self, voi: Voi | Lut) -> np.ndarray:
        """Return the display level of every container under another window or table, as ``Pixels.display``."""
        seen = brightness(self.pixels.values, voi)
        return np.where(self.pixels.padding, np.float32(0), 1 - seen if self.inverted else seen)

    @cached_property
    def quality(self) -> Quality:
        """The gate's verdict from header and pixels, with the override where it refuses."""
        verdict = judge(self.display, self.header, self.age, self.concerns, pose=self.pose, scalable=self.scalable)
        return replace(verdict, override=self.override) if verdict.status == "refused" else verdict

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return int(self.pixels.containers.shape[0])

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return int(self.pixels.containers.shape[1])
