"""What bytes are, by their content; a name says nothing."""

from __future__ import annotations

import struct

from ..errors import InputRefused
from .radiograph import Kind

__all__ = ["ACCEPTED", "sniff"]

ACCEPTED = "DICOM (CR, DX), PNG, JPEG and TIFF"

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)

_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 picture"),
    (b"II+\x00", "a BigTIFF picture"),
    (b"MM\x00+", "a BigTIFF picture"),
)


def sniff(data: bytes) -> Kind:
    """Return the kind of the bytes; raises InputRefused, naming what was found, for any other.

    DICOM is found with its preamble (PS3.10 section 7.1) or, as some archives export it, without:
    then the data set begins with an element of group 0002 or 0008.
    """
    if not data:
        raise InputRefused(f"Empty file: it has no bytes. Accepted: {ACCEPTED}.")
    if data[128:132] == b"DICM":
        return "dicom"
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if _bare_dataset(data):
        return "dicom"
    raise InputRefused(f"Not an image that is read here: {_found(data)}. Accepted: {ACCEPTED}.")


def _bare_dataset(data: bytes) -> bool:
    """Look for a first element (group 0002 or 0008) of plausible length, explicit or implicit VR."""
    if len(data) < 8:
        return False
    group, element = struct.unpack_from("<HH", data)
    if group not in (0x0002, 0x0008) or element > 0x0100:
        return False
    if data[4:6].isalpha() and data[4:6].isupper():
        return True
    return struct.unpack_from("<I", data, 4)[0] <= 64


def _found(data: bytes) -> str:
    for magic, words in _REFUSED:
        if data.startswith(magic):
            return f"it is {words}"
    if not any(byte < 9 for byte in data[:512]):
        return "it is text"
    return "its bytes begin like no format that is known here"
