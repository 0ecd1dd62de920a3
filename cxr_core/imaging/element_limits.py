"""The elements of a data set that pydicom reads, bounded in number and in length before any is converted.

pydicom converts an element when it is asked for it: text of a hundred megabytes becomes a list of millions of
objects, and a sequence as many elements. A deflated data set it would inflate whole, however large that becomes.
"""

from __future__ import annotations

import io
import zlib

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from ..errors import InputRefused

__all__ = ["CUT", "Deflated", "Elements", "check_lengths", "inflated"]

MOST_READS = 100_000
"""Reads that a header may take; an image's takes some hundreds, with nested sequences some thousands."""

MOST_VALUE = 65_536
"""Bytes of a value, but for those below: a decimal string has 16 bytes, a long text 10,240 (PS3.5 6.2)."""

MOST_TABLE = 2**20
"""Bytes of a look-up table or of one colour of a palette: 65,536 entries of 16 bits are 131,072."""

MOST_SEQUENCE = 2**20
"""Bytes of a sequence; one that gives the lengths of its items is parsed when it is asked for."""

_PIXEL_DATA = Tag("PixelData")
_TABLES = {
    Tag(keyword)
    for keyword in (
        "LUTData",
        "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableData",
    )
}

CUT = "DICOM that cannot be read: its data set is broken or cut short. Export it again."


class Deflated(Exception):
    """A data set is deflated (PS3.5 A.5); it begins at byte ``at`` of the file."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class Elements(io.BytesIO):
    """A file of so many elements and no more: a hostile one has millions, and each is looked at."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MOST_READS

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes.

        Raises:
            Deflated: the whole rest is asked for, which pydicom does in one place only: to inflate it.
            InputRefused: there are far more elements than an image has.
        """
        if size is None or size < 0:
            raise Deflated(self.tell())
        self._left -= 1
        if self._left < 0:
            raise InputRefused("DICOM with far more elements than an image has. Export it again.")
        return super().read(size)


def check_lengths(ds: Dataset) -> None:
    """Refuse a data set with a value that is longer than its kind ever is, before it is converted."""
    # iterating over a data set itself would convert its elements
    for tag in ds.keys():  # noqa: SIM118
        element = ds.get_item(tag)
        if tag == _PIXEL_DATA:
            continue
        if isinstance(element, DataElement) and element.VR == "SQ":
            for item in element.value:
                check_lengths(item)
        else:
            value = element.value
            if isinstance(value, (bytes, str)) and len(value) > _most(element):
                raise InputRefused(f"DICOM with a value of {len(value) / 1e6:.1f} MB in its header. Export it again.")


def _most(element: RawDataElement | DataElement) -> int:
    if element.tag in _TABLES:
        return MOST_TABLE
    try:
        sequence = element.VR == "SQ" or dictionary_VR(element.tag) == "SQ"
    except KeyError:
        sequence = False
    return MOST_SEQUENCE if sequence else MOST_VALUE


def inflated(data: bytes, at: int, most: int) -> bytes:
    """Return a deflated data set that begins at byte ``at``, without the meta information before it.

    Raises InputRefused where it is broken, or has more than ``most`` bytes.
    """
    try:
        grown = zlib.decompressobj(-zlib.MAX_WBITS).decompress(memoryview(data)[at:], most + 1)
    except zlib.error as error:
        raise InputRefused(CUT) from error
    if len(grown) > most:
        raise InputRefused(f"DICOM that inflates beyond {most // 10**6} MB. Give the image at its own size.")
    return grown
