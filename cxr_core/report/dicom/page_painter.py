"""Text and pictures painted from top to bottom into an image, as high as its content needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...explain import CONTOUR_COLOUR, CONTOUR_LEVEL, MAP_ALPHA, MAP_COLOUR

__all__ = ["BODY", "HEADING", "INK", "MARGIN", "PAPER", "QUIET", "SMALL", "PagePainter", "map_legend"]

INK, QUIET, PAPER = (232, 234, 237), (154, 163, 173), (16, 20, 24)
"""Colours, sRGB 0 to 255: text, less important text, background."""

HEADING, BODY, SMALL = 26, 18, 15
"""Sizes of type, pixels."""

MARGIN = 24

_LEADING = 1.3


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    # matplotlib brings DejaVu Sans
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


class PagePainter:
    """Collects what is painted, below one another; :meth:`image` paints it.

    Args:
        left: position of the column, pixels.
        width: of the column, pixels; longer text is wrapped.
    """

    def __init__(self, left: int, width: int) -> None:
        self._left, self._width, self.y = left, width, MARGIN
        self._texts: list[tuple[int, int, str, ImageFont.FreeTypeFont, tuple[int, int, int]]] = []
        self._pictures: list[tuple[int, int, np.ndarray]] = []

    def text(
        self, text: str, size: int = BODY, *, bold: bool = False, colour: tuple[int, int, int] = INK, gap: int = 0
    ) -> None:
        """Add a paragraph, ``gap`` pixels below what is there."""
        self.row([(text, 0, self._width)], size, bold=bold, colour=colour, gap=gap)

    def row(
        self,
        cells: Sequence[tuple[str, int, int]],
        size: int = BODY,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
        gap: int = 0,
    ) -> None:
        """Add cells beside one another, each (text, offset from the column's left, width), all wrapped."""
        font, top = _font(size, bold), self.y + gap
        lines = 0
        for text, offset, width in cells:
            wrapped = _wrap(text, font, width)
            lines = max(lines, len(wrapped))
            for number, line in enumerate(wrapped):
                self._texts.append((self._left + offset, top + round(number * _LEADING * size), line, font, colour))
        self.y = top + round(lines * _LEADING * size)

    def picture(self, pixels: np.ndarray, gap: int = 0) -> None:
        """Add a picture, (rows, columns, 3) uint8."""
        self._pictures.append((self._left, self.y + gap, pixels))
        self.y += gap + pixels.shape[0]

    def image(self, width: int, height: int = 0) -> np.ndarray:
        """Return the page, (rows, columns, 3) uint8: of this width, and of this height or as high as is needed."""
        page = Image.new("RGB", (width, max(height, self.y + MARGIN)), PAPER)
        pen = ImageDraw.Draw(page)
        for x, y, pixels in self._pictures:
            page.paste(Image.fromarray(pixels), (x, y))
        for x, y, line, font, colour in self._texts:
            pen.text((x, y), line, font=font, fill=colour)
        return np.asarray(page).copy()


def map_legend(width: int, height: int = 22) -> np.ndarray:
    """Return the scale of a map, from no colour to full colour over grey, with the level of the contour."""
    alpha = np.linspace(0, MAP_ALPHA, width)[None, :, None]
    bar = np.rint(90 * (1 - alpha) + np.array(MAP_COLOUR) * alpha).astype(np.uint8)
    bar = np.repeat(bar, height, axis=0)
    middle = round(CONTOUR_LEVEL * width)
    bar[:, middle - 1 : middle + 2] = CONTOUR_COLOUR
    return bar


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Return a text in lines of at most ``width`` pixels; a word that is longer is divided."""
    lines, line = [], ""
    for word in text.split():
        extended = f"{line} {word}" if line else word
        if font.getlength(extended) <= width:
            line = extended
            continue
        if line:
            lines.append(line)
        while font.getlength(word) > width:
            fitting = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or font.getlength(word[:n]) <= width)
            lines.append(word[:fitting])
            word = word[fitting:]
        line = word
    return [*lines, line] if line or not lines else lines
