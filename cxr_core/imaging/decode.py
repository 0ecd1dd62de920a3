"""Pixel data to stored values, with one decoder named for each transfer syntax."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from ..errors import InputRefused

__all__ = ["stored_pixels"]

_DECODERS: dict[str, str] = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pydicom",
}
"""One decoder each, so that a file gives the same pixels on every machine."""

_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}


def stored_pixels(ds: Dataset) -> np.ndarray:
    """Return stored values.

    Returns:
        (rows, columns), integers of the stored sign and depth, bits beyond Bits Stored removed; or
        (rows, columns, 3) uint8 RGB.

    Raises:
        InputRefused: the syntax is not supported, or the data do not decode.
    """
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    if syntax not in _NATIVE and syntax not in _DECODERS:
        raise InputRefused(
            f"DICOM compressed as {syntax.name if syntax.name != syntax else 'an unknown syntax'}: not read here. "
            "Accepted: uncompressed, RLE, JPEG Baseline and Lossless, JPEG-LS, JPEG 2000, HTJ2K."
        )
    try:
        with _silence() if _DECODERS.get(syntax) == "gdcm" else contextlib.nullcontext():
            pixels, meta = get_decoder(syntax).as_array(ds, decoding_plugin=_DECODERS.get(syntax, ""))
    except Exception as error:
        raise InputRefused(
            f"DICOM whose pixel data ({syntax.name}) do not decode: broken or cut short. Export it again."
        ) from error
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise InputRefused("DICOM with several planes that are no colours. Export it as one grey image.")
    if pixels.ndim == 3 and int(meta.get("bits_stored", 8)) > 8:
        pixels = pixels >> (int(meta["bits_stored"]) - 8)
    return pixels


_stderr = threading.Lock()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep a decoder's C code from writing to stderr: one refusal is one line."""
    with _stderr:
        kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nothing)
