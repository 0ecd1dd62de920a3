"""Who decodes: a process of its own, that may die alone.

Compressed frames, pictures, deflated data sets and zip archives are opened by C libraries. Some of them end the
process on a broken file, or work on it for ever, or give back a thousand times what they were given: so all of it is
done apart (:mod:`.apart`), by the app and by every command. A codec that crashes, hangs or takes too much memory then
costs one file a refusal, and nobody else anything.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset

from .radiograph import Kind
from .raster import Raster

__all__ = ["ISOLATED", "Decoder"]


class Decoder(Protocol):
    """Decodes what needs a codec. Safe to call from several threads."""

    def frame(self, ds: Dataset, data: bytes) -> np.ndarray:
        """Return the containers of a compressed DICOM file, as :func:`.decode.container_pixels`.

        ``ds`` is what was read of the file ``data``.
        """
        ...

    def raster(self, data: bytes, kind: Kind) -> Raster:
        """Return the grey values of a picture file, as :func:`.raster.read_raster`."""
        ...

    def inflated(self, data: bytes, at: int) -> bytes:
        """Return the data set that is deflated from byte ``at`` of a file, as :func:`.element_limits.inflated`.

        It has ``max_file_mb`` at most.
        """
        ...

    def check_archive(self, data: bytes) -> None:
        """Raise InputRefused where a zip archive cannot be unpacked."""
        ...


class _Isolated:
    """The process' one :class:`.apart.Apart`, loaded when it is needed: most DICOM files are uncompressed."""

    def frame(self, ds: Dataset, data: bytes) -> np.ndarray:
        return _apart().frame(ds, data)

    def raster(self, data: bytes, kind: Kind) -> Raster:
        return _apart().raster(data, kind)

    def inflated(self, data: bytes, at: int) -> bytes:
        return _apart().inflated(data, at)

    def check_archive(self, data: bytes) -> None:
        _apart().check_archive(data)


def _apart() -> Decoder:
    from .apart import decoder_apart

    return decoder_apart()


ISOLATED: Decoder = _Isolated()
"""Decodes in processes of its own, bounded by the settings."""
