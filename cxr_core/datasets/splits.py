"""Splits of patients into train, validation and test: made once, and stored in a file."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import PathUnusable, TrainingRefused
from ..table_files import csv_text, read_unpacked, unguarded

__all__ = [
    "EMBEDDED_SPLIT",
    "SUBSETS",
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
"""Identifier of a patient: an int for a plain whole number, else the text itself."""

SUBSETS = ("train", "validation", "test")

EMBEDDED_SPLIT = Path(__file__).with_name("nih_split.csv")
"""The project's split file of NIH's patients; the patients of the expert labels are test."""


@dataclass(frozen=True)
class Split:
    """A subset for each patient.

    Attributes:
        name: of the file.
        sha256: hex digest of the file.
        subsets: patient to ``train``, ``validation`` or ``test``.
    """

    name: str
    sha256: str
    subsets: Mapping[Patient, str]

    def subset_of(self, patients: np.ndarray) -> np.ndarray:
        """Return the subset of each patient, (n,) str; raises TrainingRefused for one not listed."""
        ids, index = np.unique(patients, return_inverse=True)
        subsets = [self.subsets.get(_patient(p)) for p in ids.tolist()]
        if None in subsets:
            raise TrainingRefused(
                f"Split {self.name}: {subsets.count(None)} patients of the table are not in it. "
                "Give a split file that lists every patient, or make one with the command split."
            )
        return np.array(subsets, dtype=str)[index]

    def text(self) -> str:
        """Return the file's text."""
        patients = sorted(self.subsets, key=lambda p: (isinstance(p, str), p))
        return csv_text(("patient_id", "part"), ((p, self.subsets[p]) for p in patients))


def read_split(path: Path = EMBEDDED_SPLIT) -> Split:
    """Read a split file: CSV with the columns ``patient_id`` and ``part``.

    Raises PathUnusable for another layout, TrainingRefused where a patient is in two subsets.
    """
    try:
        data = path.read_bytes()
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"))))
        pairs = [(_patient(unguarded(row["patient_id"].strip())), row["part"]) for row in rows]
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PathUnusable(f"Split {path}: not a CSV with the columns patient_id and part.") from error
    subsets: dict[Patient, str] = {}
    for patient, subset in pairs:
        if subset not in SUBSETS:
            raise PathUnusable(f"Split {path}: the part {subset!r} is not one of {', '.join(SUBSETS)}.")
        if subsets.setdefault(patient, subset) != subset:
            raise TrainingRefused(f"Split {path}: patient {patient} is in {subsets[patient]} and in {subset}.")
    return Split(path.stem, hashlib.sha256(data).hexdigest(), subsets)


def read_names(path: Path) -> list[str]:
    """Return the names of a list of images, one per line, plain or gzipped; raises PathUnusable."""
    try:
        text = read_unpacked(path).decode("utf-8")
    except (OSError, EOFError, ValueError) as error:
        raise PathUnusable(
            f"List {path}: cannot be read. Accepted: text, plain or gzipped, one name per line."
        ) from error
    return [name for line in text.splitlines() if (name := line.strip())]


def check_no_leak(patients: np.ndarray, subsets: np.ndarray) -> None:
    """Refuse rows in which a patient is in two subsets.

    Args:
        patients: (n,) patient of each image.
        subsets: (n,) str, subset of each image.

    Raises:
        TrainingRefused: with the first such patient and their number.
    """
    first: dict[Patient, str] = {}
    crossing = {
        patient
        for patient, subset in zip(patients.tolist(), subsets.tolist(), strict=True)
        if first.setdefault(patient, subset) != subset
    }
    if crossing:
        raise TrainingRefused(
            f"Patients cross the split: {len(crossing)} are in more than one subset, such as "
            f"{min(crossing)}. Split by patient, not by image."
        )


def make_split(
    patients: np.ndarray,
    labels: np.ndarray,
    test_patients: np.ndarray,
    *,
    validation_fraction: float = 0.3,
    seed: int = 0,
    name: str = "nih_split",
) -> Split:
    """Split patients so that rare labels are spread evenly.

    Args:
        patients: (n,) patient of each image.
        labels: (n, labels) bool, positive labels of each image.
        test_patients: patients that are test.
        validation_fraction: proportion of the other patients that validate.
        seed: orders the patients before they are assigned.
        name: of the split.
    """
    ids, has = _labels_of_patients(patients, labels)
    test = {_patient(p) for p in test_patients.tolist()}
    free = np.array([p not in test for p in ids], dtype=bool)
    assigned = _assign(has, free, {"train": 1 - validation_fraction, "validation": validation_fraction}, seed)
    return _split(name, dict.fromkeys(test, "test") | {ids[row]: subset for row, subset in assigned.items()})


def extend_split(
    split: Split, patients: np.ndarray, labels: np.ndarray, *, validation_fraction: float, seed: int = 0
) -> Split:
    """Assign the patients that a split does not list to train and validation; no patient of the split moves.

    Args:
        split: to be extended.
        patients, labels: of all images, those of patients in the split too: they are left out.
        validation_fraction: proportion of the new patients that validate; 0 has them all train.
        seed: orders the new patients before they are assigned.

    Returns:
        A split of the same name that lists the new patients too.
    """
    new = np.array([_patient(p) not in split.subsets for p in patients.tolist()], dtype=bool)
    ids, has = _labels_of_patients(patients[new], labels[new])
    wanted = {"train": 1 - validation_fraction, "validation": validation_fraction}
    assigned = _assign(has, np.ones(len(ids), dtype=bool), wanted, seed)
    return _split(split.name, {**split.subsets, **{ids[row]: subset for row, subset in assigned.items()}})


def make_folds(
    patients: np.ndarray, labels: np.ndarray, test_patients: np.ndarray, folds: int, *, seed: int = 0
) -> tuple[Split, ...]:
    """Return K splits; each patient that is not test is validation in exactly one of them.

    Arguments as in :func:`make_split`. Rare labels are spread evenly over the folds.
    """
    ids, has = _labels_of_patients(patients, labels)
    test = {_patient(p) for p in test_patients.tolist()}
    free = np.array([p not in test for p in ids], dtype=bool)
    if not 2 <= folds <= free.sum():
        raise TrainingRefused(
            f"{folds} folds of {free.sum()} patients: at least 2 folds, with a patient each, are needed."
        )
    assigned = _assign(has, free, {str(fold): 1 / folds for fold in range(folds)}, seed)
    return tuple(
        _split(
            f"fold_{fold + 1}_of_{folds}",
            dict.fromkeys(test, "test")
            | {ids[row]: "validation" if number == str(fold) else "train" for row, number in assigned.items()},
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
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> Split:
    """Return NIH's own split, by patient; validation is taken from its train list, stratified.

    NIH publishes two lists, ``train_val_list.txt`` and ``test_list.txt``, of images.

    Args:
        names: (n,) image name of each image.
        patients, labels, validation_fraction, seed: as in :func:`make_split`.
        train_names, test_names: the lists.

    Raises:
        TrainingRefused: an image is in neither list or in both, or a patient has images in both.
    """
    learns, tests = np.isin(names, train_names), np.isin(names, test_names)
    if (learns == tests).any():
        neither, both = int((~learns & ~tests).sum()), int((learns & tests).sum())
        raise TrainingRefused(
            f"Official split: {neither} images of the table are in neither list, {both} in both. "
            "Give the lists that belong to the table."
        )
    check_no_leak(patients, np.where(tests, "test", "train"))
    return make_split(
        patients,
        labels,
        np.unique(patients[tests]),
        validation_fraction=validation_fraction,
        seed=seed,
        name="nih_official",
    )


def _patient(value: Patient) -> Patient:
    """Return a plain whole number as int, anything else unchanged: 007 is not 7."""
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError("a patient without a number")
    return int(value) if value.isascii() and value.isdigit() and (value[0] != "0" or value == "0") else value


def _labels_of_patients(patients: np.ndarray, labels: np.ndarray) -> tuple[list[Patient], np.ndarray]:
    """Return the patients, sorted, and (patients, labels) bool: positive on any image of the patient."""
    ids, index = np.unique(patients, return_inverse=True)
    has = np.zeros((len(ids), labels.shape[1]), dtype=bool)
    np.logical_or.at(has, index, labels)
    return [_patient(p) for p in ids.tolist()], has


def _assign(has: np.ndarray, free: np.ndarray, wanted: Mapping[str, float], seed: int) -> dict[int, str]:
    """Assign the free rows to the subsets wanted, in proportion.

    A greedy form of iterative stratification (Sechidis et al., ECML PKDD 2011) on patients: the
    rarest label's patients are assigned first, each to the subset that lacks most of it.
    """
    lacking = {subset: share * has[free].sum(axis=0) for subset, share in wanted.items()}
    room = {subset: share * free.sum() for subset, share in wanted.items()}
    order = np.random.default_rng(seed).permutation(np.flatnonzero(free)).tolist()
    assigned: dict[int, str] = {}
    for label in [*np.argsort(has[free].sum(axis=0), kind="stable").tolist(), None]:
        for row in order:
            if row in assigned or (label is not None and not has[row, label]):
                continue
            # no label left: only the number of patients counts
            need = {subset: (lacking[subset][label] if label is not None else 0.0, room[subset]) for subset in wanted}
            subset = max(need, key=lambda name: need[name])
            assigned[row] = subset
            lacking[subset] = lacking[subset] - has[row]
            room[subset] -= 1
    return assigned


def _split(name: str, subsets: Mapping[Patient, str]) -> Split:
    split = Split(name, "", subsets)
    return Split(name, hashlib.sha256(split.text().encode()).hexdigest(), subsets)
