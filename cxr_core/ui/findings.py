"""The list of findings, and the maps that come with it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ..explain import CONTOUR_COLOUR, CONTOUR_SHARE, MAP_COLOUR, HeatMap, contour, heat_map, strongest_place
from ..labels import CAVEATS, display_name
from ..model import Finding, ModelCard, Reading, log_odds
from ..model.words import INTERVAL_WORDS, small_words
from .chrome import asset

__all__ = ["STATE_WORDS", "findings_list", "findings_message"]

STATE_WORDS = {
    "above": "at or over its operating point",
    "below": "below its operating point",
    "unsure": "unsure: the interval contains the operating point",
    "not_evaluated": "not evaluated",
}

_BAR_LOGITS = 3.0
"""The bar ends this far from the threshold, in log-odds."""

_LIST = st.components.v2.component(
    "second_read_findings",
    html='<div class="findings"></div>',
    css=asset("findings.css"),
    js="\n".join(asset(name) for name in ("store.js", "findings.js")),
)


def findings_list(reading: Reading, card: ModelCard, chosen: str | None, choose: Callable[[str, str], None]) -> None:
    """Show the findings of a film that was read, sorted; choosing one shows its map at once.

    Args:
        reading: with findings.
        card: of the model that read.
        chosen: label of the finding that is chosen, or None for the first.
        choose: called with the film's digest and the label after the reader chose.
    """

    def picked() -> None:
        pick = st.session_state["findings"].pick
        if pick:
            choose(pick["sha"], pick["label"])

    _LIST(key="findings", data=findings_message(reading, card, chosen), on_pick_change=picked)


def findings_message(reading: Reading, card: ModelCard, chosen: str | None) -> dict:
    """Return what the list and the viewer draw from: words and numbers, no image."""
    ranked = reading.ranked()
    order = [finding.label for finding in ranked]
    left_out = [finding for finding in ranked if finding.state == "not_evaluated"]
    return {
        "sha": reading.sha256,
        "chosen": chosen if chosen in order else order[0],
        "order": order,
        "version": f"{reading.model_sha256[:12]}/{reading.operating_point}/{reading.prevalence}",
        "colour": list(MAP_COLOUR),
        "contourColour": list(CONTOUR_COLOUR),
        "contourShare": CONTOUR_SHARE,
        "maps": {f.label: _map(f, heat_map(reading, f.label, card)) for f in ranked},
        "rows": [_row(finding, card, reading.operating_point) for finding in ranked],
        "folded": _folded([f.label for f in left_out], card, reading.operating_point),
    }


def _folded(labels: list[str], card: ModelCard, point: str) -> str:
    thresholds = card.operating_point(point).thresholds
    counted = all(thresholds[label].counts is not None for label in labels)
    words = "too few positive patients to set an operating point" if counted else "no operating point"
    return f"{words}: " + ", ".join(_with_counts(label, card, point) for label in labels)


def _with_counts(label: str, card: ModelCard, point: str) -> str:
    counts = card.operating_point(point).thresholds[label].counts
    return display_name(label) + (f" ({counts.positive_patients})" if counts else "")


def _map(finding: Finding, heat: HeatMap) -> dict:
    rows, columns = heat.grid.shape
    cell = "a cell's size in mm is not known: the file gives no spacing"
    if heat.cell_mm is not None:
        cell = f"a cell is {heat.cell_mm[0]:.0f} × {heat.cell_mm[1]:.0f} mm at the detector"
    return {
        "title": display_name(finding.label),
        "onAtFirst": finding.state in ("above", "unsure"),
        "stateWords": STATE_WORDS[finding.state],
        "place": strongest_place(heat).capitalize(),
        "scaleWords": f"Grid of {columns} × {rows} cells, bilinear between; {cell}. Full colour is fixed for "
        "this label on the model's card, not chosen for this film.",
        "toOriginal": heat.to_original.tolist(),
        "seen": list(heat.seen),
        "rows": rows,
        "columns": columns,
        "share": [round(float(value), 5) for value in heat.share().ravel()],
        "contour": [line.round(1).tolist() for line in contour(heat)],
        "contourValue": f"{CONTOUR_SHARE * heat.anchor:.2g}",
        "fullColour": f"{heat.anchor:.2g}",
    }


def _row(finding: Finding, card: ModelCard, point: str) -> dict:
    value = finding.score if finding.probability is None else finding.probability
    bar, span, distance, words = None, None, "", STATE_WORDS[finding.state]
    if finding.threshold is not None:
        bar = _on_bar(value, finding.threshold)
        distance = f"{log_odds(value) - log_odds(finding.threshold):+.2f} in log-odds from the operating point"
    if finding.interval is not None:
        span = [_on_bar(end, finding.threshold) for end in finding.interval]
    else:
        words = card.operating_point(point).thresholds[finding.label].reason or words
    return {
        "label": finding.label,
        "title": display_name(finding.label),
        "state": finding.state,
        "value": ("score " if finding.probability is None else "probability ") + small_words(value),
        "threshold": ""
        if finding.threshold is None
        else small_words(finding.threshold) + (" (not verified)" if card.unverified else ""),
        "interval": "" if finding.interval is None else " to ".join(small_words(end) for end in finding.interval),
        "intervalWords": INTERVAL_WORDS,
        "bar": bar,
        "span": span,
        "distance": distance,
        "stateWords": words,
        "caveat": card.caveats.get(finding.label, CAVEATS.get(finding.label, "")),
    }


def _on_bar(value: float, threshold: float) -> float:
    """Return where a value lies on the bar: 0 at the threshold, -1 and 1 at the ends, beyond them too."""
    return max(-1.0, min(1.0, (log_odds(value) - log_odds(threshold)) / _BAR_LOGITS))
