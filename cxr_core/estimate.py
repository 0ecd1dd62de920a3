"""A number with its interval, its counts and the reason where it is missing: one type for metrics, cards and runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CLUSTERED",
    "CLUSTERED_FISHER",
    "CLUSTERED_LOGIT",
    "CLUSTERED_WILSON",
    "FROM_GROUPS",
    "FROM_PROPORTIONS",
    "INDEPENDENT_IMAGES",
    "OBUCHOWSKI_ROCKETTE",
    "PATIENT_BOOTSTRAP",
    "PATIENT_BOOTSTRAP_BASIC",
    "WILSON",
    "Counts",
    "Estimate",
]

PATIENT_BOOTSTRAP = "patient bootstrap, percentiles"
PATIENT_BOOTSTRAP_BASIC = "patient bootstrap, basic (percentiles mirrored at the value)"
CLUSTERED = "clustered by patient"
CLUSTERED_FISHER = "clustered by patient, Fisher's z"
CLUSTERED_LOGIT = "clustered by patient, logit scale"
CLUSTERED_WILSON = "Wilson, clustered by patient"
WILSON = "Wilson"
FROM_PROPORTIONS = "from the intervals of sensitivity and specificity"
FROM_GROUPS = "from the intervals of the two groups"
INDEPENDENT_IMAGES = "images taken as independent"
OBUCHOWSKI_ROCKETTE = "Obuchowski-Rockette, degrees of freedom by Hillis"


@dataclass(frozen=True)
class Counts:
    """Positive and negative images and patients.

    A patient is positive where any image is, and negative where any image is: one patient may be both. For a
    proportion, an image is positive where it is counted in the numerator. Where no patients are given, each image
    counts as one patient.

    Examples:
        >>> counts = Counts(positive_images=12, negative_images=88, positive_patients=9, negative_patients=40)
        >>> counts.images, counts.rarer_patients
        (100, 9)
    """

    positive_images: int
    negative_images: int
    positive_patients: int
    negative_patients: int

    @property
    def images(self) -> int:
        """Number of images."""
        return self.positive_images + self.negative_images

    @property
    def rarer_patients(self) -> int:
        """Number of positive or of negative patients, whichever is smaller."""
        return min(self.positive_patients, self.negative_patients)


@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval and the cases behind it.

    Attributes:
        value: the number; None where it is undefined or rests on too few cases, never 0 or NaN.
        low, high: limits of the interval, ``low <= high``; None where there is no interval. The value is nearly
            always within them, but not by necessity.
        counts: images and patients; None where they are unknown (a published number) or stand beside the estimate.
        reason: why the value or the interval is missing, such as ``"no positive"``; None where nothing is missing.
        method: how the interval was made, one of the constants of this module; None where there is no interval, or
            where it was not recorded.

    Raises:
        ValueError: for NaN, an infinity, or a missing value without a reason.

    Examples:
        >>> Estimate(0.81, 0.76, 0.85, Counts(120, 480, 100, 300), method=WILSON).value
        0.81
        >>> Estimate.missing("no positive", Counts(0, 480, 0, 300)).reason
        'no positive'
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    counts: Counts | None = None
    reason: str | None = None
    method: str | None = None

    def __post_init__(self) -> None:
        """Refuse NaN, an infinity, and a missing value without a reason."""
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not abs(number) < float("inf"):
                raise ValueError(f"{name} is {number}; a finite number or None with a reason is accepted.")
        if self.value is None and not self.reason:
            raise ValueError("A value of None needs a reason.")

    @classmethod
    def missing(cls, reason: str, counts: Counts | None = None) -> Estimate:
        """Return an estimate without a value."""
        return cls(None, counts=counts, reason=reason)

    @property
    def value_or_nan(self) -> float:
        """The value; NaN where it is missing: for arrays, sorting and drawing.

        Examples:
            >>> Estimate.missing("no positive").value_or_nan
            nan
        """
        return float("nan") if self.value is None else self.value

    @property
    def positives(self) -> int | None:
        """Number of positive images; None without counts."""
        return None if self.counts is None else self.counts.positive_images

    @property
    def negatives(self) -> int | None:
        """Number of negative images; None without counts."""
        return None if self.counts is None else self.counts.negative_images

    @property
    def positive_patients(self) -> int | None:
        """Number of positive patients; None without counts."""
        return None if self.counts is None else self.counts.positive_patients

    @property
    def negative_patients(self) -> int | None:
        """Number of negative patients; None without counts."""
        return None if self.counts is None else self.counts.negative_patients

    def columns(self) -> dict[str, float | int | str | None]:
        """Return the estimate as one flat row of a table: value, limits, counts, reason, method.

        Examples:
            >>> list(Estimate(0.5).columns())[:4]
            ['value', 'low', 'high', 'positives']
        """
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "positives": self.positives,
            "negatives": self.negatives,
            "positive_patients": self.positive_patients,
            "negative_patients": self.negative_patients,
            "reason": self.reason,
            "method": self.method,
        }
