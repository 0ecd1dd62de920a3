"""Text of the rates of an operating point: images without findings flagged, sensitivity, specificity."""

from __future__ import annotations

from ..estimate import Estimate
from ..formatting import format_estimate, format_images
from ..labels import display_name
from .card import MeasuredFlagRates, OperatingPoint
from .findings import FlagRate
from .formatting import CROSS_VALIDATED, IN_SAMPLE

__all__ = [
    "describe_flag_rate",
    "describe_flagged",
    "describe_group_rates",
    "describe_label_rates",
    "describe_limit",
    "describe_measured_images",
    "describe_measured_rates",
    "describe_operating_point",
    "describe_sensitivity",
    "describe_view_rate",
]


def describe_flag_rate(rate: Estimate | None, how: str = IN_SAMPLE, also: Estimate | None = None) -> str:
    """Return the proportion of images without findings that are flagged, with interval and number of images.

    Args:
        rate: the proportion.
        how: :data:`CROSS_VALIDATED` or :data:`IN_SAMPLE`.
        also: the in-sample proportion beside a cross-validated one.
    """
    if rate is None or rate.value is None or rate.counts is None:
        reason = f": {rate.reason}." if rate and rate.reason else "."
        return f"How many images without findings it flags is not known{reason}"
    second = "" if also is None or also.value is None else f"; {IN_SAMPLE} {also.value:.1%}"
    return (
        f"At its operating point it flags {format_estimate(rate, percent=True)} of images without findings "
        f"({how}; {rate.counts.images:,} images{second})."
    )


def describe_operating_point(point: OperatingPoint) -> str:
    """Return what an operating point flags of images without findings, at what sensitivity, and labels per image."""
    sentences = [describe_flagged(point), describe_limit(point), describe_sensitivity(point)]
    per_image = point.labels_above_per_image
    if per_image is not None and per_image.value is not None:
        mean = format_estimate(per_image, decimals=1)
        sentences.append(f"Averaged over all images, with and without findings, {mean} labels are above per image.")
    return " ".join(filter(None, sentences))


def describe_flagged(point: OperatingPoint) -> str:
    """Return :func:`describe_flag_rate` of an operating point."""
    how = CROSS_VALIDATED if point.held_out else IN_SAMPLE
    return describe_flag_rate(point.flagged_without_findings, how, point.flagged_where_set if point.held_out else None)


def describe_limit(point: OperatingPoint) -> str:
    """Return the limit that an operating point was set to, and the views in which it flags more cross-validated.

    Empty where its rule has no limit.
    """
    if point.most_flagged is None:
        return ""
    rates = {group.removeprefix("view: "): r for group, r in point.flagged_by_group.items() if group[:6] == "view: "}
    over = [
        f"{view} {format_estimate(rate, percent=True)}"
        for view, rate in rates.items()
        if rate.value is not None and rate.value > point.most_flagged
    ]
    how = CROSS_VALIDATED if point.held_out else IN_SAMPLE
    exceeded = f"; {how}, {' and '.join(over)} is above that" if over else ""
    limit = f"{point.most_flagged:.0%} of images without findings in each view"
    return f"Set to flag at most {limit}, {IN_SAMPLE}{exceeded}."


def describe_sensitivity(point: OperatingPoint) -> str:
    """Return the range of sensitivity over the labels with a threshold; empty where it is not known."""
    rates = {
        label: threshold.sensitivity.value
        for label, threshold in point.thresholds.items()
        if threshold.value is not None and threshold.sensitivity and threshold.sensitivity.value is not None
    }
    if not rates:
        return ""
    ends = dict.fromkeys(choose(rates, key=rates.__getitem__) for choose in (min, max))
    stated = " to ".join(f"{rates[label]:.1%} ({display_name(label)})" for label in ends)
    return f"Sensitivity by label: {stated}, {CROSS_VALIDATED if point.held_out else IN_SAMPLE}."


def describe_label_rates(point: OperatingPoint, label: str) -> str:
    """Return sensitivity and specificity of a label at its threshold; empty where the card does not have them."""
    threshold = point.thresholds[label]
    rates = {"sensitivity": threshold.sensitivity, "specificity": threshold.specificity}
    known = [
        f"{name} {format_estimate(rate, percent=True)}"
        for name, rate in rates.items()
        if rate and rate.value is not None
    ]
    if threshold.value is None or not known:
        return ""
    return f"{', '.join(known)}, {CROSS_VALIDATED if point.held_out else IN_SAMPLE}"


def describe_view_rate(flagged: FlagRate | None) -> str:
    """Return the proportion flagged of images in the view of the image that was read; empty where it is not known."""
    if flagged is None or flagged.in_view is None or flagged.in_view.value is None:
        return ""
    how = CROSS_VALIDATED if flagged.cross_validated else IN_SAMPLE
    rate = _format_rate(flagged.in_view)
    return f"This image is {flagged.view}: of {flagged.view} images without findings it flags {rate}, {how}."


def describe_group_rates(point: OperatingPoint) -> tuple[str, ...]:
    """Return the proportion of images without findings that are flagged by view, by sex and by age: a line of each."""
    groups = [tuple(group.partition(": ")[::2]) for group in point.flagged_by_group]
    how = CROSS_VALIDATED if point.held_out else IN_SAMPLE
    return tuple(
        f"Flagged of images without findings by {characteristic}, {how}: "
        + ", ".join(_describe_group(point, characteristic, name) for kind, name in groups if kind == characteristic)
        for characteristic in dict.fromkeys(kind for kind, _ in groups)
    )


def describe_measured_rates(rates: MeasuredFlagRates) -> tuple[str, ...]:
    """Return the proportion of images without findings that are flagged in an evaluation run: overall, then by group.

    The images set no threshold: nothing is cross-validated or in-sample.
    """
    groups = [(*group.partition(": ")[::2], rate) for group, rate in rates.flagged_by_group.items()]
    lines = [f"all {_format_rate(rates.flagged)}"]
    for characteristic in dict.fromkeys(kind for kind, _, _ in groups):
        of_kind = (f"{name} {_format_rate(rate)}" for kind, name, rate in groups if kind == characteristic)
        lines.append(f"by {characteristic}: {', '.join(of_kind)}")
    return tuple(lines)


def describe_measured_images(rates: MeasuredFlagRates) -> str:
    """Return on which images the rates were counted, at which operating point and by which reference standard."""
    return (
        f"Images without findings flagged at the operating point {rates.operating_point}, {rates.number_of_images:,} "
        f"{rates.images} ({rates.name}; {rates.number_of_patients:,} patients; {rates.reference}), which set no "
        "threshold"
    )


def _describe_group(point: OperatingPoint, characteristic: str, name: str) -> str:
    group = f"{characteristic}: {name}"
    in_sample = point.flagged_by_group_where_set.get(group) if point.held_out else None
    also = "" if in_sample is None or in_sample.value is None else f"; {IN_SAMPLE} {in_sample.value:.1%}"
    return f"{name} {_format_rate(point.flagged_by_group[group], also)}"


def _format_rate(rate: Estimate, also: str = "") -> str:
    if rate.value is None:
        return f"not known ({rate.reason})"
    return format_estimate(rate, percent=True, counts=(format_images(rate.counts) if rate.counts else "") + also)
