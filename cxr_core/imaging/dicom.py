"""DICOM to a radiograph. pydicom reads and decodes; its errors are translated here."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import InputRefused
from .accepted import BITS_ALLOCATED, COLOUR, GREY, MOST_BITS
from .chain import Levels, Notes, VoiScale, colour_values, inverts, modality_values, presented, voi_brightness
from .decode import container_pixels, is_native, view_of_pixels
from .decoder import Decoder
from .digest import Digest
from .element_limits import CUT, Deflated, Elements, check_lengths
from .elements import Repairs, completed
from .header import allowed_header, patient_age, spacing_mm
from .limits import check_size
from .orientation import Pose, pose_words, posed
from .pixels import Pixels
from .radiograph import Radiograph
from .raster import luma
from .square import pixel_shape, squared
from .tables import file_vois, scaled_by_data
from .voi import Lut, Voi
from .whole import fill_missing, frame_concerns, missing_pixels, with_delimiter

__all__ = ["dataset", "read_dicom"]

# Values of a broken header are neither checked nor warned of: a warning would quote them.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_READ = (
    "SOPClassUID", "Modality", "ViewPosition", "BodyPartExamined", "PatientOrientation", "PatientAge", "PatientSex",
    "ViewCodeSequence", "SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription",
    "BurnedInAnnotation", "PresentationIntentType", "PixelIntensityRelationship", "ImagerPixelSpacing", "PixelSpacing",
    "NominalScannedPixelSpacing", "PixelAspectRatio",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns", "NumberOfFrames",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "VOILUTFunction", "WindowCenter",
    "WindowWidth", "WindowCenterWidthExplanation", "PresentationLUTShape", "PresentationLUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "PixelData",
)  # fmt: skip

_CONTRADICTING = "DICOM whose attributes cannot be read or contradict each other. Export it again."


def read_dicom(data: bytes, digest: Digest, pose: Pose, voi_scale: VoiScale, decoder: Decoder) -> Radiograph:
    """Read a single-frame radiograph.

    Raises InputRefused where the bytes hold no such image, naming what was found.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds, repairs = _opened(data)
        except Deflated as found:
            data = decoder.inflated(data, found.at)
            ds, repairs = _opened_inflated(data)
        try:
            return _read(ds, data, digest, pose, voi_scale, decoder, Notes(repairs=repairs))
        except InputRefused:
            raise
        except Exception as error:
            # pydicom converts an element when it is asked for it, so a broken one may fail anywhere and
            # in any way; nothing of it is quoted
            raise InputRefused(_CONTRADICTING) from error


def _read(
    ds: Dataset, data: bytes, digest: Digest, pose: Pose, voi_scale: VoiScale, decoder: Decoder, notes: Notes
) -> Radiograph:
    _check(ds)
    picture = _picture(ds, _containers(ds, data, decoder, notes), pose, voi_scale, notes)
    spacing = spacing_mm(ds)
    if spacing is not None and picture.shape != 1:
        rows, columns = spacing
        # the side that got more pixels has them closer together
        spacing = (rows / picture.stretch, columns) if picture.shape > 1 else (rows, columns / picture.stretch)
    if spacing is not None and pose.quarter_turns % 2:
        spacing = spacing[::-1]
    return Radiograph(
        digest=digest,
        kind="dicom",
        pixels=picture.pixels,
        voi=picture.voi,
        inverted=inverts(ds),
        transforms=notes.all_transforms(),
        spacing_mm=spacing,
        header=allowed_header(ds),
        age=patient_age(ds),
        concerns=notes.all_concerns(),
        alternatives=picture.alternatives,
        pose=pose,
        scalable=picture.scalable,
    )


@dataclass(frozen=True)
class _Containers:
    """Pixels as they lie in their containers, and the container of those that the file lacks, or None."""

    pixels: np.ndarray
    filled: int | None = None


def _containers(ds: Dataset, data: bytes, decoder: Decoder, notes: Notes) -> _Containers:
    if is_native(ds):
        missing = missing_pixels(ds)
        pixels = container_pixels(ds)
        if missing:
            share = f"{missing} of {int(ds.Rows) * int(ds.Columns)} pixels"
            notes.repairs.append(f"the file is cut short: {share} are missing at its end, painted as padding")
    else:
        missing = 0
        pixels = decoder.frame(ds, data)
        notes.repairs.extend(frame_concerns(ds))
    if pixels.itemsize == 4:
        pixels = _lower_half(ds, pixels)
    if missing and pixels.ndim == 2 and ds.PhotometricInterpretation in GREY:
        return _Containers(*fill_missing(pixels, missing))
    return _Containers(pixels)


def _lower_half(ds: Dataset, pixels: np.ndarray) -> np.ndarray:
    """Return containers of 16 bits for those of 32 with up to 16 stored, which then lie at their lower end."""
    bits = int(ds.BitsStored)
    shift = max(0, int(ds.get("HighBit") or bits - 1) + 1 - bits)
    ds.BitsAllocated, ds.HighBit = 16, bits - 1
    return ((pixels >> shift) & ((1 << bits) - 1)).astype(np.uint16)


@dataclass(frozen=True)
class _Picture:
    """``shape`` is a pixel's height over its width in the file; the longer side got ``stretch`` times the pixels."""

    pixels: Pixels
    voi: Voi
    alternatives: tuple[Voi | Lut, ...]
    shape: float
    stretch: float
    scalable: bool


def _picture(ds: Dataset, containers: _Containers, pose: Pose, voi_scale: VoiScale, notes: Notes) -> _Picture:
    """Run the chain, then bring the picture into its shape and pose.

    Every step maps one stored value to one result, so it is computed once for each value that a
    container can hold.
    """
    photometric, pixels = str(ds.PhotometricInterpretation), containers.pixels
    colour = photometric in COLOUR
    if photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, ds)
        pixels = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
    if pixels.ndim == 3:
        notes.transforms.append(f"colour ({photometric if colour else 'in the frame'}): luma")
        if colour:
            notes.concerns.append("the file is in colour: a screenshot or a secondary capture, not a film")
        pixels = luma(pixels)
    elif colour:
        raise InputRefused("DICOM whose colours cannot be read. Export it as MONOCHROME2.")
    levels = Levels.of_luma() if colour else Levels.of_containers(ds, pixels.dtype)

    @cache
    def counts() -> np.ndarray:
        # most files name a window and no padding: then nobody asks
        return np.bincount(pixels.ravel(), minlength=len(levels.stored))

    scalable = False
    if colour:
        (voi, values), vois = colour_values(ds, levels, notes), ()
        display = presented(ds, values / np.float32(255), levels, notes)
    else:
        levels = levels.with_padding(ds, counts, notes).with_filled(containers.filled)
        values = modality_values(ds, levels, notes)
        vois, scalable = _scaled(file_vois(ds, values, notes.repairs), voi_scale, notes)
        voi, seen = voi_brightness(values, vois, levels, counts, notes)
        display = presented(ds, seen, levels, notes)
    tables = Pixels(pixels, values, display, levels.padding)
    shape, rows, columns = pixel_shape(ds, notes.repairs), *pixels.shape
    if shape != 1:
        check_size(round(rows * max(1.0, shape)), round(columns * max(1.0, 1 / shape)))
        tables = squared(tables, levels.stored, shape)
        size = " x ".join(str(side) for side in tables.containers.shape[::-1])
        notes.transforms.append(f"pixels of {shape:.4g} : 1 (height to width) made square: {size} pixels")
    stretch = max(tables.containers.shape[0] / rows, tables.containers.shape[1] / columns)
    notes.transforms.extend(pose_words(pose))
    tables = replace(tables, containers=np.ascontiguousarray(posed(tables.containers, pose)))
    return _Picture(tables, voi, vois, shape, stretch, scalable)


def _scaled(vois: tuple[Voi | Lut, ...], scale: VoiScale, notes: Notes) -> tuple[tuple[Voi | Lut, ...], bool]:
    """Offer each table that reaches a small part of its declared range by its own maximum too.

    Which of the two is shown and read is the reader's choice: the letter of the standard unless ``scale`` is ``data``.
    """
    found: list[Voi | Lut] = []
    scalable = False
    for number, voi in enumerate(vois):
        by_data = scaled_by_data(voi) if isinstance(voi, Lut) else None
        if by_data is None:
            found.append(voi)
            continue
        found += [by_data, voi] if scale == "data" else [voi, by_data]
        if number == 0:
            scalable = scale != "data"
            shown = "it is shown by its own maximum, as asked" if scale == "data" else "it is shown nearly black"
            notes.concerns.append(
                f"the VOI table ({voi.explanation}) declares {voi.top} as its largest entry and reaches {by_data.top}: "
                f"{shown}; the option voi-scale decides"
            )
    return tuple(found), scalable


def dataset(data: bytes) -> Dataset:
    """Return the elements that the product needs; uncompressed grey pixels are a view of the bytes.

    What is missing and has a safe value is there (:func:`.elements.completed`).

    Raises:
        Deflated: the data set is deflated: a decoder inflates it.
        InputRefused: the bytes are no data set, or one beyond the limits.
    """
    return _opened(data)[0]


def _opened(data: bytes) -> tuple[Dataset, Repairs]:
    """Return :func:`dataset`, and what was repaired."""
    repairs: Repairs = []
    file = Elements(data)
    try:
        # only these elements are kept: a patient's name is never in memory as a value
        ds = pydicom.dcmread(file, force=True, specific_tags=list(_READ), stop_before_pixels=True)
        at = file.tell()
        pixels = view_of_pixels(data, at, ds)
        if pixels is None:
            closed = with_delimiter(data, at)
            if closed is not None:
                repairs.append("the compressed pixel data have no end: taken as far as they go")
            ds = pydicom.dcmread(Elements(closed or data), force=True, specific_tags=list(_READ))
        else:
            ds.add_new("PixelData", "OW", pixels)
        check_lengths(ds.file_meta)
        check_lengths(ds)
    except (InputRefused, Deflated):
        raise
    except Exception as error:
        raise InputRefused(CUT) from error
    if _is_other_vr(data, ds):
        repairs.append("the file names another transfer syntax than its data set has: the data set was followed")
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = (ds.original_encoding[0] and ImplicitVRLittleEndian) or _explicit(ds)
    if "PixelData" in ds:
        try:
            repairs += completed(ds)
        except InputRefused:
            raise
        except Exception as error:
            # an element that is asked for is converted then, and fails in any way
            raise InputRefused(_CONTRADICTING) from error
    return ds, repairs


def _is_other_vr(data: bytes, ds: Dataset) -> bool:
    """Return whether a data set has value representations where its transfer syntax says none, or the other way."""
    syntax = ds.file_meta.get("TransferSyntaxUID")
    if syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian) or data[132:136] != b"\x02\0\0\0":
        return False
    start = 144 + int.from_bytes(data[140:144], "little")
    letters = data[start + 4 : start + 6]
    return (letters.isalpha() and letters.isupper()) != (syntax == ExplicitVRLittleEndian)


def _opened_inflated(data: bytes) -> tuple[Dataset, Repairs]:
    try:
        return _opened(data)
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
    rows, columns, frames = int(ds.Rows), int(ds.Columns), int(ds.get("NumberOfFrames") or 1)
    stored, allocated = int(ds.BitsStored), int(ds.BitsAllocated)
    if frames > 1:
        raise InputRefused(f"DICOM with {frames} frames: a chest radiograph has one. Export the frame you mean.")
    if ds.get("PhotometricInterpretation") not in (*GREY, *COLOUR):
        raise InputRefused("DICOM with a photometric interpretation that is not read here. Export it as MONOCHROME2.")
    check_size(rows, columns)
    if allocated not in BITS_ALLOCATED or not 0 < stored <= min(allocated, MOST_BITS):
        raise InputRefused(f"DICOM with {stored} bits stored in {allocated}: up to 16 bits are accepted.")
