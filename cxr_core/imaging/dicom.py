"""DICOM to a radiograph. pydicom reads and decodes; its errors are translated here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from pydicom.dataset import Dataset

from ..errors import InputRefused
from .codestream import frame_warnings
from .conformance import BITS_ALLOCATED, COLOUR, GREY, MAX_BITS, check_size
from .dataset import (
    LAST_HEADER_GROUP,
    TRUNCATED,
    UNREADABLE,
    Deflated,
    all_elements,
    header_elements,
    read_dataset,
)
from .dicom_display import PIXEL_SHAPE, DisplayImage, display_image
from .elements import Repairs
from .frame_decoding import container_pixels, is_native
from .grayscale_pipeline import Notes, VoiScale, inverts
from .header import SpacingSource, allowed_header, patient_age, spacing_mm
from .isolated_decoder import IsolatedDecoder
from .orientation import Pose
from .radiograph import Digest, Radiograph

__all__ = ["read_attributes", "read_dicom", "read_elements", "stored_values"]

MAX_MISSING = 0.005
"""Largest proportion of pixels that may be missing at the end of uncompressed data; they are painted as padding."""


def read_dicom(data: bytes, digest: Digest, pose: Pose, voi_scale: VoiScale, decoder: IsolatedDecoder) -> Radiograph:
    """Read a single-frame radiograph.

    Raises InputRefused where the bytes hold no such image; the message says what was found.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, ds, repairs = _inflated_dataset(data, decoder)
        try:
            return _radiograph(ds, data, digest, pose, voi_scale, decoder, Notes(repairs=repairs))
        except InputRefused:
            raise
        except Exception as error:
            # pydicom converts an element on access, so a broken one may fail anywhere and in any way; nothing of it
            # is quoted
            raise InputRefused(UNREADABLE) from error


def read_attributes(
    data: bytes, keywords: Sequence[str], decoder: IsolatedDecoder, last_group: int = LAST_HEADER_GROUP
) -> Dataset:
    """Return attributes of a file, by default from the groups before those of the image, without reading its pixels.

    An element is converted on access, and a broken one may then fail. Raises InputRefused where the bytes are no data
    set.
    """
    return _of_inflated(data, decoder, lambda inflated: header_elements(inflated, keywords, last_group))


def read_elements(data: bytes, decoder: IsolatedDecoder) -> Dataset:
    """Return every element of a file, as it is stored, the pixel data too.

    An element is converted on access, and a broken one may then fail. Raises InputRefused where the bytes are no data
    set.
    """
    return _of_inflated(data, decoder, all_elements)


def stored_values(data: bytes, decoder: IsolatedDecoder) -> np.ndarray:
    """Return the pixels of a single-frame image as they are stored, in whatever transfer syntax.

    Returns:
        (rows, columns) uint8 or uint16 with the bits of Bits Stored alone, two's complement where they are signed; or
        (rows, columns, 3) uint8 RGB.

    Raises InputRefused where the bytes hold no such image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, ds, _ = _inflated_dataset(data, decoder)
        try:
            _check_supported(ds)
            pixels = container_pixels(ds) if is_native(ds) else decoder.frame(ds, data)
            if pixels.ndim == 3:
                return pixels
            stored = int(ds.BitsStored)
            lowest = int(ds.get("HighBit", stored - 1)) + 1 - stored
            return (pixels >> lowest) & ((1 << stored) - 1)
        except InputRefused:
            raise
        except Exception as error:
            # as in read_dicom
            raise InputRefused(UNREADABLE) from error


def _of_inflated(data: bytes, decoder: IsolatedDecoder, read: Callable[[bytes], Dataset]) -> Dataset:
    """Return what is read of a file, or where its data set is deflated, of that data set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read(data)
        except Deflated as deflated:
            inflated = decoder.inflated(data, deflated.offset)
        try:
            return read(inflated)
        except Deflated as error:
            raise InputRefused(TRUNCATED) from error


def _inflated_dataset(data: bytes, decoder: IsolatedDecoder) -> tuple[bytes, Dataset, Repairs]:
    """Return the bytes that hold the data set uncompressed, the data set, and its repairs."""
    try:
        return data, *read_dataset(data)
    except Deflated as deflated:
        data = decoder.inflated(data, deflated.offset)
    try:
        return data, *read_dataset(data)
    except Deflated as error:
        raise InputRefused(TRUNCATED) from error


def _radiograph(
    ds: Dataset, data: bytes, digest: Digest, pose: Pose, voi_scale: VoiScale, decoder: IsolatedDecoder, notes: Notes
) -> Radiograph:
    _check_supported(ds)
    image = display_image(ds, *_stored_pixels(ds, data, decoder, notes), pose, voi_scale, notes)
    spacing, source = _spacing(ds, image, pose)
    return Radiograph(
        digest=digest,
        kind="dicom",
        pixels=image.pixels,
        voi=image.voi,
        inverted=inverts(ds),
        transforms=notes.all_transforms(),
        spacing_mm=spacing,
        spacing_source=source,
        header=allowed_header(ds),
        age=patient_age(ds),
        warnings=notes.all_warnings(),
        alternatives=image.alternatives,
        pose=pose,
        scalable=image.scalable,
        square=any(keyword in ds for keyword in PIXEL_SHAPE),
        unit=image.unit,
    )


def _check_supported(ds: Dataset) -> None:
    """Refuse what is no single-frame image in an accepted encoding, before any pixel is decoded."""
    if "PixelData" not in ds:
        if "Rows" in ds:
            raise InputRefused(TRUNCATED)
        raise InputRefused("DICOM without an image, such as a report or a directory. Give the image files.")
    rows, columns, frames = int(ds.Rows), int(ds.Columns), int(ds.get("NumberOfFrames") or 1)
    stored, allocated = int(ds.BitsStored), int(ds.BitsAllocated)
    if frames > 1:
        raise InputRefused(f"DICOM with {frames} frames: a chest radiograph has one. Export the frame you mean.")
    if ds.get("PhotometricInterpretation") not in (*GREY, *COLOUR):
        raise InputRefused("DICOM with a photometric interpretation that is not read here. Export it as MONOCHROME2.")
    check_size(rows, columns)
    if allocated not in BITS_ALLOCATED or not 0 < stored <= min(allocated, MAX_BITS):
        raise InputRefused(f"DICOM with {stored} bits stored in {allocated}: up to 16 bits are accepted.")


def _spacing(ds: Dataset, image: DisplayImage, pose: Pose) -> tuple[tuple[float, float] | None, SpacingSource]:
    """Return the header's spacing as it applies to the displayed image, (between rows, between columns) in mm."""
    stated = spacing_mm(ds)
    if stated is None:
        return None, ""
    (rows, columns), source = stated
    # the axis that was resampled to more pixels has them closer together
    if image.aspect_ratio > 1:
        rows /= image.stretch
    elif image.aspect_ratio < 1:
        columns /= image.stretch
    return ((columns, rows) if pose.quarter_turns % 2 else (rows, columns)), source


def _stored_pixels(ds: Dataset, data: bytes, decoder: IsolatedDecoder, notes: Notes) -> tuple[np.ndarray, int | None]:
    """Return the pixels in their containers, and the container of those that the file lacks or None.

    ``data`` is the file of the data set. Raises InputRefused where the pixels do not decode.
    """
    missing = 0
    if is_native(ds):
        missing = _append_missing(ds)
        pixels = container_pixels(ds)
        if missing:
            count = f"{missing} of {int(ds.Rows) * int(ds.Columns)} pixels"
            notes.repairs.append(f"the file is truncated: {count} are missing at its end, painted as padding")
    else:
        pixels = decoder.frame(ds, data)
        notes.repairs.extend(frame_warnings(ds))
    if pixels.itemsize == 4:
        pixels = _narrowed(ds, pixels)
    if missing and pixels.ndim == 2 and ds.PhotometricInterpretation in GREY:
        return _mark_missing(pixels, missing)
    return pixels, None


def _append_missing(ds: Dataset) -> int:
    """Return how many pixels uncompressed data lack at their end, and append as many zeros to the data.

    Raises InputRefused where more than :data:`MAX_MISSING` of them are missing.
    """
    if ds.PhotometricInterpretation == "YBR_FULL_422":
        return 0
    pixels = int(ds.Rows) * int(ds.Columns)
    width = int(ds.SamplesPerPixel) * int(ds.BitsAllocated) // 8
    lacking = pixels * width - len(ds.PixelData)
    if lacking <= 0:
        return 0
    missing = -(-lacking // width)
    if missing > max(1, int(pixels * MAX_MISSING)):
        raise InputRefused("DICOM whose pixel data are truncated: fewer than its rows and columns. Export it again.")
    ds["PixelData"].value = bytes(ds.PixelData) + bytes(lacking + lacking % 2)
    return missing


def _mark_missing(pixels: np.ndarray, missing: int) -> tuple[np.ndarray, int | None]:
    """Return (rows, columns) containers whose last pixels hold a value that no other has, and that value.

    Where every value is taken, as it may be in 8 bits, the pixels stay as they are and the value is None.
    """
    flat = pixels.reshape(-1).copy()
    free = np.flatnonzero(np.bincount(flat[:-missing], minlength=1 << (8 * pixels.itemsize)) == 0)
    if not len(free):
        return pixels, None
    flat[-missing:] = free[-1]
    return flat.reshape(pixels.shape), int(free[-1])


def _narrowed(ds: Dataset, pixels: np.ndarray) -> np.ndarray:
    """Return containers of 16 bits for those of 32 with up to 16 bits stored, which then lie at their lower end."""
    bits = int(ds.BitsStored)
    shift = max(0, int(ds.get("HighBit") or bits - 1) + 1 - bits)
    ds.BitsAllocated, ds.HighBit = 16, bits - 1
    return ((pixels >> shift) & ((1 << bits) - 1)).astype(np.uint16)
