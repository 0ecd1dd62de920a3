"""A film, packed for the browser: full depth, and the rendering by which it is shown first.

The viewer changes window and level itself, so it is sent the values and not a picture of them. Values
become codes (whole numbers from 0), and a table gives for each code the grey level of ``render8``: the
first view is exactly what the model was given and what a DICOM workstation is compared with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..imaging import Radiograph, Voi, grey8, look_up, render8

__all__ = ["MAGIC", "MAX_SIDE", "Codes", "film_bytes", "film_codes", "preset_tables"]

MAGIC = b"SRF1"

MAX_SIDE = 2048
"""Longest side that is sent, in pixels; a larger film is reduced, and the viewer says so."""

_DEEPEST = 65535  # codes are sent with 16 bits


@dataclass(frozen=True)
class Codes:
    """Values of a film as whole numbers, and back.

    Attributes:
        codes: (rows, columns) uint8 or uint16, row 0 on top; at most :data:`MAX_SIDE` on a side.
        scale, offset: value = code * scale + offset, in the units of ``Radiograph.values``.
        table: (levels,) uint8; the grey level of ``render8`` for each code.
        grey: (rows, columns) uint8, where no table can say it (one value, two grey levels), else None.
        code_of: code of each container from the film's lowest to its highest.
        lowest: that lowest container.
    """

    codes: np.ndarray
    scale: float
    offset: float
    table: np.ndarray
    grey: np.ndarray | None
    code_of: np.ndarray
    lowest: int


def film_codes(radiograph: Radiograph) -> Codes:
    """Return the film as codes.

    Whole values within 16 bits keep their steps; others are put on 65,536 steps over their range. All of
    it is worked out on the tables of the film's containers; only the codes themselves are looked up.
    """
    pixels = radiograph.pixels
    lowest, highest = int(pixels.containers.min()), int(pixels.containers.max())
    values, grey = pixels.values, grey8(pixels.display)
    spanned = slice(lowest, highest + 1)
    low, high = float(values[spanned].min()), float(values[spanned].max())
    whole = high - low <= _DEEPEST and low == round(low) and bool((np.rint(values[spanned]) == values[spanned]).all())
    scale = 1.0 if whole else (high - low) / _DEEPEST
    levels = (round(high - low) if whole else _DEEPEST) + 1
    depth = np.uint8 if levels <= 256 else np.uint16
    codes_of = _encode(values, low, scale, depth, levels)
    code_of = codes_of[spanned]
    table = _table(code_of, grey[spanned], levels)
    codes = look_up(codes_of, pixels.containers)
    plane = None
    if max(codes.shape) > MAX_SIDE:
        codes = _reduced(codes)
    elif not (table[code_of] == grey[spanned]).all():
        plane = _grey_plane(radiograph, codes, table)
    return Codes(codes, scale, low, table, plane, code_of, lowest)


def film_bytes(radiograph: Radiograph, *, alt: str) -> bytes:
    """Return the film as the viewer's message.

    ``SRF1``, the length of the header (uint32, little-endian), the header (JSON), the table, one table for
    each of the file's other windows, the codes (little-endian), and the grey plane where there is one.
    """
    film = film_codes(radiograph)
    rows, columns = film.codes.shape
    voi = radiograph.voi
    header = {
        "sha": radiograph.sha256,
        # a film that the reader turned has the same bytes and other pixels
        "version": "|".join(radiograph.transforms),
        "alt": alt,
        "kind": radiograph.kind,
        "rows": radiograph.rows,
        "columns": radiograph.columns,
        "shownRows": rows,
        "shownColumns": columns,
        "bytesPerCode": film.codes.itemsize,
        "levels": len(film.table),
        "scale": film.scale,
        "offset": film.offset,
        "greyPlane": film.grey is not None,
        "inverted": radiograph.inverted,
        "voi": {"center": voi.center, "width": voi.width, "function": voi.function},
    }
    presets = preset_tables(radiograph, film)
    header["presets"] = [name for name, _ in presets]
    # where dragging goes on from; a table has no window, so it goes on from the film's own
    header["presetWindows"] = [
        [other.center, other.width] if isinstance(other, Voi) else None for other in radiograph.alternatives[1:]
    ]
    head = json.dumps(header).encode()
    parts = [MAGIC, len(head).to_bytes(4, "little"), head, film.table.tobytes()]
    parts += [table.tobytes() for _, table in presets]
    parts.append(film.codes.astype(film.codes.dtype.newbyteorder("<"), copy=False).tobytes())
    if film.grey is not None:
        parts.append(film.grey.tobytes())
    return b"".join(parts)


def preset_tables(radiograph: Radiograph, film: Codes) -> list[tuple[str, np.ndarray]]:
    """Return (name, (levels,) uint8 grey of each code) for each of the file's windows and tables but the first."""
    spanned = slice(film.lowest, film.lowest + len(film.code_of))
    return [
        (voi.explanation, _table(film.code_of, grey8(radiograph.display_under(voi))[spanned], len(film.table)))
        for voi in radiograph.alternatives[1:]
    ]


def _encode(values: np.ndarray, low: float, scale: float, depth: type, levels: int) -> np.ndarray:
    """Return the code of each value; values that no pixel has may get any."""
    steps = values - np.float32(low)
    if scale not in (0.0, 1.0):
        steps = steps / np.float32(scale)
    return np.rint(np.clip(steps, 0, levels - 1)).astype(depth)


def _table(codes: np.ndarray, grey: np.ndarray, levels: int) -> np.ndarray:
    """Return the grey of each code, read off (containers,) codes and greys; other codes lie between neighbours."""
    seen = np.full(levels, -1, dtype=np.int16)
    seen[codes] = grey
    known = np.flatnonzero(seen >= 0)
    if len(known) == levels:
        return seen.astype(np.uint8)
    return np.rint(np.interp(np.arange(levels), known, seen[known])).astype(np.uint8)


def _grey_plane(radiograph: Radiograph, codes: np.ndarray, table: np.ndarray) -> np.ndarray | None:
    """Return the rendering where the table does not give it for some pixel, such as padding among values."""
    grey = render8(radiograph)
    return None if (table[codes] == grey).all() else grey


def _reduced(codes: np.ndarray) -> np.ndarray:
    rows, columns = codes.shape
    share = MAX_SIDE / max(rows, columns)
    size = (max(1, round(columns * share)), max(1, round(rows * share)))
    return np.asarray(Image.fromarray(codes).resize(size, Image.Resampling.BOX))
