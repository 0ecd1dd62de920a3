"""What is known of a model, in one frozen record that is read from ``card.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..errors import ModelUnusable, WrongArguments
from ..imaging import Preparation
from .schooling import LossBalance, StageEnd

__all__ = [
    "CARD_SCHEMA",
    "Architecture",
    "Counts",
    "Familiarity",
    "InputSpec",
    "Metric",
    "MetricTable",
    "ModelCard",
    "OperatingPoint",
    "Threshold",
    "TrainingRecord",
    "read_card",
    "write_card",
]

CARD_SCHEMA = 1
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class InputSpec:
    """What the network is given: one grey channel in [0, 1], black to white as displayed."""

    size: int
    channels: Literal[1] = 1
    scaling: str = "displayed grey in [0, 1], scaled inside the graph"
    fit: Literal["pad", "crop"] = "pad"
    detail: int | None = None

    def preparation(self) -> Preparation:
        """Return the preparation that brings a film to this input."""
        return Preparation(self.size, self.fit, self.detail)


@dataclass(frozen=True, config=_STRICT)
class Architecture:
    """The network and the names by which its parts are found."""

    name: str
    features_layer: str
    head: str
    parameters: int
    initialisation: str
    transfer_learned: bool


@dataclass(frozen=True, config=_STRICT)
class Counts:
    """Positive and negative films and patients of one label in one part of the data.

    A patient is positive where any film is, and negative where any film is: one patient may be both.
    """

    positive_films: int
    negative_films: int
    positive_patients: int
    negative_patients: int


@dataclass(frozen=True, config=_STRICT)
class TrainingRecord:
    """What the weights have seen, and how."""

    datasets: tuple[str, ...]
    films: int
    patients: int
    validation_films: int
    validation_patients: int
    split: str
    split_sha256: str
    stages: str
    augmentation: str
    horizontal_flip: bool
    loss: str
    seed: int
    history: tuple[dict[str, float], ...] = ()
    balance: dict[str, LossBalance] = Field(default_factory=dict)
    patience: int = 0  # epochs; 0: no early stopping, and no stage_ends
    stage_ends: tuple[StageEnd, ...] = ()
    average: float = 0.0  # decay of the moving average of the weights; 0: none
    precision: str = "float32"
    near_duplicates: str | None = None


@dataclass(frozen=True, config=_STRICT)
class Metric:
    """One number with its interval and counts; ``value`` is null where ``reason`` says why."""

    value: float | None
    low: float | None
    high: float | None
    counts: Counts
    reason: str | None = None


@dataclass(frozen=True, config=_STRICT)
class MetricTable:
    """One metric for every label on one set of films."""

    name: str
    metric: str
    films: str
    reference: str
    number_of_films: int
    number_of_patients: int
    interval: str
    per_label: dict[str, Metric]
    mean: Metric | None = None


@dataclass(frozen=True, config=_STRICT)
class Threshold:
    """The score at or over which a label is called above; null where ``reason`` says why."""

    value: float | None
    sensitivity: Metric | None = None
    specificity: Metric | None = None
    counts: Counts | None = None
    reason: str | None = None


@dataclass(frozen=True, config=_STRICT)
class OperatingPoint:
    """A rule, and the threshold it gives for each label.

    ``flagged_without_findings`` is the share of films without findings on which any label is above.
    """

    name: str
    rule: str
    films: str
    thresholds: dict[str, Threshold]
    flagged_without_findings: Metric | None = None


@dataclass(frozen=True, config=_STRICT)
class Familiarity:
    """From which distance on a film is unlike those that the model knows; see ``familiarity.npz``."""

    threshold: float
    rule: str
    reference_films: int
    validation_films: int
    validation_patients: int


@dataclass(frozen=True, config=_STRICT)
class ModelCard:
    """Everything a reader may ask of a model.

    ``weights_sha256`` is that of ``model.keras``; operating points and map anchors were made with
    those weights and are refused with others. ``map_anchors`` gives, per label and in logit units,
    the contribution of one cell that is drawn in full colour. ``files`` holds the SHA-256 of every
    other file of the folder.
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
    calibration: None = None
    familiarity: Familiarity | None = None
    schema: int = CARD_SCHEMA

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


def write_card(card: ModelCard, path: Path) -> None:
    """Write ``card.json``."""
    path.write_bytes(_ADAPTER.dump_json(card, indent=1) + b"\n")
