"""Broken files, from a seed: truncations, flipped bits, hostile headers, of every kind that is read."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator

import imagecodecs
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cxr_core.imaging import is_archive, phantom, phantom_dicom, phantom_png, shared_decoder

__all__ = ["SEEDS", "mutated", "opened", "seeds"]

HOSTILE = (b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"nan", b"1e308", b"\\", b"\x00" * 64)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _grey(side: int) -> Image.Image:
    return Image.fromarray((phantom(side, side) >> 4).astype(np.uint8))


def _compressed(side: int, syntax: str) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(side, side)))
    ds.compress(syntax, generate_instance_uid=False)
    return _written(ds)


def _written(ds: pydicom.Dataset) -> bytes:
    file = io.BytesIO()
    ds.save_as(file)
    return file.getvalue()


def _jpeg_lossless(side: int) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(side, side)))
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    ds.PixelData = encapsulate([imagecodecs.ljpeg_encode(phantom(side, side), bitspersample=12)])
    ds["PixelData"].VR = "OB"
    return _written(ds)


def _deflated(side: int, *, group_length: bool) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(side, side)))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = _written(ds)
    return data if group_length else data[:132] + data[144:]


def _zip(side: int, method: int, *more: tuple[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as file:
        file.writestr("study/IM1", phantom_dicom(side, side))
        for name, data in more:
            file.writestr(name, data)
    return archive.getvalue()


def _colour16(side: int, encode: Callable[..., bytes]) -> bytes:
    return encode(np.repeat(phantom(side, side)[..., None], 3, axis=2))


def _with_alpha(side: int) -> np.ndarray:
    grey = phantom(side, side)
    return np.dstack([grey, np.full_like(grey, 65535)])


def _tiff16(side: int, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(
        file, _with_alpha(side), photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"],
        compression="zlib", predictor=True, **options,
    )  # fmt: skip
    return file.getvalue()


def _short_table() -> Dataset:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table["LUTDescriptor"].VR = "US"
    table.add_new("LUTData", "OW", np.arange(4000).astype("<u2").tobytes())
    return table


SEEDS: dict[str, Callable[[int], bytes]] = {
    "dicom": lambda side: phantom_dicom(side, side),
    "dicom, signed, padding": lambda side: phantom_dicom(side, side, PixelRepresentation=1, PixelPaddingValue=7),
    "png": lambda side: phantom_png(side, side),
    "JPEG": lambda side: _saved(_grey(side), "JPEG"),
    "JPEG, progressive": lambda side: _saved(_grey(side), "JPEG", progressive=True),
    "TIFF": lambda side: _saved(_grey(side), "TIFF"),
    "TIFF, LZW": lambda side: _saved(_grey(side), "TIFF", compression="tiff_lzw"),
    "TIFF, deflate": lambda side: _saved(_grey(side), "TIFF", compression="tiff_adobe_deflate"),
    "PNG, alpha": lambda side: _saved(_grey(side).convert("RGBA"), "PNG"),
    "WEBP": lambda side: _saved(_grey(side), "WEBP", quality=95),
    "WEBP, lossless": lambda side: _saved(_grey(side), "WEBP", lossless=True),
    "MPO": lambda side: _saved(_grey(side), "MPO", save_all=True, append_images=[_grey(side).rotate(90)]),
    "JPEG without end": lambda side: _saved(_grey(side), "JPEG")[:-2],
    "TIFF, grey of 16 bits and alpha": lambda side: _tiff16(side),
    "BigTIFF, grey of 16 bits and alpha": lambda side: _tiff16(side, bigtiff=True),
    "PNG, grey of 16 bits and alpha": lambda side: imagecodecs.png_encode(_with_alpha(side)),
    "PNG, colour of 16 bits": lambda side: _colour16(side, imagecodecs.png_encode),
    "zip": lambda side: _zip(side, zipfile.ZIP_DEFLATED),
    "zip, stored, of folders and a DICOMDIR": lambda side: _zip(
        side, zipfile.ZIP_STORED, ("DICOMDIR", b"x"), ("a/", b""), ("__MACOSX/._IM1", b"x")
    ),
    "zip, bzip2": lambda side: _zip(side, zipfile.ZIP_BZIP2),
    "dicom, not square": lambda side: phantom_dicom(
        side, side // 2, ImagerPixelSpacing=[0.1, 0.2], PixelPaddingValue=7
    ),
    "dicom, short table": lambda side: phantom_dicom(side, side, VOILUTSequence=[_short_table()]),
    "dicom JPEG Lossless": _jpeg_lossless,
    "dicom JPEG Lossless, without delimiter": lambda side: _jpeg_lossless(side)[:-8],
    "dicom RLE": lambda side: _compressed(side, RLELossless),
    "dicom RLE, without delimiter": lambda side: _compressed(side, RLELossless)[:-8],
    "dicom JPEG-LS": lambda side: _compressed(side, JPEGLSLossless),
    "dicom JPEG 2000": lambda side: _compressed(side, JPEG2000Lossless),
    "dicom, deflated": lambda side: _deflated(side, group_length=True),
    "dicom, deflated, without group length": lambda side: _deflated(side, group_length=False),
}
"""A whole file of each kind that is read, of so many pixels a side; a row more is a kind more to break."""


def seeds(side: int = 48) -> dict[str, bytes]:
    """Return whole files, one of each kind that is read."""
    return {name: make(side) for name, make in SEEDS.items()}


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield (what was done, bytes)."""
    rng = np.random.default_rng(seed)
    whole = [(name, make(48)) for name, make in SEEDS.items()]
    for _ in range(count):
        name, data = whole[rng.integers(len(whole))]
        way = WAYS[rng.integers(len(WAYS))]
        yield f"{name}: {way.__name__}", way(bytearray(data), rng)


def cut(data: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(data[: rng.integers(len(data))])


def flipped_bits(data: bytearray, rng: np.random.Generator) -> bytes:
    for _ in range(rng.integers(1, 20)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return _checked(data)


def flipped_in_the_header(data: bytearray, rng: np.random.Generator) -> bytes:
    for _ in range(rng.integers(1, 6)):
        data[rng.integers(min(len(data), 900))] = rng.integers(256)
    return _checked(data)


def hostile_words(data: bytearray, rng: np.random.Generator) -> bytes:
    word = HOSTILE[rng.integers(len(HOSTILE))]
    at = rng.integers(min(len(data), 1200))
    data[at : at + (len(word) if rng.random() < 0.5 else 0)] = word
    return _checked(data)


def repeated_part(data: bytearray, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(data)))
    part = data[start : start + int(rng.integers(1, 400))]
    return bytes(data[:start] + part * int(rng.integers(2, 30)) + data[start:])


def removed_part(data: bytearray, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(data)))
    return bytes(data[:start] + data[start + int(rng.integers(1, 200)) :])


def _checked(data: bytearray) -> bytes:
    """Mend the checksum of a PNG's header, so that what it says is believed."""
    if data[:4] == b"\x89PNG":
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


WAYS = (cut, flipped_bits, flipped_in_the_header, flipped_in_the_header, hostile_words, repeated_part, removed_part)


def opened(data: bytes) -> list[bytes]:
    """Return what a person would drop: the image, or the images of an archive."""
    if not is_archive(data):
        return [data]
    return [content for _, content in shared_decoder().unpacked(data, most=10**9).files]
