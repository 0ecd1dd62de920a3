"""The reporting sheet of a model: TRIPOD+AI and CLAIM 2024 item by item, and the intervals that its counts allow.

Source of the items, each put in our own words in ``reporting_checklists.csv``: Collins et al., *TRIPOD+AI statement*,
BMJ 2024;385:e078378, doi 10.1136/bmj-2023-078378; Tejani et al., *Checklist for Artificial Intelligence in Medical
Imaging (CLAIM): 2024 update*, Radiology: Artificial Intelligence 2024;6(4):e240300, doi 10.1148/ryai.240300. The sheet
helps to fill in the published forms and does not replace them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..formatting import format_estimate
from ..labels import NOTICE, display_name
from ..table_files import csv_text
from .model_card import plain
from .reporting_evidence import Evidence, Measured
from .reporting_results import ANSWERS
from .sample_size import LabelPrecision, label_precision

__all__ = ["CHECKLISTS", "Item", "ReportingSheet", "reporting_sheet", "sheet_csv", "sheet_markdown"]

CHECKLISTS = {
    "TRIPOD+AI": "Collins et al., BMJ 2024;385:e078378, doi 10.1136/bmj-2023-078378",
    "CLAIM 2024": "Tejani et al., Radiology: Artificial Intelligence 2024;6(4):e240300, doi 10.1148/ryai.240300",
}
"""The guidelines and their publications."""

STATUSES = ("answered", "partly", "not done", "not reported", "not applicable")
"""What an item can be: ``partly`` where something that it asks is not recorded."""

_COLUMNS = ("guideline", "item", "section", "topic", "asks", "status", "answer", "source", "notice")


@dataclass(frozen=True)
class Item:
    """An item of a checklist, filled in.

    Attributes:
        guideline: one of :data:`CHECKLISTS`.
        number: as in the publication, such as ``12a``.
        section, topic, asks: what is asked, in our own words.
        status: one of :data:`STATUSES`.
        answer: what is recorded, or why nothing is.
        source: where it is recorded; empty where nothing is.
    """

    guideline: str
    number: str
    section: str
    topic: str
    asks: str
    status: str
    answer: str
    source: str


@dataclass(frozen=True)
class ReportingSheet:
    """Both checklists of a model, and per set of images the precision that its counts allow."""

    evidence: Evidence
    items: tuple[Item, ...]
    precision: tuple[tuple[Measured, tuple[LabelPrecision, ...]], ...]

    def of(self, guideline: str) -> tuple[Item, ...]:
        """Return the items of one checklist."""
        return tuple(item for item in self.items if item.guideline == guideline)

    def totals(self, guideline: str) -> dict[str, int]:
        """Return how many items of a checklist have each status."""
        numbers = Counter(item.status for item in self.of(guideline))
        return {status: numbers[status] for status in STATUSES}


def reporting_sheet(evidence: Evidence) -> ReportingSheet:
    """Fill in both checklists."""
    precision = ((measured, label_precision(measured, evidence.point)) for measured in evidence.measured)
    return ReportingSheet(
        evidence, tuple(_filled(row, evidence) for row in _rows()), tuple(pair for pair in precision if pair[1])
    )


def sheet_markdown(sheet: ReportingSheet) -> str:
    """Return the sheet as Markdown, with the notice."""
    return "\n".join([*_heading(sheet), *_checklists(sheet), *_groups(sheet), *_precision(sheet), ""])


def sheet_csv(sheet: ReportingSheet) -> str:
    """Return the sheet as CSV: a line an item, then one per set of images and group, and one per set and label."""
    rows = [
        (i.guideline, i.number, i.section, i.topic, i.asks, i.status, i.answer, i.source, NOTICE) for i in sheet.items
    ]
    for m in sheet.evidence.measured:
        for group, auc in m.groups.items():
            text = f"AUC of any finding {format_estimate(auc, counts=auc)}"
            rows.append(("Groups", group, m.title, "", "", "", text, m.source, NOTICE))
    for measured, labels in sheet.precision:
        for line in labels:
            cells = (display_name(line.label), measured.title, "", "", "", line.sentence(), measured.source)
            rows.append(("Precision", *cells, NOTICE))
    return csv_text(_COLUMNS, rows)


@lru_cache(maxsize=1)
def _rows() -> tuple[dict[str, str], ...]:
    path = Path(__file__).with_suffix(".csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _filled(row: dict[str, str], evidence: Evidence) -> Item:
    answer = ANSWERS[row["answer"]](evidence) if row["answer"] else None
    if answer is None:
        status, text, source = row["otherwise"], row["reason"], ""
    else:
        status, text, source = "partly" if answer.lacking else "answered", answer.text, answer.source
        text = f"{text.rstrip('.')}. Not recorded: {answer.lacking}" if answer.lacking else text
    return Item(row["guideline"], row["number"], row["section"], row["topic"], row["asks"], status, text, source)


def _heading(sheet: ReportingSheet) -> Iterator[str]:
    card = sheet.evidence.card
    runs = ", ".join(dict.fromkeys(run.record.id for run in sheet.evidence.runs)) or "none"
    yield f"# Reporting checklist: {plain(card.title)}"
    yield f"\n> {NOTICE}\n"
    yield f"- Model {plain(card.id)}, version {plain(card.version)}; weights SHA-256 {card.weights_sha256}"
    yield f"- Filled from the model card and these runs: {plain(runs)}"
    yield "- Answers are what is recorded, not a judgement of it. Items are worded briefly; see the publications.\n"
    yield f"| | {' | '.join(STATUSES)} |"
    yield "|---" * (len(STATUSES) + 1) + "|"
    for guideline in CHECKLISTS:
        yield f"| {guideline} | {' | '.join(str(number) for number in sheet.totals(guideline).values())} |"


def _checklists(sheet: ReportingSheet) -> Iterator[str]:
    for guideline, citation in CHECKLISTS.items():
        yield f"\n## {guideline}\n\n{citation}\n"
        yield "| item | topic | what is asked | status | answer | source |\n|---|---|---|---|---|---|"
        for item in sheet.of(guideline):
            topic = item.topic if item.topic == item.section else f"{item.section}: {item.topic}"
            cells = (item.number, topic, item.asks, item.status, item.answer, item.source)
            yield f"| {' | '.join(map(plain, cells))} |"


def _groups(sheet: ReportingSheet) -> Iterator[str]:
    measured = [m for m in sheet.evidence.measured if m.groups]
    if not measured:
        return
    yield "\n## AUC of any finding by view, sex and age\n"
    yield "| images | group | AUC (95 % CI) | positive patients | negative patients |\n|---|---|---|---|---|"
    for m in measured:
        for group, auc in m.groups.items():
            cells = (m.title, group, format_estimate(auc), f"{auc.positive_patients:,}", f"{auc.negative_patients:,}")
            yield f"| {' | '.join(map(plain, cells))} |"


def _precision(sheet: ReportingSheet) -> Iterator[str]:
    yield "\n## Sample size: intervals that these counts allow\n"
    if not sheet.precision:
        yield "Not done: no evaluation has counts of patients."
        return
    yield LabelPrecision.METHOD
    for measured, labels in sheet.precision:
        yield f"\n### {plain(measured.title)}\n"
        yield f"{plain(measured.images)}; {plain(measured.source)}\n"
        yield f"| {' | '.join(LabelPrecision.HEADINGS)} |"
        yield "|---" * len(LabelPrecision.HEADINGS) + "|"
        for line in labels:
            yield f"| {' | '.join(map(plain, line.cells()))} |"
