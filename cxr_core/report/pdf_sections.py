"""The parts of one image's report: patient and study, summary, image and map, findings, operating point, model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from reportlab.lib.colors import black
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Paragraph, Spacer, Table

from ..explain import HeatMap, describe_strongest, heat_map
from ..formatting import format_probability
from ..labels import CAVEATS, display_name
from ..model import Finding, ModelCard, Reading
from ..model.formatting import (
    INTERVAL_EXPLANATION,
    STATE_TEXTS,
    describe_evaluation,
    describe_not_evaluated,
    describe_scale,
    describe_states,
)
from ..model.localisation import describe_map
from ..model.rate_formatting import describe_operating_point, describe_view_rate
from ..model.stability import UNSTABLE
from .pdf_layout import REGULAR, RULE, SHADE, WIDTH, ImageFigure, MapLegend, ThresholdBar, text
from .report_text import (
    ReportImage,
    Rows,
    card_lines,
    describe_model_kind,
    describe_opinions,
    patient_rows,
    study_rows,
)

__all__ = ["sections"]

IMAGE_WIDTH, IMAGE_HEIGHT = 132 * mm, 74 * mm


def sections(image: ReportImage, card: ModelCard, identity: bool) -> Iterator[Flowable]:
    """Yield the report of one image, from top to bottom.

    Args:
        image: with its reading, by the model of ``card``.
        card: states the operating point and the scale of the maps.
        identity: whether patient, study and file name are printed.
    """
    reading = image.reading
    facts = reading.image
    if identity:
        yield _facts(patient_rows(image.study), study_rows(image.study, image.name))
    view = f"{facts.view}, " if facts.view else ""
    described = f"{view}{facts.kind.upper()}, {facts.columns} × {facts.rows} pixels, SHA-256 {reading.sha256}"
    yield text(described, 7, heading="Image:")
    yield Spacer(0, 2 * mm)
    if image.study is not None and image.study.alarms:
        yield _boxed([text(alarm, 8.5, heading="Check the patient:") for alarm in image.study.alarms])
    if not reading.findings:
        yield _boxed([text("This image was not read.", 10, bold=True), *(text(r) for r in reading.quality.reasons)])
        yield ImageFigure(image.radiograph, facts.rows, facts.columns, None, 2 * IMAGE_WIDTH, 1.5 * IMAGE_HEIGHT)
        return
    kind = describe_model_kind(card)
    yield _boxed([text(describe_states(reading.ranked()), 10, bold=True), *([text(kind, 8)] if kind else [])])
    yield from _warnings(reading)
    yield _figures(image, card)
    findings = list(_findings(image, card))
    # with opinions they may take more than what is left of the page
    yield from findings if image.opinions else [KeepTogether(findings)]
    yield KeepTogether(list(_operating_point(reading, card)))
    yield KeepTogether(
        [
            _heading("Model"),
            *(text(line, 7.5, heading=f"{name}:") for name, line in card_lines(card, reading.engine)),
            text(f"{', '.join(card.not_looked_for)}.", 7.5, heading="It does not look for:"),
        ]
    )
    yield KeepTogether([_heading("Image processing"), text("; ".join(facts.transforms) or "none", 7.5)])


def _heading(title: str) -> Table:
    table = Table([[text(title, 9, bold=True)]], colWidths=[WIDTH], spaceBefore=3 * mm, spaceAfter=1 * mm)
    table.setStyle([("LINEBELOW", (0, 0), (-1, -1), 0.5, RULE), *_cells(0, 1.5)])
    return table


def _cells(side: float, above: float) -> list[tuple[Any, ...]]:
    """Return the style of all cells of a table: padding in points, and an embedded font, which an empty cell uses."""
    whole = (0, 0), (-1, -1)
    padding = {"LEFT": side, "RIGHT": side, "TOP": above, "BOTTOM": above}
    return [("FONTNAME", *whole, REGULAR), *((f"{edge}PADDING", *whole, room) for edge, room in padding.items())]


def _facts(left: Rows, right: Rows) -> Table:
    """Return names and values in two columns of pairs."""
    pairs = zip_longest(map(_pair, left), map(_pair, right), fillvalue=(None, None))
    first, second = 24 * mm, 21 * mm
    columns = [first, WIDTH / 2 - first, second, WIDTH / 2 - second]
    table = Table([[*one, *other] for one, other in pairs], colWidths=columns, spaceAfter=1 * mm)
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_cells(0, 1)])
    return table


def _pair(row: tuple[str, str]) -> tuple[Paragraph, Paragraph]:
    return text(row[0]), text(row[1], bold=row[0] in ("Patient", "Patient ID"))


def _boxed(content: list[Flowable]) -> Table:
    table = Table([[content]], colWidths=[WIDTH], spaceAfter=2 * mm)
    table.setStyle(
        [*_cells(6, 3), ("BACKGROUND", (0, 0), (-1, -1), SHADE), ("LINEBEFORE", (0, 0), (0, -1), 2.5, black)]
    )
    return table


def _warnings(reading: Reading) -> Iterator[Flowable]:
    quality = reading.quality
    if quality.override:
        yield text(f"Reason given: {quality.override}", heading="Refused image, read on request.")
    reasons = "; ".join(quality.reasons) or "none. The reading can still be wrong."
    yield text(reasons, heading="Warnings:")
    if quality.notes:
        yield text("; ".join(quality.notes), 7.5, heading="Notes:")
    yield Spacer(0, 2 * mm)


def _figures(image: ReportImage, card: ModelCard) -> Table:
    """Return the image without and with the map, and what the map is."""
    facts, finding = image.reading.image, image.mapped()
    heat = None if finding is None else heat_map(image.reading, finding.label, card)
    figure = ImageFigure(image.radiograph, facts.rows, facts.columns, heat, IMAGE_WIDTH, IMAGE_HEIGHT)
    width = WIDTH - figure.width - 4 * mm
    words: list[Flowable] = [text("No heat map: no finding is above its operating point, and none was chosen.", 7.5)]
    if finding is not None and heat is not None:
        words = [text(f"Heat map: {display_name(finding.label)}", 9, bold=True), text(STATE_TEXTS[finding.state], 7.5)]
        words += [Spacer(0, 2 * mm), MapLegend(heat, min(width, 42 * mm)), *_map_words(finding, heat, card)]
    table = Table([[figure, words]], colWidths=[figure.width + 4 * mm, width])
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_cells(0, 0)])
    return table


def _map_words(finding: Finding, heat: HeatMap, card: ModelCard) -> Iterator[Flowable]:
    rows, columns = heat.grid.shape
    cell = f", each {heat.cell_size()}" if heat.cell_mm else ""
    yield text(f"{describe_strongest(heat).capitalize()}.", 7.5)
    yield text(
        f"Contribution to the score (logit). Grid of {columns} × {rows} cells{cell}; the scale is fixed per label and "
        "does not depend on the image.",
        7,
    )
    if heat.source != (0, 0, heat.columns, heat.rows):
        yield text("Dark and hatched: not seen by the model.", 7)
    if measured := describe_map(card.localisation, finding.label):
        yield text(measured, 7)


def _findings(image: ReportImage, card: ModelCard) -> Iterator[Flowable]:
    reading = image.reading
    wanted = {image.label, *(opinion.label for opinion in image.opinions)}
    shown = [f for f in reading.ranked() if f.state != "not_evaluated" or f.label in wanted]
    yield _heading("Findings")
    if shown:
        yield _findings_table(image, shown)
    if others := describe_not_evaluated(reading.ranked()):
        yield text(others, 7.5, heading="Not evaluated:")
    for finding in shown:
        caveat = card.caveats.get(finding.label, CAVEATS.get(finding.label, ""))
        if caveat and (finding.state == "above" or finding.label == image.label):
            yield text(caveat, 7.5, heading=f"{display_name(finding.label)}:")
    if not reading.changes_checked:
        stability = "The image was not read again under small changes."
    elif any(reading.changes_of_state(finding.label) for finding in reading.findings):
        stability = f"A state that {UNSTABLE} is marked."
    else:
        stability = f"No state changes under {len(reading.under_changes)} small changes of the image."
    yield text(f"{stability} A finding below its operating point can still be there.", 7.5)


def _findings_table(image: ReportImage, findings: Sequence[Finding]) -> Table:
    reading, bar, size = image.reading, 27 * mm, 8
    kinds = {"score" if finding.probability is None else "probability" for finding in findings}
    one_kind = len(kinds) == 1
    value_head = kinds.pop().capitalize() if one_kind else "Value"
    head = ("Finding", value_head, "95 % interval", "Threshold", "From threshold (log-odds)", "State")
    cells: list[list[Any]] = [[text(name, 7, bold=True) for name in head]]
    style: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, black),
        *_cells(3, 2),
    ]
    for finding in findings:
        above, first = finding.state == "above", len(cells)
        kind, value = ("score", finding.score) if finding.probability is None else ("probability", finding.probability)
        interval = "" if finding.interval is None else " to ".join(format_probability(end) for end in finding.interval)
        state = ("▲ " if above else "") + (finding.reason or STATE_TEXTS[finding.state])
        words: list[Flowable] = [text(state, 7, bold=above)]
        if changes := reading.changes_of_state(finding.label):
            words.append(text(f"{UNSTABLE} ({len(changes)} of {len(reading.under_changes)})", 6.5))
        cells.append(
            [
                text(display_name(finding.label), size, bold=above),
                text(("" if one_kind else f"{kind} ") + format_probability(value), size, bold=above),
                text(interval, size),
                text("" if finding.threshold is None else format_probability(finding.threshold), size),
                None if finding.threshold is None else ThresholdBar(finding, bar, 3 * mm),
                words,
            ]
        )
        if opinion := _opinion(image, finding.label):
            # in a row of its own, because a comment may be long
            row = (0, first + 1), (-1, first + 1)
            style += [("SPAN", *row), ("TOPPADDING", *row, 0), ("NOSPLIT", (0, first), (0, first + 1))]
            cells.append([opinion, *[None] * (len(head) - 1)])
        last = len(cells) - 1
        style.append(("LINEBELOW", (0, last), (-1, last), 0.25, RULE))
        if above:
            style += [("BACKGROUND", (0, first), (-1, last), SHADE), ("LINEBEFORE", (0, first), (0, last), 2, black)]
    widths = [34 * mm, (19 if one_kind else 30) * mm, 29 * mm, 16 * mm, bar + 3 * mm]
    table = Table(cells, colWidths=[*widths, WIDTH - sum(widths)], spaceAfter=1.5 * mm, repeatRows=1)
    table.setStyle(style)
    return table


def _opinion(image: ReportImage, label: str) -> list[Flowable]:
    """Return the reader's opinion of a finding and the comment on it; empty where there is none."""
    stated = describe_opinions(image.opinions, label)
    comment = next((opinion.comment for opinion in reversed(image.opinions) if opinion.label == label), "")
    lines = [text(f"{stated}.", 7, heading="Reader:")] if stated else []
    return [*lines, text(comment, 7, heading="Comment:")] if comment else lines


def _operating_point(reading: Reading, card: ModelCard) -> Iterator[Flowable]:
    point = card.operating_point(reading.operating_point)
    rates = (describe_operating_point(point), describe_view_rate(reading.flagged), describe_evaluation(card))
    yield _heading("Operating point and scale")
    yield text(" ".join(filter(None, (f"{point.rule}.", *rates))), 7.5, heading=f"Operating point {point.name}:")
    yield text(describe_scale(card, reading.prevalence), 7.5, heading="Scale:")
    if any(finding.interval for finding in reading.findings):
        yield text(INTERVAL_EXPLANATION, 7.5, heading="Interval:")
