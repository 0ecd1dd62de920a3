"""Whether two files under one SOP Instance UID are one image, whatever their transfer syntax.

A PACS sends an image on in the transfer syntax that it likes: explicit or implicit VR, another order of bytes, lossless
compression. The data set says the same then, and the decoded pixels are the same; anything else is another image.

Source: PS3.5 7 (encoding of a data set), 8 (of pixel data) and annex A (transfer syntaxes).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

import numpy as np
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ExplicitVRBigEndian
from pydicom.valuerep import STR_VR
from pydicom.values import convert_SQ

from ..imaging import read_elements, shared_decoder, stored_values
from ..imaging.elements import stated_text, whole_number

__all__ = ["same_image"]

_PIXEL_DATA, _TRAILING_PADDING = Tag("PixelData"), Tag("DataSetTrailingPadding")
_LOSSY = Tag("LossyImageCompression")
_COLOUR = frozenset({Tag("PhotometricInterpretation"), Tag("PlanarConfiguration")})
"""How the colours of pixel data are arranged: decoded, they are RGB."""

_UNKNOWN = ("", "UN")
_NOT_LOSSY = (None, "", "00")
_WIDTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
"""Bytes of a number in values that pydicom leaves in the order of bytes of the file."""


def same_image(one: bytes, other: bytes) -> bool:
    """Return whether two DICOM files have the same data set and the same decoded pixels.

    Every element must be in both with the same value, but for lengths of groups and padding. Pixel data that is encoded
    otherwise is decoded: where it cannot be, such as several frames, two files are not one image.
    """
    with warnings.catch_warnings():
        # pydicom's would quote values
        warnings.simplefilter("ignore")
        try:
            return _same_image(one, other)
        except Exception:
            # what cannot be decoded; and pydicom converts an element on access, and a broken one fails in any way
            return False


def _same_image(one: bytes, other: bytes) -> bool:
    ours, theirs = (read_elements(data, shared_decoder()) for data in (one, other))
    left_out = {_PIXEL_DATA, _TRAILING_PADDING}
    if all(whole_number(ds, "SamplesPerPixel") == 3 for ds in (ours, theirs)):
        left_out |= _COLOUR
    if not _same_elements(ours, theirs, left_out):
        return False
    if _pixel_data(ours) == _pixel_data(theirs):
        return True
    return np.array_equal(stored_values(one, shared_decoder()), stored_values(other, shared_decoder()))


def _pixel_data(ds: Dataset) -> tuple[object, ...]:
    """Return pixel data as it is stored, with all that says how it is decoded; empty where there is none."""
    if _PIXEL_DATA not in ds:
        return ()
    syntax = UID(ds.file_meta.get("TransferSyntaxUID", ""))
    is_native = not syntax or not (syntax.is_encapsulated or syntax == ExplicitVRBigEndian)
    colours = (stated_text(ds, "PhotometricInterpretation"), whole_number(ds, "PlanarConfiguration"))
    return "" if is_native else str(syntax), *colours, ds.get_item(_PIXEL_DATA).value


def _same_elements(one: Dataset, other: Dataset, left_out: Collection[BaseTag] = ()) -> bool:
    """Return whether two data sets have the same elements, at any depth."""
    # iterating over a data set itself would convert its elements
    tags = [{tag for tag in ds.keys() if tag.element and tag not in left_out} for ds in (one, other)]  # noqa: SIM118
    return all(
        _same_value(one, other, tag) if tag in one and tag in other else tag == _LOSSY and _is_lossless(one, other)
        for tag in tags[0] | tags[1]
    )


def _is_lossless(one: Dataset, other: Dataset) -> bool:
    """Return whether neither says that an image was compressed with a loss: a codec may say that it was not."""
    return all(ds[_LOSSY].value in _NOT_LOSSY for ds in (one, other) if _LOSSY in ds)


def _same_value(one: Dataset, other: Dataset, tag: BaseTag) -> bool:
    ours, theirs = one.get_item(tag), other.get_item(tag)
    if _is_sequence(ours) or _is_sequence(theirs):
        items, others = _items(one, ours), _items(other, theirs)
        return len(items) == len(others) and all(map(_same_elements, items, others))
    if isinstance(ours, RawDataElement) and isinstance(theirs, RawDataElement):
        values = {element.value or b"" for element in (ours, theirs)}
        if len(values) == 1 and ours.is_little_endian == theirs.is_little_endian:
            return True
        if STR_VR.issuperset(map(_representation, (ours, theirs))):
            # programs pad to an even length in different ways
            return len({value.rstrip(b" \0") for value in values}) == 1
        if ours.is_little_endian == theirs.is_little_endian:
            return False
    known = [name for name in map(_representation, (ours, theirs)) if name not in _UNKNOWN]
    return bool(_value(one, tag, known) == _value(other, tag, known))


def _is_sequence(element: RawDataElement | DataElement) -> bool:
    return _representation(element) == "SQ"


def _representation(element: RawDataElement | DataElement) -> str:
    """Return the value representation of an element, in implicit VR by the dictionary; empty where it is not known."""
    if element.VR is not None:
        return str(element.VR)
    return dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else ""


def _items(ds: Dataset, element: RawDataElement | DataElement) -> list[Dataset]:
    if isinstance(element, DataElement):
        return list(element.value or [])
    # a private sequence has no representation in implicit VR, and may be UN in explicit VR: in implicit VR then
    is_implicit = element.is_implicit_VR or element.VR == "UN"
    return list(convert_SQ(element.value or b"", is_implicit, element.is_little_endian, _character_sets(ds)))


def _character_sets(ds: Dataset) -> list[str]:
    names = ds._character_set
    return [names] if isinstance(names, str) else names


def _value(ds: Dataset, tag: BaseTag, known: Sequence[str]) -> object:
    """Return the value of an element, whatever the order of bytes of its file.

    Where the file does not state its representation, it is the first of those that are known.
    """
    raw = ds.get_item(tag)
    if known and isinstance(raw, RawDataElement) and _representation(raw) in _UNKNOWN:
        element = convert_raw_data_element(raw._replace(VR=known[0]), encoding=ds._character_set)
    else:
        element = ds[tag]
    width = _WIDTHS.get(element.VR)
    if width is not None and isinstance(element.value, bytes) and not ds.original_encoding[1]:
        return np.frombuffer(element.value, f">u{width}").astype(f"<u{width}").tobytes()
    return element.value
