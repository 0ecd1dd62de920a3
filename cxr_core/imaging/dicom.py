"""DICOM to a radiograph. pydicom reads and decodes; its errors are translated here."""

from __future__ import annotations

import io
import logging
import warnings
from dataclasses import dataclass, field

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.uid import ImplicitVRLittleEndian

from ..errors import InputRefused
from .decode import stored_pixels
from .display import Lut, apply_lut, apply_window, nominal_window, percentile_window, usable
from .gate import judge
from .header import allowed_header, patient_age, spacing_mm
from .limits import check_size
from .radiograph import Radiograph, Voi
from .raster import luma

__all__ = ["read_dicom"]

# Values of a broken header are neither checked nor warned of: a warning would quote them.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").propagate = False

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

_DX = {"1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1.1"}
_CUT = "DICOM that cannot be read: its data set is broken or cut short. Export it again."


@dataclass
class _Notes:
    """What is done to the pixels, and what speaks against them, gathered along the way."""

    transforms: list[str] = field(default_factory=list)
    concerns: list[str] = field(default_factory=list)


def read_dicom(data: bytes, sha256: str) -> Radiograph:
    """Read a single-frame radiograph.

    Raises InputRefused where the bytes hold no such image, naming what was found.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = _dataset(data)
        _check(ds)
        notes = _Notes()
        try:
            stored = stored_pixels(ds)
            values, padding = _values(ds, stored, notes)
            voi, seen = _voi(ds, values, padding, notes)
            display = _present(ds, seen, padding, notes)
        except InputRefused:
            raise
        except Exception as error:
            # a broken attribute may fail in any way; nothing of it is quoted
            raise InputRefused("DICOM whose attributes contradict each other. Export it again.") from error
    header = allowed_header(ds)
    return Radiograph(
        sha256=sha256,
        kind="dicom",
        values=values,
        display=display,
        voi=voi,
        inverted=_inverts(ds),
        transforms=tuple(notes.transforms),
        spacing_mm=spacing_mm(ds),
        header=header,
        quality=judge(display, header, patient_age(ds), notes.concerns),
    )


def _dataset(data: bytes) -> Dataset:
    try:
        # only these elements are kept: a patient's name is never in memory as a value
        ds = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=list(_READ))
    except Exception as error:
        raise InputRefused(_CUT) from error
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = (ds.original_encoding[0] and ImplicitVRLittleEndian) or _explicit(ds)
    return ds


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
    check_size(rows, columns)
    if allocated not in (8, 16) or not 0 < stored <= allocated:
        raise InputRefused(f"DICOM with {stored} bits stored in {allocated}: up to 16 bits are accepted.")


def _values(ds: Dataset, stored: np.ndarray, notes: _Notes) -> tuple[np.ndarray, np.ndarray | None]:
    """Return values after the Modality LUT, and where the padding is."""
    photometric = str(ds.get("PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, ds)
        stored = stored >> 8 if stored.dtype == np.uint16 else stored
    if stored.ndim == 3:
        notes.transforms.append(f"colour ({photometric}): luma")
        notes.concerns.append("the file is in colour: a screenshot or a secondary capture, not a film")
        return luma(stored), None
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputRefused("DICOM with an unknown photometric interpretation. Export it as MONOCHROME2.")
    padding = _padding(ds, stored, notes)
    values = stored.astype(np.float32)
    slope, intercept = float(ds.get("RescaleSlope") or 1), float(ds.get("RescaleIntercept") or 0)
    identity = slope == 1 and intercept == 0
    if ds.get("SOPClassUID") in _DX:
        # Modality LUT is not part of DX (PS3.3 A.26): its rescale, where present, shall be the identity
        if not identity or ds.get("ModalityLUTSequence"):
            notes.concerns.append("a DX image with a rescale, which the standard does not allow: not applied")
        notes.transforms.append("modality LUT: none in DX")
    elif ds.get("ModalityLUTSequence"):
        lut = _lut(ds.ModalityLUTSequence[0], bool(ds.PixelRepresentation))
        values = apply_lut(values, lut)
        notes.transforms.append(f"modality LUT: table of {len(lut.entries)} entries")
    elif identity:
        notes.transforms.append("modality LUT: identity")
    else:
        values = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
        notes.transforms.append(f"modality LUT: rescale {slope:g} x + {intercept:g}")
    return np.ascontiguousarray(values), padding


def _padding(ds: Dataset, stored: np.ndarray, notes: _Notes) -> np.ndarray | None:
    """Return where pixels are padding (PS3.3 C.7.5.1.1.2).

    The decoder masks a stored value to Bits Stored, so the tag is masked alike: a padding of 65535 in
    12-bit data would else never be found.
    """
    value = ds.get("PixelPaddingValue")
    if value is None:
        return None
    bounds = sorted(_stored_value(ds, bound) for bound in (value, ds.get("PixelPaddingRangeLimit", value)))
    padding = (stored >= bounds[0]) & (stored <= bounds[1])
    if not padding.any():
        return None
    notes.transforms.append(f"padding: {100 * padding.mean():.1f} % of pixels, kept out of windows, painted black")
    return padding


def _stored_value(ds: Dataset, tag: int | bytes) -> int:
    value = int.from_bytes(tag, "little") if isinstance(tag, bytes) else int(tag)
    bits = int(ds.BitsStored)
    value &= (1 << bits) - 1
    signed = bool(ds.PixelRepresentation) and value >= 1 << (bits - 1)
    return value - (1 << bits) if signed else value


def _lut(item: Dataset, signed: bool) -> Lut:
    """Read a look-up table, also one whose 8-bit entries are packed two to a word (PS3.3 C.11.2.1.1)."""
    count, first, bits = (int(part) for part in item.LUTDescriptor)
    count = count or 65536
    if signed and first >= 1 << 15:
        first -= 1 << 16
    data = item.LUTData
    if isinstance(data, bytes):
        packed = len(data) < 2 * count
        entries = np.frombuffer(data, dtype=np.uint8 if packed else "<u2")
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64)).astype(np.uint16)
        if len(entries) < count:
            entries = np.frombuffer(entries.astype("<u2").tobytes(), dtype=np.uint8)
    entries = entries[:count].astype(np.uint16)
    if len(entries) < count or not 8 <= bits <= 16:
        raise InputRefused("DICOM with a broken look-up table. Export it again.")
    return Lut(entries, first, bits, f"table of {count} entries")


def _voi(ds: Dataset, values: np.ndarray, padding: np.ndarray | None, notes: _Notes) -> tuple[Voi, np.ndarray]:
    """Return the window and the brightness in [0, 1] that the first VOI gives.

    Several VOI are alternatives (PS3.3 C.11.2.1.1): the first is used, a table before a window.
    """
    if ds.get("VOILUTSequence"):
        lut = _lut(ds.VOILUTSequence[0], values.min() < 0)
        count = len(lut.entries)
        voi = Voi(lut.first + count / 2, count, "LINEAR", f"VOI LUT: {lut.explanation}")
        notes.transforms.append(f"VOI: {lut.explanation}, {lut.bits} bits")
        return voi, apply_lut(values, lut) / np.float32((1 << lut.bits) - 1)
    for voi in _windows(ds):
        if not usable(voi):
            notes.concerns.append("a window of the file is not usable: left out")
            continue
        notes.transforms.append(f"VOI: window {voi.center:g}/{voi.width:g} {voi.function}")
        return voi, apply_window(values, voi)
    if int(ds.BitsStored) <= 8 and values.min() >= 0 and values.max() <= 255:
        top = (1 << int(ds.BitsStored)) - 1 if int(ds.get("SamplesPerPixel") or 1) == 1 else 255
        voi = nominal_window(0, max(top, float(values.max())), "no VOI: full range of 8 bits")
    else:
        voi = percentile_window(values, None if padding is None else ~padding)
    notes.transforms.append(voi.explanation)
    return voi, apply_window(values, voi)


def _windows(ds: Dataset) -> list[Voi]:
    centers, widths = _numbers(ds.get("WindowCenter")), _numbers(ds.get("WindowWidth"))
    function = str(ds.get("VOILUTFunction") or "LINEAR").upper()
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"
    return [Voi(c, w, function, "window of the file") for c, w in zip(centers, widths, strict=False)]


def _numbers(value: object) -> list[float]:
    if value is None or value == "":
        return []
    parts = [value] if isinstance(value, str | int | float) else list(value)
    numbers = []
    for part in parts:
        try:
            numbers.append(float(part))
        except (TypeError, ValueError):
            numbers.append(float("nan"))
    return numbers


def _inverts(ds: Dataset) -> bool:
    """Return whether brightness is turned over: Presentation LUT Shape decides where it is present.

    PS3.3 C.11.6: INVERSE turns over. Without it MONOCHROME1 does (C.7.6.3.1.2). So a MONOCHROME1 that
    is also INVERSE is turned over once.
    """
    shape = str(ds.get("PresentationLUTShape") or "")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return ds.get("PhotometricInterpretation") == "MONOCHROME1"


def _present(ds: Dataset, seen: np.ndarray, padding: np.ndarray | None, notes: _Notes) -> np.ndarray:
    """Apply polarity, last and once, within the nominal range; padding is black after it."""
    shape, photometric = (
        str(ds.get("PresentationLUTShape") or ""),
        str(ds.get("PhotometricInterpretation", "")),
    )
    inverts = _inverts(ds)
    if ds.get("PresentationLUTSequence"):
        notes.concerns.append("a presentation LUT is in the file: it is not applied")
    if shape in ("IDENTITY", "INVERSE"):
        notes.transforms.append(f"polarity: {photometric}, presentation LUT shape {shape}" + ", inverted" * inverts)
        if (photometric == "MONOCHROME1") != inverts:
            notes.concerns.append(
                f"{photometric} with presentation LUT shape {shape}: they contradict each other, the shape was followed"
            )
    else:
        notes.transforms.append(f"polarity: {photometric}" + " inverted" * inverts)
    display = 1 - seen if inverts else seen
    if padding is not None:
        display = np.where(padding, np.float32(0), display)
    return np.ascontiguousarray(display, dtype=np.float32)
