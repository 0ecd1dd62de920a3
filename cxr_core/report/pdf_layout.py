"""Type and figures of a PDF report: fonts, paragraphs and tables, the image with its map, the legend, the bars.

Everything is legible in grey: a state is a word and a sign, the extent of a map is a contour with a black rim.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib
import numpy as np
from PIL import Image
from reportlab import rl_config
from reportlab.lib.colors import Color, black, white
from reportlab.lib.fonts import addMapping
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph

from ..explain import CONTOUR_COLOUR, CONTOUR_LEVEL, MAP_ALPHA, MAP_COLOUR, HeatMap, contour, overlay
from ..imaging import Radiograph, render8
from ..model import Finding, log_odds

__all__ = [
    "BOLD",
    "MARGIN",
    "REGULAR",
    "RULE",
    "SHADE",
    "WIDTH",
    "ImageFigure",
    "MapLegend",
    "ThresholdBar",
    "fit",
    "printable",
    "text",
]

REGULAR, BOLD = "SecondRead", "SecondRead-Bold"
MARGIN = 16 * mm
WIDTH = A4[0] - 2 * MARGIN
RULE, SHADE = Color(0.45, 0.45, 0.45), Color(0.92, 0.92, 0.92)

SIDE = 900
"""Longer side of a printed image in pixels: some 300 dpi at its size on the page."""

_REPLACEMENT = "\ufffd"
_BAR_LOGITS = 3.0
"""Half the width of a bar, in log-odds from the threshold, as on the reading page."""


@cache
def _face() -> frozenset[int]:
    """Register DejaVu Sans, which matplotlib brings, for embedding; return the code points that both weights have.

    It has Latin, Greek and Cyrillic letters. Letters written from right to left are left out: reportlab would set them
    in the wrong order.
    """
    # binary streams, which are a fifth smaller than text
    rl_config.useA85 = 0
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [TTFont(REGULAR, str(folder / "DejaVuSans.ttf")), TTFont(BOLD, str(folder / "DejaVuSans-Bold.ttf"))]
    for bold, font in enumerate(fonts):
        pdfmetrics.registerFont(font)
        for italic in (0, 1):
            addMapping(REGULAR, bold, italic, font.fontName)
    known = set.intersection(*(set(font.face.charToGlyph) for font in fonts))
    return frozenset(code for code in known if unicodedata.bidirectional(chr(code)) not in ("R", "AL"))


def printable(string: str) -> str:
    """Return a string in which every character that the font lacks is the replacement character U+FFFD."""
    known = _face()
    composed = unicodedata.normalize("NFC", " ".join(string.split()))
    return "".join(letter if ord(letter) in known else _REPLACEMENT for letter in composed)


def text(string: str, size: float = 8, *, bold: bool = False, heading: str = "") -> Paragraph:
    """Return a paragraph; a heading stands before it in bold."""
    font = BOLD if bold else REGULAR
    _face()
    style = ParagraphStyle(
        "text", fontName=font, fontSize=size, leading=1.3 * size, spaceAfter=0.15 * size, splitLongWords=1
    )
    before = f"<b>{escape(printable(heading))}</b> " if heading else ""
    return Paragraph(before + escape(printable(string)), style)


def fit(string: str, font: str, size: float, width: float) -> str:
    """Return a string for one line of a width in points, with an ellipsis where it is too long."""
    string = printable(string)
    if pdfmetrics.stringWidth(string, font, size) <= width:
        return string
    while string and pdfmetrics.stringWidth(string + "…", font, size) > width:
        string = string[:-1]
    return string + "…"


class ImageFigure(Flowable):  # type: ignore[misc]
    """The image, and beside it the image with a map.

    Args:
        radiograph: returns the image when the page is drawn, or None where it is no longer in memory.
        rows, columns: of the image.
        heat: the map; None for the image alone.
        width, height: room for both, points.
    """

    GAP = 3 * mm

    def __init__(
        self,
        radiograph: Callable[[], Radiograph | None],
        rows: int,
        columns: int,
        heat: HeatMap | None,
        width: float,
        height: float,
    ) -> None:
        super().__init__()
        self._radiograph, self._heat = radiograph, heat
        room = (width - self.GAP) / 2
        self._scale = min(room / columns, height / rows)
        self._size = columns * self._scale, rows * self._scale
        self.width = self._size[0] * (1 if heat is None else 2) + (0 if heat is None else self.GAP)
        self.height = self._size[1]

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return width and height, points."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw the images."""
        radiograph = self._radiograph()
        canvas, (width, height) = self.canv, self._size
        if radiograph is None:
            _frame(canvas, 0, width, height)
            canvas.setFont(REGULAR, 8)
            canvas.drawCentredString(width / 2, height / 2, "Image no longer in memory")
            return
        image = Image.fromarray(render8(radiograph))
        image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        canvas.drawImage(ImageReader(image), 0, 0, width, height)
        _frame(canvas, 0, width, height)
        if self._heat is not None:
            left = width + self.GAP
            mapped = Image.fromarray(overlay(np.asarray(image), self._heat, lines=False))
            canvas.drawImage(ImageReader(mapped), left, 0, width, height)
            for line in contour(self._heat):
                points = (line + 0.5) * self._scale
                _contour(canvas, [(left + x, height - y) for x, y in points.tolist()])
            _frame(canvas, left, width, height)


class MapLegend(Flowable):  # type: ignore[misc]
    """The scale of a map: from no colour to full colour over grey, and the contour.

    Args:
        heat: the map.
        width: points.
    """

    def __init__(self, heat: HeatMap, width: float) -> None:
        super().__init__()
        self._heat, self.width, self.height = heat, width, 17 * mm

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return width and height, points."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw the bar with its numbers, and a piece of contour."""
        canvas, top, depth = self.canv, self.height, 4 * mm
        alpha = np.linspace(0, MAP_ALPHA, 256)[None, :, None]
        bar = np.rint(90 * (1 - alpha) + np.array(MAP_COLOUR) * alpha).astype(np.uint8)
        canvas.drawImage(ImageReader(Image.fromarray(bar)), 0, top - depth, self.width, depth)
        _frame(canvas, 0, self.width, depth, top - depth)
        middle = CONTOUR_LEVEL * self.width
        _contour(canvas, [(middle, top - depth), (middle, top)])
        canvas.setFillColor(black)
        canvas.setFont(REGULAR, 7)
        anchor = self._heat.anchor
        canvas.drawString(0, top - depth - 8, "0")
        canvas.drawCentredString(middle, top - depth - 8, f"{CONTOUR_LEVEL * anchor:.2g}")
        canvas.drawRightString(self.width, top - depth - 8, f"{anchor:.2g}")
        _contour(canvas, [(0, top - depth - 19), (7 * mm, top - depth - 19)])
        canvas.drawString(9 * mm, top - depth - 21, f"contour: {CONTOUR_LEVEL * anchor:.2g}, half")
        canvas.drawString(9 * mm, top - depth - 30, "of full colour")


class ThresholdBar(Flowable):  # type: ignore[misc]
    """A finding's value and interval by their distance from the threshold in log-odds; the threshold is the middle.

    Args:
        finding: one with a threshold.
        width, height: points.
    """

    def __init__(self, finding: Finding, width: float, height: float) -> None:
        super().__init__()
        self._finding, self.width, self.height = finding, width, height

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return width and height, points."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw the line of the interval and the point of the value; filled where it is above."""
        canvas, finding, middle = self.canv, self._finding, self.height / 2
        value = finding.score if finding.probability is None else finding.probability
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.4)
        canvas.line(0, middle, self.width, middle)
        canvas.setStrokeColor(black)
        canvas.setLineWidth(0.8)
        canvas.line(self.width / 2, 0, self.width / 2, self.height)
        if finding.interval is not None:
            canvas.setLineWidth(1.6)
            canvas.line(*(coordinate for end in finding.interval for coordinate in (self._x(end), middle)))
        canvas.setLineWidth(0.8)
        canvas.setFillColor(black if finding.state == "above" else white)
        canvas.circle(self._x(value), middle, 1.9, stroke=1, fill=1)

    def _x(self, value: float) -> float:
        if self._finding.threshold is None:
            raise ValueError("a finding without a threshold has no bar")
        distance = (log_odds(value) - log_odds(self._finding.threshold)) / _BAR_LOGITS
        return self.width * (1 + max(-1.0, min(1.0, distance))) / 2


def _contour(canvas: Canvas, points: Sequence[tuple[float, float]]) -> None:
    """Draw a line in the contour's colour with a black rim, which is seen on any grey."""
    for colour, thickness in ((black, 2.2), (Color(*(part / 255 for part in CONTOUR_COLOUR)), 1.1)):
        path = canvas.beginPath()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(thickness)
        canvas.drawPath(path)


def _frame(canvas: Canvas, left: float, width: float, height: float, bottom: float = 0) -> None:
    canvas.setStrokeColor(black)
    canvas.setLineWidth(0.5)
    canvas.rect(left, bottom, width, height)
