"""The pixels of a DICOM data set to a picture: containers, the display chain, square pixels, pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from ..errors import InputRefused
from .accepted import COLOUR, GREY
from .chain import Levels, Notes, VoiScale, colour_values, modality_values, presented, voi_brightness
from .decode import container_pixels, is_native
from .decoder import Decoder
from .limits import check_size
from .orientation import Pose, pose_words, posed
from .pixels import Pixels
from .raster import luma
from .square import pixel_shape, squared
from .tables import file_vois, scaled_by_data
from .voi import Lut, Voi
from .whole import fill_missing, frame_concerns, missing_pixels

__all__ = ["Containers", "Picture", "containers_of", "picture_of"]


@dataclass(frozen=True)
class Containers:
    """Pixels as they lie in their containers, and the container of those that the file lacks, or None."""

    pixels: np.ndarray
    filled: int | None = None


def containers_of(ds: Dataset, data: bytes, decoder: Decoder, notes: Notes) -> Containers:
    """Return the pixels of a data set, whose file is ``data``; raises InputRefused where they do not decode."""
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
        return Containers(*fill_missing(pixels, missing))
    return Containers(pixels)


def _lower_half(ds: Dataset, pixels: np.ndarray) -> np.ndarray:
    """Return containers of 16 bits for those of 32 with up to 16 stored, which then lie at their lower end."""
    bits = int(ds.BitsStored)
    shift = max(0, int(ds.get("HighBit") or bits - 1) + 1 - bits)
    ds.BitsAllocated, ds.HighBit = 16, bits - 1
    return ((pixels >> shift) & ((1 << bits) - 1)).astype(np.uint16)


@dataclass(frozen=True)
class Picture:
    """``shape`` is a pixel's height over its width in the file; the longer side got ``stretch`` times the pixels."""

    pixels: Pixels
    voi: Voi
    alternatives: tuple[Voi | Lut, ...]
    shape: float
    stretch: float
    scalable: bool


def picture_of(ds: Dataset, containers: Containers, pose: Pose, voi_scale: VoiScale, notes: Notes) -> Picture:
    """Run the chain, then bring the picture into its shape and pose.

    Every step maps one stored value to one result, so it is computed once for each value that a
    container can hold.
    """
    photometric, pixels = str(ds.PhotometricInterpretation), containers.pixels
    colour = photometric in COLOUR
    if photometric == "PALETTE COLOR":
        _complete_palette(ds, notes)
        pixels = apply_color_lut(pixels, ds)
        pixels = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
    if pixels.ndim == 3:
        notes.transforms.append(f"colour ({photometric if colour else 'in the frame'}): luma")
        if colour:
            notes.concerns.append("the file is in colour: a screenshot or a secondary capture, not a radiograph")
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
    return Picture(tables, voi, vois, shape, stretch, scalable)


def _complete_palette(ds: Dataset, notes: Notes) -> None:
    """Give a palette with fewer entries than it says (PS3.3 C.7.6.3.1.5) its last entry in place of each that it lacks.

    Raises InputRefused where a colour has none at all.
    """
    short = False
    for colour in ("Red", "Green", "Blue"):
        descriptor = ds.get(f"{colour}PaletteColorLookupTableDescriptor") or ()
        keyword = f"{colour}PaletteColorLookupTableData"
        entries = ds.get(keyword)
        if len(descriptor) != 3 or not entries:
            raise InputRefused("DICOM whose palette has no entries or no descriptor. Export it as MONOCHROME2.")
        width = 2 if int(descriptor[2]) > 8 else 1
        lacking = (int(descriptor[0]) or 1 << 16) - len(entries) // width
        if isinstance(entries, bytes) and lacking > 0 and len(entries) >= width:
            whole = entries[: len(entries) // width * width]
            padded = whole + whole[-width:] * lacking
            setattr(ds, keyword, padded + b"\0" * (len(padded) % 2))
            short = True
    if short:
        notes.repairs.append("the palette has fewer entries than it says: values beyond its end take the last")


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
            shown = (
                "it is shown by its own maximum, as asked"
                if scale == "data"
                else "it is shown in a small part of the greys"
            )
            notes.concerns.append(
                f"the VOI table ({voi.explanation}) declares {voi.top} as its largest entry and reaches {by_data.top}: "
                f"{shown}, the other way is offered (voi-scale)"
            )
    return tuple(found), scalable
