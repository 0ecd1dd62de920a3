"""What bytes are, by their content; a name says nothing."""

from __future__ import annotations

import struct
import zlib

from ..errors import InputRefused
from .radiograph import Kind

__all__ = ["ACCEPTED", "sniff"]

ACCEPTED = "DICOM (CR, DX), PNG, JPEG, TIFF and WEBP"

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)

_UNPACK = "; unpack it first"
_EXPORT = "; export it as JPEG or PNG"
_VOLUME = "; export the radiograph as DICOM or PNG"

_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", f"a zip archive{_UNPACK}"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive{_UNPACK}"),
    (b"Rar!\x1a\x07", f"a RAR archive{_UNPACK}"),
    (b"BZh", f"a bzip2 archive{_UNPACK}"),
    (b"\xfd7zXZ\x00", f"an xz archive{_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"a zstandard archive{_UNPACK}"),
    (b"%PDF", f"a PDF document{_EXPORT}"),
    (b"GIF8", f"a GIF picture{_EXPORT}"),
    (b"BM", f"a BMP picture{_EXPORT}"),
    (b"\x00\x00\x00\x0cjP  ", f"a bare JPEG 2000 picture{_EXPORT}"),
    (b"\xff\x4f\xff\x51", f"a bare JPEG 2000 codestream{_EXPORT}"),
    (b"\xff\x0a", f"a JPEG XL picture{_EXPORT}"),
    (b"\x00\x00\x00\x0cJXL ", f"a JPEG XL picture{_EXPORT}"),
    (b"8BPS", f"a Photoshop picture{_EXPORT}"),
    (b"NRRD0", f"an NRRD volume{_VOLUME}"),
    (b"ObjectType =", f"a MetaImage header{_VOLUME}"),
    (b"\x93NUMPY", f"a NumPy array{_EXPORT}"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file{_VOLUME}"),
    (b"<svg", f"an SVG drawing{_EXPORT}"),
)

_HEIF = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIC"),
    **dict.fromkeys((b"mif1", b"msf1"), "HEIF"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
_ISO_WORDS = {"HEIC": "a HEIC picture", "HEIF": "a HEIF picture", "AVIF": "an AVIF picture"}


def sniff(data: bytes) -> Kind:
    """Return the kind of the bytes; raises InputRefused, naming what was found, for any other.

    DICOM is found with its preamble (PS3.10 section 7.1) or, as some archives export it, without:
    then the data set begins with an element of group 0002 or 0008, in either order of bytes.
    """
    if not data:
        raise InputRefused(f"Empty file: it has no bytes. Accepted: {ACCEPTED}.")
    if data[128:132] == b"DICM":
        return "dicom"
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if _bare_dataset(data):
        return "dicom"
    raise InputRefused(f"Not an image that is read here: {_found(data)}. Accepted: {ACCEPTED}.")


def _bare_dataset(data: bytes) -> bool:
    """Look for a first element (group 0002 or 0008) of plausible length, explicit or implicit VR."""
    if len(data) < 8:
        return False
    letters = data[4:6].isalpha() and data[4:6].isupper()
    # big endian is always explicit
    for order in ("<", ">") if letters else ("<",):
        group, element = struct.unpack_from(f"{order}HH", data)
        if group in (0x0002, 0x0008) and element <= 0x0100:
            return letters or struct.unpack_from("<I", data, 4)[0] <= 64
    return False


def _found(data: bytes) -> str:
    for magic, words in _REFUSED:
        if data.startswith(magic):
            return f"it is {words}"
    if data[4:8] == b"ftyp":
        name = _HEIF.get(data[8:12])
        return f"it is {_ISO_WORDS[name]}{_EXPORT}" if name else f"it is an ISO media file (video or picture){_EXPORT}"
    if data.startswith(b"\x1f\x8b"):
        inside = _start_of_gzip(data)
        return f"it is a NIfTI volume in gzip{_VOLUME}" if _is_nifti(inside) else f"it is a gzip archive{_UNPACK}"
    if _is_nifti(data):
        return f"it is a NIfTI volume{_VOLUME}"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or not any(byte < 9 for byte in data[:512]):
        return "it is text"
    return "its bytes begin like no format that is known here"


def _is_nifti(head: bytes) -> bool:
    """Look for the magic words of NIfTI-1 (at 344), NIfTI-2 (at 4), and the size of their headers."""
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def _start_of_gzip(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data[:4096], 512)
    except zlib.error:
        return b""
