"""Two reads of one image side by side: value, threshold and state of each label, what differs first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from ..formatting import format_probability
from ..labels import display_name
from ..model import Finding, log_odds
from ..model.formatting import STATE_NAMES, format_prevalence
from ..store.image_files import image_path
from ..store.read_history import HistoryRow
from .chrome import html, page_heading, refusal, small, table
from .history_read import describe_version
from .history_scope import ReadScope, copy_address, format_time, go, read_store, reader_titles

__all__ = ["Difference", "compare_findings", "show_comparison"]


@dataclass(frozen=True)
class Difference:
    """One label in two reads; None where the model of a read does not have it."""

    label: str
    first: Finding | None
    second: Finding | None

    @property
    def has_other_state(self) -> bool:
        """Whether both reads have the label, in different states."""
        return self.first is not None and self.second is not None and self.first.state != self.second.state

    @property
    def distance(self) -> float:
        """How far apart both lie from their thresholds, in log-odds; 0 where one has no threshold."""
        positions = [_position(finding) for finding in (self.first, self.second)]
        one, other = positions
        return 0.0 if one is None or other is None else abs(one - other)


def _position(finding: Finding | None) -> float | None:
    if finding is None or finding.threshold is None:
        return None
    return log_odds(_value(finding)) - log_odds(finding.threshold)


def _value(finding: Finding) -> float:
    return finding.score if finding.probability is None else finding.probability


def compare_findings(first: Sequence[Finding], second: Sequence[Finding]) -> list[Difference]:
    """Return every label of two reads: other states first, then by distance; labels of one read alone come last."""
    ones, others = ({finding.label: finding for finding in findings} for findings in (first, second))
    rows = [Difference(label, ones.get(label), others.get(label)) for label in dict.fromkeys((*ones, *others))]
    return sorted(
        rows, key=lambda row: (row.first is None or row.second is None, not row.has_other_state, -row.distance)
    )


def show_comparison(scope: ReadScope, read: str, other: str) -> bool:
    """Draw two reads of one image; return False where the visitor may not see both, or they are of two images."""
    rows = [scope.row(one, identity=False) for one in (read, other)]
    first, second = rows
    if first is None or second is None or first.image != second.image:
        return False
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        page_heading("Two reads of one image", f"image {first.image[:12]}")
        with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
            copy_address(**{"read": first.id, "with": second.id})
            back = {"with": ""}
            st.button("Back to the read", icon=":material/arrow_back:", type="tertiary", on_click=go, kwargs=back)
    if first.hidden or second.hidden:
        refusal("Findings not shown yet", ("Open the image in the worklist and show its findings first.",))
        return True
    if not image_path(first.study, first.image).is_file() or not image_path(second.study, second.image).is_file():
        refusal("The image is gone", ("The file is gone from the store, so nothing of it is shown.",))
        return True
    readings = [read_store().read(row.id).reading for row in (first, second)]
    differences = compare_findings(readings[0].findings, readings[1].findings)
    for column, letter, row in zip(st.columns(2), "AB", (first, second), strict=True):
        with column:
            _read(scope, letter, row)
    _table(differences)
    return True


def _read(scope: ReadScope, letter: str, row: HistoryRow) -> None:
    prevalence = f", assumed prevalence {format_prevalence(row.prevalence)}" if row.prevalence else ""
    reader = f"; {reader_titles(scope, [row.reader])[row.reader]}" if scope.sees_all else ""
    html(
        '<div class="sr-side"><b>{letter}</b>'
        "<div>{model}<br><span>{point}{prevalence}; {time}{reader}</span></div></div>",
        letter=letter,
        model=f"{describe_version(row)}, weights {row.model_sha256[:12]}",
        point=f"operating point {row.operating_point}",
        prevalence=prevalence,
        time=format_time(row.created),
        reader=reader,
    )


def _table(differences: Sequence[Difference]) -> None:
    changed = sum(row.has_other_state for row in differences)
    common = sum(row.first is not None and row.second is not None for row in differences)
    html('<h2 class="sr-chart">{text}</h2>', text=f"{changed} of {common} labels have another state")
    headings = ("label", "value A", "threshold A", "state A", "value B", "threshold B", "state B", "difference")
    rows = []
    for row in differences:
        name = escape(display_name(row.label))
        cells = (*_cells(row.first), *_cells(row.second))
        apart = f"{row.distance:.2f}" if row.distance else ""
        text = "other state" + (f", {apart} log-odds" if apart else "") if row.has_other_state else apart
        mark = f"<b>{name}</b>" if row.has_other_state else name
        rows.append((mark, *cells, f"<b>{text}</b>" if row.has_other_state else text))
    table(headings, rows)
    small(
        "Difference: how much farther one value lies from its threshold than the other, in log-odds. The comparison "
        "does not say which read is right."
    )


def _cells(finding: Finding | None) -> tuple[str, str, str]:
    if finding is None:
        return "", "", '<span class="q">not in this model</span>'
    kind = "score" if finding.probability is None else "probability"
    threshold = "" if finding.threshold is None else format_probability(finding.threshold)
    state = escape(STATE_NAMES[finding.state])
    return (
        f'{format_probability(_value(finding))} <span class="q">{kind}</span>',
        threshold,
        f'<span class="sr-above">▲ {state}</span>' if finding.state == "above" else state,
    )
