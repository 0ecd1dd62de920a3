"""Small files that grow or that keep a decoder busy; each a few megabytes at most, made when it is asked for."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from cxr_core.imaging import phantom, phantom_dicom, phantom_png

__all__ = [
    "BOMBS",
    "GROWING",
    "GROWN",
    "SLOW",
    "STUDY",
    "central_directory_of",
    "deflated_zeros",
    "endless_tiff",
    "zip_of",
]

MEGABYTE = 10**6
GROWN = 300
"""Megabytes to which a file grows that nobody stops."""


@cache
def _zeros(wbits: int = zlib.MAX_WBITS, megabytes: int = GROWN) -> bytes:
    compressor = zlib.compressobj(wbits=wbits)
    return b"".join(compressor.compress(bytes(MEGABYTE)) for _ in range(megabytes)) + compressor.flush()


def _dicom(ds: pydicom.Dataset) -> bytes:
    file = io.BytesIO()
    ds.save_as(file)
    return file.getvalue()


def deflated_zeros(group_length: bool = True, megabytes: int = GROWN) -> bytes:
    """Return a deflated data set that inflates to so many zeros."""
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(16, 16)))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole = _dicom(ds)
    meta = whole[: 144 + int.from_bytes(whole[140:144], "little")]
    if not group_length:
        meta = meta[:132] + meta[144:]
    return meta + _zeros(-zlib.MAX_WBITS, megabytes)


def _runs() -> bytes:
    """An RLE frame of two-byte runs, 64 times as long when it is decoded (PS3.5 G)."""
    segment = b"\x81\x00" * (GROWN * MEGABYTE // 128)
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(64, 64)))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.file_meta.TransferSyntaxUID = RLELossless
    ds.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + segment])
    ds["PixelData"].VR = "OB"
    return _dicom(ds)


def _implicit(*elements: bytes) -> bytes:
    """A data set in implicit VR, where any value may have any length, with elements of group 0028 put first."""
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(64, 64, WindowCenter=None, WindowWidth=None)))
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    whole = _dicom(ds)
    at = 144 + int.from_bytes(whole[140:144], "little")
    return whole[:at] + b"".join(elements) + whole[at:]


def _element(group: int, element: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", group, element, len(value) if length is None else length) + value


def _numbers() -> bytes:
    return _implicit(_element(0x0028, 0x1050, b"1\\" * (5 * MEGABYTE)))


def _sequence_of_elements() -> bytes:
    item = b"".join(struct.pack("<HHI", 0x0009 + 2 * (n >> 16), n & 0xFFFF, 0) for n in range(600_000))
    return _implicit(_element(0x0028, 0x3010, _element(0xFFFE, 0xE000, item)))


def _table_in_a_sequence() -> bytes:
    item = _element(0x0028, 0x3002, bytes(10 * MEGABYTE)) + _element(0xFFFE, 0xE00D, b"")
    item = _element(0xFFFE, 0xE000, item, 0xFFFFFFFF) + _element(0xFFFE, 0xE0DD, b"")
    return _implicit(_element(0x0028, 0x3010, item, 0xFFFFFFFF))


def _elements() -> bytes:
    return _implicit(*(struct.pack("<HHI", 0x0009 + 2 * (n >> 16), n & 0xFFFF, 0) for n in range(MEGABYTE)))


def _nested() -> bytes:
    start = struct.pack("<HHI", 0x0028, 0x3010, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return _implicit(start * 200_000)


def _undefined_lengths() -> bytes:
    """Elements of unknown length, each of which ends at once."""
    start = struct.pack("<HHI", 0x0009, 0x1001, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return _implicit(start * 300_000)


def _fragments() -> bytes:
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(64, 64)))
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.PixelData = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * MEGABYTE + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return _dicom(ds)


def _chunk(kind: bytes, value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))


def _png(*chunks: bytes) -> bytes:
    """The phantom as PNG, with chunks before its data."""
    whole = phantom_png(64, 64)
    return whole[:33] + b"".join(chunks) + whole[33:]


def _png_data() -> bytes:
    """Of the size of a small picture, with data of a huge one."""
    whole = phantom_png(64, 64)
    return whole[:33] + _chunk(b"IDAT", _zeros()) + _chunk(b"IEND", b"")


def _tiff(tags: dict[int, tuple[int, int, int]], rest: bytes = b"") -> bytes:
    """A TIFF of one directory; each tag is (type, count, value or place)."""
    body = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + struct.pack("<I", 0) + rest


def _tiff_of(side: int, compression: int, data: bytes, **more: tuple[int, int, int]) -> bytes:
    tags = {256: (4, 1, side), 257: (4, 1, side), 258: (3, 1, 8), 259: (3, 1, compression), 262: (3, 1, 1)}
    tags |= {277: (3, 1, 1), 278: (4, 1, side), 279: (4, 1, len(data))}
    tags[273] = (4, 1, 8 + 2 + 12 * (len(tags) + 1) + 4)
    return _tiff(tags, data)


def endless_tiff(directories: int = 400_000) -> bytes:
    """A TIFF of very many directories, the first of a whole picture."""
    first = io.BytesIO()
    Image.fromarray((phantom(64, 64) >> 4).astype(np.uint8)).save(first, "TIFF")
    data = bytearray(first.getvalue())
    place = int.from_bytes(data[4:8], "little")
    entries = bytes(data[place : place + 2 + 12 * int.from_bytes(data[place : place + 2], "little")])
    length = len(entries) + 4
    start = len(data)
    data[place + len(entries) : place + length] = struct.pack("<I", start)
    for number in range(1, directories):
        data += entries + struct.pack("<I", start + number * length if number < directories - 1 else 0)
    return bytes(data)


def _tiff_loop() -> bytes:
    data = bytearray(endless_tiff(3))
    # the last directory leads back to the one before
    length = int.from_bytes(data[4:8], "little")
    entries = 2 + 12 * int.from_bytes(data[length : length + 2], "little") + 4
    data[-4:] = struct.pack("<I", len(data) - 2 * entries)
    return bytes(data)


def _tiff_strips() -> bytes:
    """A picture of one row a strip whose directory claims four million of them."""
    count = 4 * MEGABYTE
    tags = {256: (4, 1, 16), 257: (4, 1, count), 258: (3, 1, 8), 259: (3, 1, 5), 262: (3, 1, 1)}
    tags |= {273: (4, count, 200), 277: (3, 1, 1), 278: (4, 1, 1), 279: (4, count, 200)}
    return _tiff(tags, bytes(4 * count))


def _jpeg_scans() -> bytes:
    """A progressive JPEG of which one scan is repeated very often (ITU-T T.81 G)."""
    file = io.BytesIO()
    Image.fromarray((phantom(2048, 2048) >> 4).astype(np.uint8)).save(file, "JPEG", progressive=True, quality=20)
    data = file.getvalue()
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    last = data[starts[-1] : -2]
    refinement = last[: 2 + int.from_bytes(last[2:4], "big")] + b"\0" * 8
    return data[:-2] + refinement * 200_000 + data[-2:]


def _apng() -> bytes:
    control = _chunk(b"acTL", struct.pack(">II", 100_000, 0))
    frames = b"".join(_chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 64, 64, 0, 0, 1, 1, 0, 0)) for n in range(100_000))
    return _png(control, frames)


def zip_of(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return file.getvalue()


def central_directory_of(data: bytes) -> tuple[int, bytes, bytes]:
    """Return where the central directory of an archive begins, its first entry, and the end record."""
    end = data.rindex(b"PK\x05\x06")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    return start, data[start:end], data[end:]


def _entries(data: bytes, count: int, entry: bytes | None = None) -> bytes:
    """An archive of one member whose directory names it so often."""
    start, one, end = central_directory_of(data)
    directory = (entry or one) * count
    low = min(count, 0xFFFF)
    return data[:start] + directory + end[:8] + struct.pack("<HHII", low, low, len(directory), start) + end[20:]


def _zip_of_many() -> bytes:
    return _entries(zip_of(("a", b"")), 300_000)


def _zip_that_overlaps() -> bytes:
    return _entries(zip_of(("a", bytes(4 * MEGABYTE))), 200)


def _zip_that_lies() -> bytes:
    """A member that says that it is small, and is not."""
    data = bytearray(zip_of(("a", bytes(100 * MEGABYTE))))
    start = central_directory_of(bytes(data))[0]
    for at in (22, start + 24):
        data[at : at + 4] = struct.pack("<I", 1000)
    return bytes(data)


def _zip_within() -> bytes:
    return zip_of(("b.zip", zip_of(("a", bytes(40 * MEGABYTE)))), method=zipfile.ZIP_STORED)


def _zip_that_grows() -> bytes:
    return zip_of(*((f"IM{n}", bytes(40 * MEGABYTE)) for n in range(GROWN // 40)))


GROWING: dict[str, Callable[[], bytes]] = {
    "deflated DICOM": deflated_zeros,
    "deflated DICOM without group length": lambda: deflated_zeros(group_length=False),
    "DICOM of RLE runs": _runs,
    "DICOM with a window of 5,000,000 numbers": _numbers,
    "DICOM with a sequence of 600,000 elements": _sequence_of_elements,
    "DICOM with a table of 10 MB": _table_in_a_sequence,
    "DICOM of 1,000,000 elements": _elements,
    "DICOM nested 200,000 times": _nested,
    "DICOM of 300,000 undefined lengths": _undefined_lengths,
    "DICOM of 1,000,000 fragments": _fragments,
    "PNG with zTXt": lambda: _png(_chunk(b"zTXt", b"a\0\0" + _zeros())),
    "PNG with iTXt": lambda: _png(_chunk(b"iTXt", b"a\0\1\0\0\0" + _zeros())),
    "PNG with iCCP": lambda: _png(_chunk(b"iCCP", b"a\0\0" + _zeros())),
    "PNG with 64 zTXt": lambda: _png(_chunk(b"zTXt", b"a\0\0" + _zeros(megabytes=20)) * 64),
    "PNG with too much data": _png_data,
    "TIFF with a strip that grows": lambda: _tiff_of(64, 8, _zeros()),
    "TIFF of 4,000,000 strips": _tiff_strips,
    "zip that grows": _zip_that_grows,
    "zip within a zip": _zip_within,
    "zip that lies": _zip_that_lies,
    "zip of 300,000 entries": _zip_of_many,
    "zip whose members overlap": _zip_that_overlaps,
}
"""What takes far more memory than its size, or did."""

STUDY = "zip of 20 images of 20 MB"

SLOW: dict[str, Callable[[], bytes]] = {
    "TIFF of 400,000 directories": endless_tiff,
    "TIFF whose directories are a loop": _tiff_loop,
    "PNG of 3,400,000 chunks": lambda: _png(_chunk(b"tEXt", b"a\0") * 3_400_000),
    "JPEG of 200,000 scans": _jpeg_scans,
    "PNG of 100,000 frames": _apng,
}
"""What takes far more time than its size."""

BOMBS = GROWING | SLOW | {STUDY: lambda: zip_of(*((f"IM{n}", bytes([n]) * (20 * MEGABYTE)) for n in range(20)))}
