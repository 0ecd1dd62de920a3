"""Bytes to a DICOM data set, limited in the number and the length of its elements.

pydicom converts an element on access: a text of a hundred megabytes becomes a list of millions of objects. It also
inflates a deflated data set without a limit. Both limits are checked here before anything is converted, and a deflated
data set is inflated by a decoder process.
"""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Sequence

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import InputRefused
from .codestream import with_delimiter
from .elements import Repairs, complete
from .frame_decoding import view_of_pixels

__all__ = [
    "LAST_HEADER_GROUP",
    "UNREADABLE",
    "Deflated",
    "all_elements",
    "dataset",
    "header_elements",
    "inflate",
    "read_dataset",
]

# pydicom's warnings and log lines about broken values would quote them
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_KEYWORDS = (
    "SOPClassUID", "Modality", "ViewPosition", "BodyPartExamined", "PatientOrientation", "PatientAge", "PatientSex",
    "ViewCodeSequence", "SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription",
    "BurnedInAnnotation", "PresentationIntentType", "PixelIntensityRelationship", "ImagerPixelSpacing", "PixelSpacing",
    "NominalScannedPixelSpacing", "PixelAspectRatio",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns", "NumberOfFrames",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType", "VOILUTSequence", "VOILUTFunction",
    "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "PresentationLUTShape", "PresentationLUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "PixelData",
)  # fmt: skip

_PIXEL_DATA_TAGS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
"""The tag of Pixel Data, little and big endian."""

LAST_HEADER_GROUP = 0x0020
"""The groups up to this one come before those of the image."""

MAX_READS = 100_000
"""Reads that a header may take; an image's takes some hundreds, with nested sequences some thousands."""

MAX_VALUE_BYTES = 65_536
"""Of a value, but for those below: a decimal string has 16 bytes, a long text 10,240 (PS3.5 6.2)."""

MAX_TABLE_BYTES = 2**20
"""Of a look-up table or of one colour of a palette: 65,536 entries of 16 bits are 131,072."""

MAX_SEQUENCE_BYTES = 2**20
"""Of a sequence; one that gives the lengths of its items is parsed on access."""

_TABLES = {
    Tag(keyword)
    for keyword in (
        "LUTData",
        "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableData",
    )
}

TRUNCATED = "DICOM that cannot be read: its data set is broken or truncated. Export it again."
UNREADABLE = "DICOM whose attributes cannot be read or contradict each other. Export it again."


class Deflated(Exception):
    """Raised for a deflated data set (PS3.5 A.5), which begins at byte ``offset`` of the file."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def dataset(data: bytes) -> Dataset:
    """Return the elements that the product needs; uncompressed grey pixels are a view of the bytes.

    Missing attributes of the pixels that have a safe value are filled in (:func:`.elements.complete`).

    Raises:
        Deflated: the data set is deflated; :func:`inflate` it first.
        InputRefused: the bytes are no data set, or one beyond the limits.
    """
    return read_dataset(data)[0]


def read_dataset(data: bytes) -> tuple[Dataset, Repairs]:
    """Return :func:`dataset` with the list of repairs that were made to it."""
    repairs: Repairs = []
    file = _LimitedFile(data)
    try:
        # only these elements are read: a radiograph never holds a patient's name (cxr_core/studies/header.py)
        ds = pydicom.dcmread(file, force=True, specific_tags=list(_KEYWORDS), stop_before_pixels=True)
        offset = file.tell()
        pixels = view_of_pixels(data, offset, ds)
        if pixels is None:
            delimited = with_delimiter(data, offset)
            if delimited is not None:
                repairs.append("the compressed pixel data have no end: taken as far as they go")
            ds = pydicom.dcmread(_LimitedFile(delimited or data), force=True, specific_tags=list(_KEYWORDS))
            if "PixelData" not in ds and data[offset : offset + 4] in _PIXEL_DATA_TAGS:
                # pydicom leaves out an element that ends too soon
                raise InputRefused(TRUNCATED)
        else:
            ds.add_new("PixelData", "OW", pixels)
        _check_lengths(ds.file_meta)
        _check_lengths(ds)
    except (InputRefused, Deflated):
        raise
    except Exception as error:
        raise InputRefused(TRUNCATED) from error
    if _has_other_vr(data, ds):
        repairs.append("the file names another transfer syntax than its data set has: the data set was followed")
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = _encoding(ds)
    if "PixelData" in ds:
        try:
            repairs += complete(ds)
        except InputRefused:
            raise
        except Exception as error:
            # pydicom converts an element on access, and a broken one fails in any way
            raise InputRefused(UNREADABLE) from error
    return ds, repairs


def header_elements(data: bytes, keywords: Sequence[str], last_group: int = LAST_HEADER_GROUP) -> Dataset:
    """Return these elements of the groups up to ``last_group``, by default those before the groups of the image.

    Raises:
        Deflated: the data set is deflated; :func:`inflate` it first.
        InputRefused: the bytes are no data set, or one beyond the limits.
    """
    try:
        ds = read_partial(
            _LimitedFile(data),
            stop_when=lambda tag, vr, length: tag.group > last_group,
            force=True,
            specific_tags=[Tag(keyword) for keyword in keywords],
        )
        _check_lengths(ds)
    except (InputRefused, Deflated):
        raise
    except Exception as error:
        raise InputRefused(TRUNCATED) from error
    return ds


def all_elements(data: bytes) -> Dataset:
    """Return every element of a file, as it is stored: sequences of unknown length alone are taken apart.

    Raises as :func:`header_elements`.
    """
    try:
        return pydicom.dcmread(_LimitedFile(data), force=True)
    except (InputRefused, Deflated):
        raise
    except Exception as error:
        raise InputRefused(TRUNCATED) from error


def inflate(data: bytes, offset: int, max_bytes: int) -> bytes:
    """Return a deflated data set that begins at byte ``offset``, without the meta information before it.

    Raises InputRefused where it is broken, or has more than ``max_bytes`` bytes.
    """
    try:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(memoryview(data)[offset:], max_bytes + 1)
    except zlib.error as error:
        raise InputRefused(TRUNCATED) from error
    if len(content) > max_bytes:
        raise InputRefused(f"DICOM that inflates beyond {max_bytes // 10**6} MB. Give the image at its own size.")
    return content


class _LimitedFile(io.BytesIO):
    """A file for pydicom that allows :data:`MAX_READS` reads: a hostile header has millions of elements."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._remaining = MAX_READS

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes.

        Raises:
            Deflated: the whole rest is asked for, which pydicom does in one place only: to inflate it.
            InputRefused: there are far more elements than an image has.
        """
        if size is None or size < 0:
            raise Deflated(self.tell())
        self._remaining -= 1
        if self._remaining < 0:
            raise InputRefused("DICOM with far more elements than an image has. Export it again.")
        return super().read(size)


def _check_lengths(ds: Dataset) -> None:
    """Refuse a data set with a value that is longer than its kind ever is, before it is converted."""
    # iterating over a data set itself would convert its elements
    for tag in ds.keys():  # noqa: SIM118
        element = ds.get_item(tag)
        if tag == Tag("PixelData"):
            continue
        if isinstance(element, DataElement) and element.VR == "SQ":
            for item in element.value:
                _check_lengths(item)
        else:
            value = element.value
            if isinstance(value, (bytes, str)) and len(value) > _max_bytes(element):
                raise InputRefused(f"DICOM with a value of {len(value) / 1e6:.1f} MB in its header. Export it again.")


def _max_bytes(element: RawDataElement | DataElement) -> int:
    if element.tag in _TABLES:
        return MAX_TABLE_BYTES
    try:
        sequence = element.VR == "SQ" or dictionary_VR(element.tag) == "SQ"
    except KeyError:
        sequence = False
    return MAX_SEQUENCE_BYTES if sequence else MAX_VALUE_BYTES


def _has_other_vr(data: bytes, ds: Dataset) -> bool:
    """Return whether a data set has value representations where its transfer syntax says none, or the other way."""
    syntax = ds.file_meta.get("TransferSyntaxUID")
    if syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian) or data[132:136] != b"\x02\0\0\0":
        return False
    start = 144 + int.from_bytes(data[140:144], "little")
    letters = data[start + 4 : start + 6]
    return (letters.isalpha() and letters.isupper()) != (syntax == ExplicitVRLittleEndian)


def _encoding(ds: Dataset) -> UID:
    """Return the transfer syntax by which pydicom has read a data set that names none."""
    implicit, little_endian = ds.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian
