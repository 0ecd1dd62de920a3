"""Tables of labels, as arrays: NIH's own, and the experts' majority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import PathUnusable
from ..labels import LABELS, NO_FINDING

__all__ = ["EXPERTS", "MINED", "FilmTable", "read_expert_table", "read_nih_table", "read_reference", "read_table"]

EXPERT_COLUMNS = ("Image ID", "Patient ID", "Abnormal")
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")

MINED = "labels mined by NIH from reports"
EXPERTS = "majority of three radiologists"


@dataclass(frozen=True)
class FilmTable:
    """One row a film; all arrays have the same length n.

    Attributes:
        names: (n,) str, NIH's image names.
        paths: (n,) object, :class:`pathlib.Path` of the image files.
        labels: (n, 14) bool, in the order of :data:`cxr_core.labels.LABELS`.
        patients: (n,) int64, NIH's patient numbers.
        ages: (n,) float64, years as stated, not checked; NaN where the table has none.
        sexes: (n,) str, ``M`` or ``F``; empty where the table has none.
        views: (n,) str, ``PA`` or ``AP``; empty where the table has none.
        sources: (n,) str, the folder each film came from.
        references: (n,) str, who says what a film shows: :data:`MINED` or :data:`EXPERTS`.
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


def read_table(csv: Path, images: Path) -> FilmTable:
    """Read NIH's table or the experts' majority table, told apart by their columns."""
    frame = _read_csv(csv)
    return _experts(frame, csv, images) if "Image ID" in frame.columns else _nih(frame, csv, images)


def read_nih_table(csv: Path, images: Path) -> FilmTable:
    """Read ``Data_Entry_2017*.csv`` (gzip too) for the images of a folder.

    Args:
        csv: the table, with NIH's column names.
        images: folder that holds the image files under NIH's names; rows without a file are left out.

    Raises:
        PathUnusable: a file cannot be read, columns are missing, a label is unknown, or no row
            has an image.
    """
    return _nih(_read_csv(csv), csv, images)


def read_expert_table(csv: Path, images: Path) -> FilmTable:
    """Read a majority table of expert labels, with a column of YES and NO for each label.

    Source of the labels: Majkowska et al., Radiology 2020 (doi 10.1148/radiol.2019191293), and
    Nabulsi et al., Scientific Reports 2021. Raises as :func:`read_nih_table`.
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
        names, hot = frame["Image Index"], _one_hot(frame["Finding Labels"], csv)
    return {
        str(name): tuple(label for label, yes in zip(LABELS, row, strict=True) if yes)
        for name, row in zip(names, hot, strict=True)
    }


def _read_csv(csv: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(csv)
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Table {csv}: cannot be read as CSV. Accepted: NIH's Data_Entry table.") from error


def _with_images(frame: pd.DataFrame, needed: Sequence[str], csv: Path, images: Path) -> pd.DataFrame:
    """Return the rows whose image, named in the first needed column, is in the folder."""
    _check_columns(frame, needed, csv)
    if not images.is_dir():
        raise PathUnusable(f"Images {images}: not a folder.")
    present = {entry.name for entry in images.iterdir()}
    frame = frame[frame[needed[0]].isin(present)]
    if frame.empty:
        raise PathUnusable(f"No image of table {csv} is in the folder {images}.")
    return frame


def _check_columns(frame: pd.DataFrame, needed: Sequence[str], csv: Path) -> None:
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise PathUnusable(
            f"Table {csv}: the columns {', '.join(missing)} are missing. Accepted: NIH's Data_Entry table, "
            "or a majority table of expert labels."
        )


def _paths(names: pd.Series, images: Path) -> np.ndarray:
    return np.array([images / name for name in names], dtype=object)


def _folder_name(images: Path) -> str:
    return images.resolve().parent.name if images.name == "images" else images.name


def _nih(frame: pd.DataFrame, csv: Path, images: Path) -> FilmTable:
    frame = _with_images(frame, COLUMNS, csv, images)
    return FilmTable(
        names=frame["Image Index"].to_numpy(dtype=str),
        paths=_paths(frame["Image Index"], images),
        labels=_one_hot(frame["Finding Labels"], csv),
        patients=frame["Patient ID"].to_numpy(dtype=np.int64),
        ages=frame["Patient Age"].to_numpy(dtype=np.float64),
        sexes=frame["Patient Gender"].to_numpy(dtype=str),
        views=frame["View Position"].to_numpy(dtype=str),
        sources=np.full(len(frame), _folder_name(images)),
        references=np.full(len(frame), MINED),
    )


def _experts(frame: pd.DataFrame, csv: Path, images: Path) -> FilmTable:
    columns = [label.replace("_", " ") for label in LABELS]
    frame = _with_images(frame, (*EXPERT_COLUMNS, *columns), csv, images)
    answers = frame[columns]
    if not answers.isin(["YES", "NO"]).all(axis=None):
        raise PathUnusable(f"Table {csv}: a label is neither YES nor NO.")
    return FilmTable(
        names=frame["Image ID"].to_numpy(dtype=str),
        paths=_paths(frame["Image ID"], images),
        labels=(answers == "YES").to_numpy(),
        patients=frame["Patient ID"].to_numpy(dtype=np.int64),
        ages=np.full(len(frame), np.nan),
        sexes=np.full(len(frame), ""),
        views=np.full(len(frame), ""),
        sources=np.full(len(frame), _folder_name(images)),
        references=np.full(len(frame), EXPERTS),
    )


def _one_hot(findings: pd.Series, csv: Path) -> np.ndarray:
    if findings.isna().any():
        raise PathUnusable(f"Table {csv}: a film has no label at all. Write {NO_FINDING!r} where there is none.")
    dummies = findings.str.get_dummies("|")
    unknown = sorted(set(dummies.columns) - set(LABELS) - {NO_FINDING})
    if unknown:
        raise PathUnusable(f"Table {csv}: the label {unknown[0]!r} is not one of the 14 of ChestX-ray14.")
    return dummies.reindex(columns=list(LABELS), fill_value=0).to_numpy(dtype=bool)
