"""Tables of films to the numbers that a card keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from ..model.data_summary import AGE_EDGES, OLDEST, AgeCounts, DataSummary, PartSummary, SharedPatients
from .calibrate import count_labels
from .table import FilmTable

__all__ = ["summarise_films"]


def summarise_films(parts: Mapping[str, FilmTable], tables: Mapping[str, str] | None = None) -> DataSummary:
    """Count films, patients, labels, labels that go together, ages, sexes, views; and patients of two parts.

    Args:
        parts: films of each part; a part without films is left out.
        tables: SHA-256 of each table's file by its name, where it is known.
    """
    filled = {name: films for name, films in parts.items() if len(films)}
    # as words: parts may come from tables of which one has numbers and one has words
    patients = {name: set(films.patients.astype(str).tolist()) for name, films in filled.items()}
    return DataSummary(
        parts={name: _part(films, len(patients[name])) for name, films in filled.items()},
        shared=tuple(
            SharedPatients(one, other, len(patients[one] & patients[other])) for one, other in combinations(filled, 2)
        ),
        tables=dict(tables or {}),
    )


def _part(films: FilmTable, patients: int) -> PartSummary:
    hot = films.labels.astype(np.int64)
    number = hot.sum(axis=1)
    return PartSummary(
        films=len(films),
        patients=patients,
        without_findings=int((number == 0).sum()),
        per_label=count_labels(films),
        alone=tuple(hot[number == 1].sum(axis=0).tolist()),
        together=tuple(tuple(row) for row in (hot.T @ hot).tolist()),
        ages=_ages(films.ages),
        sexes=_words(films.sexes),
        views=_words(films.views),
    )


def _ages(ages: np.ndarray) -> AgeCounts:
    films, _ = np.histogram(ages[~np.isnan(ages)], AGE_EDGES)
    return AgeCounts(tuple(films.tolist()), int((ages > OLDEST).sum()), int(np.isnan(ages).sum()))


def _words(values: np.ndarray) -> dict[str, int]:
    words, films = np.unique(values, return_counts=True)
    return dict(zip(words.tolist(), films.tolist(), strict=True))
