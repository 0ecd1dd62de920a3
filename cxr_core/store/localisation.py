"""Where a run's maps point, beside what was boxed: ``localisation.parquet``, one row a film and boxed label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import PathUnusable
from ..labels import NOTICE

__all__ = ["Localisation", "read_localisation", "write_localisation"]


@dataclass(frozen=True, eq=False)
class Localisation:
    """m pairs of a film and a label that has boxes on it.

    Attributes:
        images, patients, labels: (m,) str, as in the predictions.
        boxes: m arrays (k, 4) float64 of left, top, right, bottom in pixel edges of the film as it was read.
        strongest: (m, 2) float64, (x, y) of the strongest cell's centre in the same pixels; NaN where the map is
            blank.
        hits: (m,) bool, whether it lies in a box.
        centre_hits: (m,) bool, the same for the centre of the map, whatever the film.
        thresholds: (t,) float64, as shares of the value that is drawn in full colour for the label.
        overlap: (m, t) float64 in [0, 1], intersection over union of the cells at or over a threshold and the boxes.
        centre_overlap: (m, t) float64, the same for a rectangle in the centre that is as large.
        marked: (m, t) float64, the share of the map that is at or over it.
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

    def __len__(self) -> int:
        return len(self.images)


_WORDS = {"image": "images", "patient": "patients", "label": "labels"}
_FLAGS = {"hit": "hits", "centre_hit": "centre_hits"}
_BY_THRESHOLD = ("overlap", "centre_overlap", "marked")


def write_localisation(localisation: Localisation, path: Path) -> None:
    """Write the Parquet file; raises PathUnusable where it cannot be written."""
    columns = {name: pa.array(getattr(localisation, field).tolist(), pa.string()) for name, field in _WORDS.items()}
    columns["boxes"] = pa.array([around.tolist() for around in localisation.boxes], pa.list_(pa.list_(pa.float64())))
    x, y = localisation.strongest.T
    columns |= {f"strongest_{axis}": pa.array(at, mask=np.isnan(at)) for axis, at in (("x", x), ("y", y))}
    columns |= {name: pa.array(getattr(localisation, field)) for name, field in _FLAGS.items()}
    columns |= {name: pa.array(getattr(localisation, name).tolist(), pa.list_(pa.float64())) for name in _BY_THRESHOLD}
    thresholds = ",".join(map(repr, localisation.thresholds.tolist()))
    table = pa.table(columns).replace_schema_metadata({"notice": NOTICE, "thresholds": thresholds})
    try:
        pq.write_table(table, path, compression="zstd")
    except OSError as error:
        raise PathUnusable(f"Run {path.parent.name}: where its maps point cannot be written.") from error


def read_localisation(path: Path) -> Localisation:
    """Read the Parquet file; raises PathUnusable where it is missing, broken or of another layout."""
    try:
        table = pq.read_table(path)
        thresholds = np.array([float(word) for word in table.schema.metadata[b"thresholds"].decode().split(",")])
        shape = (table.num_rows, len(thresholds))
        return Localisation(
            **{field: np.array(table[name].to_pylist(), dtype=str) for name, field in _WORDS.items()},
            boxes=tuple(np.array(around, dtype=np.float64).reshape(-1, 4) for around in table["boxes"].to_pylist()),
            strongest=np.stack([table[f"strongest_{axis}"].to_numpy() for axis in "xy"], axis=1).astype(np.float64),
            **{field: np.array(table[name].to_pylist(), dtype=bool) for name, field in _FLAGS.items()},
            thresholds=thresholds,
            **{name: np.array(table[name].to_pylist(), dtype=np.float64).reshape(shape) for name in _BY_THRESHOLD},
        )
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise PathUnusable(f"Run {path.parent.name}: {path.name} is missing, broken, or not a run's.") from error
