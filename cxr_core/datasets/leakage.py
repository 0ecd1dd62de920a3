"""Leakage checks before a training: no patient and no image in two subsets, and every image readable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingRefused
from ..files import cannot_write, write_whole
from ..table_files import csv_text
from .duplicates import find_matches, fingerprints
from .splits import SUBSETS, Split, check_no_leak
from .table import ImageTable

__all__ = ["DuplicateCheck", "check_duplicates", "check_patients"]

LEFT_OUT = "left out"
DUPLICATES, UNREADABLE, FINGERPRINTS = "duplicates.csv", "unreadable.txt", "fingerprints.npz"

_COLUMNS = ("image", "subset", "duplicate", "duplicate_subset", "similarity")


@dataclass(frozen=True)
class DuplicateCheck:
    """What a training may use.

    Attributes:
        subsets: (n,) str, subset of each image; ``left out`` for a near-duplicate of an image of a later subset.
        description: result of the search for near-duplicates, for the card.
    """

    subsets: NDArray[np.str_]
    description: str


def check_patients(images: ImageTable, split: Split, tests: Mapping[str, ImageTable]) -> NDArray[np.str_]:
    """Return the subset of each image; raises TrainingRefused, with counts, where a patient is in two.

    Args:
        images: of training and validation, and any that the split calls test.
        split: subset of every patient.
        tests: sets of test images by name: their patients must be test patients.
    """
    subsets = split.subset_of(images.patients)
    check_no_leak(images.patients, subsets)
    for name, table in tests.items():
        not_test = split.subset_of(table.patients) != "test"
        if not_test.any():
            patients = np.unique(table.patients[not_test])
            also = int(np.isin(images.patients, patients).sum())
            raise TrainingRefused(
                f"Test images {name}: {len(patients)} of their patients are not test patients of split {split.name}, "
                f"and {also} images of the tables are theirs. The model's results would be too good."
            )
    return subsets


def check_duplicates(
    images: ImageTable,
    subsets: NDArray[np.str_],
    tests: Mapping[str, ImageTable],
    folder: Path,
    pool: Executor,
    *,
    drop_duplicates: bool = False,
    report: Callable[[int, int], None] = lambda done, images: None,
) -> DuplicateCheck:
    """Search for near-duplicate images in more than one subset.

    Args:
        images, tests: as in :func:`check_patients`, which is quick and is called first.
        subsets: its result.
        folder: for the fingerprints of the images, which a later start reuses, and a list of unreadable images or
            near-duplicates.
        pool: of decoders.
        drop_duplicates: leave out the image of the earlier subset (train before validation before test) instead
            of refusing.
        report: called with the images done and their number.

    Raises:
        TrainingRefused: near-duplicates cross the split, or images cannot be read; with counts.
        PathUnusable: the folder cannot be written.
    """
    tables = [images, *tests.values()]
    names = np.concatenate([table.names for table in tables])
    paths = [path for table in tables for path in table.paths]
    subset_of_all = np.concatenate([subsets, *(np.full(len(table), "test") for table in tests.values())])
    prints, unreadable = fingerprints(paths, folder / FINGERPRINTS, each=pool.map, report=report)
    if unreadable:
        path = _write(folder / UNREADABLE, "".join(f"{names[row]}\n" for row in unreadable))
        raise TrainingRefused(
            f"{len(unreadable)} of {len(names)} images cannot be read; {path} lists them. "
            "Leave their rows out of the table."
        )
    pairs: list[tuple[int, int, float]] = []
    for later, earlier in (("test", "train"), ("test", "validation"), ("validation", "train")):
        first, second = np.flatnonzero(subset_of_all == earlier), np.flatnonzero(subset_of_all == later)
        matches = find_matches(prints[first], prints[second])
        pairs += [(int(first[match.first]), int(second[match.second]), match.similarity) for match in matches]
    if not pairs:
        return DuplicateCheck(subsets, f"none between subsets, among {len(names):,} images")
    rows = [[names[a], subset_of_all[a], names[b], subset_of_all[b], f"{like:.3f}"] for a, b, like in pairs]
    path = _write(folder / DUPLICATES, csv_text(_COLUMNS, rows))
    copies = sorted({a for a, _, _ in pairs})
    if not drop_duplicates:
        counts = ", ".join(f"{(subset_of_all[copies] == subset).sum()} in {subset}" for subset in SUBSETS[:2])
        raise TrainingRefused(
            f"Images cross the split: {len(copies)} ({counts}) are near-duplicates of images of a later subset; "
            f"{path} lists them. Leave them out of the table, or use --drop-duplicates to leave out those in the "
            "earlier subset."
        )
    remaining = subsets.astype(object)
    remaining[copies] = LEFT_OUT
    return DuplicateCheck(
        remaining.astype(str), f"{len(copies):,} of {len(names):,} images left out as copies of others"
    )


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise cannot_write(f"Training folder {path.parent}", error) from error
    return path
