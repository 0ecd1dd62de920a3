"""Who decodes: this process, or one of its own that may die alone.

Compressed frames and pictures are decoded by C libraries. Some of them end the process on a broken file, or
work on it for ever: their frames are decoded apart (:mod:`.apart`), whoever asks. Pictures are decoded by the
command in its own process, and by a server apart too: a codec that crashes, hangs or takes too much memory
then costs one file a refusal, and nobody else anything.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset

from .decode import container_pixels, is_trusted
from .radiograph import Kind
from .raster import Raster, read_raster

__all__ = ["WITHIN", "Decoder"]


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


class _Within:
    def frame(self, ds: Dataset, data: bytes) -> np.ndarray:
        if is_trusted(ds):
            return container_pixels(ds)
        # loaded when it is needed: most films are uncompressed
        from .apart import decoder_apart

        return decoder_apart().frame(ds, data)

    def raster(self, data: bytes, kind: Kind) -> Raster:
        return read_raster(data, kind)


WITHIN: Decoder = _Within()
"""Decodes in the process that asks, but for codecs that may end it."""
