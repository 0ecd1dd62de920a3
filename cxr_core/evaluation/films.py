"""What is evaluated: films, who says what they show, and under which name a patient is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import PathUnusable
from ..gunzip import open_unpacked
from ..labels import LABELS
from ..store import ReaderAnswers
from ..training.table import FilmTable, read_abnormal, read_reference, read_table, yes_or_no
from .image_names import patient_digests

__all__ = ["Films", "gather_films"]


@dataclass(frozen=True, eq=False)
class Films:
    """Films of an evaluation.

    Attributes:
        table: n films.
        labels: the c labels that the references know, in their order.
        references: (n, c) int8 of each name, as :attr:`cxr_core.store.Predictions.references`; the first is
            the one that figures use by default.
        patients: (n,) str, under which name each patient is kept.
        readers: single readers' answers, (n, readers, c), or None.
        any_finding: (n,) int8 of each name of ``references`` whose table says by itself whether a film is
            abnormal; -1 where it does not say.
    """

    table: FilmTable
    labels: tuple[str, ...]
    references: dict[str, NDArray[np.int8]]
    patients: NDArray[np.str_]
    readers: ReaderAnswers | None = None
    any_finding: dict[str, NDArray[np.int8]] = field(default_factory=dict)

    def select(self, keep: NDArray[np.bool_]) -> Films:
        """Return the films of a boolean mask."""
        return Films(
            self.table.select(keep),
            self.labels,
            {name: said[keep] for name, said in self.references.items()},
            self.patients[keep],
            None if self.readers is None else self.readers.select(keep),
            {name: said[keep] for name, said in self.any_finding.items()},
        )


def gather_films(
    images: Sequence[Path],
    tables: Sequence[Path],
    *,
    more_references: Sequence[tuple[str, Path]] = (),
    readers: Path | None = None,
    facts: Sequence[Path] = (),
    key: bytes | None = None,
) -> Films:
    """Read what is evaluated.

    Args:
        images, tables: a folder of images and its table, in pairs; :func:`cxr_core.training.table.read_table`.
        more_references: (name, table) of others who say what the same films show; -1 where they do not.
        readers: table of single readers' answers (columns ``Image ID``, ``Reader ID``, one a label, and
            ``Abnormal`` where they were asked that).
        facts: tables with NIH's columns of age, sex and view, for films whose own table has none.
        key: of patients' digests; None keeps patients' numbers, which is for public data only.

    Raises:
        PathUnusable: a table cannot be read, or does not answer for every film where it must.
    """
    table = FilmTable.join([read_table(csv, folder) for csv, folder in zip(tables, images, strict=True)])
    if facts:
        table = _with_facts(table, facts)
    given = ", ".join(sorted(set(table.references.tolist())))
    references, abnormal = {given: table.labels.astype(np.int8)}, {given: _abnormal(tables, table.names)}
    for name, csv in more_references:
        said = read_reference(csv)
        references[name] = np.stack([_answer(said.get(image)) for image in table.names.tolist()])
        abnormal[name] = _abnormal([csv], table.names)
    patients = table.patients.astype(str)
    return Films(
        table,
        LABELS,
        references,
        patients if key is None else patient_digests(patients, key),
        None if readers is None else _read_readers(readers, table.names),
        {name: said for name, said in abnormal.items() if (said >= 0).any()},
    )


def _answer(labels: tuple[str, ...] | None) -> NDArray[np.int8]:
    if labels is None:
        return np.full(len(LABELS), -1, dtype=np.int8)
    return np.array([label in labels for label in LABELS], dtype=np.int8)


def _abnormal(tables: Sequence[Path], names: NDArray[np.str_]) -> NDArray[np.int8]:
    said = {image: yes for csv in tables for image, yes in read_abnormal(csv).items()}
    return np.array([said.get(image, -1) for image in names.tolist()], dtype=np.int8)


def _with_facts(table: FilmTable, facts: Sequence[Path]) -> FilmTable:
    columns = ["Image Index", "Patient Age", "Patient Gender", "View Position"]
    frames = []
    for csv in facts:
        try:
            frames.append(pd.read_csv(open_unpacked(csv), usecols=columns))
        except (OSError, ValueError) as error:
            raise PathUnusable(f"Table {csv}: the columns {', '.join(columns)} are needed.") from error
    known = pd.concat(frames).drop_duplicates("Image Index").set_index("Image Index").reindex(table.names)
    return FilmTable(
        **vars(table)
        | {
            "ages": known["Patient Age"].to_numpy(dtype=np.float64),
            "sexes": known["Patient Gender"].fillna("").to_numpy(dtype=str),
            "views": known["View Position"].fillna("").to_numpy(dtype=str),
        }
    )


def _read_readers(csv: Path, names: NDArray[np.str_]) -> ReaderAnswers:
    columns = [label.replace("_", " ") for label in LABELS]
    needed, asked = ["Image ID", "Reader ID", *columns], "Abnormal"
    try:
        frame = pd.read_csv(
            open_unpacked(csv), dtype=str, keep_default_na=False, usecols=lambda name: name in [*needed, asked]
        )
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Table {csv}: cannot be read as CSV.") from error
    if not set(needed) <= set(frame.columns):
        raise PathUnusable(f"Table {csv}: Image ID, Reader ID and one column a label are needed.")
    columns += [asked] if asked in frame.columns else []
    frame[columns] = np.stack([yes_or_no(frame[column], csv) for column in columns], axis=1)
    readers = sorted(frame["Reader ID"].unique().tolist())
    answers = np.zeros((len(names), len(readers), len(columns)), dtype=bool)
    for r, reader in enumerate(readers):
        own = frame[frame["Reader ID"] == reader].drop_duplicates("Image ID").set_index("Image ID").reindex(names)
        if own.isna().any(axis=None):
            raise PathUnusable(f"Table {csv}: a reader does not answer for every film.")
        answers[:, r] = own[columns].to_numpy(dtype=bool)
    return ReaderAnswers(
        # whoever they are, they are numbered
        np.array([f"reader {r + 1}" for r in range(len(readers))]),
        answers[..., : len(LABELS)],
        answers[..., -1] if asked in columns else None,
    )
