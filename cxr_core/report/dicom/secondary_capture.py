"""Findings and heat maps as images that any viewer shows.

The first image is a page of all findings. One follows for each finding that is above its operating point: the image
with the map over it, legend, numbers and notice burned in. No name of a patient is.

Source: PS3.3 A.8.1 (Secondary Capture Image).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from highdicom.sc import SCImage
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from ...explain import CONTOUR_LEVEL, describe_strongest, heat_map, overlay
from ...formatting import format_probability
from ...imaging import render8
from ...labels import NOTICE, display_name
from ...model import Finding
from ...model.formatting import STATE_NAMES, STATE_TEXTS, describe_scale, describe_states, format_finding
from ...model.localisation import describe_maps
from ...model.rate_formatting import describe_operating_point
from ...model.stability import UNSTABLE, describe_changes
from ..report_text import describe_model_kind, describe_opinions
from .identification import ResultSource, reference_to
from .page_painter import HEADING, MARGIN, QUIET, SMALL, PagePainter, map_legend

__all__ = ["findings_page", "map_page", "secondary_captures"]

SIDE = 1024
"""Longer side of the image on a page, pixels."""

PANEL = 560
"""Width of the text beside it, pixels."""

PAGE = 1024
"""Width of the page of findings, pixels."""

_HEADINGS = ("Finding", "Value", "Threshold", "State")
_COLUMNS = (0, 230, 430, 540)
"""Offsets of the columns of the table of findings, pixels."""


def secondary_captures(source: ResultSource) -> list[Dataset]:
    """Return the page of findings and a page for each finding that is above, as Secondary Capture images."""
    above = [finding for finding in source.image.reading.ranked() if finding.state == "above"]
    pages = [findings_page(source), *_map_pages(source, above)]
    return [_as_object(source, page, number) for number, page in enumerate(pages, 1)]


def _as_object(source: ResultSource, page: np.ndarray, number: int) -> Dataset:
    original = source.original
    result = SCImage.from_ref_dataset(
        original,
        pixel_array=page,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **source.attributes("sc", number),
    )
    result.copy_patient_and_study_information(original)
    # a page with text beside the image has no direction of the patient
    result.PatientOrientation = []
    result.BodyPartExamined = "CHEST"
    # the page adds no name; an original with burned-in text stays one
    result.BurnedInAnnotation = original.get("BurnedInAnnotation", "NO")
    result.SourceImageSequence = [reference_to(original)]
    return result


def findings_page(source: ResultSource) -> np.ndarray:
    """Return the page of all findings, (rows, columns, 3) uint8."""
    reading, width = source.image.reading, PAGE - 2 * MARGIN
    page = PagePainter(MARGIN, width)
    page.text("Second Read: automated second reading of a chest radiograph", HEADING, bold=True)
    page.text(NOTICE, bold=True, gap=10)
    page.text(describe_states(reading.ranked()), gap=16)
    for reason in reading.quality.reasons:
        page.text(f"Warning: {reason}", gap=4)
    if reading.quality.override:
        page.text(f"Read anyway: {reading.quality.override}", gap=4)
    widths = [*(right - left - 10 for left, right in pairwise(_COLUMNS)), width - _COLUMNS[-1]]
    page.row(list(zip(_HEADINGS, _COLUMNS, widths, strict=True)), SMALL, colour=QUIET, gap=12)
    for finding in reading.ranked():
        cells = list(zip(_cells(source, finding), _COLUMNS, widths, strict=True))
        page.row(cells, bold=finding.state == "above", gap=8)
    for line in _footer(source, [finding.label for finding in reading.findings]):
        page.text(line, SMALL, colour=QUIET, gap=8)
    return page.image(PAGE)


def _cells(source: ResultSource, finding: Finding) -> tuple[str, str, str, str]:
    reading = source.image.reading
    threshold = "" if finding.threshold is None else format_probability(finding.threshold)
    state = STATE_TEXTS[finding.state].capitalize()
    if finding.reason:
        state += f": {finding.reason}"
    if changes := reading.changes_of_state(finding.label):
        state += f"; {UNSTABLE} ({describe_changes(changes)})"
    if opinions := describe_opinions(source.image.opinions, finding.label):
        state += f". Reader: {opinions}"
    return display_name(finding.label), _value(finding), threshold, state


def _value(finding: Finding) -> str:
    kind, value = ("score", finding.score) if finding.probability is None else ("probability", finding.probability)
    return f"{kind} {format_probability(value)}"


def _map_pages(source: ResultSource, findings: list[Finding]) -> Iterator[np.ndarray]:
    if not findings:
        return
    grey = _resized(render8(source.displayed()))
    for finding in findings:
        yield map_page(source, grey, finding)


def map_page(source: ResultSource, grey: np.ndarray, finding: Finding) -> np.ndarray:
    """Return the image with the map of one finding and what belongs to it, (rows, columns, 3) uint8.

    Args:
        source: of the result.
        grey: (rows, columns) uint8, the displayed image at the size at which it is shown.
        finding: of the reading.
    """
    reading, card = source.image.reading, source.card
    heat = heat_map(reading, finding.label, card)
    mapped = overlay(grey, heat)
    rows, columns = grey.shape
    panel = PagePainter(columns + 2 * MARGIN, PANEL)
    panel.text("Second Read", SMALL, colour=QUIET)
    panel.text(display_name(finding.label), HEADING, bold=True)
    panel.text(format_finding(finding))
    panel.text(STATE_TEXTS[finding.state].capitalize(), bold=True)
    if changes := reading.changes_of_state(finding.label):
        panel.text(f"{UNSTABLE.capitalize()}: {describe_changes(changes)}", SMALL)
    if opinions := describe_opinions(source.image.opinions, finding.label):
        panel.text(f"Reader: {opinions}", SMALL)
    panel.text(NOTICE, SMALL, bold=True, gap=12)
    panel.picture(map_legend(PANEL), gap=16)
    ends = "0", f"contour {CONTOUR_LEVEL * heat.anchor:.2g}", f"full colour {heat.anchor:.2g}"
    panel.row(list(zip(ends, (0, PANEL // 2 - 60, PANEL - 150), (100, 150, 150), strict=True)), SMALL, gap=4)
    cell = f"; one cell of the map: {heat.cell_size()}" if heat.cell_mm else ""
    panel.text(f"Contribution to the score (logit){cell}. {describe_strongest(heat).capitalize()}.", SMALL)
    panel.text("All findings", SMALL, colour=QUIET, gap=12)
    for other in reading.ranked():
        cells = [(display_name(other.label), 0, 220), (_value(other), 230, 170), (STATE_NAMES[other.state], 410, 150)]
        panel.row(cells, SMALL, bold=other.state == "above")
    for reason in reading.quality.reasons:
        panel.text(f"Warning: {reason}", SMALL, gap=4)
    if reading.quality.override:
        panel.text(f"Read anyway: {reading.quality.override}", SMALL, gap=4)
    for line in _footer(source, [finding.label]):
        panel.text(line, SMALL, colour=QUIET, gap=8)
    panel.text(
        f"Shown at {columns} × {rows} of {heat.columns} × {heat.rows} pixels; for findings, not for reading the image.",
        SMALL,
        colour=QUIET,
        gap=8,
    )
    page = panel.image(columns + 3 * MARGIN + PANEL, rows + 2 * MARGIN)
    page[MARGIN : MARGIN + rows, MARGIN : MARGIN + columns] = mapped
    return page


def _footer(source: ResultSource, labels: list[str]) -> Iterator[str]:
    """Yield what the numbers and the maps are, and of which model and image."""
    reading, card = source.image.reading, source.card
    if kind := describe_model_kind(card):
        yield kind
    yield describe_scale(card, reading.prevalence)
    yield describe_operating_point(card.operating_point(reading.operating_point))
    if maps := describe_maps(card.localisation, labels):
        yield maps
    yield (
        f"Model {card.id}, version {card.version}, weights SHA-256 {reading.model_sha256[:12]}; operating point "
        f"{reading.operating_point}; image SHA-256 {reading.sha256[:12]}."
    )


def _resized(grey: np.ndarray) -> np.ndarray:
    """Return an image whose longer side is :data:`SIDE`."""
    image = Image.fromarray(grey)
    scale = SIDE / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    filtering = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(image.resize(size, filtering))
