"""Text of a model card's numbers and of findings, the same on every screen and in every file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..formatting import format_estimate, format_probability
from ..labels import display_name
from .calibration import Curve
from .card import ModelCard
from .findings import Finding, State

__all__ = [
    "CROSS_VALIDATED",
    "INTERVAL_EXPLANATION",
    "IN_SAMPLE",
    "STATE_NAMES",
    "STATE_TEXTS",
    "describe_calibration",
    "describe_curve",
    "describe_evaluation",
    "describe_import",
    "describe_not_evaluated",
    "describe_scale",
    "describe_states",
    "format_finding",
    "format_prevalence",
]

STATE_NAMES: dict[State, str] = {
    "above": "above",
    "below": "below",
    "not_evaluated": "not evaluated",
}
"""Name of each state of a finding, for a table."""

STATE_TEXTS: dict[State, str] = {
    "above": "at or above its operating point",
    "below": "below its operating point",
    "not_evaluated": "not evaluated",
}
"""Each state of a finding in a sentence. ``below`` is not "absent"."""

INTERVAL_EXPLANATION = (
    "Patient-bootstrap interval (95 %) of the calibration curve at this score: how well the curve is known. "
    "It is not the uncertainty about this patient."
)

CROSS_VALIDATED = "cross-validated"
"""Of a number: each image was judged by thresholds and curves that were set on other patients."""

IN_SAMPLE = "in-sample"
"""Of a number: it is of the images that thresholds and curves were set on, and so is optimistic."""

_SAMPLING = {
    "consecutive": "taken consecutively",
    "enriched": "an enriched sample",
    "unknown": "sampled in an unknown way",
}


def describe_calibration(card: ModelCard) -> str:
    """Return on which images a model was calibrated, and how."""
    calibration = card.calibration
    if calibration is None:
        return "not calibrated: outputs are scores, not probabilities"
    curves = [curve.method for curve in calibration.per_label.values() if curve.method is not None]
    methods = " and ".join(name for name in ("platt", "isotonic") if name in curves).capitalize() or "No"
    return (
        f"{methods} curves for {len(curves)} of {len(card.labels)} labels, on {calibration.number_of_images:,} "
        f"{calibration.images} ({calibration.number_of_patients:,} patients; {', '.join(calibration.sources)}; "
        f"{calibration.reference}), {_SAMPLING[calibration.sampling]}"
    )


def describe_scale(card: ModelCard, prevalence: Mapping[str, float] | None) -> str:
    """Return what the values of a reading are: scores, probabilities, or probabilities under an assumption."""
    calibration = card.calibration
    calibrated = {} if calibration is None else calibration.calibrated
    if calibration is None or not calibrated:
        return "Scores are not probabilities: this model is not calibrated."
    if prevalence:
        some_scores = calibration.sampling != "consecutive" and len(prevalence) < len(calibrated)
        return (
            f"Assumption: probabilities, intervals and thresholds are shifted to a prevalence that the user set "
            f"({format_prevalence(prevalence)}). This holds only if images with a finding look alike here and among "
            f"the calibration images, and images without it do."
            + (" Other labels show a score." if some_scores else "")
        )
    if calibration.sampling == "consecutive":
        return (
            f"Probabilities hold where findings are as common as among the calibration images: "
            f"{calibration.number_of_images:,} consecutive images ({', '.join(calibration.sources)})."
        )
    sample = "an enriched sample" if calibration.sampling == "enriched" else "sampled in an unknown way"
    return (
        f"Scores are not probabilities: the calibration images are {sample}. "
        "With a local prevalence they can be shifted to probabilities."
    )


def describe_curve(curve: Curve) -> str:
    """Return how well a label is calibrated on patients that the curve was not fitted on, or why it has no curve."""
    held_out = curve.held_out
    if held_out is None or curve.prevalence is None:
        return f"none: {curve.reason}"
    return (
        f"{curve.method}, {curve.prevalence:.1%} positive; {CROSS_VALIDATED}: "
        f"slope {format_estimate(held_out.slope, decimals=2)}, "
        f"in the large {format_estimate(held_out.in_the_large, decimals=2)}, "
        f"Brier difference {format_estimate(held_out.brier_difference, signed=True)}, "
        f"log loss difference {format_estimate(held_out.log_loss_difference, signed=True)}"
    )


def format_prevalence(prevalence: Mapping[str, float]) -> str:
    """Return the assumed prevalence of each label; one number where it is the same for several."""
    values = set(prevalence.values())
    if len(values) == 1 and len(prevalence) > 1:
        return f"{100 * values.pop():.3g}% for {len(prevalence)} labels"
    return ", ".join(f"{display_name(label)} {100 * value:.3g}%" for label, value in prevalence.items())


def describe_states(findings: Sequence[Finding]) -> str:
    """Return the one line on top of a reading: how many of the evaluated findings are above, and which.

    Args:
        findings: of the reading, in the order in which those above are named.
    """
    evaluated = [finding for finding in findings if finding.state != "not_evaluated"]
    above = [display_name(finding.label) for finding in evaluated if finding.state == "above"]
    if not evaluated:
        return "No finding is evaluated. This does not mean normal."
    number = f"{len(evaluated)} evaluated finding{'s' * (len(evaluated) > 1)}"
    if not above:
        return f"None of {number} is above its operating point. This does not mean normal."
    verb = "are above their" if len(above) > 1 else "is above its"
    return f"{len(above)} of {number} {verb} operating point: {', '.join(above)}"


def describe_not_evaluated(findings: Sequence[Finding]) -> str:
    """Return in one line which findings are not evaluated and why, without the numbers behind it; empty where all are.

    The reason with its numbers is :attr:`.Finding.reason`.
    """
    by_reason: dict[str, list[str]] = {}
    for finding in findings:
        if finding.state == "not_evaluated":
            reason = re.split(r": | \(", finding.reason or "")[0]
            by_reason.setdefault(reason, []).append(display_name(finding.label))
    return "; ".join(f"{reason}: {', '.join(labels)}" for reason, labels in by_reason.items())


def describe_evaluation(card: ModelCard) -> str:
    """Return what is not known of the discrimination behind the states of a card's labels; empty where all is known."""
    thresholds = [t for point in card.operating_points.values() for t in point.thresholds.values()]
    curves = () if card.calibration is None else card.calibration.per_label.values()
    if all(threshold.value is None for threshold in thresholds) or any(curve.auc is not None for curve in curves):
        return ""
    origin = "Published thresholds are used as they are" if any(t.source for t in thresholds) else "Thresholds are used"
    return f"{origin}: the card states no validation AUC, so whether each label discriminates was not checked."


def describe_import(card: ModelCard) -> str:
    """Return the origin of an imported model's operating points, and whether its weights are verified."""
    text = "It has no operating points: no finding is reported as above or below a threshold."
    if any(threshold.source for point in card.operating_points.values() for threshold in point.thresholds.values()):
        text = "Its operating points come from its authors, who do not state the patients behind them."
    if card.unverified:
        text += (
            " Its file does not have the hash of the published one: labels and published numbers may not belong to "
            "these weights."
        )
    return text


def format_finding(finding: Finding) -> str:
    """Return a finding's value with its interval and threshold, all on one scale."""
    kind, value = ("score", finding.score) if finding.probability is None else ("probability", finding.probability)
    text = f"{kind} {format_probability(value)}"
    if finding.interval is not None:
        text += " ({} to {})".format(*(format_probability(limit) for limit in finding.interval))
    return text if finding.threshold is None else f"{text}, threshold {format_probability(finding.threshold)}"
