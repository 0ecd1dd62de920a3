"""Pixel Data to pixels in their containers, with one named decoder for each transfer syntax."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import gdcm
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGExtended12Bit

from ..errors import InputRefused
from .codestream import END, FILLER, codestream_size, is_colour_named_grey, lacks_end, only_frame
from .raster import silenced_stderr

__all__ = ["TRANSFER_SYNTAXES", "container_pixels", "is_native", "view_of_pixels"]

_EXTENDED_PLUGIN = "second-read"
_BROKEN = "DICOM whose pixel data ({}) do not decode: broken or truncated. Export it again."

_DECODERS: dict[str, str] = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": _EXTENDED_PLUGIN,
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
"""One decoder per transfer syntax, so that a file gives the same pixels on every machine."""

_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}

TRANSFER_SYNTAXES = (*sorted(_NATIVE), *_DECODERS)
"""UIDs of all that are decoded."""

_IN_PLACE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian}
_PIXEL_DATA, _UNDEFINED = b"\xe0\x7f\x10\x00", 0xFFFFFFFF


def view_of_pixels(data: bytes, offset: int, ds: Dataset) -> memoryview | None:
    """Return the value of Pixel Data as a view, or None where it is not uncompressed little endian grey.

    A detector's image is 15 million bytes, which pydicom would copy twice.

    Args:
        data: the whole file.
        offset: where the element with Pixel Data begins.
        ds: the elements before it.
    """
    syntax = ds.file_meta.get("TransferSyntaxUID") or (ImplicitVRLittleEndian if ds.original_encoding[0] else None)
    if syntax not in _IN_PLACE or ds.get("SamplesPerPixel", 1) != 1 or data[offset : offset + 4] != _PIXEL_DATA:
        return None
    # explicit or implicit VR shows here: these letters cannot be a length, which is even
    explicit = data[offset + 4 : offset + 8] in (b"OW\0\0", b"OB\0\0")
    if not explicit and not ds.original_encoding[0]:
        return None
    start = offset + (12 if explicit else 8)
    length = int.from_bytes(data[start - 4 : start], "little")
    # an undefined length is left to pydicom; a value that is truncated gives a shorter view
    return memoryview(data)[start : start + length] if length != _UNDEFINED else None


def is_native(ds: Dataset) -> bool:
    """Return whether the pixels are uncompressed, so that no codec is needed."""
    return UID(ds.file_meta.TransferSyntaxUID) in _NATIVE


def container_pixels(ds: Dataset) -> np.ndarray:
    """Return pixels in their containers, nothing masked.

    Returns:
        (rows, columns) uint8, uint16 or uint32, bits beyond Bits Stored as in the file (zero where the
        data are compressed), two's complement where the data are signed; or
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
        return _view(ds)
    if syntax not in _NATIVE:
        frame = only_frame(ds)
        _check_codestream(ds, frame)
        if lacks_end(frame):
            return _without_end(ds, syntax, frame)
        if is_colour_named_grey(ds, frame):
            return _colour(ds, syntax, frame)
    return _decoded(ds, syntax)


def _decoded(ds: Dataset, syntax: UID) -> np.ndarray:
    plugin = _DECODERS.get(syntax, "")
    # bool and int: pydicom annotates each option as the whole of them
    options: dict[str, Any] = {}
    if int(ds.get("SamplesPerPixel") or 1) == 1 and syntax in _NATIVE:
        # a view of uncompressed grey data: its unused bits may hold the padding value
        options = {"view_only": True, "correct_unused_bits": False}
    if plugin in ("gdcm", _EXTENDED_PLUGIN) and int(ds.BitsAllocated) == 8:
        # GDCM ends the process where 8-bit containers hold fewer bits
        options = {"bits_stored": 8}
    try:
        with silenced_stderr() if plugin in ("gdcm", _EXTENDED_PLUGIN) else contextlib.nullcontext():
            pixels, meta = get_decoder(syntax).as_array(ds, decoding_plugin=plugin, **options)
    except Exception as error:
        raise InputRefused(_BROKEN.format(syntax.name)) from error
    if pixels.ndim == 3:
        if pixels.shape[2] != 3:
            raise InputRefused("DICOM with several planes that are no colours. Export it as one grey image.")
        return (pixels >> max(0, int(meta.get("bits_stored", 8)) - 8)).astype(np.uint8)
    if pixels.ndim != 2 or pixels.dtype.itemsize > 4:
        raise InputRefused("DICOM whose pixel data are no single grey image. Export it again.")
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return native.view(f"u{native.itemsize}")


def _without_end(ds: Dataset, syntax: UID, frame: bytes) -> np.ndarray:
    """Return a frame that has no end marker, if every row of it is there (:data:`.codestream.FILLER`)."""
    if _DECODERS[syntax] == "pyjpegls":
        return _without_end_of_jpeg_ls(ds, frame)
    plain, filled = (container_pixels(_with_frame(ds, frame + filler + END)) for filler in (b"", FILLER))
    if not np.array_equal(plain, filled):
        raise InputRefused(_BROKEN.format(syntax.name))
    return plain


def _without_end_of_jpeg_ls(ds: Dataset, frame: bytes) -> np.ndarray:
    """Return such a frame of JPEG-LS: CharLS accepts nothing after the last row, and refuses an incomplete frame.

    A frame of an odd length is padded with a zero (PS3.5 A.4), which is no part of the codestream.
    """
    try:
        return container_pixels(_with_frame(ds, frame + END))
    except InputRefused:
        if not frame.endswith(b"\0"):
            raise
        return container_pixels(_with_frame(ds, frame[:-1] + END))


def _colour(ds: Dataset, syntax: UID, frame: bytes) -> np.ndarray:
    """Return the (rows, columns, 3) uint8 colours of a frame whose header says grey."""
    if _DECODERS[syntax] == "pillow":
        # the codestream says how its colours are coded
        try:
            with Image.open(io.BytesIO(frame), formats=["JPEG"]) as image:
                return np.asarray(image.convert("RGB"))
        except Exception as error:
            raise InputRefused(_BROKEN.format(syntax.name)) from error
    coloured = _with_frame(ds, frame)
    coloured.SamplesPerPixel, coloured.PlanarConfiguration, coloured.PhotometricInterpretation = 3, 0, "RGB"
    return _decoded(coloured, syntax)


def _with_frame(ds: Dataset, frame: bytes) -> Dataset:
    """Return the image attributes of a data set with another frame."""
    other = Dataset()
    other.update(ds.group_dataset(0x0028))
    other.file_meta = ds.file_meta
    other.add_new("PixelData", "OB", encapsulate([frame + b"\0" * (len(frame) % 2)]))
    other["PixelData"].is_undefined_length = True
    return other


def _view(ds: Dataset) -> np.ndarray:
    """Return the containers of uncompressed grey pixels (PS3.5 8.2) as a view of the file."""
    dtype = np.dtype(f"<u{int(ds.BitsAllocated) // 8}")
    count = int(ds.Rows) * int(ds.Columns)
    if len(ds.PixelData) < count * dtype.itemsize:
        raise InputRefused("DICOM whose pixel data are fewer than its rows and columns. Export it again.")
    return np.frombuffer(ds.PixelData, dtype, count).reshape(int(ds.Rows), int(ds.Columns))


def _check_codestream(ds: Dataset, frame: bytes) -> None:
    """Refuse a frame whose declared size is not the header's."""
    size = codestream_size(frame)
    if size is not None and size != (int(ds.Rows), int(ds.Columns)):
        raise InputRefused(
            f"DICOM whose header says {ds.Columns} x {ds.Rows} pixels and whose compressed data say "
            f"{size[1]} x {size[0]}. Export it again."
        )


DECODER_DEPENDENCIES = {JPEGExtended12Bit: ("gdcm>=3.0.10",)}
"""JPEG Extended (processes 2 and 4) of more than 8 bits, which pydicom's plugins refuse and GDCM decodes.

This name, :func:`is_available` and :func:`_decode_frame` are what pydicom asks of a plugin, which this module is.
"""


def is_available(uid: str) -> bool:
    """Return whether a transfer syntax is decoded here."""
    return uid in DECODER_DEPENDENCIES


def _decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Return one decoded frame of grey pixels, in containers of ``runner.bits_allocated``."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    photometric = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(photometric))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str.__str__(JPEGExtended12Bit))))
    stored = runner.bits_stored
    image.SetPixelFormat(
        gdcm.PixelFormat(
            runner.samples_per_pixel, runner.bits_allocated, stored, stored - 1, runner.pixel_representation
        )
    )
    # GDCM's Python wheel returns bytes as text
    return image.GetBuffer().encode("utf-8", "surrogateescape")


get_decoder(JPEGExtended12Bit).add_plugin(_EXTENDED_PLUGIN, (__name__, "_decode_frame"))
