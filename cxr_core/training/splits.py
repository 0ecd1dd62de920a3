"""Who trains, who validates, who tests: decided by patient, once, and kept in a file."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..csv_text import csv_text, unguarded
from ..errors import PathUnusable, TrainingRefused
from ..gunzip import read_unpacked

__all__ = [
    "EMBEDDED_SPLIT",
    "PARTS",
    "Patient",
    "Split",
    "check_no_leak",
    "extend_split",
    "make_folds",
    "make_split",
    "official_split",
    "read_names",
    "read_split",
]

Patient = int | str
"""A plain whole number is an int, anything else the words themselves."""

PARTS = ("train", "validation", "test")

EMBEDDED_SPLIT = Path(__file__).with_name("nih_split.csv")
"""The one split file of the project: NIH patients, the patients of the expert labels are test."""


@dataclass(frozen=True)
class Split:
    """A part for each patient.

    Attributes:
        name: what the file is called.
        sha256: hex digest of the file.
        parts: patient to ``train``, ``validation`` or ``test``.
    """

    name: str
    sha256: str
    parts: Mapping[Patient, str]

    def part_of(self, patients: np.ndarray) -> np.ndarray:
        """Return the part of each patient, (n,) str; raises TrainingRefused for one not listed."""
        ids, index = np.unique(patients, return_inverse=True)
        parts = [self.parts.get(_patient(p)) for p in ids.tolist()]
        if None in parts:
            raise TrainingRefused(
                f"Split {self.name}: {parts.count(None)} patients of the table are not in it. "
                "Give a split file that lists every patient, or make one with the command split."
            )
        return np.array(parts, dtype=str)[index]

    def text(self) -> str:
        """Return the file's text."""
        patients = sorted(self.parts, key=lambda p: (isinstance(p, str), p))
        return csv_text(("patient_id", "part"), ((p, self.parts[p]) for p in patients))


def read_split(path: Path = EMBEDDED_SPLIT) -> Split:
    """Read a split file: CSV with the columns ``patient_id`` and ``part``.

    Raises PathUnusable for another layout, TrainingRefused where a patient stands in two parts.
    """
    try:
        data = path.read_bytes()
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"))))
        pairs = [(_patient(unguarded(row["patient_id"].strip())), row["part"]) for row in rows]
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PathUnusable(f"Split {path}: not a CSV with the columns patient_id and part.") from error
    parts: dict[Patient, str] = {}
    for patient, part in pairs:
        if part not in PARTS:
            raise PathUnusable(f"Split {path}: the part {part!r} is none of {', '.join(PARTS)}.")
        if parts.setdefault(patient, part) != part:
            raise TrainingRefused(f"Split {path}: patient {patient} stands in {parts[patient]} and in {part}.")
    return Split(path.stem, hashlib.sha256(data).hexdigest(), parts)


def read_names(path: Path) -> list[str]:
    """Return the names of a list of images, one a line, gzip too; raises PathUnusable."""
    try:
        text = read_unpacked(path).decode("utf-8")
    except (OSError, EOFError, ValueError) as error:
        raise PathUnusable(f"List {path}: cannot be read. Accepted: text, one image name a line, gzip too.") from error
    return [name for line in text.splitlines() if (name := line.strip())]


def check_no_leak(patients: np.ndarray, parts: np.ndarray) -> None:
    """Refuse rows in which one patient stands in two parts.

    Args:
        patients: (n,) patient of each film.
        parts: (n,) str, part of each film.

    Raises:
        TrainingRefused: naming the first such patient and how many there are.
    """
    first: dict[Patient, str] = {}
    crossing = {
        patient
        for patient, part in zip(patients.tolist(), parts.tolist(), strict=True)
        if first.setdefault(patient, part) != part
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
    name: str = "nih_split",
) -> Split:
    """Split patients so that rare labels are spread evenly.

    Args:
        patients: (n,) patient of each film.
        labels: (n, classes) bool.
        test_patients: patients that are test whatever else is said.
        validation_share: share of the other patients that validate.
        seed: orders the patients before they are dealt.
        name: of the split.
    """
    ids, has = _labels_of_patients(patients, labels)
    test = {_patient(p) for p in test_patients.tolist()}
    free = np.array([p not in test for p in ids], dtype=bool)
    dealt = _deal(has, free, {"train": 1 - validation_share, "validation": validation_share}, seed)
    return _split(name, dict.fromkeys(test, "test") | {ids[row]: part for row, part in dealt.items()})


def extend_split(
    split: Split, patients: np.ndarray, labels: np.ndarray, *, validation_share: float, seed: int = 0
) -> Split:
    """Deal the patients that a split does not list to train and validation; no patient of the split moves.

    Args:
        split: to be extended.
        patients, labels: of all films, those of patients in the split too: they are left out.
        validation_share: share of the new patients that validate; 0 has them all train.
        seed: orders the new patients before they are dealt.

    Returns:
        A split of the same name that lists the new patients too.
    """
    new = np.array([_patient(p) not in split.parts for p in patients.tolist()], dtype=bool)
    ids, has = _labels_of_patients(patients[new], labels[new])
    wanted = {"train": 1 - validation_share, "validation": validation_share}
    dealt = _deal(has, np.ones(len(ids), dtype=bool), wanted, seed)
    return _split(split.name, {**split.parts, **{ids[row]: part for row, part in dealt.items()}})


def make_folds(
    patients: np.ndarray, labels: np.ndarray, test_patients: np.ndarray, folds: int, *, seed: int = 0
) -> tuple[Split, ...]:
    """Return K splits; each patient that is not test validates in exactly one of them.

    Arguments as in :func:`make_split`. Rare labels are spread evenly over the folds.
    """
    ids, has = _labels_of_patients(patients, labels)
    test = {_patient(p) for p in test_patients.tolist()}
    free = np.array([p not in test for p in ids], dtype=bool)
    if not 2 <= folds <= free.sum():
        raise TrainingRefused(
            f"{folds} folds of {free.sum()} patients: at least 2, and a patient for each, are needed."
        )
    dealt = _deal(has, free, {str(fold): 1 / folds for fold in range(folds)}, seed)
    return tuple(
        _split(
            f"fold_{fold + 1}_of_{folds}",
            dict.fromkeys(test, "test")
            | {ids[row]: "validation" if number == str(fold) else "train" for row, number in dealt.items()},
        )
        for fold in range(folds)
    )


def official_split(
    names: np.ndarray,
    patients: np.ndarray,
    labels: np.ndarray,
    train_names: Sequence[str],
    test_names: Sequence[str],
    *,
    validation_share: float = 0.1,
    seed: int = 0,
) -> Split:
    """Return NIH's own split, by patient; validation is taken from its train list, stratified.

    NIH publishes two lists, ``train_val_list.txt`` and ``test_list.txt``, of images.

    Args:
        names: (n,) image name of each film.
        patients, labels, validation_share, seed: as in :func:`make_split`.
        train_names, test_names: the lists.

    Raises:
        TrainingRefused: a film is in neither list or in both, or a patient has films in both.
    """
    learns, tests = np.isin(names, train_names), np.isin(names, test_names)
    if (learns == tests).any():
        neither, both = int((~learns & ~tests).sum()), int((learns & tests).sum())
        raise TrainingRefused(
            f"Official split: {neither} films of the table are in neither list, {both} in both. "
            "Give the lists that belong to the table."
        )
    check_no_leak(patients, np.where(tests, "test", "train"))
    return make_split(
        patients,
        labels,
        np.unique(patients[tests]),
        validation_share=validation_share,
        seed=seed,
        name="nih_official",
    )


def _patient(value: Patient) -> Patient:
    """Return a plain whole number as int, anything else as it is: 007 is not 7."""
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError("a patient without a number")
    return int(value) if value.isascii() and value.isdigit() and (value[0] != "0" or value == "0") else value


def _labels_of_patients(patients: np.ndarray, labels: np.ndarray) -> tuple[list[Patient], np.ndarray]:
    """Return the patients, sorted, and (patients, classes) bool: what any film of each shows."""
    ids, index = np.unique(patients, return_inverse=True)
    has = np.zeros((len(ids), labels.shape[1]), dtype=bool)
    np.logical_or.at(has, index, labels)
    return [_patient(p) for p in ids.tolist()], has


def _deal(has: np.ndarray, free: np.ndarray, wanted: Mapping[str, float], seed: int) -> dict[int, str]:
    """Deal the free rows to the parts wanted, by their shares.

    A greedy form of iterative stratification (Sechidis et al., ECML PKDD 2011) on patients: the
    rarest label's patients are dealt first, each to the part that lacks most of it.
    """
    lacking = {part: share * has[free].sum(axis=0) for part, share in wanted.items()}
    room = {part: share * free.sum() for part, share in wanted.items()}
    order = np.random.default_rng(seed).permutation(np.flatnonzero(free)).tolist()
    dealt: dict[int, str] = {}
    for label in [*np.argsort(has[free].sum(axis=0), kind="stable").tolist(), None]:
        for row in order:
            if row in dealt or (label is not None and not has[row, label]):
                continue
            # no label left: only the number of patients counts
            need = {part: (lacking[part][label] if label is not None else 0.0, room[part]) for part in wanted}
            part = max(need, key=lambda name: need[name])
            dealt[row] = part
            lacking[part] = lacking[part] - has[row]
            room[part] -= 1
    return dealt


def _split(name: str, parts: Mapping[Patient, str]) -> Split:
    split = Split(name, "", parts)
    return Split(name, hashlib.sha256(split.text().encode()).hexdigest(), parts)
