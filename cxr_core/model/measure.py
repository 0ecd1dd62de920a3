"""Numbers as a card keeps them: with their interval and the counts behind them."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

__all__ = ["STRICT", "Counts", "Interval", "Metric"]

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class Counts:
    """Positive and negative films and patients of one label in one part of the data.

    A patient is positive where any film is, and negative where any film is: one patient may be both.
    """

    positive_films: int
    negative_films: int
    positive_patients: int
    negative_patients: int


@dataclass(frozen=True, config=STRICT)
class Metric:
    """One number with its interval and counts; ``value`` is null where ``reason`` says why.

    ``counts`` is null for a published number that came without.
    """

    value: float | None
    low: float | None
    high: float | None
    counts: Counts | None
    reason: str | None = None


@dataclass(frozen=True, config=STRICT)
class Interval:
    """One number with its interval, where the counts stand beside it already."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None
