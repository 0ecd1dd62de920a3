"""DICOM to a radiograph. pydicom reads and decodes; its errors are translated here."""

from __future__ import annotations

import logging
import warnings

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import InputRefused
from .accepted import BITS_ALLOCATED, COLOUR, GREY, MOST_BITS
from .chain import Notes, VoiScale, inverts
from .decode import view_of_pixels
from .decoder import Decoder
from .digest import Digest
from .element_limits import CUT, Deflated, Elements, check_lengths
from .elements import Repairs, completed
from .header import allowed_header, patient_age, spacing_mm
from .limits import check_size
from .orientation import Pose
from .picture import containers_of, picture_of
from .radiograph import Radiograph
from .whole import with_delimiter

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

_PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
"""The tag of Pixel Data, little and big endian."""

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
    picture = picture_of(ds, containers_of(ds, data, decoder, notes), pose, voi_scale, notes)
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
            if "PixelData" not in ds and data[at : at + 4] in _PIXEL_DATA:
                # pydicom leaves out an element that ends too soon
                raise InputRefused(CUT)
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
