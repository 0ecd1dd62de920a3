"""The bytes of a file to a radiograph; the format is recognised by the content, never by the name."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from ..errors import InputRefused
from .conformance import check_bytes
from .dicom import read_dicom
from .grayscale_pipeline import VoiScale
from .isolated_decoder import IsolatedDecoder, shared_decoder
from .orientation import Pose
from .radiograph import Digest, Kind, Pixels, Radiograph
from .raster import Raster, pose_raster
from .windowing import PERCENTILES, apply_window, nominal_window, percentile_window
from .zip_archive import is_archive

__all__ = [
    "ACCEPTED",
    "read_radiograph",
    "sniff",
]


ACCEPTED = "DICOM (CR, DX), PNG, JPEG, TIFF and WEBP"
"""The formats that are read, as messages and panels name them."""

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
    (b"GIF8", f"a GIF image{_EXPORT}"),
    (b"BM", f"a BMP image{_EXPORT}"),
    (b"\x00\x00\x00\x0cjP  ", f"a bare JPEG 2000 image{_EXPORT}"),
    (b"\xff\x4f\xff\x51", f"a bare JPEG 2000 codestream{_EXPORT}"),
    (b"\xff\x0a", f"a JPEG XL image{_EXPORT}"),
    (b"\x00\x00\x00\x0cJXL ", f"a JPEG XL image{_EXPORT}"),
    (b"8BPS", f"a Photoshop image{_EXPORT}"),
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
_ISO_TEXTS = {"HEIC": "a HEIC image", "HEIF": "a HEIF image", "AVIF": "an AVIF image"}


def sniff(data: bytes) -> Kind:
    """Return the format; raises InputRefused for any other, with the name of the format where it is known.

    DICOM is recognised with its preamble (PS3.10 section 7.1) or, as some archives export it, without: then
    the data set begins with an element of group 0002 or 0008, in either order of bytes.
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
    raise InputRefused(f"Not an image that is read here: {_describe(data)}. Accepted: {ACCEPTED}.")


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


def _describe(data: bytes) -> str:
    for magic, text in _REFUSED:
        if data.startswith(magic):
            return f"it is {text}"
    if data[4:8] == b"ftyp":
        name = _HEIF.get(data[8:12])
        return f"it is {_ISO_TEXTS[name]}{_EXPORT}" if name else f"it is an ISO media file (video or image){_EXPORT}"
    if data.startswith(b"\x1f\x8b"):
        content = _start_of_gzip(data)
        return f"it is a NIfTI volume in gzip{_VOLUME}" if _is_nifti(content) else f"it is a gzip archive{_UNPACK}"
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


def read_radiograph(
    data: bytes,
    *,
    quarter_turns: int = 0,
    mirrored: bool = False,
    voi_scale: VoiScale = "file",
    sha256: str | None = None,
    decoder: IsolatedDecoder | None = None,
) -> Radiograph:
    """Read one image.

    Args:
        data: content of a DICOM, PNG, JPEG, TIFF or WEBP file; the format is recognised by content.
        quarter_turns: clockwise quarter turns that the reader applies, to bring it upright.
        mirrored: the reader exchanges left and right first, because the header says that they are exchanged, or because
            they look so. An image is never mirrored unasked.
        voi_scale: how a VOI LUT is scaled: ``file`` by the bits that it declares, as the standard has it, ``data`` by
            its own largest entry, where that is a small part of the declared range.
        sha256: hex digest of the data where it is known already.
        decoder: decodes what needs a codec; by default the one that this process shares.

    Returns:
        The image as a workstation would show it, with the transforms that were applied and the gate's verdict; an
        image whose ``quality`` is ``refused`` is shown, but not given to a model.

    Raises:
        InputRefused: the bytes cannot be decoded to an image. The message is one line without any content of the
            file.
    """
    check_bytes(data)
    decoder = decoder or shared_decoder()
    if is_archive(data):
        decoder.check_archive(data)  # raises what is wrong with the archive itself
        raise InputRefused("Zip archive within a folder or an archive, or without images. Unpack it first.")
    kind = sniff(data)
    digest, pose = Digest(data, sha256), Pose(mirrored, quarter_turns % 4)
    if kind == "dicom":
        return read_dicom(data, digest, pose, voi_scale, decoder)
    return _from_raster(pose_raster(decoder.raster(data, kind), pose), kind, digest, pose)


def _from_raster(raster: Raster, kind: Kind, digest: Digest, pose: Pose) -> Radiograph:
    values = np.arange(1 << raster.bits, dtype=np.float32)
    if raster.bits == 8:
        voi = nominal_window(0, 255, "no VOI: full range of 8 bits")
    else:
        # 16-bit files often hold 10 to 12 bits: over the full range they would be nearly black
        voi = percentile_window(*np.percentile(raster.values, PERCENTILES))
    pixels = Pixels(raster.values, values, apply_window(values, voi), np.zeros(len(values), dtype=bool))
    return Radiograph(
        digest=digest,
        kind=kind,
        pixels=pixels,
        voi=voi,
        inverted=False,
        transforms=(*raster.transforms, voi.explanation),
        warnings=raster.warnings,
        pose=pose,
    )
