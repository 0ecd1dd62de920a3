"""Broken files, from a seed: truncations, flipped bits, hostile headers, of every kind that is read."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from cxr_core.imaging import is_archive, phantom, phantom_dicom, phantom_png, unpacked

__all__ = ["mutated", "opened", "seeds"]

HOSTILE = (b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"nan", b"1e308", b"\\", b"\x00" * 64)


def seeds(side: int = 48) -> dict[str, bytes]:
    """Return whole files, one of each kind."""
    grey = Image.fromarray((phantom(side, side) >> 4).astype(np.uint8))
    found = {
        "dicom": phantom_dicom(side, side),
        "dicom, signed, padding": phantom_dicom(side, side, PixelRepresentation=1, PixelPaddingValue=7),
        "png": phantom_png(side, side),
    }
    for kind, options in (("JPEG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("PNG", {})):
        file = io.BytesIO()
        (grey.convert("RGBA") if kind == "PNG" else grey).save(file, kind, **options)
        found[f"{kind} {options}"] = file.getvalue()
    deep = phantom(side, side)
    found["webp"] = imagecodecs.webp_encode(np.dstack([np.asarray(grey)] * 3), level=90)
    found["png of 16 bits, colour"] = imagecodecs.png_encode(np.dstack([deep] * 3))
    found["png of 16 bits, grey and alpha"] = imagecodecs.png_encode(np.dstack([deep, np.full_like(deep, 65535)]))
    for name, options in (("tiff", {}), ("bigtiff", {"bigtiff": True})):
        file = io.BytesIO()
        tifffile.imwrite(
            file,
            np.dstack([deep, deep]),
            photometric="minisblack",
            planarconfig="contig",
            extrasamples=["unassalpha"],
            compression="zlib",
            predictor=True,
            **options,
        )
        found[f"{name} of 16 bits, grey and alpha"] = file.getvalue()
    file = io.BytesIO()
    grey.save(file, "MPO", save_all=True, append_images=[grey.rotate(90)])
    found["mpo"] = file.getvalue()
    file = io.BytesIO()
    grey.save(file, "JPEG")
    found["jpeg without end"] = file.getvalue()[:-2]
    found["dicom, not square"] = phantom_dicom(side, side // 2, ImagerPixelSpacing=[0.1, 0.2], PixelPaddingValue=7)
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table["LUTDescriptor"].VR = "US"
    table.add_new("LUTData", "OW", np.arange(4000).astype("<u2").tobytes())
    found["dicom, short table"] = phantom_dicom(side, side, VOILUTSequence=[table])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("study/IM1", found["dicom"])
    found["zip"] = archive.getvalue()
    ds = pydicom.dcmread(io.BytesIO(found["dicom"]))
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    ds.PixelData = encapsulate([imagecodecs.ljpeg_encode(phantom(side, side), bitspersample=12)])
    ds["PixelData"].VR = "OB"
    file = io.BytesIO()
    ds.save_as(file)
    found["dicom JPEG Lossless"] = file.getvalue()
    for syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(side, side)))
        ds.compress(syntax, generate_instance_uid=False)
        file = io.BytesIO()
        ds.save_as(file)
        found[f"dicom {syntax.name}"] = file.getvalue()
    # without their delimiter
    for name in ("dicom JPEG Lossless", f"dicom {RLELossless.name}"):
        found[f"{name}, no delimiter"] = found[name][:-8]
    return found


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield (what was done, bytes)."""
    rng = np.random.default_rng(seed)
    whole = list(seeds().items())
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
    """Return what a person would drop: the film, or the films of an archive."""
    return [content for _, content in unpacked(data)] if is_archive(data) else [data]
