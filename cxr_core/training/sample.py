"""Films with a model's answers beside what a reference says: what thresholds and curves are set on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from ..labels import LABELS
from ..metrics import Estimate, count_patients
from ..model.findings import MIN_PATIENTS
from ..model.measure import Counts, Interval, Metric
from .table import FilmTable

__all__ = ["Origin", "Sample", "counts_of", "interval_of", "metric_of", "sample_of"]

# sigmoids of large logits round to 0 and 1, which no threshold could part
_LEAST_SCORE = np.finfo(np.float64).tiny
_LARGEST_SCORE = 1 - np.finfo(np.float64).eps


@dataclass(frozen=True)
class Origin:
    """Where a sample comes from, in the words of the card.

    Attributes:
        films: what they are, such as ``films of validation patients``.
        sampling: ``consecutive``, ``enriched`` or ``unknown``.
        split, split_sha256: which patients they are; empty where every film of a table was taken.
    """

    films: str
    sampling: str = "unknown"
    split: str = ""
    split_sha256: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """n films, C labels in the order of a model's outputs.

    Attributes:
        labels: names of the C labels.
        known: (C,) bool, whether the reference says anything of the label.
        positive: (n, C) bool; False throughout where it does not.
        clear: (n,) bool, films to which the reference gives no finding at all.
        logits: (n, C) float64.
        patients: (n,) of whole numbers or strings.
        sources: names of the folders or data sets.
        reference: who says what a film shows.
    """

    labels: tuple[str, ...]
    known: np.ndarray
    positive: np.ndarray
    clear: np.ndarray
    logits: np.ndarray
    patients: np.ndarray
    sources: tuple[str, ...] = ()
    reference: str = ""

    def __len__(self) -> int:
        return len(self.patients)

    @cached_property
    def scores(self) -> np.ndarray:
        """(n, C) float64 sigmoids of the logits, in (0, 1)."""
        return np.clip(expit(self.logits), _LEAST_SCORE, _LARGEST_SCORE)

    def select(self, keep: np.ndarray) -> Sample:
        """Return the films of a boolean mask."""
        return Sample(
            self.labels,
            self.known,
            self.positive[keep],
            self.clear[keep],
            self.logits[keep],
            self.patients[keep],
            self.sources,
            self.reference,
        )

    def counts(self, label: int) -> Counts:
        """Return the counts of one label."""
        return counts_of(self.positive[:, label], self.patients)

    def lacking(self, label: int, positive_patients: int = MIN_PATIENTS) -> str | None:
        """Return why nothing is set for a label, or None where enough patients carry it."""
        if not self.known[label]:
            return "no reference labels: the table does not say which films show it"
        counts = self.counts(label)
        if counts.positive_patients >= positive_patients and counts.negative_patients >= MIN_PATIENTS:
            return None
        needed = f"{MIN_PATIENTS} of each" if positive_patients == MIN_PATIENTS else f"{positive_patients} positive"
        return (
            f"too few cases: {counts.positive_patients} positive, {counts.negative_patients} negative patients; "
            f"{needed} needed"
        )


def sample_of(labels: tuple[str, ...], films: FilmTable, logits: np.ndarray) -> Sample:
    """Return the sample of a table of films.

    Args:
        labels: of the model, in the order of its outputs; those that the table does not know stay unknown.
        films: n rows.
        logits: (n, C).
    """
    positive = np.zeros((len(films), len(labels)), dtype=bool)
    known = np.array([label in LABELS for label in labels])
    for c in np.flatnonzero(known):
        positive[:, c] = films.labels[:, LABELS.index(labels[c])]
    return Sample(
        labels=labels,
        known=known,
        positive=positive,
        clear=~films.labels.any(axis=1),
        logits=np.asarray(logits, dtype=np.float64),
        patients=films.patients,
        sources=tuple(sorted(set(films.sources.tolist()))),
        reference=", ".join(sorted(set(films.references.tolist()))),
    )


def counts_of(positive: np.ndarray, patients: np.ndarray) -> Counts:
    """Return positive and negative films and patients."""
    positive_patients, negative_patients = count_patients(positive, patients)
    return Counts(int(positive.sum()), int((~positive).sum()), positive_patients, negative_patients)


def metric_of(estimate: Estimate, positive: np.ndarray, patients: np.ndarray) -> Metric:
    """Return an estimate as the card keeps it, with the counts of its films."""
    return Metric(estimate.value, estimate.low, estimate.high, counts_of(positive, patients), estimate.reason)


def interval_of(estimate: Estimate) -> Interval:
    """Return an estimate as the card keeps it where the counts stand beside it already."""
    return Interval(estimate.value, estimate.low, estimate.high, estimate.reason)
