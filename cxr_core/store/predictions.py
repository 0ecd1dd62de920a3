"""Every prediction of a run, as arrays and as Parquet: any figure can be computed again from it.

The file is long, one row a film and label, with the columns of the contract (``image``, ``patient``,
``label``, ``score``, ``probability`` and the subgroup columns ``age``, ``sex``, ``view``, ``source``), the
film's digest and gate verdict, and a column ``reference: WHO`` for each who says what the film shows. Where they
also say whether the film is abnormal at all, that stands in ``any finding: WHO``, the same in every row of a film.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import PathUnusable
from ..labels import NOTICE

__all__ = ["Predictions", "ReaderAnswers", "fingerprint", "read_predictions", "write_predictions"]

REFERENCE = "reference: "
ANY_FINDING = "any finding: "
READER = "reader: "
READER_ANY_FINDING = "any finding, reader: "


@dataclass(frozen=True, eq=False)
class ReaderAnswers:
    """What single readers say of the same films.

    Attributes:
        readers: (r,) str, names.
        answers: (n, r, classes) bool; the classes are those of the predictions.
        any_finding: (n, r) bool, whether they call the film abnormal, by an answer of its own; None where they
            were not asked.
    """

    readers: NDArray[np.str_]
    answers: NDArray[np.bool_]
    any_finding: NDArray[np.bool_] | None = None

    def select(self, keep: NDArray) -> ReaderAnswers:
        """Return the films of a boolean mask or an index array."""
        own = None if self.any_finding is None else self.any_finding[keep]
        return ReaderAnswers(self.readers, self.answers[keep], own)


@dataclass(frozen=True, eq=False)
class Predictions:
    """n films and c labels.

    Attributes:
        images: (n,) str, names, or keyed digests of them; :attr:`.RunRecord.image_names_kept` says which.
        sha256: (n,) str, hex digest of each file; empty where it is not known.
        patients: (n,) str; NIH's numbers for public data, else a keyed digest.
        labels: (c,) str, in the order of the model's outputs.
        scores: (n, c) float64 in [0, 1].
        probabilities: (n, c) float64 in [0, 1]; NaN where the card allows none.
        references: (n, c) int8 of each name: 1 positive, 0 negative, -1 not said.
        ages: (n,) float64, years; NaN where it is not known.
        sexes, views, sources, quality: (n,) str; empty where not known. ``quality`` is the gate's status.
        readers: single readers' answers, or None.
        any_finding: (n,) int8 of those names of ``references`` who say by a column of their own whether a film
            is abnormal; -1 not said.
    """

    images: NDArray[np.str_]
    sha256: NDArray[np.str_]
    patients: NDArray[np.str_]
    labels: NDArray[np.str_]
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    references: dict[str, NDArray[np.int8]]
    ages: NDArray[np.float64]
    sexes: NDArray[np.str_]
    views: NDArray[np.str_]
    sources: NDArray[np.str_]
    quality: NDArray[np.str_]
    readers: ReaderAnswers | None = None
    any_finding: dict[str, NDArray[np.int8]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)


_PER_FILM = {"image": "images", "sha256": "sha256", "patient": "patients"}
_GROUPS = {"sex": "sexes", "view": "views", "source": "sources", "quality": "quality"}


def fingerprint(predictions: Predictions) -> str:
    """Return the SHA-256 of which films these are and what they are said to show, whatever their order."""
    order = np.argsort(predictions.images, kind="stable")
    digest = hashlib.sha256()
    for row in order:
        digest.update(f"{predictions.images[row]}\t{predictions.sha256[row]}\t{predictions.patients[row]}\n".encode())
    for name in sorted(predictions.references):
        digest.update(name.encode() + b"\0" + predictions.references[name][order].tobytes())
    return digest.hexdigest()


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write the Parquet file; raises PathUnusable where it cannot be written."""
    films, classes = predictions.scores.shape

    def each_film(values: np.ndarray) -> pa.Array:
        return pa.array(np.repeat(values, classes))

    def words(values: np.ndarray) -> pa.Array:
        distinct, index = np.unique(values, return_inverse=True)
        codes = pa.array(np.repeat(index.astype(np.int32), classes))
        return pa.DictionaryArray.from_arrays(codes, pa.array(distinct.tolist(), pa.string()))

    columns = {name: words(getattr(predictions, field)) for name, field in _PER_FILM.items()}
    columns["label"] = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(np.arange(classes, dtype=np.int32), films)), pa.array(predictions.labels.tolist(), pa.string())
    )
    columns["score"] = pa.array(predictions.scores.reshape(-1))
    probability = predictions.probabilities.reshape(-1)
    columns["probability"] = pa.array(probability, mask=np.isnan(probability))
    for name, answers in predictions.references.items():
        said = answers.reshape(-1)
        columns[REFERENCE + name] = pa.array(said == 1, mask=said < 0)
    for name, answers in predictions.any_finding.items():
        said = np.repeat(answers, classes)
        columns[ANY_FINDING + name] = pa.array(said == 1, mask=said < 0)
    columns["age"] = pa.array(np.repeat(predictions.ages, classes), mask=np.repeat(np.isnan(predictions.ages), classes))
    columns |= {name: words(getattr(predictions, field)) for name, field in _GROUPS.items()}
    if predictions.readers is not None:
        for r, reader in enumerate(predictions.readers.readers):
            columns[READER + reader] = pa.array(predictions.readers.answers[:, r].reshape(-1))
            if predictions.readers.any_finding is not None:
                own = np.repeat(predictions.readers.any_finding[:, r], classes)
                columns[READER_ANY_FINDING + reader] = pa.array(own)
    table = pa.table(columns).replace_schema_metadata({"notice": NOTICE, "films": str(films)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # one row group, so one dictionary a column; scores differ film by film and gain nothing by one
        in_dictionaries = [name for name, values in columns.items() if isinstance(values, pa.DictionaryArray)]
        pq.write_table(table, path, len(table) or None, compression="zstd", use_dictionary=in_dictionaries)
    except OSError as error:
        raise PathUnusable(f"Run {path.parent.name}: its predictions cannot be written.") from error


def read_predictions(path: Path) -> Predictions:
    """Read the Parquet file; raises PathUnusable where it is missing, broken or of another layout."""
    try:
        table = pq.read_table(path)
        films = int(table.schema.metadata[b"films"])
        return _of_table(table, films)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise PathUnusable(f"Run {path.parent.name}: {path.name} is missing, broken, or not a run's.") from error


def _of_table(table: pa.Table, films: int) -> Predictions:
    classes = table.num_rows // films if films else 0

    def numbers(name: str) -> np.ndarray:
        return table[name].to_numpy().astype(np.float64, copy=False).reshape(films, classes)

    def words(name: str, rows: slice) -> np.ndarray:
        column = table[name].combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        # the words of a million rows are those of a hundred thousand films, again and again
        return np.array(column.dictionary.to_pylist(), dtype=str)[column.indices.to_numpy()[rows]]

    def said(name: str) -> np.ndarray:
        return table[name].cast(pa.int8()).fill_null(-1).to_numpy().reshape(films, classes)

    def of(prefix: str) -> dict[str, np.ndarray]:
        """Return what is said in the columns of a kind, by who says it."""
        names = [name for name in table.column_names if name.startswith(prefix)]
        return {name.removeprefix(prefix): said(name) for name in names}

    readers, own = of(READER), of(READER_ANY_FINDING)
    answers = None
    if readers:
        answers = ReaderAnswers(
            np.array(list(readers)),
            np.stack([said == 1 for said in readers.values()], axis=1),
            np.stack([own[name][:, 0] == 1 for name in readers], axis=1) if own else None,
        )
    return Predictions(
        **{field: words(name, slice(None, None, classes)) for name, field in (_PER_FILM | _GROUPS).items()},
        labels=words("label", slice(classes)),
        scores=numbers("score"),
        probabilities=numbers("probability"),
        references=of(REFERENCE),
        ages=numbers("age")[:, 0],
        readers=answers,
        any_finding={name: said[:, 0] for name, said in of(ANY_FINDING).items()},
    )
