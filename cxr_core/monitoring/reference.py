"""What reads are compared with: the model's validation images, or a period of the site's own reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics import NumericReference, ProportionReference, numeric_reference, proportion_reference
from ..model.card import Familiarity
from .reads import SCORE

__all__ = [
    "MIN_PATIENTS",
    "UNFAMILIAR",
    "MonitoringReference",
    "reference_of",
    "series_of",
    "with_familiarity",
    "without_warnings",
]

MIN_PATIENTS = 30
"""Patients with a known value that a series of the reference needs."""

UNFAMILIAR = "unfamiliar"
"""Series of the images whose distance from the training images is beyond the card's limit."""


@dataclass(frozen=True)
class MonitoringReference:
    """Distributions of all series that are watched.

    Attributes:
        name: what the reference is, such as "validation patients of nih_128".
        patients: in it.
        numbers: distribution of each number: scores, age, distance.
        proportions: of images with an event: flagged, refused, warning, one view, one sex, unlike the training images.
        mixes: number of patients in each category of view and sex; a patient counts once, by the first image.
    """

    name: str
    patients: int
    numbers: Mapping[str, NumericReference]
    proportions: Mapping[str, ProportionReference]
    mixes: Mapping[str, Mapping[str, int]]

    @property
    def series(self) -> tuple[str, ...]:
        """Names of all series, numbers first."""
        return (*self.numbers, *self.proportions)


def series_of(reads: pd.DataFrame) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return the numbers and the events of each read, by series; NaN where unknown.

    Args:
        reads: a table as in :mod:`.reads`.
    """
    names = [str(name) for name in reads.columns if str(name).startswith(SCORE)]
    numbers = {name: reads[name].to_numpy(np.float64) for name in (*names, "age", "distance")}

    def event(column: str, value: str, *, apart: str = "") -> NDArray[np.float64]:
        values = reads[column].to_numpy(dtype=np.str_)
        unknown = (values == "") | (values == apart)
        return np.where(unknown, np.nan, (values == value).astype(np.float64))

    events = {
        "flagged": reads["flagged"].to_numpy(np.float64),
        "refused": event("quality", "refused"),
        # of the images that were read
        "warning": event("quality", "warning", apart="refused"),
        "view: AP": event("view", "AP"),
        "sex: M": event("sex", "M"),
        UNFAMILIAR: reads[UNFAMILIAR].to_numpy(np.float64) if UNFAMILIAR in reads else np.full(len(reads), np.nan),
    }
    return numbers, events


def without_warnings(reference: MonitoringReference) -> MonitoringReference:
    """Return the reference without the proportion of warnings, where most of its images have one.

    Images of a public data set often have a warning that no image of a hospital has, such as that they are small.
    """
    known = reference.proportions.get("warning")
    if known is None or known.value < 0.5:
        return reference
    others = {name: proportion for name, proportion in reference.proportions.items() if name != "warning"}
    return replace(reference, proportions=others)


def with_familiarity(reference: MonitoringReference, familiarity: Familiarity | None) -> MonitoringReference:
    """Return the reference with the proportion of images unlike the training images, as the model's card has it.

    The card's limit is a percentile of the distances of validation images, whose patients are those of the proportion.
    It is left out where the card has no such limit.
    """
    percentile = None if familiarity is None else re.match(r"(\d{1,2})(?:st|nd|rd|th) percentile", familiarity.rule)
    if familiarity is None or percentile is None or familiarity.validation_patients < MIN_PATIENTS:
        return reference
    beyond = ProportionReference(1 - int(percentile[1]) / 100, familiarity.validation_patients)
    return replace(reference, proportions={**reference.proportions, UNFAMILIAR: beyond})


def reference_of(reads: pd.DataFrame, name: str) -> MonitoringReference:
    """Return the reference that a table of reads makes.

    Args:
        reads: as in :mod:`.reads`. An image of an unknown patient counts as a patient.
        name: what it is.

    Returns:
        What reads are compared with. A series that is known for fewer than 30 patients is not in it, and not watched.
    """
    patients = reads["patient"].to_numpy(dtype=np.str_)
    patients = np.where(patients == "", [f"\0{row}" for row in range(len(patients))], patients)

    def known(values: NDArray[np.float64]) -> bool:
        return len(set(patients[~np.isnan(values)].tolist())) >= MIN_PATIENTS

    numbers, events = series_of(reads)
    first = reads[~pd.Series(patients, index=reads.index).duplicated()]
    return MonitoringReference(
        name,
        len(set(patients.tolist())),
        {series: numeric_reference(values, patients) for series, values in numbers.items() if known(values)},
        {series: proportion_reference(values, patients) for series, values in events.items() if known(values)},
        {column: counts_of(first[column]) for column in ("view", "sex")},
    )


def counts_of(values: pd.Series) -> dict[str, int]:
    """Return how often each category occurs; unknown ones are left out."""
    return {str(name): int(count) for name, count in values[values != ""].value_counts().sort_index().items()}
