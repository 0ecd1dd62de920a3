"""The predictions of a run, as arrays and as Parquet: every figure of a run is computed from them.

The table is in long format, one row per image and label, with the columns of the contract (``image``, ``patient``,
``label``, ``score``, ``probability`` and the subgroup columns ``age``, ``sex``, ``view``, ``source``), the
image's digest and gate status, and a column ``reference: NAME`` for each reference standard. A reference standard that
also states whether the image is abnormal at all has a column ``any finding: NAME``, equal in all rows of an image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import PathUnusable
from ..labels import NOTICE

__all__ = [
    "Localisation",
    "Predictions",
    "ReaderAnswers",
    "fingerprint",
    "has_readers",
    "read_localisation",
    "read_predictions",
    "write_localisation",
    "write_predictions",
]


REFERENCE = "reference: "
ANY_FINDING = "any finding: "
READER = "reader: "
READER_ANY_FINDING = "any finding, reader: "


@dataclass(frozen=True, eq=False)
class ReaderAnswers:
    """Answers of individual readers on the same images.

    Attributes:
        readers: (r,) str, names.
        answers: (n, r, classes) bool; the classes are those of the predictions.
        any_finding: (n, r) bool, whether the reader calls the image abnormal at all, as a separate answer; None where
            readers were not asked.
    """

    readers: NDArray[np.str_]
    answers: NDArray[np.bool_]
    any_finding: NDArray[np.bool_] | None = None

    def select(self, keep: NDArray[Any]) -> ReaderAnswers:
        """Return the images of a boolean mask or an index array."""
        any_finding = None if self.any_finding is None else self.any_finding[keep]
        return ReaderAnswers(self.readers, self.answers[keep], any_finding)


@dataclass(frozen=True, eq=False)
class Predictions:
    """n images and c labels.

    Attributes:
        images: (n,) str, names, or keyed digests of them; :attr:`.RunRecord.image_names_kept` says which.
        sha256: (n,) str, hex digest of each file; empty where it is not known.
        patients: (n,) str; NIH's numbers for public data, else a keyed digest.
        labels: (c,) str, in the order of the model's outputs.
        scores: (n, c) float64 in [0, 1].
        probabilities: (n, c) float64 in [0, 1]; NaN where the card allows none.
        references: (n, c) int8 by reference standard: 1 positive, 0 negative, -1 not stated.
        ages: (n,) float64, years; NaN where it is not known.
        sexes, views, sources, quality: (n,) str; empty where not known. ``quality`` is the gate's status.
        readers: answers of individual readers, or None.
        any_finding: (n,) int8 by reference standard, where it states whether an image is abnormal at all: 1, 0, or -1
            for not stated.
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


_PER_IMAGE = {"image": "images", "sha256": "sha256", "patient": "patients"}
_GROUPS = {"sex": "sexes", "view": "views", "source": "sources", "quality": "quality"}


def fingerprint(predictions: Predictions) -> str:
    """Return the SHA-256 of the images and their reference labels, whatever their order."""
    order = np.argsort(predictions.images, kind="stable")
    digest = hashlib.sha256()
    for row in order:
        digest.update(f"{predictions.images[row]}\t{predictions.sha256[row]}\t{predictions.patients[row]}\n".encode())
    for name in sorted(predictions.references):
        digest.update(name.encode() + b"\0" + predictions.references[name][order].tobytes())
    return digest.hexdigest()


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write the Parquet file; raises PathUnusable where it cannot be written."""
    images, classes = predictions.scores.shape

    def each_image(values: np.ndarray) -> pa.Array:
        return pa.array(np.repeat(values, classes))

    def dictionary(values: np.ndarray) -> pa.Array:
        distinct, index = np.unique(values, return_inverse=True)
        codes = pa.array(np.repeat(index.astype(np.int32), classes))
        return pa.DictionaryArray.from_arrays(codes, pa.array(distinct.tolist(), pa.string()))

    def nullable(answers: np.ndarray) -> pa.Array:
        return pa.array(answers == 1, mask=answers < 0)

    columns = {name: dictionary(getattr(predictions, field)) for name, field in _PER_IMAGE.items()}
    columns["label"] = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(np.arange(classes, dtype=np.int32), images)),
        pa.array(predictions.labels.tolist(), pa.string()),
    )
    columns["score"] = pa.array(predictions.scores.reshape(-1))
    probability = predictions.probabilities.reshape(-1)
    columns["probability"] = pa.array(probability, mask=np.isnan(probability))
    for name, answers in predictions.references.items():
        columns[REFERENCE + name] = nullable(answers.reshape(-1))
    for name, answers in predictions.any_finding.items():
        columns[ANY_FINDING + name] = nullable(np.repeat(answers, classes))
    columns["age"] = pa.array(np.repeat(predictions.ages, classes), mask=np.repeat(np.isnan(predictions.ages), classes))
    columns |= {name: dictionary(getattr(predictions, field)) for name, field in _GROUPS.items()}
    if predictions.readers is not None:
        for r, reader in enumerate(predictions.readers.readers):
            columns[READER + reader] = pa.array(predictions.readers.answers[:, r].reshape(-1))
            if predictions.readers.any_finding is not None:
                any_finding = np.repeat(predictions.readers.any_finding[:, r], classes)
                columns[READER_ANY_FINDING + reader] = pa.array(any_finding)
    table = pa.table(columns).replace_schema_metadata({"notice": NOTICE, "images": str(images)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # one row group has one dictionary per column; scores all differ and gain nothing from a dictionary
        in_dictionaries = [name for name, values in columns.items() if isinstance(values, pa.DictionaryArray)]
        pq.write_table(table, path, len(table) or None, compression="zstd", use_dictionary=in_dictionaries)
    except OSError as error:
        raise PathUnusable(f"Run {path.parent.name}: its predictions cannot be written.") from error


def read_predictions(path: Path) -> Predictions:
    """Read the Parquet file; raises PathUnusable where it is missing, broken or of another layout."""
    try:
        table = pq.read_table(path)
        metadata = table.schema.metadata
        # version 0.1.0 called images films
        images = int(metadata[b"films"] if b"films" in metadata else metadata[b"images"])
        return _of_table(table, images)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise PathUnusable(f"Run {path.parent.name}: {path.name} is missing, broken, or not a run's.") from error


def has_readers(path: Path) -> bool:
    """Return whether a Parquet file of predictions has answers of individual readers; False for one of another kind."""
    try:
        return any(name.startswith(READER) for name in pq.read_schema(path).names)
    except (OSError, pa.ArrowException):
        return False


def _of_table(table: pa.Table, images: int) -> Predictions:
    classes = table.num_rows // images if images else 0

    def numbers(name: str) -> np.ndarray:
        return table[name].to_numpy().astype(np.float64, copy=False).reshape(images, classes)

    def texts(name: str, rows: slice) -> np.ndarray:
        column = table[name].combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        # a million rows repeat the texts of a hundred thousand images
        return np.array(column.dictionary.to_pylist(), dtype=str)[column.indices.to_numpy()[rows]]

    def answers(prefix: str) -> dict[str, np.ndarray]:
        """Return (images, classes) int8 of each column with a prefix, by the rest of its name; -1 where null."""
        return {
            name.removeprefix(prefix): table[name].cast(pa.int8()).fill_null(-1).to_numpy().reshape(images, classes)
            for name in table.column_names
            if name.startswith(prefix)
        }

    by_reader, any_finding = answers(READER), answers(READER_ANY_FINDING)
    readers = None
    if by_reader:
        readers = ReaderAnswers(
            np.array(list(by_reader)),
            np.stack([values == 1 for values in by_reader.values()], axis=1),
            np.stack([any_finding[name][:, 0] == 1 for name in by_reader], axis=1) if any_finding else None,
        )
    return Predictions(
        **{field: texts(name, slice(None, None, classes)) for name, field in (_PER_IMAGE | _GROUPS).items()},
        labels=texts("label", slice(classes)),
        scores=numbers("score"),
        probabilities=numbers("probability"),
        references=answers(REFERENCE),
        ages=numbers("age")[:, 0],
        readers=readers,
        any_finding={name: values[:, 0] for name, values in answers(ANY_FINDING).items()},
    )


# Localisation of the heat maps: ``localisation.parquet``, one row per image and label with bounding boxes.


@dataclass(frozen=True, eq=False)
class Localisation:
    """m pairs of an image and a label with bounding boxes on it.

    Attributes:
        images, patients, labels: (m,) str, as in the predictions.
        boxes: m arrays (k, 4) float64 of left, top, right, bottom in pixel edges of the image as it was read.
        strongest: (m, 2) float64, (x, y) of the strongest cell's centre in the same pixels; NaN where the map is
            blank.
        hits: (m,) bool, whether the strongest cell's centre is in a box.
        centre_hits: (m,) bool, the same for the centre of the map, whatever the image.
        thresholds: (t,) float64, as fractions of the value that is drawn in full colour for the label.
        overlap: (m, t) float64 in [0, 1], intersection over union of the boxes and the cells >= threshold.
        centre_overlap: (m, t) float64, the same for a rectangle of equal area in the centre.
        marked: (m, t) float64, the proportion of the map that is >= threshold.
        source: of the boxes, a key of :data:`cxr_core.evaluation.box_sources.SOURCES`; empty in earlier runs.
        average_hits: (m,) float64, 1.0 where the strongest cell of the average of other patients' maps of the label is
            in a box, else 0.0; NaN where no other patient has a box of it. Earlier runs lack this and what follows.
        average_overlap: (m, t) float64, as ``overlap`` for the strongest cells of that average, as many as the map has
            at or over the threshold; NaN as above.
        inside: (m,) float64 in [0, 1], the proportion of the map's sum that lies in the boxes.
        average_inside: (m,) float64, the same for the average map; NaN as above.
        area: (m,) float64 in [0, 1], the proportion of the map's area that lies in the boxes.
    """

    images: NDArray[np.str_]
    patients: NDArray[np.str_]
    labels: NDArray[np.str_]
    boxes: tuple[NDArray[np.float64], ...]
    strongest: NDArray[np.float64]
    hits: NDArray[np.bool_]
    centre_hits: NDArray[np.bool_]
    thresholds: NDArray[np.float64]
    overlap: NDArray[np.float64]
    centre_overlap: NDArray[np.float64]
    marked: NDArray[np.float64]
    source: str = ""
    average_hits: NDArray[np.float64] | None = None
    average_overlap: NDArray[np.float64] | None = None
    inside: NDArray[np.float64] | None = None
    average_inside: NDArray[np.float64] | None = None
    area: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.images)


_TEXTS = {"image": "images", "patient": "patients", "label": "labels"}
_FLAGS = {"hit": "hits", "centre_hit": "centre_hits"}
_BY_THRESHOLD = ("overlap", "centre_overlap", "marked")
_LATER = {"average_hit": "average_hits", "inside": "inside", "average_inside": "average_inside", "area": "area"}
_LATER_BY_THRESHOLD = "average_overlap"


def write_localisation(localisation: Localisation, path: Path) -> None:
    """Write the Parquet file; raises PathUnusable where it cannot be written."""
    columns = {name: pa.array(getattr(localisation, field).tolist(), pa.string()) for name, field in _TEXTS.items()}
    columns["boxes"] = pa.array([boxes.tolist() for boxes in localisation.boxes], pa.list_(pa.list_(pa.float64())))
    x, y = localisation.strongest.T
    columns |= {f"strongest_{axis}": pa.array(at, mask=np.isnan(at)) for axis, at in (("x", x), ("y", y))}
    columns |= {name: pa.array(getattr(localisation, field)) for name, field in _FLAGS.items()}
    lists = [name for name in (*_BY_THRESHOLD, _LATER_BY_THRESHOLD) if getattr(localisation, name) is not None]
    columns |= {name: pa.array(getattr(localisation, name).tolist(), pa.list_(pa.float64())) for name in lists}
    later = {name: getattr(localisation, field) for name, field in _LATER.items()}
    columns |= {name: pa.array(values) for name, values in later.items() if values is not None}
    thresholds = ",".join(map(repr, localisation.thresholds.tolist()))
    metadata = {"notice": NOTICE, "thresholds": thresholds, "source": localisation.source}
    table = pa.table(columns).replace_schema_metadata(metadata)
    try:
        pq.write_table(table, path, compression="zstd")
    except OSError as error:
        raise PathUnusable(f"Run {path.parent.name}: its {path.name} cannot be written.") from error


def read_localisation(path: Path) -> Localisation:
    """Read the Parquet file; raises PathUnusable where it is missing, broken or of another layout."""
    try:
        table = pq.read_table(path)
        metadata = table.schema.metadata
        thresholds = np.array([float(text) for text in metadata[b"thresholds"].decode().split(",")])
        shape = (table.num_rows, len(thresholds))
        later = {field: name for name, field in _LATER.items() if name in table.column_names}
        by_threshold = [name for name in (*_BY_THRESHOLD, _LATER_BY_THRESHOLD) if name in table.column_names]
        return Localisation(
            **{field: np.array(table[name].to_pylist(), dtype=str) for name, field in _TEXTS.items()},
            boxes=tuple(np.array(boxes, dtype=np.float64).reshape(-1, 4) for boxes in table["boxes"].to_pylist()),
            strongest=np.stack([table[f"strongest_{axis}"].to_numpy() for axis in "xy"], axis=1).astype(np.float64),
            **{field: np.array(table[name].to_pylist(), dtype=bool) for name, field in _FLAGS.items()},
            thresholds=thresholds,
            source=metadata.get(b"source", b"").decode(),
            **{field: table[name].to_numpy().astype(np.float64) for field, name in later.items()},
            **{name: np.array(table[name].to_pylist(), dtype=np.float64).reshape(shape) for name in by_threshold},
        )
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise PathUnusable(f"Run {path.parent.name}: {path.name} is missing, broken, or not a run's.") from error
