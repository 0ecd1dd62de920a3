"""Operating points on a model card: a rule, its threshold for each label, and the rates that were counted with them."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..estimate import Counts, Estimate

__all__ = ["MOST_OFFERED", "MeasuredFlagRates", "OperatingPoint", "Threshold"]

MOST_OFFERED = 0.5
"""An operating point that flags more than this proportion of images without findings is not offered for reading."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Threshold:
    """The score at or over which a label is called above; null for the stated ``reason``.

    ``source`` names the origin of a threshold that was published without counts; it is null for one that was set here.
    ``sensitivity`` and ``specificity`` are those on held-out patients where the operating point has a ``held_out``.
    """

    value: float | None
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None
    counts: Counts | None = None
    reason: str | None = None
    source: str | None = None


@dataclass(frozen=True, config=_STRICT)
class OperatingPoint:
    """A rule, and the threshold it gives for each label.

    ``flagged_without_findings`` is the proportion of images without findings on which any evaluated label is at or over
    its threshold, ``flagged_by_group`` the same by view, sex and age band (``view: AP``), and
    ``labels_above_per_image`` the mean number of such labels on all images of the same data. All are cross-validated,
    as ``held_out`` says; where it is empty they are in-sample. ``flagged_where_set`` and
    ``flagged_by_group_where_set`` are the in-sample proportions, of the thresholds on the card and the images that
    they were set on. ``most_flagged`` is the limit that the in-sample proportion keeps, of all images without findings
    and of those in each view with enough patients; None where the rule has no such limit.
    """

    name: str
    rule: str
    images: str
    thresholds: dict[str, Threshold]
    flagged_without_findings: Estimate | None = None
    flagged_by_group: dict[str, Estimate] = Field(default_factory=dict)
    flagged_where_set: Estimate | None = None
    flagged_by_group_where_set: dict[str, Estimate] = Field(default_factory=dict)
    labels_above_per_image: Estimate | None = None
    held_out: str = ""
    most_flagged: float | None = None

    @property
    def flags_most(self) -> bool:
        """Whether more than half of the images without findings are flagged; False where the rate is not known."""
        rate = self.flagged_without_findings
        return rate is not None and rate.value is not None and rate.value > MOST_OFFERED


@dataclass(frozen=True, config=_STRICT)
class MeasuredFlagRates:
    """Images without findings that an operating point flags among the images of an evaluation run.

    Neither thresholds nor calibration curves were set on images of these patients. ``flagged`` is the proportion with
    any evaluated label at or over its threshold, ``flagged_by_group`` the same by view, sex and age band.
    """

    name: str
    operating_point: str
    images: str
    reference: str
    number_of_images: int
    number_of_patients: int
    flagged: Estimate
    flagged_by_group: dict[str, Estimate]
