"""What the page History shows of the findings of a stored read, with the opinions of its reader."""

from __future__ import annotations

from collections.abc import Sequence

from ..explain import describe_strongest, heat_map
from ..formatting import format_probability
from ..labels import CAVEATS, display_name
from ..model import Finding, ModelCard, Reading
from ..model.formatting import describe_states
from ..model.rate_formatting import describe_label_rates
from ..model.stability import UNSTABLE
from ..store.read_record import Opinion, first_and_current
from .history_scope import format_time

__all__ = ["findings_content"]


def findings_content(
    reading: Reading, card: ModelCard | None, opinions: Sequence[Opinion], *, hidden: bool
) -> dict[str, object]:
    """Return what the panel shows: summary, warnings, notes, and a row per finding, in the order of then."""
    if hidden:
        return {"summary": "Findings not shown yet", "warnings": [], "notes": [], "rows": []}
    quality = reading.quality
    override = (f"Refused image, read on request. Reason given: {quality.override}",) if quality.override else ()
    summary = describe_states(reading.ranked()) if reading.findings else "This image was not read"
    given = {label: [one for one in opinions if one.label == label] for label in {one.label for one in opinions}}
    return {
        "summary": summary,
        "warnings": [*override, *quality.reasons],
        "notes": list(quality.notes),
        "rows": [_row(finding, reading, card, given.get(finding.label, [])) for finding in reading.ranked()],
        "hasMaps": card is not None and reading.placement is not None,
    }


def _row(finding: Finding, reading: Reading, card: ModelCard | None, opinions: Sequence[Opinion]) -> dict[str, object]:
    kind, value = ("score", finding.score) if finding.probability is None else ("probability", finding.probability)
    details = [] if not finding.reason else [finding.reason]
    if finding.interval is not None:
        low, high = map(format_probability, finding.interval)
        details.append(f"95 % interval of the calibration curve {low} to {high}")
    if changes := reading.changes_of_state(finding.label):
        details.append(f"{UNSTABLE}: {', '.join(changes)}")
    if card is not None:
        point = card.operating_points.get(reading.operating_point)
        if point is not None and finding.state != "not_evaluated":
            details.append(describe_label_rates(point, finding.label))
        if reading.placement is not None:
            details.append(f"Heat map, {describe_strongest(heat_map(reading, finding.label, card))}")
        details.append(card.caveats.get(finding.label, CAVEATS.get(finding.label, "")))
    return {
        "label": finding.label,
        "title": display_name(finding.label),
        "kind": kind,
        "value": format_probability(value),
        "threshold": "" if finding.threshold is None else format_probability(finding.threshold),
        "state": finding.state,
        "unstable": bool(changes),
        "details": [line for line in details if line],
        "opinion": " → ".join(one.opinion for one in first_and_current(opinions)),
        "opinions": [_describe_opinion(one) for one in opinions],
    }


def _describe_opinion(opinion: Opinion) -> str:
    when = "after" if opinion.revealed else "before"
    comment = f": {opinion.comment}" if opinion.comment else ""
    return f"{opinion.opinion}, {format_time(opinion.created)}, {when} the findings were shown{comment}"
