"""A PDF for print of one image's reading, or of several as one file.

The same images, card and time give the same bytes. Patient and study are on the pages where they are asked for, and
never in the file's metadata or outline.

Source: ISO 32000-1, 14.3.3 (document information) and 12.2 (DisplayDocTitle).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from reportlab.lib.colors import black
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageBreak, PageTemplate

from .. import __version__
from ..labels import NOTICE
from ..model import ModelCard
from .pdf_layout import BOLD, MARGIN, REGULAR, RULE, WIDTH, fit
from .pdf_sections import sections
from .report_text import ReportImage, patient_line

__all__ = ["TITLE", "report_pdf"]

TITLE = "Automated second reading of a chest radiograph"

TOP, BOTTOM = 33 * mm, 17 * mm


def report_pdf(images: Sequence[ReportImage], card: ModelCard, when: datetime, *, identity: bool) -> bytes:
    """Return the report of some images as PDF, each on pages of its own.

    Args:
        images: one or more; ValueError for none.
        card: of the model that read them.
        when: date and time at which the report is made, with a time zone.
        identity: whether patient, study and file names are printed.
    """
    if not images:
        raise ValueError("a report is of one image or more")
    story: list[Flowable] = []
    for number, image in enumerate(images):
        story += [PageBreak()] * (number > 0) + [_Begin(number), *sections(image, card, identity)]
    stream = io.BytesIO()
    document = BaseDocTemplate(
        stream, pagesize=A4, title=TITLE, author=f"Second Read {__version__}", creator="Second Read", subject=NOTICE
    )
    room = Frame(MARGIN, BOTTOM, WIDTH, A4[1] - TOP - BOTTOM, leftPadding=0, rightPadding=0, topPadding=0)
    document.addPageTemplates([PageTemplate("page", [room])])
    document.build(story, canvasmaker=partial(_ReportCanvas, _Furniture(tuple(images), when, identity)))
    return stream.getvalue()


class _Begin(Flowable):  # type: ignore[misc]
    """Names the image that the pages from here on belong to."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def wrap(self, *_: float) -> tuple[float, float]:
        return 0, 0

    def draw(self) -> None:
        self.canv.image_number = self._number


@dataclass(frozen=True)
class _Furniture:
    """What stands on every page: title, patient, notice; date, version and page number."""

    images: tuple[ReportImage, ...]
    when: datetime
    identity: bool

    def draw(self, canvas: Canvas, number: int, page: int, pages: int) -> None:
        image, right = self.images[number], A4[0] - MARGIN
        digest = f"image {image.reading.sha256[:12]}"
        _line(canvas, MARGIN, A4[1] - 14 * mm, BOLD, 11, TITLE, WIDTH)
        whose = f"{patient_line(image.study)} · {digest}" if self.identity else digest
        _line(canvas, MARGIN, A4[1] - 19 * mm, REGULAR, 8.5, whose, WIDTH)
        canvas.setStrokeColor(black)
        canvas.setLineWidth(0.8)
        canvas.rect(MARGIN, A4[1] - 29 * mm, WIDTH, 6.5 * mm)
        _line(canvas, MARGIN + 2 * mm, A4[1] - 26.8 * mm, BOLD, 7.5, NOTICE, WIDTH - 4 * mm)
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.4)
        canvas.line(MARGIN, BOTTOM - 3 * mm, right, BOTTOM - 3 * mm)
        _line(canvas, MARGIN, BOTTOM - 7 * mm, REGULAR, 7, self._made(image.read_at), 0.75 * WIDTH)
        canvas.setFont(REGULAR, 7)
        of = f"Image {number + 1} of {len(self.images)}, " if len(self.images) > 1 else ""
        label = f"{of}page {page} of {pages}"
        canvas.drawRightString(right, BOTTOM - 7 * mm, label[0].upper() + label[1:])

    def _made(self, read_at: datetime | None) -> str:
        """Return when the image was read and the report was made."""
        if read_at is None:
            return f"Made by Second Read {__version__} on {_stamp(self.when)}"
        if read_at == self.when:
            # results for a PACS, which are the same whenever they are made, have the time of the read alone
            return f"Read on {_stamp(read_at)}. Made by Second Read {__version__}"
        return f"Read on {_stamp(read_at)}. Made by Second Read {__version__} on {_stamp(self.when)}"


def _stamp(when: datetime) -> str:
    zone = when.strftime("%z")
    return f"{when:%Y-%m-%d %H:%M}" + (f" UTC{zone[:3]}:{zone[3:5]}" if zone else "")


def _line(canvas: Canvas, x: float, y: float, font: str, size: float, string: str, width: float) -> None:
    string = fit(string, font, size, width)
    canvas.setFillColor(black)
    canvas.setFont(font, size)
    canvas.drawString(x, y, string)


def _pdf_date(when: datetime) -> str:
    """Return a date and time as ISO 32000-1, 7.9.4 has it."""
    zone = when.strftime("%z")
    return f"D:{when:%Y%m%d%H%M%S}" + (f"{zone[:3]}'{zone[3:5]}'" if zone else "")


class _ReportCanvas(Canvas):  # type: ignore[misc]
    """Keeps the pages until the end, when it is known how many each image has."""

    image_number = 0

    def __init__(self, furniture: _Furniture, stream: io.BytesIO, **options: Any) -> None:
        # reportlab's own first font is not embedded
        super().__init__(
            stream, **options | {"invariant": 1, "pageCompression": 1, "lang": "en-GB", "initialFontName": REGULAR}
        )
        self._furniture = furniture
        self._pages: list[dict[str, Any]] = []
        self.setViewerPreference("DisplayDocTitle", "true")
        self.setDateFormatter(lambda *_: _pdf_date(furniture.when))

    def showPage(self) -> None:  # noqa: N802 reportlab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        pages, drawn = self._pages, Counter[int]()
        totals = Counter(page["image_number"] for page in pages)
        for page in pages:
            self.__dict__.update(page)
            number = self.image_number
            drawn[number] += 1
            if drawn[number] == 1 and len(totals) > 1:
                self.bookmarkPage(f"image-{number}")
                digest = self._furniture.images[number].reading.sha256[:12]
                self.addOutlineEntry(f"Image {number + 1}: {digest}", f"image-{number}")
            self._furniture.draw(self, number, drawn[number], totals[number])
            super().showPage()
        super().save()
