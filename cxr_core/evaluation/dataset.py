"""The images of an evaluation, with reference standards, patients and readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..datasets.columns import ColumnMap, expert_columns, yes_or_no
from ..datasets.table import ImageTable, read_abnormal, read_reference, read_table
from ..errors import PathUnusable, WrongArguments
from ..store import ReaderAnswers
from ..table_files import open_unpacked
from .images import patient_digests

__all__ = ["EvaluationSet", "gather_images"]


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Images of an evaluation.

    Attributes:
        table: n images.
        labels: the c labels of all reference standards.
        references: (n, c) int8 by name of the reference standard, as :attr:`cxr_core.store.Predictions.references`;
            the first is the default.
        patients: (n,) str, identifiers under which patients are stored.
        readers: answers of individual readers, (n, readers, c), or None.
        any_finding: (n,) int8 by name of a reference standard that states whether an image is abnormal; -1 where it
            does not.
    """

    table: ImageTable
    labels: tuple[str, ...]
    references: dict[str, NDArray[np.int8]]
    patients: NDArray[np.str_]
    readers: ReaderAnswers | None = None
    any_finding: dict[str, NDArray[np.int8]] = field(default_factory=dict)

    def select(self, keep: NDArray[np.bool_]) -> EvaluationSet:
        """Return the images of a boolean mask."""
        return EvaluationSet(
            self.table.select(keep),
            self.labels,
            {name: truth[keep] for name, truth in self.references.items()},
            self.patients[keep],
            None if self.readers is None else self.readers.select(keep),
            {name: truth[keep] for name, truth in self.any_finding.items()},
        )


def gather_images(
    images: Sequence[Path],
    tables: Sequence[Path],
    *,
    more_references: Sequence[tuple[str, Path]] = (),
    readers: Path | None = None,
    facts: Sequence[Path] = (),
    key: bytes | None = None,
    columns: Sequence[ColumnMap | None] = (),
    labels: Sequence[str] | None = None,
    reference: str = "",
) -> EvaluationSet:
    """Read the tables of an evaluation.

    Args:
        images, tables: a folder of images and its table, in pairs; :func:`cxr_core.datasets.table.read_table`.
        more_references: (name, table) of further reference standards, in a layout of the tables, NIH's or the experts';
            they need not contain every image.
        readers: table of answers of individual readers, with the columns ``Image ID``, ``Reader ID``, one per label
            and, optionally, ``Abnormal``.
        facts: tables with NIH's columns of age, sex and view, for images whose table has none.
        key: of the patient digests; None stores patient numbers, for public data only.
        columns: column map of each table, None for the layouts of NIH and of the experts; empty for None throughout.
        reference: name of the tables' reference standard; empty for the one that their layout stands for.
        labels: of tables in these layouts; see :func:`cxr_core.datasets.table.read_table`.

    Raises:
        PathUnusable: a table cannot be read, or lacks an answer that is required.
        WrongArguments: two reference standards have one name.
    """
    maps = columns or [None] * len(tables)
    parts = [read_table(csv, folder, known, labels) for csv, folder, known in zip(tables, images, maps, strict=True)]
    common_labels = [label for label in parts[0].labels if all(label in part.labels for part in parts)]
    table = ImageTable.join([part.with_labels(common_labels) for part in parts])
    if facts:
        table = _with_facts(table, facts)
    first = reference or ", ".join(sorted(set(table.references.tolist())))
    if first in dict(more_references):
        raise WrongArguments(f"Reference standard {first!r}: the name is given twice.")
    known_maps = [known for known in maps if known is not None]
    others = {name: read_reference(csv, labels, columns=known_maps) for name, csv in more_references}
    other_labels = (label for answers in others.values() for label in next(iter(answers.values()), {}))
    all_labels = tuple(dict.fromkeys([*(label for part in parts for label in part.labels), *other_labels]))
    references = {first: np.concatenate([part.answers(all_labels) for part in parts])}
    abnormal = {first: _abnormal(tables, table.names)}
    for name, csv in more_references:
        references[name] = np.array(
            [[others[name].get(image, {}).get(label, -1) for label in all_labels] for image in table.names.tolist()],
            dtype=np.int8,
        )
        abnormal[name] = _abnormal([csv], table.names)
    patients = table.patients.astype(str)
    return EvaluationSet(
        table,
        all_labels,
        references,
        patients if key is None else patient_digests(patients, key),
        None if readers is None else _read_readers(readers, table.names, all_labels),
        {name: answers for name, answers in abnormal.items() if (answers >= 0).any()},
    )


def _abnormal(tables: Sequence[Path], names: NDArray[np.str_]) -> NDArray[np.int8]:
    answers = {image: abnormal for csv in tables for image, abnormal in read_abnormal(csv).items()}
    return np.array([answers.get(image, -1) for image in names.tolist()], dtype=np.int8)


def _with_facts(table: ImageTable, facts: Sequence[Path]) -> ImageTable:
    columns = ["Image Index", "Patient Age", "Patient Gender", "View Position"]
    frames = []
    for csv in facts:
        try:
            frames.append(pd.read_csv(open_unpacked(csv), usecols=columns))
        except (OSError, ValueError) as error:
            raise PathUnusable(f"Table {csv}: the columns {', '.join(columns)} are needed.") from error
    known = pd.concat(frames).drop_duplicates("Image Index").set_index("Image Index").reindex(table.names)
    return ImageTable(
        **vars(table)
        | {
            "ages": known["Patient Age"].to_numpy(dtype=np.float64),
            "sexes": known["Patient Gender"].fillna("").to_numpy(dtype=str),
            "views": known["View Position"].fillna("").to_numpy(dtype=str),
        }
    )


def _read_readers(csv: Path, names: NDArray[np.str_], labels: tuple[str, ...]) -> ReaderAnswers:
    try:
        frame = pd.read_csv(open_unpacked(csv), dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Table {csv}: cannot be read as CSV.") from error
    if not {"Image ID", "Reader ID"} <= set(frame.columns):
        raise PathUnusable(f"Table {csv}: Image ID, Reader ID and one column for each label are needed.")
    # a missing column does not mean "no": each evaluated label needs one
    columns = list(expert_columns(frame, csv, labels).values())
    has_abnormal = "Abnormal" in frame.columns
    columns += ["Abnormal"] if has_abnormal else []
    frame[columns] = np.stack([yes_or_no(frame[column], csv) for column in columns], axis=1)
    readers = sorted(frame["Reader ID"].unique().tolist())
    answers = np.zeros((len(names), len(readers), len(columns)), dtype=bool)
    for r, reader in enumerate(readers):
        rows = frame[frame["Reader ID"] == reader].drop_duplicates("Image ID").set_index("Image ID").reindex(names)
        if rows[columns].isna().any(axis=None):
            raise PathUnusable(f"Table {csv}: a reader does not answer for every image.")
        answers[:, r] = rows[columns].to_numpy(dtype=bool)
    return ReaderAnswers(
        # numbered, because identifiers may be names
        np.array([f"reader {r + 1}" for r in range(len(readers))]),
        answers[..., : len(labels)],
        answers[..., -1] if has_abnormal else None,
    )
