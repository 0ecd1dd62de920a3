"""How often small changes of an image change a state, as a model's card records it, and its text.

A reading's own changes are in :class:`.findings.Reading`; the changes are :data:`cxr_core.imaging.SMALL_CHANGES`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ..estimate import Estimate
from ..formatting import format_estimate
from ..imaging import SMALL_CHANGES

__all__ = [
    "UNSTABLE",
    "ChangeRates",
    "Stability",
    "describe_changes",
    "describe_stability",
    "format_images",
    "format_rate",
]

UNSTABLE = "changes under small changes of the image"
"""The mark of a finding whose state changes."""

_STRICT = ConfigDict(extra="forbid")
_DESCRIPTIONS = {change.name: change.description for change in SMALL_CHANGES}


@dataclass(frozen=True, config=_STRICT)
class ChangeRates:
    """How often a state changes; the counts of each proportion are of images and patients with and without a change.

    Attributes:
        any_label: proportion of images on which the state of at least one evaluated label changes.
        per_label: proportion of images on which the state of that label changes; evaluated labels only.
        logit_difference: mean over images and all labels of the absolute difference of the logits; None where the
            rates are of several small changes together.
        logit_shift: the mean of the same differences with their sign: changed image minus image.
    """

    any_label: Estimate
    per_label: dict[str, Estimate]
    logit_difference: Estimate | None = None
    logit_shift: Estimate | None = None


@dataclass(frozen=True, config=_STRICT)
class Stability:
    """The rates of each small change and of all together, on images that the model was not trained on.

    Attributes:
        weights_sha256: of the ``model.keras`` that was measured.
        operating_point: name of the one whose states were counted.
        thresholds: score at or over which a label is above, of the evaluated labels, as they were then.
        images: description of the images.
        sampling: how they were sampled.
        sources: names of the data sets or folders.
        split, split_sha256: of the patients; empty where every image of a table was used.
        number_of_images, number_of_patients: that were counted.
        left_out: images that the gate refuses, or that could not be read.
        interval: how the intervals were made.
        per_change: rates by the name of the small change.
        together: a state changes under at least one of them.
    """

    weights_sha256: str
    operating_point: str
    thresholds: dict[str, float]
    images: str
    sampling: str
    sources: tuple[str, ...]
    split: str
    split_sha256: str
    number_of_images: int
    number_of_patients: int
    left_out: int
    interval: str
    per_change: dict[str, ChangeRates]
    together: ChangeRates


def describe_changes(names: Sequence[str]) -> str:
    """Return the descriptions of small changes by their names, with commas between."""
    return ", ".join(_DESCRIPTIONS.get(name, name) for name in names)


def describe_stability(stability: Stability | None) -> str:
    """Return how often a state changes under any small change, or that it was not measured."""
    if stability is None:
        return "How often small changes of an image change a state was not measured for this model."
    left_out = f"; {stability.left_out:,} refused or unreadable images excluded" if stability.left_out else ""
    return (
        f"On {format_rate(stability.together.any_label)} of {stability.number_of_images:,} {stability.images} "
        f"({', '.join(stability.sources)}, {stability.sampling}; {stability.number_of_patients:,} patients{left_out}) "
        "at least one of "
        f"{len(stability.thresholds)} evaluated labels changes its state under at least one of "
        f"{len(stability.per_change)} small changes of the image."
    )


def format_images(rate: Estimate) -> str:
    """Return the counts of a proportion: images with the event, of how many."""
    return "" if rate.counts is None else f"{rate.counts.positive_images:,} of {rate.counts.images:,}"


def format_rate(rate: Estimate) -> str:
    """Return a proportion in per cent with its interval, or why there is none."""
    return format_estimate(rate, percent=True)
