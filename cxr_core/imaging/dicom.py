"""DICOM to a radiograph. pydicom reads and decodes; its errors are translated here."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.uid import ImplicitVRLittleEndian

from ..errors import InputRefused
from .accepted import BITS_ALLOCATED, COLOUR, GREY
from .chain import Levels, Notes, file_vois, inverts, modality_values, presented, voi_brightness
from .decode import container_pixels, is_native, view_of_pixels
from .decoder import Decoder
from .digest import Digest
from .element_limits import CUT, Deflated, Elements, check_lengths
from .header import allowed_header, patient_age, spacing_mm
from .limits import check_size
from .pixels import Pixels
from .radiograph import Radiograph
from .raster import luma, turn_words
from .voi import Lut, Voi

__all__ = ["dataset", "read_dicom"]

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


def read_dicom(data: bytes, digest: Digest, quarter_turns: int, decoder: Decoder) -> Radiograph:
    """Read a single-frame radiograph.

    Raises InputRefused where the bytes hold no such image, naming what was found.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = dataset(data)
        except Deflated as found:
            data = decoder.inflated(data, found.at)
            ds = _inflated_dataset(data)
        try:
            return _read(ds, data, digest, quarter_turns, decoder)
        except InputRefused:
            raise
        except Exception as error:
            # pydicom converts an element when it is asked for it, so a broken one may fail anywhere and
            # in any way; nothing of it is quoted
            raise InputRefused(
                "DICOM whose attributes cannot be read or contradict each other. Export it again."
            ) from error


def _read(ds: Dataset, data: bytes, digest: Digest, quarter_turns: int, decoder: Decoder) -> Radiograph:
    _check(ds)
    notes = Notes()
    pixels = container_pixels(ds) if is_native(ds) else decoder.frame(ds, data)
    picture = _picture(ds, np.rot90(pixels, -quarter_turns), notes)
    notes.transforms.extend(turn_words(quarter_turns))
    return Radiograph(
        digest=digest,
        kind="dicom",
        pixels=picture.pixels,
        voi=picture.voi,
        inverted=inverts(ds),
        transforms=tuple(notes.transforms),
        spacing_mm=spacing_mm(ds, turned=bool(quarter_turns % 2)),
        header=allowed_header(ds),
        age=patient_age(ds),
        concerns=tuple(notes.concerns),
        alternatives=picture.alternatives,
    )


@dataclass(frozen=True)
class _Picture:
    pixels: Pixels
    voi: Voi
    alternatives: tuple[Voi | Lut, ...]


def _picture(ds: Dataset, pixels: np.ndarray, notes: Notes) -> _Picture:
    """Run the chain.

    Every step maps one stored value to one result, so it is computed once for each value that a
    container can hold.
    """
    photometric = str(ds.get("PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, ds)
        pixels = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
    if pixels.ndim == 3 and photometric in COLOUR:
        notes.transforms.append(f"colour ({photometric}): luma")
        notes.concerns.append("the file is in colour: a screenshot or a secondary capture, not a film")
        pixels, levels = luma(pixels), Levels.of_luma()
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
    return _Picture(Pixels(np.ascontiguousarray(pixels), values, display, levels.padding), voi, vois)


def dataset(data: bytes) -> Dataset:
    """Return the elements that the product needs; uncompressed grey pixels are a view of the bytes.

    Raises:
        Deflated: the data set is deflated: a decoder inflates it.
        InputRefused: the bytes are no data set, or one beyond the limits.
    """
    file = Elements(data)
    try:
        # only these elements are kept: a patient's name is never in memory as a value
        ds = pydicom.dcmread(file, force=True, specific_tags=list(_READ), stop_before_pixels=True)
        pixels = view_of_pixels(data, file.tell(), ds)
        if pixels is None:
            ds = pydicom.dcmread(Elements(data), force=True, specific_tags=list(_READ))
        else:
            ds.add_new("PixelData", "OW", pixels)
        check_lengths(ds.file_meta)
        check_lengths(ds)
    except (InputRefused, Deflated):
        raise
    except Exception as error:
        raise InputRefused(CUT) from error
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = (ds.original_encoding[0] and ImplicitVRLittleEndian) or _explicit(ds)
    return ds


def _inflated_dataset(data: bytes) -> Dataset:
    try:
        return dataset(data)
    except Deflated as error:
        raise InputRefused(CUT) from error


def _explicit(ds: Dataset):
    big = not ds.original_encoding[1]
    return pydicom.uid.ExplicitVRBigEndian if big else pydicom.uid.ExplicitVRLittleEndian


def _check(ds: Dataset) -> None:
    """Refuse what is no single-frame picture, before any pixel is decoded."""
    if "PixelData" not in ds:
        if "Rows" in ds:
            raise InputRefused(CUT)
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
