"""Tables of images and their labels, as arrays: NIH's layout, the experts' layout, and any other by a column map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import PathUnusable, WrongArguments
from ..labels import LABELS, check_label_names
from ..table_files import open_unpacked
from .columns import ColumnMap, expert_answers, expert_columns, labels_named, yes_or_no
from .image_folder import find_images

__all__ = [
    "EXPERTS",
    "GIVEN",
    "MINED",
    "ImageTable",
    "check_commas",
    "patient_numbers",
    "read_abnormal",
    "read_reference",
    "read_table",
]

COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
NIH = ColumnMap(
    image=COLUMNS[0],
    patient=COLUMNS[2],
    labels=LABELS,
    findings=COLUMNS[1],
    age=COLUMNS[3],
    sex=COLUMNS[4],
    view=COLUMNS[5],
)
YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
"""Units of an age as NIH's first table and DICOM write it: ``058Y``, ``011M``."""

MINED = "labels mined by NIH from reports"
EXPERTS = "majority of three radiologists"
GIVEN = "labels of the table given"

ACCEPTED = "Accepted: NIH's Data_Entry table, a majority table of expert labels"
OTHER = ", or any other with --columns"
"""Continues :data:`ACCEPTED` where a command has the option."""


@dataclass(frozen=True)
class ImageTable:
    """One row per image; all arrays have the same length n.

    Attributes:
        labels: names of the C labels that the table states for every image.
        names: (n,) str, image names as the table has them.
        paths: (n,) object, :class:`pathlib.Path` of the image files; the bare names where a table was
            read without its images.
        positive: (n, C) bool, in the order of ``labels``.
        patients: (n,) int64, patient numbers; str where a table's are not all whole numbers.
        ages: (n,) float64, years as stated, not checked against :data:`cxr_core.labels.MAX_AGE`; NaN where unknown.
        sexes: (n,) str, ``M`` or ``F``; empty where unknown.
        views: (n,) str, ``PA`` or ``AP``; empty where unknown.
        sources: (n,) str, the folder each image came from.
        references: (n,) str, the reference standard: :data:`MINED`, :data:`EXPERTS` or :data:`GIVEN`.
    """

    labels: tuple[str, ...]
    names: np.ndarray
    paths: np.ndarray
    positive: NDArray[np.bool_]
    patients: np.ndarray
    ages: NDArray[np.float64]
    sexes: np.ndarray
    views: np.ndarray
    sources: np.ndarray
    references: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def select(self, keep: np.ndarray) -> ImageTable:
        """Return the rows of a boolean mask or an index array."""
        return ImageTable(self.labels, **{name: values[keep] for name, values in self._arrays().items()})

    def with_labels(self, labels: Sequence[str]) -> ImageTable:
        """Return the table with some of its labels, or all in another order; raises KeyError for one it lacks."""
        column = {label: c for c, label in enumerate(self.labels)}
        return replace(self, labels=tuple(labels), positive=self.positive[:, [column[label] for label in labels]])

    def answers(self, labels: Sequence[str]) -> NDArray[np.int8]:
        """Return (n, labels) int8: 1 positive, 0 negative, -1 for a label that the table does not state."""
        answers = np.full((len(self), len(labels)), -1, dtype=np.int8)
        for c, label in enumerate(labels):
            if label in self.labels:
                answers[:, c] = self.positive[:, self.labels.index(label)]
        return answers

    @classmethod
    def join(cls, tables: Sequence[ImageTable]) -> ImageTable:
        """Return all rows of several tables, in their order; raises WrongArguments where their labels differ."""
        labels = tables[0].labels
        for table in tables[1:]:
            if differing := sorted(set(labels) ^ set(table.labels)):
                raise WrongArguments(
                    f"The tables do not state the same labels: {', '.join(differing)} only in some. A label that is "
                    "not stated does not count as negative: give the same --labels, or label columns, for each table."
                )
        arrays = [table.with_labels(labels)._arrays() for table in tables]
        return cls(labels, **{name: np.concatenate([columns[name] for columns in arrays]) for name in arrays[0]})

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: values for name, values in vars(self).items() if name != "labels"}


def read_table(
    csv: Path, images: Path | None, columns: ColumnMap | None = None, labels: Sequence[str] | None = None
) -> ImageTable:
    """Read a table for the images of a folder.

    Args:
        csv: the table, plain or gzipped.
        images: folder of the image files, also in subfolders; rows without a file are left out. None: every row,
            without searching for images.
        columns: meaning of the table's columns. None: NIH's layout or that of the experts' majority table, according to
            the names of the columns.
        labels: of a table in one of these layouts. None: NIH's, or those that have a column in the experts'.

    Raises:
        PathUnusable: a file cannot be read, columns are missing, a label is unknown, or no row has an
            image.
    """
    frame = _read_csv(csv)
    if columns is not None:
        return _mapped(frame, csv, images, columns, GIVEN)
    if "Image ID" in frame.columns:
        return _experts(frame, csv, images, labels)
    if labels is None:
        return _mapped(frame, csv, images, NIH, MINED)
    return _mapped(frame, csv, images, replace(NIH, labels=check_label_names(labels)), GIVEN)


def read_reference(
    csv: Path,
    labels: Sequence[str] | None = None,
    *,
    columns: Sequence[ColumnMap] = (),
    any_labels: bool = False,
) -> dict[str, dict[str, bool]]:
    """Return the labels that a table states, present or not, by image name.

    Args:
        csv: NIH's table, the experts' majority table, or one with the columns of a map; only its columns of image and
            labels are needed.
        labels: as in :func:`read_table`, which raises as this does.
        columns: maps of other tables; the first whose columns of image and labels are all there is used.
        any_labels: accept a table in NIH's layout with other labels than NIH's. It states those that it names for
            some image: whether its authors looked for any other is unknown. Without effect where labels are given.
    """
    frame = _read_csv(csv, other="")
    known = next((known for known in columns if set(known.of_labels()) <= set(frame.columns)), None)
    if known is not None:
        names, positive, labels = frame[known.image], known.positive(frame, csv), known.labels
    elif "Image ID" in frame.columns:
        of_experts = expert_columns(frame, csv, labels)
        names, positive = frame["Image ID"], expert_answers(frame, list(of_experts.values()), csv)
        labels = tuple(of_experts)
    else:
        _check_columns(frame, COLUMNS[:2], csv, other="")
        if any_labels and labels is None and not (named := labels_named(frame[COLUMNS[1]])) <= set(LABELS):
            labels = sorted(named)
        labels = LABELS if labels is None else check_label_names(labels)
        names, positive = frame[COLUMNS[0]], replace(NIH, labels=labels).positive(frame, csv)
    return {str(name): dict(zip(labels, row, strict=True)) for name, row in zip(names, positive.tolist(), strict=True)}


def read_abnormal(csv: Path) -> dict[str, bool]:
    """Return whether the experts call the image abnormal, by image name.

    This is not whether any of our labels is positive: they looked for other findings too. Empty for a table without the
    column, such as NIH's; raises PathUnusable as :func:`read_table` does.
    """
    frame = _read_csv(csv)
    if not {"Image ID", "Abnormal"} <= set(frame.columns):
        return {}
    return dict(zip(frame["Image ID"].tolist(), yes_or_no(frame["Abnormal"], csv).tolist(), strict=True))


def patient_numbers(values: pd.Series) -> np.ndarray:
    """Return patients as int64 where all are plain whole numbers, else as str.

    ``007`` is not the number 7: another hospital may have both.
    """
    text = values.astype(str).str.strip()
    plain = text.str.fullmatch(r"0|[1-9]\d{0,17}").all()
    return np.asarray(text.to_numpy(dtype=np.int64 if plain else str))


def _read_csv(csv: Path, other: str = OTHER) -> pd.DataFrame:
    check_commas(csv)
    try:
        # as text: a patient's number may have leading zeros
        return pd.read_csv(open_unpacked(csv), dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise PathUnusable(f"Table {csv}: no such file.") from error
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Table {csv}: cannot be read as CSV. {ACCEPTED}{other}.") from error


def check_commas(csv: Path) -> None:
    """Raise PathUnusable for a table with another separator or encoding, as spreadsheets of some locales save it.

    A file that cannot be opened, or is not text, is accepted here and refused when it is read.
    """
    try:
        head = open_unpacked(csv).read(4096)
    except (OSError, ValueError):
        return
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise PathUnusable(f"Table {csv}: it is text in UTF-16. Save it as CSV in UTF-8.")
    first = head.splitlines()[0] if head.strip() else b""
    for mark, name in ((b";", "semicolons"), (b"\t", "tabs")):
        if mark in first and b"," not in first:
            raise PathUnusable(f"Table {csv}: its columns are separated by {name}. Save it as CSV with commas.")


def _check_columns(frame: pd.DataFrame, needed: Sequence[str], csv: Path, other: str = OTHER) -> None:
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise PathUnusable(f"Table {csv}: the columns {', '.join(missing)} are missing. {ACCEPTED}{other}.")


def _located(frame: pd.DataFrame, column: str, csv: Path, images: Path | None) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Return the rows whose image is in the folder, the paths of their images, and the folder's name."""
    if images is None:
        return frame, np.array([Path(name) for name in frame[column]], dtype=object), ""
    paths = find_images(frame[column].tolist(), images)
    present = np.array([path is not None for path in paths], dtype=bool)
    if not present.any():
        raise PathUnusable(f"No image of table {csv} is in the folder {images}.")
    located = np.array([path for path in paths if path is not None], dtype=object)
    return frame[present], located, images.resolve().parent.name if images.name == "images" else images.name


def _mapped(frame: pd.DataFrame, csv: Path, images: Path | None, columns: ColumnMap, reference: str) -> ImageTable:
    _check_columns(frame, columns.required(), csv)
    frame, paths, source = _located(frame, columns.image, csv, images)
    empty = pd.Series("", index=frame.index)
    patients = frame[columns.patient]
    if (patients.str.strip() == "").any():
        raise PathUnusable(f"Table {csv}: an image has no patient. Without one, patients may cross the split.")
    age, sex, view = (frame[name] if name else empty for name in (columns.age, columns.sex, columns.view))
    return ImageTable(
        labels=columns.labels,
        names=frame[columns.image].to_numpy(dtype=str),
        paths=paths,
        positive=columns.positive(frame, csv),
        patients=patient_numbers(patients),
        ages=_years(age),
        sexes=sex.to_numpy(dtype=str),
        views=view.to_numpy(dtype=str),
        sources=np.full(len(frame), source),
        references=np.full(len(frame), reference),
    )


def _years(ages: pd.Series) -> np.ndarray:
    """Return ages in years, float64; NaN where none can be read."""
    parts = ages.str.strip().str.extract(r"^(\d+(?:\.\d+)?)([YMWD]?)$")
    return np.asarray(pd.to_numeric(parts[0]) * parts[1].map(YEARS).fillna(1.0), dtype=np.float64)


def _experts(frame: pd.DataFrame, csv: Path, images: Path | None, labels: Sequence[str] | None) -> ImageTable:
    _check_columns(frame, ("Image ID", "Patient ID", "Abnormal"), csv)
    columns = expert_columns(frame, csv, labels)
    frame, paths, source = _located(frame, "Image ID", csv, images)
    unknown = np.full(len(frame), "")
    return ImageTable(
        labels=tuple(columns),
        names=frame["Image ID"].to_numpy(dtype=str),
        paths=paths,
        positive=expert_answers(frame, list(columns.values()), csv),
        patients=patient_numbers(frame["Patient ID"]),
        ages=np.full(len(frame), np.nan),
        sexes=unknown,
        views=unknown,
        sources=np.full(len(frame), source),
        references=np.full(len(frame), EXPERTS),
    )
