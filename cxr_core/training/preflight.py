"""What must hold before the first step: no patient and no picture in two parts, and every film readable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..csv_text import csv_text
from ..errors import TrainingRefused
from ..whole_files import cannot_write, write_whole
from .duplicates import find_matches, fingerprints
from .splits import PARTS, Split, check_no_leak
from .table import FilmTable

__all__ = ["Clearance", "check_patients", "clear"]

LEFT_OUT = "left out"
DUPLICATES, UNREADABLE, FINGERPRINTS = "duplicates.csv", "unreadable.txt", "fingerprints.npz"


@dataclass(frozen=True)
class Clearance:
    """What a training may use.

    Attributes:
        parts: (n,) str, part of each film; ``left out`` for a copy that would have learned.
        words: what the search for near-duplicates found, for the card.
    """

    parts: np.ndarray
    words: str


def check_patients(films: FilmTable, split: Split, tests: Mapping[str, FilmTable]) -> np.ndarray:
    """Return the part of each film; raises TrainingRefused where a patient crosses, naming counts.

    Args:
        films: of training and validation, and any that the split calls test.
        split: part of every patient.
        tests: sets of films that are only measured on, by name: their patients must be test patients.
    """
    parts = split.part_of(films.patients)
    check_no_leak(films.patients, parts)
    for name, table in tests.items():
        learns = split.part_of(table.patients) != "test"
        if learns.any():
            patients = np.unique(table.patients[learns])
            also = int(np.isin(films.patients, patients).sum())
            raise TrainingRefused(
                f"Test films {name}: {len(patients)} of their patients are not test patients of split {split.name}, "
                f"and {also} films of the tables are theirs. Measured there, a model would be flattered."
            )
    return parts


def clear(
    films: FilmTable,
    parts: np.ndarray,
    tests: Mapping[str, FilmTable],
    folder: Path,
    pool: Executor,
    *,
    drop_duplicates: bool = False,
    report: Callable[[int, int], None] = lambda done, films: None,
) -> Clearance:
    """Look for near-duplicate pictures in more than one part.

    Args:
        films, tests: as in :func:`check_patients`, which comes first and is quick.
        parts: what that returned.
        folder: gets the fingerprints of the films, which another start finds again, and a list of what
            speaks against the training.
        pool: who decodes.
        drop_duplicates: leave out the film that would learn, instead of refusing. What stays is the test
            film before the validation film before the training film.
        report: called with the films done and their number.

    Raises:
        TrainingRefused: pictures cross, or films cannot be read; naming counts.
        PathUnusable: the folder cannot be written.
    """
    every = FilmTable.join([films, *tests.values()])
    part_of_all = np.concatenate([parts, *(np.full(len(table), "test") for table in tests.values())])
    prints, unreadable = fingerprints(every.paths, folder / FINGERPRINTS, each=pool.map, report=report)
    if unreadable:
        listed = _write(folder / UNREADABLE, "".join(f"{every.names[row]}\n" for row in unreadable))
        raise TrainingRefused(
            f"{len(unreadable)} of {len(every)} films cannot be read; {listed} names them. "
            "Leave their rows out of the table."
        )
    found = []
    for kept, learns in (("test", "train"), ("test", "validation"), ("validation", "train")):
        one, other = np.flatnonzero(part_of_all == learns), np.flatnonzero(part_of_all == kept)
        matches = find_matches(prints[one], prints[other])
        found += [(int(one[match.first]), int(other[match.second]), match.likeness) for match in matches]
    if not found:
        return Clearance(parts, f"none between parts, among {len(every):,} films")
    rows = [[every.names[a], part_of_all[a], every.names[b], part_of_all[b], f"{like:.3f}"] for a, b, like in found]
    listed = _write(folder / DUPLICATES, csv_text(("film", "part", "is_like", "part_of_that", "likeness"), rows))
    learning = sorted({a for a, _, _ in found})
    if not drop_duplicates:
        counts = ", ".join(f"{(part_of_all[learning] == part).sum()} in {part}" for part in PARTS[:2])
        raise TrainingRefused(
            f"Pictures cross the split: {len(learning)} films ({counts}) are near-duplicates of films of a later part; "
            f"{listed} lists them. Leave them out of the table, or leave out the copies that would learn with "
            "--drop-duplicates."
        )
    parts = parts.astype(object)
    parts[learning] = LEFT_OUT
    return Clearance(parts.astype(str), f"{len(learning):,} of {len(every):,} films left out as copies of others")


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise cannot_write(f"Training folder {path.parent}", error) from error
    return path
