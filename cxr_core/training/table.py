"""Tables of labels, as arrays: NIH's own, the experts' majority, and any other through a column mapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import PathUnusable
from ..gunzip import open_unpacked
from ..labels import LABELS
from .columns import ColumnMap, one_hot
from .images import find_images

__all__ = [
    "EXPERTS",
    "GIVEN",
    "MINED",
    "FilmTable",
    "check_commas",
    "patient_numbers",
    "read_abnormal",
    "read_expert_table",
    "read_nih_table",
    "read_reference",
    "read_table",
    "yes_or_no",
]

EXPERT_COLUMNS = ("Image ID", "Patient ID", "Abnormal")
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
NIH = ColumnMap(
    image=COLUMNS[0], labels=COLUMNS[1], patient=COLUMNS[2], age=COLUMNS[3], sex=COLUMNS[4], view=COLUMNS[5]
)
YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
"""Units of an age as NIH's first table and DICOM write it: ``058Y``, ``011M``."""

MINED = "labels mined by NIH from reports"
EXPERTS = "majority of three radiologists"
GIVEN = "labels of the table given"


@dataclass(frozen=True)
class FilmTable:
    """One row a film; all arrays have the same length n.

    Attributes:
        names: (n,) str, image names as the table has them.
        paths: (n,) object, :class:`pathlib.Path` of the image files; the bare names where a table was
            read without its images.
        labels: (n, 14) bool, in the order of :data:`cxr_core.labels.LABELS`.
        patients: (n,) int64, patient numbers; str where a table's are not all whole numbers.
        ages: (n,) float64, years as stated, not checked; NaN where the table has none.
        sexes: (n,) str, ``M`` or ``F``; empty where the table has none.
        views: (n,) str, ``PA`` or ``AP``; empty where the table has none.
        sources: (n,) str, the folder each film came from.
        references: (n,) str, who says what a film shows: :data:`MINED`, :data:`EXPERTS` or :data:`GIVEN`.
    """

    names: np.ndarray
    paths: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    ages: np.ndarray
    sexes: np.ndarray
    views: np.ndarray
    sources: np.ndarray
    references: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def select(self, keep: np.ndarray) -> FilmTable:
        """Return the rows of a boolean mask or an index array."""
        return FilmTable(**{name: values[keep] for name, values in vars(self).items()})

    @classmethod
    def join(cls, tables: Sequence[FilmTable]) -> FilmTable:
        """Return all rows of several tables, in their order."""
        return cls(**{name: np.concatenate([getattr(t, name) for t in tables]) for name in vars(tables[0])})


def read_table(csv: Path, images: Path | None, columns: ColumnMap | None = None) -> FilmTable:
    """Read a table for the images of a folder.

    Args:
        csv: the table, gzip too.
        images: folder that holds the image files, in folders below it too; rows without a file are left
            out. None: every row, and no image is looked for.
        columns: what the table's columns are. None: NIH's table or the experts' majority table, told apart
            by their columns.

    Raises:
        PathUnusable: a file cannot be read, columns are missing, a label is unknown, or no row has an
            image.
    """
    frame = _read_csv(csv)
    if columns is not None:
        return _mapped(frame, csv, images, columns, GIVEN)
    if "Image ID" in frame.columns:
        return _experts(frame, csv, images)
    return _mapped(frame, csv, images, NIH, MINED)


def read_nih_table(csv: Path, images: Path | None) -> FilmTable:
    """Read ``Data_Entry_2017*.csv``, with NIH's column names; see :func:`read_table`."""
    return _mapped(_read_csv(csv), csv, images, NIH, MINED)


def read_expert_table(csv: Path, images: Path | None) -> FilmTable:
    """Read a majority table of expert labels, with a column of YES and NO for each label.

    Source of the labels: Majkowska et al., Radiology 2020 (doi 10.1148/radiol.2019191293), and
    Nabulsi et al., Scientific Reports 2021. Raises as :func:`read_table`.
    """
    return _experts(_read_csv(csv), csv, images)


def read_reference(csv: Path) -> dict[str, tuple[str, ...]]:
    """Return the labels of each image name of either table; raises PathUnusable as the others do."""
    frame = _read_csv(csv)
    columns = [label.replace("_", " ") for label in LABELS]
    if "Image ID" in frame.columns:
        _check_columns(frame, ("Image ID", *columns), csv)
        names, hot = frame["Image ID"], (frame[columns] == "YES").to_numpy()
    else:
        _check_columns(frame, COLUMNS[:2], csv)
        names, hot = frame["Image Index"], one_hot(frame["Finding Labels"], csv)
    return {
        str(name): tuple(label for label, yes in zip(LABELS, row, strict=True) if yes)
        for name, row in zip(names, hot, strict=True)
    }


def read_abnormal(csv: Path) -> dict[str, bool]:
    """Return of each image name whether the experts call the film abnormal, by their own column.

    It is not whether they gave any of our labels: they looked for other things too. Empty for a table without
    the column, such as NIH's; raises PathUnusable as the others do.
    """
    frame = _read_csv(csv)
    if not {"Image ID", "Abnormal"} <= set(frame.columns):
        return {}
    return dict(zip(frame["Image ID"].tolist(), yes_or_no(frame["Abnormal"], csv).tolist(), strict=True))


def yes_or_no(answers: pd.Series, csv: Path) -> np.ndarray:
    """Return (n,) bool of answers as text: YES and NO, or 1 and 0 as single readers' tables have them."""
    known = answers.map({"YES": True, "1": True, "NO": False, "0": False})
    if known.isna().any():
        raise PathUnusable(f"Table {csv}: an answer in the column {answers.name} is neither YES, NO, 1 nor 0.")
    return known.to_numpy(dtype=bool)


def patient_numbers(values: pd.Series) -> np.ndarray:
    """Return patients as int64 where all are plain whole numbers, else as str.

    ``007`` is not the number 7: another hospital may have both.
    """
    text = values.astype(str).str.strip()
    plain = text.str.fullmatch(r"0|[1-9]\d{0,17}").all()
    return text.to_numpy(dtype=np.int64 if plain else str)


def _read_csv(csv: Path) -> pd.DataFrame:
    check_commas(csv)
    try:
        # as text: a patient's number may have leading zeros
        return pd.read_csv(open_unpacked(csv), dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Table {csv}: cannot be read as CSV. Accepted: NIH's Data_Entry table.") from error


def check_commas(csv: Path) -> None:
    """Raise PathUnusable for a table as a spreadsheet of another country saves it, naming what was found.

    A file that cannot be opened, or that is no text, is left to whoever reads it.
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
            raise PathUnusable(f"Table {csv}: its columns are divided by {name}. Save it as CSV with commas.")


def _check_columns(frame: pd.DataFrame, needed: Sequence[str], csv: Path) -> None:
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise PathUnusable(
            f"Table {csv}: the columns {', '.join(missing)} are missing. Accepted: NIH's Data_Entry table, "
            "a majority table of expert labels, or any other with --columns."
        )


def _located(frame: pd.DataFrame, column: str, csv: Path, images: Path | None) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Return the rows whose image is in the folder, the paths of their images, and the folder's name."""
    if images is None:
        return frame, np.array([Path(name) for name in frame[column]], dtype=object), ""
    paths = find_images(frame[column].tolist(), images)
    there = np.array([path is not None for path in paths], dtype=bool)
    if not there.any():
        raise PathUnusable(f"No image of table {csv} is in the folder {images}.")
    kept = np.array([path for path in paths if path is not None], dtype=object)
    return frame[there], kept, images.resolve().parent.name if images.name == "images" else images.name


def _mapped(frame: pd.DataFrame, csv: Path, images: Path | None, columns: ColumnMap, reference: str) -> FilmTable:
    _check_columns(frame, columns.needed(), csv)
    frame, paths, source = _located(frame, columns.image, csv, images)
    empty = pd.Series("", index=frame.index)
    patients = frame[columns.patient]
    if (patients.str.strip() == "").any():
        raise PathUnusable(f"Table {csv}: a film has no patient. Without one, patients cannot be kept apart.")
    age, sex, view = (frame[name] if name else empty for name in (columns.age, columns.sex, columns.view))
    return FilmTable(
        names=frame[columns.image].to_numpy(dtype=str),
        paths=paths,
        labels=columns.labels_of(frame, csv),
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
    return (pd.to_numeric(parts[0]) * parts[1].map(YEARS).fillna(1.0)).to_numpy(dtype=np.float64)


def _experts(frame: pd.DataFrame, csv: Path, images: Path | None) -> FilmTable:
    columns = [label.replace("_", " ") for label in LABELS]
    _check_columns(frame, (*EXPERT_COLUMNS, *columns), csv)
    frame, paths, source = _located(frame, "Image ID", csv, images)
    answers = frame[columns]
    if not answers.isin(["YES", "NO"]).all(axis=None):
        raise PathUnusable(f"Table {csv}: a label is neither YES nor NO.")
    return FilmTable(
        names=frame["Image ID"].to_numpy(dtype=str),
        paths=paths,
        labels=(answers == "YES").to_numpy(),
        patients=patient_numbers(frame["Patient ID"]),
        ages=np.full(len(frame), np.nan),
        sexes=np.full(len(frame), ""),
        views=np.full(len(frame), ""),
        sources=np.full(len(frame), source),
        references=np.full(len(frame), EXPERTS),
    )
