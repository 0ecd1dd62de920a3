"""Windows and look-up tables: how values become brightness, and how stored values become values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Lut", "Voi"]


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
        top: the entry that is shown white; by default the largest that ``bits`` can say.
    """

    entries: np.ndarray
    first: int
    bits: int
    explanation: str = ""
    top: int = 0

    def __post_init__(self) -> None:
        if not self.top:
            object.__setattr__(self, "top", (1 << self.bits) - 1)
