"""One number with its interval and the counts behind it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BY_FILM",
    "CLUSTERED",
    "CLUSTERED_LOGIT",
    "CLUSTERED_WILSON",
    "FROM_GROUPS",
    "FROM_SHARES",
    "MIRRORED",
    "PATIENT_BOOTSTRAP",
    "WILSON",
    "Estimate",
]

PATIENT_BOOTSTRAP = "resampled patients, percentiles"
MIRRORED = "resampled patients, percentiles mirrored at the value"
CLUSTERED = "clustered by patient"
CLUSTERED_LOGIT = "clustered by patient, logit scale"
CLUSTERED_WILSON = "Wilson, clustered by patient"
WILSON = "Wilson"
FROM_SHARES = "from the intervals of sensitivity and specificity"
FROM_GROUPS = "from the intervals of the two groups"
BY_FILM = "films taken as independent"


@dataclass(frozen=True)
class Estimate:
    """A number, how sure it is, and how many cases it rests on.

    Attributes:
        value: the number; None where it is undefined or rests on too few cases, never 0 or NaN.
        low, high: the limits of its interval, ``low <= high``; None where none was asked for or
            none can be given. The value lies between them nearly always, but not by necessity.
        positives, negatives: films that carry the label and films that do not; for a share, films
            that are counted in it and films that are not.
        positive_patients: patients with any positive film; None where patients were not given.
        negative_patients: patients with any negative film; None where patients were not given.
            One patient may be among both.
        reason: why the value or the interval is missing, such as ``"no positive"``; None where
            nothing is missing that was asked for.
        method: how the interval was made, one of the words above; None where there is none.
    """

    value: float | None
    low: float | None
    high: float | None
    positives: int
    negatives: int
    positive_patients: int | None
    negative_patients: int | None
    reason: str | None
    method: str | None = None

    def __post_init__(self) -> None:
        """Refuse what a reader could take for a number: NaN, an infinity, a value without reason."""
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not abs(number) < float("inf"):
                raise ValueError(f"{name} is {number}; a finite number or None with a reason is accepted.")
        if self.value is None and not self.reason:
            raise ValueError("A value of None needs a reason.")
