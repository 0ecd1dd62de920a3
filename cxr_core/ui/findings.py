"""The list of findings, and the heat maps that the viewer receives with it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ..explain import CONTOUR_COLOUR, CONTOUR_LEVEL, MAP_COLOUR, HeatMap, contour, describe_strongest, heat_map
from ..formatting import format_counts, format_probability
from ..labels import CAVEATS, display_name
from ..model import Finding, ModelCard, Reading, log_odds
from ..model.formatting import INTERVAL_EXPLANATION, STATE_TEXTS, describe_not_evaluated
from ..model.localisation import describe_map
from ..model.rate_formatting import describe_label_rates
from ..model.stability import UNSTABLE, describe_changes
from .chrome import asset, store_script

__all__ = ["findings_list", "findings_message"]

_BAR_LOGITS = 3.0
"""Half the width of the bar, in log-odds from the threshold."""

_PANEL = st.components.v2.component(
    "second_read_findings",
    html="""<section class="panel" aria-label="Reading">
      <h2 class="summary"></h2><div class="warnings"></div><div class="findings"></div>
      <p class="problem" role="alert"></p>
      <section class="details" aria-label="Chosen finding" hidden></section>
      <div class="live unseen" role="status" aria-live="polite"></div></section>""",
    css=asset("findings.css"),
    js=store_script("page.js", "focus.js", "opinions.js", "finding_rows.js", "findings.js"),
)


def findings_list(content: dict[str, object] | None, choose: Callable[[str, str], None]) -> None:
    """Show summary, warnings and findings of an image; choosing a finding selects its heat map in the viewer.

    Args:
        content: of :func:`.reading_messages.image_content`, for a browser that has not fetched it yet.
        choose: called with the digest of the image and the label when the reader chooses a finding.
    """

    def on_pick() -> None:
        pick = st.session_state["findings"].pick
        if pick:
            choose(pick["sha"], pick["label"])

    _PANEL(
        key="findings",
        data={"content": content},
        on_pick_change=on_pick,
        # a route has stored an opinion or shown the findings: this run writes reports and downloads with them
        on_noted_change=lambda: None,
    )


def findings_message(reading: Reading, card: ModelCard, chosen: str | None) -> dict[str, object]:
    """Return the data that the list and the viewer draw: text, numbers and heat maps."""
    ranked = reading.ranked()
    order = [finding.label for finding in ranked]
    return {
        "sha": reading.sha256,
        "chosen": chosen if chosen in order else None,
        "order": order,
        "version": f"{reading.model_sha256[:12]}/{reading.operating_point}/{reading.prevalence}",
        "colour": list(MAP_COLOUR),
        "contourColour": list(CONTOUR_COLOUR),
        "contourLevel": CONTOUR_LEVEL,
        "maps": {f.label: _map(f, heat_map(reading, f.label, card), card) for f in ranked},
        "rows": [
            _row(finding, card) | _rates(reading, finding, card) | _stability(reading, finding.label)
            for finding in ranked
        ],
        "notEvaluated": describe_not_evaluated(ranked),
    }


def _map(finding: Finding, heat: HeatMap, card: ModelCard) -> dict[str, object]:
    rows, columns = heat.grid.shape
    cell = "cell size in mm unknown, because the file states no pixel spacing"
    if heat.cell_mm is not None:
        cell = f"each cell is {heat.cell_size()}"
    return {
        "title": display_name(finding.label),
        "above": finding.state == "above",
        "stateText": STATE_TEXTS[finding.state],
        "place": describe_strongest(heat).capitalize(),
        "localisationText": describe_map(card.localisation, finding.label),
        "scaleText": f"Grid of {columns} × {rows} cells, bilinear interpolation; {cell}. The colour scale is fixed "
        "per label on the model card and does not depend on the image.",
        "toOriginal": heat.to_original.tolist(),
        "seen": list(heat.source),
        "rows": rows,
        "columns": columns,
        "intensity": [round(float(value), 5) for value in heat.intensity().ravel()],
        "contour": [line.round(1).tolist() for line in contour(heat)],
        "contourValue": f"{CONTOUR_LEVEL * heat.anchor:.2g}",
        "fullColour": f"{heat.anchor:.2g}",
    }


def _row(finding: Finding, card: ModelCard) -> dict[str, object]:
    value = finding.score if finding.probability is None else finding.probability
    bar, span, distance = None, None, ""
    if finding.threshold is not None:
        bar = _bar_position(value, finding.threshold)
        distance = f"{log_odds(value) - log_odds(finding.threshold):+.2f} log-odds from the threshold"
        if finding.interval is not None:
            span = [_bar_position(end, finding.threshold) for end in finding.interval]
    return {
        "label": finding.label,
        "title": display_name(finding.label),
        "state": finding.state,
        "value": ("score " if finding.probability is None else "probability ") + format_probability(value),
        "threshold": ""
        if finding.threshold is None
        else format_probability(finding.threshold) + (" (not verified)" if card.unverified else ""),
        "interval": ""
        if finding.interval is None
        else " to ".join(format_probability(end) for end in finding.interval),
        "intervalText": INTERVAL_EXPLANATION,
        "bar": bar,
        "span": span,
        "distance": distance,
        "stateText": finding.reason or STATE_TEXTS[finding.state],
        "caveat": card.caveats.get(finding.label, CAVEATS.get(finding.label, "")),
    }


def _rates(reading: Reading, finding: Finding, card: ModelCard) -> dict[str, object]:
    """Return the sensitivity and specificity of the card at the threshold of an evaluated finding."""
    if finding.state == "not_evaluated":
        return {"rates": "", "ratesText": ""}
    point = card.operating_points[reading.operating_point]
    counts = point.thresholds[finding.label].counts
    on = "" if counts is None else f" ({format_counts(counts)})"
    return {
        "rates": describe_label_rates(point, finding.label),
        "ratesText": f"At this threshold, on {point.images}{on}. A finding below its threshold can still be there.",
    }


def _stability(reading: Reading, label: str) -> dict[str, object]:
    changes = reading.changes_of_state(label)
    return {"unstable": UNSTABLE if changes else "", "unstableText": f"Under: {describe_changes(changes or ())}"}


def _bar_position(value: float, threshold: float) -> float:
    """Return the position of a value on the bar: 0 at the threshold, clipped to -1 and 1 at the ends."""
    return max(-1.0, min(1.0, (log_odds(value) - log_odds(threshold)) / _BAR_LOGITS))
