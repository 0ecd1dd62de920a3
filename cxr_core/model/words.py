"""What a card's numbers mean, in the words that every screen and file uses."""

from __future__ import annotations

from collections.abc import Mapping

from ..labels import display_name
from .calibration import Curve
from .card import ModelCard, OperatingPoint
from .findings import Finding
from .measure import Interval, Metric

__all__ = [
    "INTERVAL_WORDS",
    "calibration_words",
    "curve_words",
    "flagged_words",
    "number_words",
    "prevalence_words",
    "probability_words",
    "share_words",
    "small_words",
    "value_words",
]

INTERVAL_WORDS = (
    "Patient-bootstrap interval (95 %) of the calibration curve at this score: how well the curve is known. "
    "It is not the uncertainty about this patient."
)

_SAMPLED = {
    "consecutive": "taken consecutively",
    "enriched": "enriched, not as they come",
    "unknown": "and how they were come by is not known",
}


def calibration_words(card: ModelCard) -> str:
    """Say on what a model was calibrated."""
    calibration = card.calibration
    if calibration is None:
        return "not calibrated: outputs are scores, not probabilities"
    curves = [curve.method for curve in calibration.per_label.values() if curve.method is not None]
    methods = " and ".join(name for name in ("platt", "isotonic") if name in curves).capitalize() or "No"
    return (
        f"{methods} curves for {len(curves)} of {len(card.labels)} labels, on {calibration.number_of_films:,} "
        f"{calibration.films} ({calibration.number_of_patients:,} patients; {', '.join(calibration.sources)}; "
        f"{calibration.reference}), {_SAMPLED[calibration.sampling]}"
    )


def probability_words(card: ModelCard, prevalence: Mapping[str, float] | None) -> str:
    """Say what the numbers of a reading are: scores, probabilities, or probabilities under an assumption."""
    calibration = card.calibration
    curves = {} if calibration is None else {k: c for k, c in calibration.per_label.items() if c.method is not None}
    if not curves:
        return "Scores are not probabilities: this model is not calibrated."
    if prevalence:
        scores = calibration.sampling != "consecutive" and len(prevalence) < len(curves)
        return (
            f"Assumption: probabilities, intervals and thresholds are shifted to a prevalence that the user set "
            f"({prevalence_words(prevalence)}). It holds only if films with a finding look alike here and among the "
            f"calibration films, and films without it do." + (" Other labels show a score." if scores else "")
        )
    if calibration.sampling == "consecutive":
        return (
            f"Probabilities hold where findings are as common as among the calibration films: "
            f"{calibration.number_of_films:,} consecutive films ({', '.join(calibration.sources)})."
        )
    how = "were enriched" if calibration.sampling == "enriched" else "were come by in a way that is not known"
    return (
        f"Scores are not probabilities: the calibration films {how}. "
        "With a local prevalence they can be shifted to probabilities."
    )


def curve_words(curve: Curve) -> str:
    """Say how a label's curve fares on held-out patients, or why it has none."""
    held = curve.held_out
    if held is None:
        return f"none: {curve.reason}"
    return (
        f"{curve.method}, {100 * curve.prevalence:.1f} % positive; held out: slope {number_words(held.slope)}, "
        f"intercept {number_words(held.intercept)}, Brier difference {number_words(held.brier_difference, 3, '+')}, "
        f"log loss difference {number_words(held.log_loss_difference, 3, '+')}"
    )


def prevalence_words(prevalence: Mapping[str, float]) -> str:
    """Say what prevalence was assumed; one number where it is the same for all."""
    shares = set(prevalence.values())
    if len(shares) == 1 and len(prevalence) > 1:
        return f"{100 * shares.pop():.3g} % for {len(prevalence)} labels"
    return ", ".join(f"{display_name(label)} {100 * share:.3g} %" for label, share in prevalence.items())


def share_words(metric: Metric | None, held_out: bool = False) -> str:
    """Say how many films without findings are flagged, with interval and count."""
    if metric is None or metric.value is None or metric.counts is None:
        return "How many films without findings it flags is not known" + (
            f": {metric.reason}." if metric and metric.reason else "."
        )
    counts = metric.counts
    films = counts.positive_films + counts.negative_films
    interval = "" if metric.low is None else f"95 % interval {100 * metric.low:.0f} to {100 * metric.high:.0f} %, "
    kind = "held-out films" if held_out else "films"
    return (
        f"At its operating point it flags {100 * metric.value:.0f} % of {kind} without findings "
        f"({interval}{films:,} films)."
    )


def flagged_words(point: OperatingPoint) -> str:
    """Say what share of films without findings a point flags, and how many labels are above on a film."""
    words = share_words(point.flagged_without_findings, bool(point.held_out))
    per_film = point.labels_above_per_film
    if per_film is None or per_film.value is None:
        return words
    return f"{words} On average {number_words(per_film, 1)} labels are above on a film, with findings or without."


def number_words(number: Metric | Interval | None, decimals: int = 2, sign: str = "") -> str:
    """Write a number with its interval, or why there is none."""
    if number is None or number.value is None:
        return (number and number.reason) or "not known"
    value = f"{number.value:{sign}.{decimals}f}"
    if number.low is None or number.high is None:
        return value
    return f"{value} ({number.low:{sign}.{decimals}f} to {number.high:{sign}.{decimals}f})"


def value_words(finding: Finding) -> str:
    """Write a finding's number with its interval and threshold, all on one scale."""
    kind, value = ("score", finding.score) if finding.probability is None else ("probability", finding.probability)
    words = f"{kind} {small_words(value)}"
    if finding.interval is not None:
        words += " ({} to {})".format(*(small_words(end) for end in finding.interval))
    return words if finding.threshold is None else f"{words}, threshold {small_words(finding.threshold)}"


def small_words(share: float) -> str:
    """Write a score or a probability: three decimals, and two figures where these would show too little."""
    return f"{share:.3f}" if share >= 0.01 or share == 0 else f"{share:.2g}"
