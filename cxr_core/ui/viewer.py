"""The image viewer, and the message that carries a radiograph to it at full bit depth.

The viewer computes window and level in the browser, so it receives pixel values, not a rendering. Values are encoded as
codes (integers from 0), and a table gives for each code the grey level of ``render8``: the first view is exactly what
the model received and what is compared with a DICOM workstation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st

from ..imaging import MODEL_INPUT, Radiograph, Voi, describe_spacing, grey8, look_up, posed_orientation
from ..model.findings import ImageFacts
from .chrome import asset, store_script

__all__ = [
    "MAGIC",
    "VIEWER_SCRIPTS",
    "Codes",
    "alt_text",
    "encode_image",
    "image_chunks",
    "image_codes",
    "image_viewer",
    "percentile_windows",
    "pixels_version",
    "preset_tables",
]


MAGIC = b"SRF1"

_STRIP_PIXELS = 1 << 20
"""Pixels that are encoded at a time."""

_PERCENTILES = (
    ("Full range", 0.0, 1.0),
    ("Lungs: darker part", 0.02, 0.65),
    ("Soft tissue: middle part", 0.25, 0.95),
    ("Bones: brighter part", 0.50, 0.998),
)
"""Windows by name: from the darkest proportion of pixels that is black to the one from which on all is white."""

_SAMPLE = 500_000

_MAX_CODE = 65535  # codes have at most 16 bits


@dataclass(frozen=True)
class Codes:
    """How the values of an image are written as integer codes.

    Attributes:
        code_of: (256 or 65536,) uint8 or uint16, the code of each container; arbitrary for one without a pixel.
        scale, offset: value = code * scale + offset, in the units of ``Radiograph.values``.
        table: (levels,) uint8; the grey level of ``render8`` for each code.
        needs_grey: whether a code has two grey levels, such as padding with a valid value.
        spanned: the containers from the lowest to the highest of the image.
    """

    code_of: np.ndarray
    scale: float
    offset: float
    table: np.ndarray
    needs_grey: bool
    spanned: slice


def image_codes(radiograph: Radiograph) -> Codes:
    """Return how the image is written as codes.

    Values at equal distances, such as integers and those after a rescale, keep their steps, if they are within 16 bits;
    others are quantised to 65,536 steps over their range. All is computed from the lookup tables of the containers,
    which is fast.
    """
    pixels = radiograph.pixels
    lowest, highest = int(pixels.containers.min()), int(pixels.containers.max())
    values, grey = pixels.values, grey8(pixels.display)
    spanned = slice(lowest, highest + 1)
    low, high = float(values[spanned].min()), float(values[spanned].max())
    step = _step(values[spanned], low, high)
    scale = (high - low) / _MAX_CODE if step is None else step
    levels = (_MAX_CODE if step is None else round((high - low) / step)) + 1
    code_of = _encode(values, low, scale, np.uint8 if levels <= 256 else np.uint16, levels)
    table = _table(code_of[spanned], grey[spanned], levels)
    wrong = table[code_of] != grey
    wrong[:lowest] = wrong[highest + 1 :] = False
    # containers that no pixel has do not matter
    needs_grey = bool(wrong.any()) and any(bool(wrong[pixels.containers[rows]].any()) for rows in _strips(radiograph))
    return Codes(code_of, scale, low, table, needs_grey, spanned)


def encode_image(radiograph: Radiograph, *, alt: str, max_side: int | None = None) -> bytes:
    """Return the image as the viewer's message, which :func:`image_chunks` gives in pieces."""
    return b"".join(image_chunks(radiograph, alt=alt, max_side=max_side))


def image_chunks(radiograph: Radiograph, *, alt: str, max_side: int | None = None) -> Iterator[bytes]:
    """Yield the image as the viewer's message, in pieces of about a megapixel.

    ``SRF1``, the length of the header (uint32, little-endian), the header (JSON, filled with blanks so that the codes
    begin at a multiple of four), the table, one table for each further window of the file, the codes (little-endian),
    and the grey plane if there is one.

    Args:
        radiograph: the image.
        alt: text alternative.
        max_side: longest side in pixels that is sent; a larger image is reduced, by means over squares of pixels.
    """
    image = image_codes(radiograph)
    containers = radiograph.pixels.containers
    step = 1 if max_side is None else max(1, -(-max(containers.shape) // max_side))
    rows, columns = (-(-side // step) for side in containers.shape)
    voi = radiograph.voi
    presets = preset_tables(radiograph, image)
    header = {
        "sha": radiograph.sha256,
        "version": pixels_version(radiograph),
        "alt": alt,
        "kind": radiograph.kind,
        "rows": radiograph.rows,
        "columns": radiograph.columns,
        "shownRows": rows,
        "shownColumns": columns,
        "bytesPerCode": image.code_of.itemsize,
        "levels": len(image.table),
        "scale": image.scale,
        "offset": image.offset,
        "greyPlane": image.needs_grey and step == 1,
        "inverted": radiograph.inverted,
        "voi": {"center": voi.center, "width": voi.width, "function": voi.function},
        "presets": [name for name, _ in presets],
        # from which dragging continues; after a preset without a window it continues from that of the image
        "presetWindows": [
            [other.center, other.width] if isinstance(other, Voi) else None for other in radiograph.alternatives[1:]
        ],
        "windows": percentile_windows(radiograph),
        "unit": radiograph.unit,
        "valueNote": radiograph.value_note,
        "spacing": radiograph.spacing_mm,
        "spacingText": describe_spacing(radiograph.spacing_source),
        "orientation": posed_orientation(radiograph.header.get("PatientOrientation", ""), radiograph.pose),
    }
    head = json.dumps(header).encode()
    tables = [image.table, *(table for _, table in presets)]
    head += b" " * (-(len(MAGIC) + 4 + len(head) + sum(map(len, tables))) % 4)
    yield b"".join([MAGIC, len(head).to_bytes(4, "little"), head, *(table.tobytes() for table in tables)])
    for strip in _strips(radiograph, step):
        codes = look_up(image.code_of, containers[strip])
        codes = codes if step == 1 else _reduced(codes, step)
        yield codes.astype(codes.dtype.newbyteorder("<"), copy=False).tobytes()
    if image.needs_grey and step == 1:
        grey = grey8(radiograph.pixels.display)
        for strip in _strips(radiograph):
            yield look_up(grey, containers[strip]).tobytes()


def _strips(radiograph: Radiograph, step: int = 1) -> Iterator[slice]:
    """Yield slices of rows of about a megapixel, each of a multiple of ``step`` rows but the last."""
    height = step * max(1, _STRIP_PIXELS // (radiograph.columns * step))
    for first in range(0, radiograph.rows, height):
        yield slice(first, first + height)


def _reduced(codes: np.ndarray, step: int) -> np.ndarray:
    """Return means over squares of ``step`` pixels; at the lower and right edge the last pixels are repeated."""
    rows, columns = codes.shape
    padded = np.pad(codes, ((0, -rows % step), (0, -columns % step)), mode="edge")
    sums = np.zeros((padded.shape[0] // step, padded.shape[1] // step), dtype=np.uint32)
    for row in range(step):
        for column in range(step):
            sums += padded[row::step, column::step]
    return ((sums + step * step // 2) // (step * step)).astype(codes.dtype)


def preset_tables(radiograph: Radiograph, image: Codes) -> list[tuple[str, np.ndarray]]:
    """Return (name, (levels,) uint8 grey level of each code) of the windows and tables of the file but the first."""
    codes, spanned = image.code_of[image.spanned], image.spanned
    return [
        (voi.explanation, _table(codes, grey8(radiograph.display_under(voi))[spanned], len(image.table)))
        for voi in radiograph.alternatives[1:]
    ]


def percentile_windows(radiograph: Radiograph) -> list[tuple[str, float, float]]:
    """Return (name, center, width) of windows between percentiles of the image's values without its padding.

    A radiograph has no units as a CT has: a window for lungs is one of the darker part of this image, a window for
    bones one of the brighter part. Of a large image every second or third pixel counts.
    """
    pixels = radiograph.pixels
    step = max(1, round((pixels.containers.size / _SAMPLE) ** 0.5))
    counts = np.bincount(pixels.containers[::step, ::step].ravel(), minlength=len(pixels.values))
    counts = np.where(pixels.padding, 0, counts)
    order = np.argsort(pixels.values, kind="stable")
    values, reached = pixels.values[order], np.cumsum(counts[order])
    if not reached[-1]:
        return []
    windows = []
    for name, darkest, brightest in _PERCENTILES:
        low, high = (1 - brightest, 1 - darkest) if radiograph.inverted else (darkest, brightest)
        first = float(values[np.searchsorted(reached, low * reached[-1], side="right")])
        last = float(values[np.searchsorted(reached, high * reached[-1])])
        windows.append((name, (first + last) / 2, max(last - first, 1.0)))
    return windows


def _step(values: np.ndarray, low: float, high: float) -> float | None:
    """Return the distance of values that are whole numbers or at equal distances; None for others."""
    if high - low <= _MAX_CODE and low == round(low) and bool((np.rint(values) == values).all()):
        return 1.0
    distinct = np.unique(values)
    even = np.linspace(low, high, len(distinct))
    step = (high - low) / max(1, len(distinct) - 1)
    # what is rounded to 32 bits is not at equal distances exactly
    return step if step and float(np.abs(distinct - even).max()) < step / 16 else None


def _encode(values: np.ndarray, low: float, scale: float, depth: type, levels: int) -> np.ndarray:
    """Return the code of each value; that of a value without a pixel is arbitrary."""
    steps = values - np.float32(low)
    if scale not in (0.0, 1.0):
        steps = steps / np.float32(scale)
    return np.rint(np.clip(steps, 0, levels - 1)).astype(depth)


def _table(codes: np.ndarray, grey: np.ndarray, levels: int) -> np.ndarray:
    """Return the grey level of each code from those of the containers; other codes are interpolated."""
    table = np.full(levels, -1, dtype=np.int16)
    table[codes] = grey
    used = np.flatnonzero(table >= 0)
    if len(used) == levels:
        return table.astype(np.uint8)
    return np.rint(np.interp(np.arange(levels), used, table[used])).astype(np.uint8)


VIEWER_SCRIPTS = (
    # what is typed into a field that is gone is no key of the viewer: it is asked first
    "page.js",
    "focus.js",
    "view.js",
    "pyramid.js",
    "overlay.js",
    "measure.js",
    "pane.js",
    "pointer.js",
    "keys.js",
    "controls.js",
    "comparison.js",
    "viewer.js",
)

# registered at import: registering the name again would replace the component under a mounted viewer
_VIEWER = st.components.v2.component(
    "second_read_viewer",
    html=asset("viewer.html"),
    css=asset("viewer.css"),
    js=store_script(*VIEWER_SCRIPTS),
)


def pixels_version(image: Radiograph | ImageFacts) -> str:
    """Return what tells the pixels of an image from those of the same file rotated, mirrored or by another VOI LUT.

    That of a radiograph and of a reading of it are equal.
    """
    return "|".join(step for step in image.transforms if not step.startswith(MODEL_INPUT))


def alt_text(radiograph: Radiograph) -> str:
    """Return a text alternative of the image, without identity and without findings."""
    return (
        f"Chest radiograph, {radiograph.columns} by {radiograph.rows} pixels, "
        f"from a {radiograph.kind.upper()} file, in the default window of the file"
    )


def image_viewer() -> None:
    """Show the image that the browser's store says is chosen.

    Its pixels are fetched from our own route, its heat maps with its findings: the browser has none while these are
    hidden.
    """
    _VIEWER(key="viewer")
