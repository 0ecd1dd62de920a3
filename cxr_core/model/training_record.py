"""Training record of a model card: data sets, recipe, course of the training, and a summary of the data.

The summary holds counts only: no image and no patient can be identified from it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..errors import PathUnusable
from ..estimate import Counts
from ..labels import MAX_AGE

__all__ = [
    "AGE_EDGES",
    "NIH_TABLE",
    "WHOLE",
    "AgeCounts",
    "DataSummary",
    "LossBalance",
    "PartSummary",
    "SharedPatients",
    "StageEnd",
    "TrainingRecord",
    "read_summary",
    "summary_json",
]


_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class LossBalance:
    """Contribution of positives and negatives of one label to its loss, if every image had the same loss.

    Means over training images, before and after the class weights; the same twice with the unweighted loss. These are
    figures 3.4.1.a and b of the paper, not the loss of the trained network.
    """

    positive_before: float
    negative_before: float
    positive_after: float
    negative_after: float


@dataclass(frozen=True, config=_STRICT)
class StageEnd:
    """End of a training stage with early stopping, and the step whose weights were kept.

    ``validation_auc`` is the mean over labels on the validation images that decided; as the best of several it is
    optimistic.
    """

    stage: int
    steps: int
    steps_planned: int
    kept_step: int
    validation_auc: float


NIH_TABLE = Path(__file__).with_name("nih_table.json")
"""Summary of the whole of ChestX-ray14, made by ``python -m cxr_core describe --table
Data_Entry_2017_v2020.csv --split none --out cxr_core/model/nih_table.json`` from NIH's table,
https://nihcc.app.box.com/v/ChestXray-NIHCC (Wang et al., CVPR 2017, doi 10.1109/CVPR.2017.369)."""

WHOLE = "all"
"""Name of the single subset of a table that is not split."""

AGE_EDGES = (*range(0, 91, 5), MAX_AGE)
"""Edges of the age bins in years; 90 and over are one bin, so that no single patient can be identified."""


@dataclass(frozen=True, config=_STRICT)
class AgeCounts:
    """Images by the patient's age on the day of the image.

    ``images[k]`` have ages from ``AGE_EDGES[k]`` to under the next edge, the last bin 120 included; ``beyond`` are over
    120 years, which is an error of the table; ``unknown`` have no readable age.
    """

    images: tuple[int, ...]
    beyond: int
    unknown: int


@dataclass(frozen=True, config=_STRICT)
class PartSummary:
    """Counts of one split of the data.

    ``together[a][b]`` is the number of images with both labels a and b, in the order of ``per_label``; on the diagonal
    of those with the label. ``alone`` is the number with that label and no other. ``sexes`` and ``views`` count images
    by the table's entry; the empty key is for no entry.
    """

    images: int
    patients: int
    without_findings: int
    per_label: dict[str, Counts]
    alone: tuple[int, ...]
    together: tuple[tuple[int, ...], ...]
    ages: AgeCounts
    sexes: dict[str, int]
    views: dict[str, int]


@dataclass(frozen=True, config=_STRICT)
class SharedPatients:
    """Number of patients with images in both of two splits."""

    one: str
    other: str
    patients: int


@dataclass(frozen=True, config=_STRICT)
class DataSummary:
    """Counts of each split of a data set, and the patient overlap of each pair of splits.

    ``tables`` is the SHA-256 of each source table, uncompressed, by its file name, where known.
    """

    parts: dict[str, PartSummary]
    shared: tuple[SharedPatients, ...]
    tables: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, config=_STRICT)
class TrainingRecord:
    """Training data and recipe of the weights; null for what was not published with imported weights.

    Each name in ``datasets`` begins with that of its source, such as ``NIH ChestX-ray14``: a run on one of them is
    marked "images possibly seen in training". ``summary`` is null on older cards; the command ``describe`` adds it.
    """

    datasets: tuple[str, ...]
    images: int | None = None
    patients: int | None = None
    validation_images: int | None = None
    validation_patients: int | None = None
    split: str | None = None
    split_sha256: str | None = None
    stages: str | None = None
    augmentation: str | None = None
    horizontal_flip: bool | None = None
    loss: str | None = None
    seed: int | None = None
    history: tuple[dict[str, float | None], ...] = ()  # null: not a number, as the AUC of no positives
    balance: dict[str, LossBalance] = Field(default_factory=dict)
    patience: int = 0  # epochs; 0: no early stopping, and no stage_ends
    stage_ends: tuple[StageEnd, ...] = ()
    average: float = 0.0  # decay of the moving average of the weights; 0: none
    precision: str = "float32"
    near_duplicates: str | None = None
    summary: DataSummary | None = None


_ADAPTER = TypeAdapter(DataSummary)


def read_summary(path: Path = NIH_TABLE) -> DataSummary:
    """Read a summary that ``describe --out`` wrote; raises PathUnusable."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise PathUnusable(f"Summary {path.name}: cannot be read. The command describe makes one.") from error


def summary_json(summary: DataSummary) -> bytes:
    """Return a summary as JSON."""
    return _ADAPTER.dump_json(summary, indent=1) + b"\n"
