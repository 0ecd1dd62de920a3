"""Numbers, durations and names from outside as text, the same on a page, in a terminal, in a report and on a card."""

from __future__ import annotations

import unicodedata
from typing import Protocol

__all__ = [
    "HasInterval",
    "duration",
    "format_counts",
    "format_estimate",
    "format_images",
    "format_p_value",
    "format_probability",
    "shown_name",
]


def shown_name(name: str) -> str:
    """Return a file's name with every character that is not seen, or turns others around, as an escape.

    A right-to-left override makes ``exe.dcm`` of ``mcd.exe`` on the screen, a return overwrites what a terminal shows
    before it. So control and format characters, line and paragraph separators, and bytes that are no text are written
    as Python writes them. Letters of any script stay as they are.

    >>> shown_name("a\\u202emcd.exe")
    'a\\\\u202emcd.exe'

    Source: Unicode Technical Report 36, section 2 (bidirectional text spoofing); general categories C, Zl and Zp.
    """
    return "".join(letter if _seen(letter) else letter.encode("unicode_escape").decode() for letter in name)


def _seen(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] != "C" and category not in ("Zl", "Zp")


def duration(seconds: float) -> str:
    """Return a duration as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class HasInterval(Protocol):
    """A number with its interval; ``reason`` says why the value or the interval is missing."""

    @property
    def value(self) -> float | None: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102


class HasPatientCounts(Protocol):
    """Numbers of positive and negative patients; None where they are not known."""

    @property
    def positive_patients(self) -> int | None: ...
    @property
    def negative_patients(self) -> int | None: ...


class HasImageCounts(Protocol):
    """Number of images with an event, and of all."""

    @property
    def positive_images(self) -> int: ...
    @property
    def images(self) -> int: ...


def format_estimate(
    estimate: HasInterval | None,
    *,
    decimals: int | None = None,
    percent: bool = False,
    signed: bool = False,
    counts: HasPatientCounts | str | None = None,
) -> str:
    """Return a number with its interval, or the reason why there is none.

    Args:
        estimate: the number; None where it is not known.
        decimals: digits after the point; by default 3, or 1 for a percentage.
        percent: whether to write a proportion as a percentage.
        signed: whether to write the sign of a positive number.
        counts: patients to name behind the interval, or text of :func:`format_images`.

    Examples:
        >>> from types import SimpleNamespace as Estimate
        >>> auc = Estimate(value=0.81234, low=0.76, high=0.85, reason=None, positive_patients=30, negative_patients=70)
        >>> format_estimate(auc)
        '0.812 (0.760 to 0.850)'
        >>> format_estimate(auc, percent=True, decimals=0, counts=auc)
        '81% (76% to 85%; 30 positive, 70 negative patients)'
        >>> format_estimate(Estimate(value=None, reason="no positive"))
        'no positive'
    """
    if estimate is None:
        return "not known"
    text = counts if counts is None or isinstance(counts, str) else format_counts(counts)
    cases = f"; {text}" if text else ""
    if estimate.value is None:
        reason = estimate.reason or "not known"
        return reason if "patient" in reason or "image" in reason else reason + cases
    digits = decimals if decimals is not None else 1 if percent else 3
    # z: no minus before a rounded zero
    spec = f"{'+' if signed else ''}z,.{digits}{'%' if percent else 'f'}"
    value = f"{estimate.value:{spec}}"
    if estimate.low is not None and estimate.high is not None:
        return f"{value} ({estimate.low:{spec}} to {estimate.high:{spec}}{cases})"
    if estimate.reason:
        return f"{value} (no interval: {estimate.reason.removeprefix('no interval: ')}{cases})"
    return value


def format_counts(counts: HasPatientCounts) -> str:
    """Return the number of patients behind a number.

    Examples:
        >>> from types import SimpleNamespace as Counts
        >>> format_counts(Counts(positive_patients=1200, negative_patients=19))
        '1,200 positive, 19 negative patients'
    """
    return f"{counts.positive_patients:,} positive, {counts.negative_patients:,} negative patients"


def format_images(counts: HasImageCounts) -> str:
    """Return the numerator and denominator of a proportion of images.

    Examples:
        >>> from types import SimpleNamespace as Counts
        >>> format_images(Counts(positive_images=157, images=1545))
        '157 of 1,545 images'
    """
    return f"{counts.positive_images:,} of {counts.images:,} images"


def format_p_value(p_value: float | None, reason: str | None = None) -> str:
    """Return a p-value with three decimals, or the reason why there is none.

    Examples:
        >>> [format_p_value(value) for value in (0.0312, 0.00002, None)]
        ['0.031', '<0.001', 'no test']
    """
    if p_value is None:
        return reason or "no test"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def format_probability(value: float) -> str:
    """Return a score or a probability: three decimals, or two significant figures below 0.01.

    Examples:
        >>> [format_probability(value) for value in (0.5, 0.01, 0.00123, 0.0)]
        ['0.500', '0.010', '0.0012', '0.000']
    """
    return f"{value:.3f}" if value >= 0.01 or value == 0 else f"{value:.2g}"
