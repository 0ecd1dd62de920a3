"""A run's numbers for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..evaluation import ANY_FINDING, RunSummary
from ..labels import NOTICE, display_name
from ..metrics import Estimate

__all__ = ["estimate_words", "summary_words"]


def summary_words(summary: RunSummary) -> str:
    """Return the numbers of a run, a section each kind."""
    record = summary.record
    return "\n".join(
        [
            f"{record.name} ({record.id})",
            NOTICE,
            f"Model {record.model_id}; {record.films:,} films of {record.patients:,} patients "
            f"({', '.join(record.data)}, {record.part}); reference: {summary.reference}",
            *(f"note: {note}" for note in summary.notes),
            "Intervals: 95 %, by patients.",
            *_ranking(summary),
            *_probabilities(summary),
            *_operating_point(summary),
            *_boxes(summary),
        ]
    )


def _ranking(summary: RunSummary) -> Iterator[str]:
    yield "AUC:"
    for label, numbers in summary.labels.items():
        yield _line(display_name(label), estimate_words(numbers.auc))
    mean = summary.mean_auc
    yield f"Mean AUC of {len(mean.labels)} labels:"
    yield _line("Each the same", _words(mean.macro))
    yield _line("By positive films", _words(mean.weighted))
    if mean.left_out:
        yield f"  too few cases, left out: {', '.join(display_name(label) for label, _ in mean.left_out)}"
    yield "Average precision, beside the prevalence that chance would give:"
    for label, numbers in summary.labels.items():
        yield _line(display_name(label), _row(numbers.average_precision, numbers.prevalence))
    yield f"AUC of {ANY_FINDING.lower()} by group:"
    for group in summary.groups:
        yield _line(f"{group.characteristic}: {group.group}", estimate_words(group.auc))


def _probabilities(summary: RunSummary) -> Iterator[str]:
    known = {label: numbers for label, numbers in summary.labels.items() if numbers.brier is not None}
    if not known:
        yield "Probabilities: none, the model's card allows none."
        return
    yield "Probabilities: Brier score; slope and intercept of the outcome over them (1 and 0 where right):"
    for label, numbers in known.items():
        slope, intercept = numbers.calibration.slope, numbers.calibration.intercept
        yield _line(display_name(label), _row(numbers.brier, slope, intercept))


def _operating_point(summary: RunSummary) -> Iterator[str]:
    if summary.flagged_without_findings is None:
        yield "Operating point: none is kept with this run."
        return
    yield f"Operating point {summary.record.operating_point}: threshold; sensitivity; specificity; PPV; NPV:"
    for label, numbers in summary.labels.items():
        point = numbers.operating
        if point is None:
            yield _line(display_name(label), "not evaluated")
            continue
        threshold = "any label above" if label == ANY_FINDING else f"{point.threshold:.3f}"
        shares = (
            point.sensitivity,
            point.specificity,
            point.positive_predictive_value,
            point.negative_predictive_value,
        )
        yield _line(display_name(label), f"{threshold}; {_row(*shares)}")
    yield _line("Films without findings that are flagged", _words(summary.flagged_without_findings))


def _boxes(summary: RunSummary) -> Iterator[str]:
    if not summary.boxes:
        return
    yield "Maps and boxes: strongest cell in a box; the same for the centre of the film; the gain:"
    for label, boxes in summary.boxes.items():
        rates = (boxes.hit_rate, boxes.centre_hit_rate, boxes.gain)
        blank = f"; {boxes.blank} maps are blank" if boxes.blank else ""
        yield _line(display_name(label), f"{_row(*rates)}; {boxes.boxed} films{blank}")
    label, boxes = list(summary.boxes.items())[-1]
    yield (
        f"{display_name(label)}: overlap of map and boxes (intersection over union) by share of full colour; that of a "
        "centre as large; single labels are in the export:"
    )
    for threshold, overlap, centre in zip(boxes.thresholds, boxes.overlap, boxes.centre_overlap, strict=True):
        yield _line(f"{threshold:.1f}", _row(overlap, centre))


def _line(name: str, words: str) -> str:
    return f"  {name:<20}{words}" if len(name) < 20 else f"  {name}: {words}"


def _row(*estimates: Estimate) -> str:
    """Return numbers side by side, or once why there is none of them."""
    words = [_words(estimate) for estimate in estimates]
    return words[0] if len(set(words)) == 1 and estimates[0].value is None else "; ".join(words)


def _words(estimate: Estimate) -> str:
    """Return a number and its interval where the counts stand in another line, or why there is none."""
    if estimate.value is None:
        return estimate.reason.partition(":")[0]
    limits = "no interval" if estimate.low is None else f"{estimate.low:.3f} to {estimate.high:.3f}"
    return f"{estimate.value:.3f} ({limits})"


def estimate_words(estimate: Estimate, *, signed: bool = False) -> str:
    """Return a number with its interval and counts, or why there is none."""
    counts = f"{estimate.positive_patients} positive, {estimate.negative_patients} negative patients"
    if estimate.value is None:
        reason = estimate.reason or "not known"
        return reason if "patients" in reason else f"{reason}; {counts}"
    sign = "+" if signed else ""
    if estimate.low is None:
        return f"{estimate.value:{sign}.3f} (no interval: {estimate.reason}; {counts})"
    return f"{estimate.value:{sign}.3f} ({estimate.low:{sign}.3f} to {estimate.high:{sign}.3f}; {counts})"
