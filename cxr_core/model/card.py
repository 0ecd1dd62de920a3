"""What is known of a model, in one frozen record that is read from ``card.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..errors import ModelUnusable, WrongArguments
from ..imaging import InputExposure, Preparation, Resampling
from ..whole_files import write_whole
from .calibration import Calibration, check_calibration
from .data_summary import DataSummary
from .measure import STRICT, Counts, Metric
from .schooling import LossBalance, StageEnd

__all__ = [
    "CARD_SCHEMA",
    "Architecture",
    "Calibration",
    "Counts",
    "Familiarity",
    "Imported",
    "InputSpec",
    "Metric",
    "MetricTable",
    "ModelCard",
    "OperatingPoint",
    "ReaderMetric",
    "Threshold",
    "TrainingRecord",
    "card_json",
    "read_card",
    "write_card",
]

CARD_SCHEMA = 1


@dataclass(frozen=True, config=STRICT)
class InputSpec:
    """What the network is given: one grey channel in [0, 1], black to white.

    The fields are those of :class:`.Preparation`; ``scaling`` says in words what the graph does with the input.
    A card that does not name its ``resampling`` is of a model that was made with ``triangle``; ``exposure`` says
    whether the grey is as displayed (``none``) or brought to one range first (``stretched``).
    """

    size: int
    channels: Literal[1] = 1
    scaling: str = "displayed grey in [0, 1], scaled inside the graph"
    fit: Literal["pad", "crop"] = "pad"
    detail: int | None = None
    resampling: Resampling = "triangle"
    crop_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    exposure: InputExposure = "none"

    def preparation(self) -> Preparation:
        """Return the preparation that brings a film to this input."""
        return Preparation(self.size, self.fit, self.detail, self.resampling, self.crop_fraction, self.exposure)


@dataclass(frozen=True, config=STRICT)
class Architecture:
    """The network and the names by which its parts are found; ``transfer_learned`` is null where it is not known."""

    name: str
    features_layer: str
    head: str
    parameters: int
    initialisation: str
    transfer_learned: bool | None


@dataclass(frozen=True, config=STRICT)
class TrainingRecord:
    """What the weights have seen, and how; null is what was not published with imported weights.

    ``datasets`` begins each name with that of its source, such as ``NIH ChestX-ray14``: a run on one of them
    is marked "images possibly seen in training". ``summary`` is null on a card of before there was one; the command
    ``describe`` completes it.
    """

    datasets: tuple[str, ...]
    films: int | None = None
    patients: int | None = None
    validation_films: int | None = None
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


@dataclass(frozen=True, config=STRICT)
class Imported:
    """Where weights came from that were not trained here.

    Attributes:
        source: as given to ``models import``.
        file: name of the file, and what it was.
        sha256: of that file.
        checked: with what its SHA-256 was compared, in words.
        url: where it is published; null for a file of the user's own.
        verified: whether its SHA-256 is that of the published file. Null where nothing was published of it, and on
            a card of before this was kept.
        self_check: how TensorFlow, OpenVINO and float64 agreed at the import, in words.
    """

    source: str
    file: str
    sha256: str
    checked: str
    url: str | None = None
    verified: bool | None = None
    self_check: str = ""


@dataclass(frozen=True, config=STRICT)
class MetricTable:
    """One metric for every label on one set of films."""

    name: str
    metric: str
    films: str
    reference: str
    number_of_films: int | None
    number_of_patients: int | None
    interval: str
    per_label: dict[str, Metric]
    mean: Metric | None = None


@dataclass(frozen=True, config=STRICT)
class ReaderMetric:
    """What one reader of the same films found, against the majority of the other readers."""

    reader: str
    sensitivity: Metric
    specificity: Metric


@dataclass(frozen=True, config=STRICT)
class Threshold:
    """The score at or over which a label is called above; null where ``reason`` says why.

    ``source`` says who set a threshold that was published without counts; it is null for one that was set here.
    ``sensitivity`` and ``specificity`` are those of the rule on patients that it was not applied to, where the
    operating point says so under ``held_out``.
    """

    value: float | None
    sensitivity: Metric | None = None
    specificity: Metric | None = None
    counts: Counts | None = None
    reason: str | None = None
    source: str | None = None


@dataclass(frozen=True, config=STRICT)
class OperatingPoint:
    """A rule, and the threshold it gives for each label.

    ``flagged_without_findings`` is the share of films without findings on which any label is at or over its
    threshold, and ``labels_above_per_film`` how many labels are on a film of the same data, findings or none.
    Both are of patients that the rule was not applied to, as ``held_out`` says; ``flagged_where_set`` is the
    share on the very films that the thresholds were set on.
    """

    name: str
    rule: str
    films: str
    thresholds: dict[str, Threshold]
    flagged_without_findings: Metric | None = None
    flagged_where_set: Metric | None = None
    labels_above_per_film: Metric | None = None
    held_out: str = ""


@dataclass(frozen=True, config=STRICT)
class Familiarity:
    """From which distance on a film is unlike those that the model knows; see ``familiarity.npz``."""

    threshold: float
    rule: str
    reference_films: int
    validation_films: int
    validation_patients: int


@dataclass(frozen=True, config=STRICT)
class ModelCard:
    """Everything a reader may ask of a model.

    ``weights_sha256`` is that of ``model.keras``; operating points and map anchors were made with
    those weights and are refused with others; ``calibration`` carries its own, which must be the same.
    ``map_anchors`` gives, per label and in logit units, the contribution of one cell that is drawn in full
    colour. ``files`` holds the SHA-256 of every other file of the folder.
    """

    id: str
    version: str
    title: str
    demonstration: bool
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    input: InputSpec
    architecture: Architecture
    training: TrainingRecord
    counts: dict[str, dict[str, Counts]]
    weights_sha256: str
    operating_points: dict[str, OperatingPoint]
    map_anchors: dict[str, float]
    map_anchor_rule: str
    metrics: tuple[MetricTable, ...]
    limits: tuple[str, ...]
    not_looked_for: tuple[str, ...]
    caveats: dict[str, str]
    licence: str
    citations: tuple[str, ...]
    files: dict[str, str]
    calibration: Calibration | None = None
    familiarity: Familiarity | None = None
    imported: Imported | None = None
    readers: dict[str, tuple[ReaderMetric, ...]] = Field(default_factory=dict)
    schema: int = CARD_SCHEMA

    @property
    def unverified(self) -> bool:
        """Whether published numbers stand on it that belong to a file which this one is not proved to be."""
        return self.imported is not None and self.imported.verified is False

    def operating_point(self, name: str = "default") -> OperatingPoint:
        """Return an operating point by name; raises WrongArguments for one the card does not have."""
        if name not in self.operating_points:
            raise WrongArguments(
                f"Model {self.id}: no operating point {name!r}. It has: {', '.join(self.operating_points) or 'none'}."
            )
        return self.operating_points[name]


_ADAPTER = TypeAdapter(ModelCard)


def read_card(path: Path) -> ModelCard:
    """Read ``card.json``; raises ModelUnusable with the first thing that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        schema = json.loads(text).get("schema")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelUnusable(f"Model card {path.parent.name}/{path.name}: cannot be read as JSON.") from error
    if schema != CARD_SCHEMA:
        raise ModelUnusable(
            f"Model card {path.parent.name}: schema {schema!r} found, {CARD_SCHEMA} accepted. "
            "It was written by another version of this program."
        )
    try:
        card = _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ModelUnusable(f"Model card {path.parent.name}: {where}: {first['msg']}.") from error
    _check_labels(card)
    return card


def _check_labels(card: ModelCard) -> None:
    known = set(card.labels)
    if len(known) != len(card.labels):
        raise ModelUnusable(f"Model card {card.id}: a label stands twice.")
    for name, keys in {
        "map_anchors": card.map_anchors.keys(),
        **{f"operating_points.{k}": p.thresholds.keys() for k, p in card.operating_points.items()},
    }.items():
        if set(keys) != known:
            raise ModelUnusable(f"Model card {card.id}: {name} does not name exactly the card's labels.")
    if card.calibration is not None:
        check_calibration(card.calibration, card.labels, card.id)


def write_card(card: ModelCard, path: Path) -> None:
    """Write ``card.json``; raises OSError."""
    write_whole(path, card_json(card))


def card_json(card: ModelCard) -> bytes:
    """Return the content of ``card.json``."""
    return _ADAPTER.dump_json(card, indent=1) + b"\n"
