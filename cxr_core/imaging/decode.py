"""Pixel data to containers, with one decoder named for each transfer syntax."""

from __future__ import annotations

import contextlib

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from ..errors import InputRefused
from . import jpeg_extended
from .codestream import codestream_size
from .silence import silence

__all__ = ["container_pixels"]

_DECODERS: dict[str, str] = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": jpeg_extended.PLUGIN,
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


def container_pixels(ds: Dataset) -> np.ndarray:
    """Return pixels as they lie in their containers, nothing masked.

    Returns:
        (rows, columns) uint8 or uint16, bits beyond Bits Stored as the file has them (a decoder of
        compressed data has none to give), two's complement where the data are signed; or
        (rows, columns, 3) uint8 RGB.

    Raises:
        InputRefused: the syntax is not supported, or the data do not decode.
    """
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    if syntax not in _NATIVE and syntax not in _DECODERS:
        raise InputRefused(
            f"DICOM compressed as {syntax.name if syntax.name != syntax else 'an unknown syntax'}: not read here. "
            "Accepted: uncompressed, RLE, JPEG Baseline, Extended and Lossless, JPEG-LS, JPEG 2000, HTJ2K."
        )
    plugin = _DECODERS.get(syntax, "")
    _check_codestream(ds, syntax)
    # a view of uncompressed grey data: its unused bits may hold the padding value
    grey = int(ds.get("SamplesPerPixel") or 1) == 1
    options = {"view_only": True, "correct_unused_bits": False} if grey and syntax in _NATIVE else {}
    if plugin in ("gdcm", jpeg_extended.PLUGIN) and int(ds.BitsAllocated) == 8:
        options = {"bits_stored": 8}  # GDCM ends the process where 8-bit containers hold fewer bits
    try:
        with silence() if plugin in ("gdcm", jpeg_extended.PLUGIN) else contextlib.nullcontext():
            pixels, meta = get_decoder(syntax).as_array(ds, decoding_plugin=plugin, **options)
    except Exception as error:
        raise InputRefused(
            f"DICOM whose pixel data ({syntax.name}) do not decode: broken or cut short. Export it again."
        ) from error
    if pixels.ndim == 3:
        if pixels.shape[2] != 3:
            raise InputRefused("DICOM with several planes that are no colours. Export it as one grey image.")
        return (pixels >> max(0, int(meta.get("bits_stored", 8)) - 8)).astype(np.uint8)
    if pixels.ndim != 2 or pixels.dtype.itemsize > 2:
        raise InputRefused("DICOM whose pixel data are no single grey image. Export it again.")
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return native.view(np.uint8 if native.itemsize == 1 else np.uint16)


def _check_codestream(ds: Dataset, syntax: UID) -> None:
    """Refuse a frame whose own size is not the header's; a frame that cannot be found is the decoder's matter."""
    if syntax in _NATIVE:
        return
    try:
        size = codestream_size(get_frame(ds.PixelData, 0, number_of_frames=1))
    except Exception:
        return
    if size is not None and size != (int(ds.Rows), int(ds.Columns)):
        raise InputRefused(
            f"DICOM whose header says {ds.Columns} x {ds.Rows} pixels and whose compressed data say "
            f"{size[1]} x {size[0]}. Export it again."
        )
