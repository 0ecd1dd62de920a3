"""Text planted into images: made-up names, dates and numbers, as an archive burns them in."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["FONTS", "STYLES", "made_up_line", "planted"]

FONTS = ("Pillow's own", "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif")
STYLES = ("white on dark", "white in a black box", "white with a black rim", "black in a white box")
DARK = 0.4
FAMILY_NAMES = (
    "SMITH", "JOHNSON", "MILLER", "GARCIA", "NGUYEN", "KOWALSKI", "SCHMIDT", "ROSSI", "IVANOVA", "TANAKA", "LEE", "KIM",
    "O'BRIEN", "FERNANDEZ", "PETERSEN", "HALL", "WRIGHT", "DUBOIS", "ANDERSSON", "OKAFOR", "PORTER", "SINGH", "COSTA",
)  # fmt: skip
GIVEN_NAMES = ("ANNA", "JOHN", "MARIA", "PETER", "LI", "AHMED", "SOFIA", "JAMES", "OLGA", "KENJI", "EVA", "TOM")


def made_up_line(rng: np.random.Generator) -> str:
    """Return a name, a name with a date, a date, or a number; seven letters or more."""
    family, given = FAMILY_NAMES[rng.integers(len(FAMILY_NAMES))], GIVEN_NAMES[rng.integers(len(GIVEN_NAMES))]
    date = f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1930, 2006)}"
    lines = (
        f"{family}, {given}",
        f"{family}^{given}",
        f"{family.title()} {given.title()} {date}",
        date,
        f"ID {rng.integers(10**6, 10**8)}",
    )
    return lines[rng.integers(len(lines))]


def planted(
    display: np.ndarray, rng: np.random.Generator, text: str, share: float, font: str, style: str
) -> np.ndarray | None:
    """Return the image with a line of text at a corner or in the middle of its upper or lower edge.

    Args:
        display: (rows, columns) float32 in [0, 1].
        rng: draws the place.
        text: the line.
        share: size of the font by the height of the image.
        font: one of :data:`FONTS`.
        style: one of :data:`STYLES`; white on dark finds a place that is dark.

    Returns:
        The same shape, in steps of 1/255; None where no place is dark.
    """
    rows, columns = display.shape
    type_ = _type(font, max(4, round(share * rows)))
    left, top, right, bottom = (round(edge) for edge in type_.getbbox(text))
    width, height, pad = right - left, bottom - top, max(2, round(0.3 * share * rows))
    margin = pad + round(rng.uniform(0, 0.03) * rows)
    left_edges, top_edges = (margin, columns - margin - width, (columns - width) // 2), (margin, rows - margin - height)
    places = [(x, y) for x in left_edges for y in top_edges]
    if style == "white on dark":
        places = [(x, y) for x, y in places if display[y : y + height, max(0, x) : x + width].mean() < DARK]
        if not places:
            return None
    x, y = places[rng.integers(len(places))]
    image = Image.fromarray(np.rint(display * 255).astype(np.uint8))
    pen, dark_ink = ImageDraw.Draw(image), style == "black in a white box"
    if "box" in style:
        pen.rectangle((x - pad, y - pad, x + width + pad, y + height + pad), fill=255 * dark_ink)
    rim = {"stroke_width": 1, "stroke_fill": 0} if "rim" in style else {}
    pen.text((x - left, y - top), text, fill=0 if dark_ink else int(rng.choice((255, 220))), font=type_, **rim)
    return np.asarray(image, dtype=np.float32) / 255


@cache
def _type(font: str, size: int) -> ImageFont.FreeTypeFont:
    if font == FONTS[0]:
        return ImageFont.load_default(size)
    # the same on every machine: matplotlib brings DejaVu, and the other layout of letters needs a library of the system
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
