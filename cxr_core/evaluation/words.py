"""One number in words, the same on a page, in a report and in a model card."""

from __future__ import annotations

from ..metrics import Estimate

__all__ = ["counts_words", "estimate_words"]


def counts_words(estimate: Estimate) -> str:
    """Return how many cases a number rests on."""
    return f"{estimate.positive_patients:,} positive, {estimate.negative_patients:,} negative patients"


def estimate_words(estimate: Estimate, *, percent: bool = False, signed: bool = False) -> str:
    """Return a number with its interval, or why there is none."""

    def number(value: float) -> str:
        sign = "+" if signed else ""
        return f"{value:{sign}.1%}" if percent else f"{value:{sign}.3f}"

    if estimate.value is None:
        return estimate.reason or "not known"
    if estimate.low is None or estimate.high is None:
        return f"{number(estimate.value)} (no interval: {estimate.reason})"
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"
