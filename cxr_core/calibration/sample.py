"""Scores of a model beside a reference standard: what thresholds and calibration curves are fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..datasets.table import ImageTable
from ..estimate import Counts
from ..metrics import UNKNOWN, age_bands, count_cases
from ..model.calibration import Sampling
from ..model.findings import MIN_PATIENTS

__all__ = ["CalibrationSet", "CalibrationSource", "ScoredImages"]

# sigmoids of large logits round to 0 and 1, which no threshold could separate
_LEAST_SCORE = np.finfo(np.float64).tiny
_LARGEST_SCORE = 1 - np.finfo(np.float64).eps
_PER_IMAGE = ("positive", "without_findings", "logits", "patients", "views", "sexes", "ages")


@dataclass(frozen=True)
class ScoredImages:
    """A table of n images with a model's outputs.

    Attributes:
        labels: names of the model's C outputs.
        images: n rows; their table may state other labels.
        logits: (n, C) float64.
        largest_cell: (n, C) float32, the largest cell of each class map, logit units.
    """

    labels: tuple[str, ...]
    images: ImageTable
    logits: NDArray[np.float64]
    largest_cell: NDArray[np.float32]

    @property
    def scores(self) -> NDArray[np.float64]:
        """(n, C) float64, sigmoid of the logits."""
        return np.asarray(expit(self.logits))

    def select(self, keep: np.ndarray) -> ScoredImages:
        """Return the images of a boolean mask."""
        return ScoredImages(self.labels, self.images.select(keep), self.logits[keep], self.largest_cell[keep])


@dataclass(frozen=True)
class CalibrationSource:
    """Where a calibration set comes from, as the card states it.

    Attributes:
        images: a description such as ``images of validation patients``.
        sampling: ``consecutive``, ``enriched`` or ``unknown``.
        split, split_sha256: that the patients are the validation patients of; empty where every image of a table
            was taken.
    """

    images: str
    sampling: Sampling = "unknown"
    split: str = ""
    split_sha256: str = ""


@dataclass(frozen=True, eq=False)
class CalibrationSet:
    """n images, C labels in the order of a model's outputs.

    Attributes:
        labels: names of the C labels.
        stated: (C,) bool, whether the reference standard states the label.
        positive: (n, C) bool; False throughout for a label that is not stated.
        without_findings: (n,) bool, images that the reference standard gives no label at all.
        logits: (n, C) float64.
        patients: (n,) of whole numbers or strings.
        views, sexes: (n,) str; empty where not known.
        ages: (n,) float64, years; NaN where not known.
        sources: names of the folders or data sets.
        reference: the reference standard.
    """

    labels: tuple[str, ...]
    stated: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    without_findings: NDArray[np.bool_]
    logits: NDArray[np.float64]
    patients: np.ndarray
    views: np.ndarray
    sexes: np.ndarray
    ages: NDArray[np.float64]
    sources: tuple[str, ...] = ()
    reference: str = ""

    def __len__(self) -> int:
        return len(self.patients)

    @classmethod
    def of(cls, scored: ScoredImages) -> CalibrationSet:
        """Return scored images beside what their table states of the model's labels."""
        images, answers = scored.images, scored.images.answers(scored.labels)
        return cls(
            labels=scored.labels,
            stated=np.isin(scored.labels, images.labels),
            positive=answers == 1,
            without_findings=np.logical_not(np.asarray(images.positive.any(axis=1))),
            logits=np.asarray(scored.logits, dtype=np.float64),
            patients=images.patients,
            views=images.views,
            sexes=images.sexes,
            ages=images.ages,
            sources=tuple(sorted(set(images.sources.tolist()))),
            reference=", ".join(sorted(set(images.references.tolist()))),
        )

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(n, C) float64 sigmoids of the logits, in (0, 1)."""
        return np.asarray(np.clip(expit(self.logits), _LEAST_SCORE, _LARGEST_SCORE))

    def select(self, keep: np.ndarray) -> CalibrationSet:
        """Return the images of a boolean mask."""
        return replace(self, **{name: getattr(self, name)[keep] for name in _PER_IMAGE})

    @cached_property
    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """(n,) bool of each view, sex and age band that is known, such as ``view: AP``."""
        named = {"view": self.views, "sex": self.sexes, "age": age_bands(self.ages)}
        return {
            f"{characteristic}: {name}": values == name
            for characteristic, values in named.items()
            # "under 18" before "18 to 39"
            for name in sorted(set(values.tolist()) - {"", UNKNOWN}, key=lambda name: (name[:5] != "under", name))
        }

    def counts(self, label: int) -> Counts | None:
        """Return the counts of one label, or None where it is not stated."""
        return count_cases(self.positive[:, label], self.patients) if self.stated[label] else None

    def why_not_fitted(self, label: int, positive_patients: int = MIN_PATIENTS) -> str | None:
        """Return why nothing is fitted for a label, or None where it has enough patients."""
        counts = self.counts(label)
        if counts is None:
            return "no reference labels: the table does not say which images show it"
        if counts.positive_patients >= positive_patients and counts.negative_patients >= MIN_PATIENTS:
            return None
        needed = f"{MIN_PATIENTS} of each" if positive_patients == MIN_PATIENTS else f"{positive_patients} positive"
        return (
            f"too few cases ({counts.positive_patients} positive, {counts.negative_patients} negative patients; "
            f"{needed} needed)"
        )
