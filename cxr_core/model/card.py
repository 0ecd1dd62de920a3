"""The model card: what is known of a model, in one frozen record that is read from ``card.json``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..errors import ModelUnusable, WrongArguments
from ..estimate import Counts, Estimate
from ..files import write_whole
from ..imaging import InputExposure, Preparation, Resampling
from .calibration import Calibration, check_calibration
from .int8 import Int8
from .localisation import LocalisationTable
from .operating_point import MeasuredFlagRates, OperatingPoint, Threshold
from .stability import Stability
from .training_record import TrainingRecord

__all__ = [
    "CARD_SCHEMA",
    "Architecture",
    "Calibration",
    "Counts",
    "Familiarity",
    "Imported",
    "InputSpec",
    "Int8",
    "MeasuredFlagRates",
    "MetricTable",
    "ModelCard",
    "OperatingPoint",
    "ReaderMetric",
    "Threshold",
    "card_json",
    "read_card",
    "write_card",
]

CARD_SCHEMA = 1

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class InputSpec:
    """Input of the network: one grey channel in [0, 1], black to white.

    The fields are those of :class:`.Preparation`; ``scaling`` describes what the graph does with the input. A card
    without ``resampling`` is of a model that was made with ``triangle``; ``exposure`` is ``none`` where the grey is as
    displayed, ``stretched`` where it is brought to one range first.
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
        """Return the preparation that brings an image to this input."""
        return Preparation(self.size, self.fit, self.detail, self.resampling, self.crop_fraction, self.exposure)


@dataclass(frozen=True, config=_STRICT)
class Architecture:
    """The network and the names of its layers; ``transfer_learned`` is null where it is not known."""

    name: str
    features_layer: str
    head: str
    parameters: int
    initialisation: str
    transfer_learned: bool | None


@dataclass(frozen=True, config=_STRICT)
class Imported:
    """Origin of imported weights.

    Attributes:
        source: as given to ``models import``.
        file: name of the file, and its format.
        sha256: of that file.
        checked: with what its SHA-256 was compared, as text.
        url: where it is published; null for a file of the user's own.
        verified: whether its SHA-256 is that of the published file; null for a file that is not a published one, and
            on older cards.
        self_check: differences between TensorFlow, OpenVINO and float64 at the import, as text.
    """

    source: str
    file: str
    sha256: str
    checked: str
    url: str | None = None
    verified: bool | None = None
    self_check: str = ""


@dataclass(frozen=True, config=_STRICT)
class MetricTable:
    """One metric for every label on one set of images."""

    name: str
    metric: str
    images: str
    reference: str
    number_of_images: int | None
    number_of_patients: int | None
    interval: str
    per_label: dict[str, Estimate]
    mean: Estimate | None = None


@dataclass(frozen=True, config=_STRICT)
class ReaderMetric:
    """Sensitivity and specificity of one reader of the same images, against the majority of the other readers."""

    reader: str
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, config=_STRICT)
class Familiarity:
    """Distance beyond which an image is unlike the training images; see :mod:`.familiarity`."""

    threshold: float
    rule: str
    reference_images: int
    validation_images: int
    validation_patients: int


@dataclass(frozen=True, config=_STRICT)
class ModelCard:
    """Labels, input, training, operating points, calibration, metrics and limits of a model.

    ``weights_sha256`` is that of ``model.keras``; operating points and map anchors were made with those weights and are
    refused with others; ``calibration``, ``stability`` and ``localisation`` have their own, which must be the same.
    ``map_anchors`` gives, per label and in logit units, the contribution of one cell that is drawn in full colour.
    ``files`` holds the SHA-256 of every other file of the folder. ``int8`` is set on the card of an INT8 graph alone
    (:mod:`.precision`).
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
    stability: Stability | None = None
    localisation: tuple[LocalisationTable, ...] = ()
    flag_rates: tuple[MeasuredFlagRates, ...] = ()
    int8: Int8 | None = None
    schema: int = CARD_SCHEMA

    @property
    def unverified(self) -> bool:
        """Whether the card carries published numbers, but the file is not proved to be the published one."""
        return self.imported is not None and self.imported.verified is False

    @property
    def offered_points(self) -> tuple[str, ...]:
        """Names of the operating points that the reading page offers; the default is always one."""
        return tuple(name for name, point in self.operating_points.items() if name == "default" or not point.flags_most)

    def operating_point(self, name: str = "default") -> OperatingPoint:
        """Return an operating point by name; raises WrongArguments for one the card does not have."""
        if name not in self.operating_points:
            raise WrongArguments(
                f"Model {self.id}: no operating point {name!r}. It has: {', '.join(self.operating_points) or 'none'}."
            )
        return self.operating_points[name]


_ADAPTER = TypeAdapter(ModelCard)
_FILM_KEYS = re.compile(r'(?<=["_])film(?=[a-z_]*"\s*:)')
"""Keys of cards that version 0.1.0 wrote, which called images films."""


def read_card(path: Path) -> ModelCard:
    """Read ``card.json``; raises ModelUnusable with the first error."""
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
        card = _ADAPTER.validate_json(_FILM_KEYS.sub("image", text))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"])
        raise ModelUnusable(f"Model card {path.parent.name}: {field}: {first['msg']}.") from error
    _check_labels(card)
    return card


def _check_labels(card: ModelCard) -> None:
    labels = set(card.labels)
    if len(labels) != len(card.labels):
        raise ModelUnusable(f"Model card {card.id}: a label appears twice.")
    for name, keys in {
        "map_anchors": card.map_anchors.keys(),
        **{f"operating_points.{k}": p.thresholds.keys() for k, p in card.operating_points.items()},
    }.items():
        if set(keys) != labels:
            raise ModelUnusable(f"Model card {card.id}: {name} does not name exactly the card's labels.")
    if card.calibration is not None:
        check_calibration(card.calibration, card.labels, card.id)


def write_card(card: ModelCard, path: Path) -> None:
    """Write ``card.json``; raises OSError."""
    write_whole(path, card_json(card))


def card_json(card: ModelCard) -> bytes:
    """Return the content of ``card.json``."""
    return _ADAPTER.dump_json(card, indent=1) + b"\n"
