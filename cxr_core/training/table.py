"""NIH's table of labels, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import PathUnusable
from ..labels import LABELS, NO_FINDING

__all__ = ["FilmTable", "read_nih_table"]

COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")


@dataclass(frozen=True)
class FilmTable:
    """One row a film; all arrays have the same length n.

    Attributes:
        names: (n,) str, NIH's image names.
        paths: (n,) object, :class:`pathlib.Path` of the image files.
        labels: (n, 14) bool, in the order of :data:`cxr_core.labels.LABELS`; mined by NIH from
            reports, so noisy.
        patients: (n,) int64, NIH's patient numbers.
        ages: (n,) float64, years as stated; not checked.
        sexes: (n,) str, ``M`` or ``F``.
        views: (n,) str, ``PA`` or ``AP``.
        sources: (n,) str, the folder each film came from.
    """

    names: np.ndarray
    paths: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    ages: np.ndarray
    sexes: np.ndarray
    views: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def select(self, keep: np.ndarray) -> FilmTable:
        """Return the rows of a boolean mask or an index array."""
        return FilmTable(**{name: values[keep] for name, values in vars(self).items()})

    @classmethod
    def join(cls, tables: Sequence[FilmTable]) -> FilmTable:
        """Return all rows of several tables, in their order."""
        return cls(**{name: np.concatenate([getattr(t, name) for t in tables]) for name in vars(tables[0])})


def read_nih_table(csv: Path, images: Path, *, only_present: bool = True) -> FilmTable:
    """Read ``Data_Entry_2017*.csv`` (gzip too) for the images of a folder.

    Args:
        csv: the table, with NIH's column names.
        images: folder that holds the image files under NIH's names.
        only_present: leave out rows whose file is not in the folder.

    Raises:
        PathUnusable: a file cannot be read, columns are missing, a label is unknown, or no row
            has an image.
    """
    try:
        frame = pd.read_csv(csv)
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Table {csv}: cannot be read as CSV. Accepted: NIH's Data_Entry table.") from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise PathUnusable(
            f"Table {csv}: the columns {', '.join(missing)} are missing. Accepted: NIH's Data_Entry table."
        )
    if not images.is_dir():
        raise PathUnusable(f"Images {images}: not a folder.")
    if only_present:
        present = {entry.name for entry in images.iterdir()}
        frame = frame[frame["Image Index"].isin(present)]
    if frame.empty:
        raise PathUnusable(f"No image of table {csv} is in the folder {images}.")
    return FilmTable(
        names=frame["Image Index"].to_numpy(dtype=str),
        paths=np.array([images / name for name in frame["Image Index"]], dtype=object),
        labels=_one_hot(frame["Finding Labels"], csv),
        patients=frame["Patient ID"].to_numpy(dtype=np.int64),
        ages=frame["Patient Age"].to_numpy(dtype=np.float64),
        sexes=frame["Patient Gender"].to_numpy(dtype=str),
        views=frame["View Position"].to_numpy(dtype=str),
        sources=np.full(len(frame), images.parent.name or images.name),
    )


def _one_hot(findings: pd.Series, csv: Path) -> np.ndarray:
    dummies = findings.str.get_dummies("|")
    unknown = sorted(set(dummies.columns) - set(LABELS) - {NO_FINDING})
    if unknown:
        raise PathUnusable(f"Table {csv}: the label {unknown[0]!r} is not one of the 14 of ChestX-ray14.")
    return dummies.reindex(columns=list(LABELS), fill_value=0).to_numpy(dtype=bool)
