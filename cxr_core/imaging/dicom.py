"""DICOM to a radiograph. pydicom reads and decodes; its errors are translated here."""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import InputRefused
from ..settings import settings
from .accepted import BITS_ALLOCATED, COLOUR, GREY
from .chain import Levels, Notes, file_vois, inverts, modality_values, presented, voi_brightness
from .decode import container_pixels
from .gate import judge
from .header import allowed_header, patient_age, spacing_mm
from .limits import check_size
from .radiograph import Kind, Lut, Radiograph, Voi
from .raster import luma, turn_words

__all__ = ["read_dicom"]

# Values of a broken header are neither checked nor warned of: a warning would quote them.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_READ = (
    "SOPClassUID", "Modality", "ViewPosition", "BodyPartExamined", "PatientOrientation", "PatientAge", "PatientSex",
    "PresentationIntentType", "PixelIntensityRelationship", "ImagerPixelSpacing", "PixelSpacing",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns", "NumberOfFrames",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "VOILUTFunction", "WindowCenter",
    "WindowWidth", "WindowCenterWidthExplanation", "PresentationLUTShape", "PresentationLUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "PixelData",
)  # fmt: skip

_CUT = "DICOM that cannot be read: its data set is broken or cut short. Export it again."


def read_dicom(data: bytes, kind: Kind, sha256: str, quarter_turns: int = 0) -> Radiograph:
    """Read a single-frame radiograph.

    Raises InputRefused where the bytes hold no such image, naming what was found.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = _dataset(data)
        try:
            return _read(ds, kind, sha256, quarter_turns)
        except InputRefused:
            raise
        except Exception as error:
            # pydicom converts an element when it is asked for it, so a broken one may fail anywhere and
            # in any way; nothing of it is quoted
            raise InputRefused(
                "DICOM whose attributes cannot be read or contradict each other. Export it again."
            ) from error


def _read(ds: Dataset, kind: Kind, sha256: str, quarter_turns: int) -> Radiograph:
    _check(ds)
    notes = Notes()
    picture = _picture(ds, np.rot90(container_pixels(ds), -quarter_turns), notes)
    notes.transforms.extend(turn_words(quarter_turns))
    header = allowed_header(ds)
    return Radiograph(
        sha256=sha256,
        kind=kind,
        values=picture.values,
        display=picture.display,
        voi=picture.voi,
        inverted=inverts(ds),
        transforms=tuple(notes.transforms),
        spacing_mm=spacing_mm(ds, turned=bool(quarter_turns % 2)),
        header=header,
        quality=judge(picture.display, header, patient_age(ds), notes.concerns),
        alternatives=picture.alternatives,
    )


@dataclass(frozen=True)
class _Picture:
    values: np.ndarray
    display: np.ndarray
    voi: Voi
    alternatives: tuple[Voi | Lut, ...]


def _picture(ds: Dataset, pixels: np.ndarray, notes: Notes) -> _Picture:
    """Run the chain.

    Every step maps one stored value to one result, so it is computed once for each value that a
    container can hold and looked up for the pixels: a film has millions of pixels and at most 65,536
    values.
    """
    photometric = str(ds.get("PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, ds)
        pixels = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
    if pixels.ndim == 3 and photometric in COLOUR:
        notes.transforms.append(f"colour ({photometric}): luma")
        notes.concerns.append("the file is in colour: a screenshot or a secondary capture, not a film")
        pixels, levels = luma(pixels).astype(np.uint8), Levels.of_luma()
    elif pixels.ndim == 2 and photometric in GREY:
        levels = Levels.of_containers(ds, pixels.dtype)
    else:
        raise InputRefused("DICOM with an unknown photometric interpretation. Export it as MONOCHROME2.")

    @cache
    def counts() -> np.ndarray:
        # most files name a window and no padding: then nobody asks
        return np.bincount(pixels.ravel(), minlength=len(levels.stored))

    levels = levels.with_padding(ds, counts, notes)
    values = modality_values(ds, levels, notes)
    vois = file_vois(ds, values, notes)
    voi, seen = voi_brightness(values, vois, levels, counts, notes)
    display = presented(ds, seen, levels, notes)
    if np.array_equal(values, np.arange(len(values))):
        shown = pixels.astype(np.float32)
    else:
        shown = np.take(values, pixels, mode="clip")
    # the mode spares NumPy its check of bounds and a buffer: a container never lies outside its table
    return _Picture(shown, np.take(display, pixels, mode="clip"), voi, vois)


def _dataset(data: bytes) -> Dataset:
    _check_deflated(data)
    try:
        # only these elements are kept: a patient's name is never in memory as a value
        ds = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=list(_READ))
    except Exception as error:
        raise InputRefused(_CUT) from error
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = (ds.original_encoding[0] and ImplicitVRLittleEndian) or _explicit(ds)
    return ds


def _check_deflated(data: bytes) -> None:
    """Refuse a deflated data set (PS3.5 A.5) that grows beyond the limit; pydicom would inflate it whole."""
    if data[132:136] != b"\x02\x00\x00\x00" or DeflatedExplicitVRLittleEndian.encode() not in data[:1024]:
        return
    # (0002,0000) tells the length of group 0002, counted from its own end
    start = 144 + int.from_bytes(data[140:144], "little")
    most = settings().max_file_mb * 10**6
    try:
        grown = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], most + 1)
    except zlib.error as error:
        raise InputRefused(_CUT) from error
    if len(grown) > most:
        raise InputRefused(f"DICOM that inflates beyond {most // 10**6} MB. Give the film at its own size.")


def _explicit(ds: Dataset):
    big = not ds.original_encoding[1]
    return pydicom.uid.ExplicitVRBigEndian if big else pydicom.uid.ExplicitVRLittleEndian


def _check(ds: Dataset) -> None:
    """Refuse what is no single-frame picture, before any pixel is decoded."""
    if "PixelData" not in ds:
        if "Rows" in ds:
            raise InputRefused(_CUT)
        raise InputRefused("DICOM without an image, such as a report or a directory. Give the image files.")
    try:
        rows, columns, frames = int(ds.Rows), int(ds.Columns), int(ds.get("NumberOfFrames") or 1)
        stored, allocated = int(ds.BitsStored), int(ds.BitsAllocated)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputRefused("DICOM without rows, columns or bits. Export it again.") from error
    if frames > 1:
        raise InputRefused(f"DICOM with {frames} frames: a chest radiograph has one. Export the frame you mean.")
    if ds.get("PhotometricInterpretation") not in (*GREY, *COLOUR):
        raise InputRefused("DICOM with a photometric interpretation that is not read here. Export it as MONOCHROME2.")
    check_size(rows, columns)
    if allocated not in BITS_ALLOCATED or not 0 < stored <= allocated:
        raise InputRefused(f"DICOM with {stored} bits stored in {allocated}: up to 16 bits are accepted.")
