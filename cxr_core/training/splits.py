"""Who trains, who validates, who tests: decided by patient, once, and kept in a file."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import PathUnusable, TrainingRefused

__all__ = ["EMBEDDED_SPLIT", "PARTS", "Split", "check_no_leak", "make_split", "read_split"]

PARTS = ("train", "validation", "test")

EMBEDDED_SPLIT = Path(__file__).with_name("nih_split.csv")
"""The one split file of the project: NIH patients, the patients of the expert labels are test."""


@dataclass(frozen=True)
class Split:
    """A part for each patient.

    Attributes:
        name: what the file is called.
        sha256: hex digest of the file.
        parts: patient number to ``train``, ``validation`` or ``test``.
    """

    name: str
    sha256: str
    parts: Mapping[int, str]

    def part_of(self, patients: np.ndarray) -> np.ndarray:
        """Return the part of each patient, (n,) str; raises TrainingRefused for one not listed."""
        unknown = sorted({int(p) for p in patients} - self.parts.keys())
        if unknown:
            raise TrainingRefused(
                f"Split {self.name}: {len(unknown)} patients of the table are not in it. "
                "Give a split file that lists every patient, or make one with the command split."
            )
        return np.array([self.parts[int(p)] for p in patients])

    def text(self) -> str:
        """Return the file's text."""
        lines = ["patient_id,part", *(f"{p},{self.parts[p]}" for p in sorted(self.parts))]
        return "\n".join(lines) + "\n"


def read_split(path: Path = EMBEDDED_SPLIT) -> Split:
    """Read a split file: CSV with the columns ``patient_id`` and ``part``.

    Raises PathUnusable for another layout, TrainingRefused where a patient stands in two parts.
    """
    try:
        data = path.read_bytes()
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"))))
        pairs = [(int(row["patient_id"]), row["part"]) for row in rows]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise PathUnusable(f"Split {path}: not a CSV with the columns patient_id and part.") from error
    parts: dict[int, str] = {}
    for patient, part in pairs:
        if part not in PARTS:
            raise PathUnusable(f"Split {path}: the part {part!r} is none of {', '.join(PARTS)}.")
        if parts.setdefault(patient, part) != part:
            raise TrainingRefused(f"Split {path}: patient {patient} stands in {parts[patient]} and in {part}.")
    return Split(path.stem, hashlib.sha256(data).hexdigest(), parts)


def check_no_leak(patients: np.ndarray, parts: np.ndarray) -> None:
    """Refuse rows in which one patient stands in two parts.

    Args:
        patients: (n,) int, patient of each film.
        parts: (n,) str, part of each film.

    Raises:
        TrainingRefused: naming the first such patient and how many there are.
    """
    first: dict[int, str] = {}
    crossing = {
        int(patient)
        for patient, part in zip(patients, parts, strict=True)
        if first.setdefault(int(patient), part) != part
    }
    if crossing:
        raise TrainingRefused(
            f"Patients cross the split: {len(crossing)} stand in more than one part, patient {min(crossing)} "
            "is one. Split by patient, not by image."
        )


def make_split(
    patients: np.ndarray,
    labels: np.ndarray,
    test_patients: np.ndarray,
    *,
    validation_share: float = 0.3,
    seed: int = 0,
) -> Split:
    """Split patients so that rare labels are spread evenly.

    A greedy form of iterative stratification (Sechidis et al., ECML PKDD 2011) on patients: the
    rarest label's patients are dealt first, each to the part that lacks most of it.

    Args:
        patients: (n,) int, patient of each film.
        labels: (n, classes) bool.
        test_patients: patients that are test whatever else is said.
        validation_share: share of the other patients that validate.
        seed: orders the patients before they are dealt.
    """
    ids, index = np.unique(patients, return_inverse=True)
    has = np.zeros((len(ids), labels.shape[1]), dtype=bool)
    np.logical_or.at(has, index, labels)
    test = {int(p) for p in test_patients}
    parts = dict.fromkeys(test, "test")
    free = np.array([p not in test for p in ids.tolist()])
    wanted = {"train": 1 - validation_share, "validation": validation_share}
    lacking = {part: share * has[free].sum(axis=0) for part, share in wanted.items()}
    room = {part: share * free.sum() for part, share in wanted.items()}
    order = np.random.default_rng(seed).permutation(np.flatnonzero(free))
    for label in [*np.argsort(has[free].sum(axis=0), kind="stable"), None]:
        for row in order:
            patient = int(ids[row])
            if patient in parts or (label is not None and not has[row, label]):
                continue
            # no label left: only the number of patients counts
            need = {part: (lacking[part][label] if label is not None else 0.0, room[part]) for part in wanted}
            part = max(need, key=lambda name: need[name])
            parts[patient] = part
            lacking[part] = lacking[part] - has[row]
            room[part] -= 1
    split = Split("nih_split", "", parts)
    return Split(split.name, hashlib.sha256(split.text().encode()).hexdigest(), parts)
