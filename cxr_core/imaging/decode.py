"""Pixel data to containers, with one decoder named for each transfer syntax."""

from __future__ import annotations

import contextlib

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import InputRefused
from . import jpeg_extended
from .codestream import codestream_size
from .silence import silence

__all__ = ["container_pixels", "is_native", "view_of_pixels"]

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


_IN_PLACE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian}
_PIXEL_DATA = b"\xe0\x7f\x10\x00"


def view_of_pixels(data: bytes, at: int, ds: Dataset) -> memoryview | None:
    """Return the value of Pixel Data without copying it, or None where it is not plain grey in this order of bytes.

    A detector's film is 15 million bytes, which pydicom would copy twice.

    Args:
        data: the whole file.
        at: where the element with Pixel Data begins.
        ds: the elements before it.
    """
    syntax = ds.file_meta.get("TransferSyntaxUID") or (ImplicitVRLittleEndian if ds.original_encoding[0] else None)
    if syntax not in _IN_PLACE or ds.get("SamplesPerPixel", 1) != 1 or data[at : at + 4] != _PIXEL_DATA:
        return None
    explicit = not ds.original_encoding[0]
    if explicit and data[at + 4 : at + 6] not in (b"OW", b"OB"):
        return None
    start = at + (12 if explicit else 8)
    length = int.from_bytes(data[start - 4 : start], "little")
    # a value of unknown length, or one that is cut short, is pydicom's to judge
    return memoryview(data)[start : start + length] if start + length <= len(data) else None


def is_native(ds: Dataset) -> bool:
    """Return whether the pixels are uncompressed: then no codec is needed."""
    return UID(ds.file_meta.TransferSyntaxUID) in _NATIVE


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
    if isinstance(ds.PixelData, memoryview):
        return _in_place(ds)
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


def _in_place(ds: Dataset) -> np.ndarray:
    """Return the containers of uncompressed grey pixels (PS3.5 8.2), as they lie in the file."""
    dtype = np.dtype("<u2" if ds.BitsAllocated == 16 else "u1")
    count = int(ds.Rows) * int(ds.Columns)
    if len(ds.PixelData) < count * dtype.itemsize:
        raise InputRefused("DICOM whose pixel data are fewer than its rows and columns. Export it again.")
    return np.frombuffer(ds.PixelData, dtype, count).reshape(int(ds.Rows), int(ds.Columns))


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
