"""What is stored of a study: images, what was shown of each, opinions of the reader; and readings as JSON and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeVar, get_args, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from .. import __version__
from ..errors import StoreDamaged
from ..imaging import VoiScale
from ..model import Reading
from ..studies import StudyHeader
from .database import DAMAGED

__all__ = [
    "OPINIONS",
    "Opinion",
    "OpinionValue",
    "ReadOptions",
    "ReadSummary",
    "StoredImage",
    "StoredRead",
    "decode_read",
    "encode_read",
    "first_and_current",
    "first_opinion",
    "is_same_read",
]

OpinionValue = Literal["present", "absent", "uncertain"]
OPINIONS: tuple[OpinionValue, ...] = get_args(OpinionValue)

_SCHEMA = 1


@dataclass(frozen=True)
class ReadOptions:
    """How the reader had an image read.

    Attributes:
        read_anyway: reason for reading an image that the gate refused, or None.
        quarter_turns: clockwise rotation in units of 90 degrees.
        mirrored: whether it was mirrored before that.
        voi_scale: scaling of the VOI LUT.
    """

    read_anyway: str | None = None
    quarter_turns: int = 0
    mirrored: bool = False
    voi_scale: VoiScale = "file"


@dataclass(frozen=True)
class StoredImage:
    """An image of a stored study.

    Attributes:
        study: id of the study.
        digest: SHA-256 of the file, hexadecimal.
        reader: whose study it is.
        created: when it was stored, UTC, ISO 8601.
        position: its place among the images of the reader.
        name, path: of the file; empty unless identity is stored.
        header: its study and patient; None unless identity is stored, and for a file that is no DICOM.
        removed: when it was removed from the worklist, UTC, ISO 8601, while that can be undone; else None.
    """

    study: str
    digest: str
    reader: str = field(repr=False)
    created: str
    position: int = 0
    name: str = field(default="", repr=False)
    path: str = field(default="", repr=False)
    header: StudyHeader | None = field(default=None, repr=False)
    removed: str | None = None


@dataclass(frozen=True)
class ReadSummary:
    """One read of one image, without the findings.

    Attributes:
        id: opaque.
        study, image: the study's id and the image's digest.
        reader: who read.
        created: when the model had read the image, UTC, ISO 8601.
        revealed: when its findings were shown; None where the reader has not asked for them yet.
        seconds: for how long the image was on the reader's screen.
        model_id, model_sha256: the model; the hash is that of ``model.keras``.
        operating_point: name of the operating point that made the states.
        quality: the gate's verdict: ok, warning or refused.
        header: study and patient; None unless identity is stored.
    """

    id: str
    study: str
    image: str
    reader: str = field(repr=False)
    created: str
    revealed: str | None
    seconds: float
    model_id: str
    model_sha256: str
    operating_point: str
    quality: str
    header: StudyHeader | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class StoredRead:
    """What was shown of an image.

    Attributes:
        summary: of the read.
        reading: with model, weights, operating point, assumed prevalence, findings, warnings, notes and class maps.
        options: how the reader had the image read.
        model_version: of the card.
        program_version: that stored the read.
        pixels: checksum of the pixels as they lie in the file, by which a repeated SOP Instance UID is examined; None
            where it is not known.
        card: SHA-256 of the stored card of then (:mod:`.card_files`); empty for reads of earlier versions.
    """

    summary: ReadSummary
    reading: Reading
    options: ReadOptions
    model_version: str
    program_version: str
    pixels: int | None = None
    card: str = ""


@dataclass(frozen=True)
class Opinion:
    """What a reader said of one finding, at one time.

    Attributes:
        label: of the finding.
        reader: who said it.
        number: from 0, in the order in which the reader's opinions on the label of this image were given; all are kept.
        read: id of the read that was or would be shown.
        opinion: present, absent or uncertain.
        revealed: whether the model's findings had been shown.
        comment: free text.
        created: when, UTC, ISO 8601.
    """

    label: str
    reader: str = field(repr=False)
    number: int
    read: str
    opinion: OpinionValue
    revealed: bool
    comment: str = field(repr=False)
    created: str


class _Given(Protocol):
    @property
    def revealed(self) -> bool: ...


_Opinion = TypeVar("_Opinion", bound=_Given)


def first_opinion(opinions: Iterable[_Opinion]) -> _Opinion | None:
    """Return the reader's first opinion of a finding: the last one that was given before the findings were shown.

    It is final once they are shown: what is given from then on is marked as such. Changes of mind and slips before that
    were made without knowledge of the model. Statistics, reports, exports and pages all mean this one.

    Args:
        opinions: of one reader on one label of an image, in the order of their numbers; :class:`Opinion`, or rows of
            the table with ``revealed``.

    Returns:
        The opinion; None where all were given with the findings shown.
    """
    return next((one for one in reversed(tuple(opinions)) if not one.revealed), None)


def first_and_current(opinions: Sequence[Opinion]) -> tuple[Opinion, ...]:
    """Return the first opinion of a finding, and the current one where it differs; empty for no opinion.

    Where all were given with the findings shown, the earliest stands in place of the first one.

    Args:
        opinions: as in :func:`first_opinion`.
    """
    if not opinions:
        return ()
    first, current = first_opinion(opinions) or opinions[0], opinions[-1]
    return (first,) if current.opinion == first.opinion else (first, current)


def encode_read(
    reading: Reading, options: ReadOptions, model_version: str, pixels: int | None = None, card: str = ""
) -> str:
    """Return a reading, and how it came about, as JSON; every number is read back as it is."""
    values = {name: getattr(reading, name) for name in _adapters()}
    stored = {name: adapter.dump_python(values[name], mode="json") for name, adapter in _adapters().items()}
    maps = np.ascontiguousarray(reading.class_maps, dtype="<f4")
    return json.dumps(
        {
            "schema": _SCHEMA,
            "program_version": __version__,
            "model_version": model_version,
            "options": asdict(options),
            "pixels": pixels,
            "card": card,
            "reading": stored,
            "class_maps": {"shape": list(maps.shape), "float32": base64.b64encode(maps.tobytes()).decode("ascii")},
        },
        ensure_ascii=False,
    )


def decode_read(text: str) -> tuple[Reading, ReadOptions, str, str, int | None, str]:
    """Return reading, options, versions of model and program, checksum of the pixels, and SHA-256 of the card.

    Raises StoreDamaged.
    """
    try:
        record: Mapping[str, Any] = json.loads(text)
        values = {"distance": None} | record["reading"]  # earlier versions did not store it
        reading = {name: adapter.validate_python(values[name]) for name, adapter in _adapters().items()}
        maps = np.frombuffer(base64.b64decode(record["class_maps"]["float32"]), dtype="<f4")
        maps = maps.reshape(record["class_maps"]["shape"])
        options = ReadOptions(**record["options"])
        versions = record["model_version"], record["program_version"]
        return Reading(**reading, class_maps=maps), options, *versions, record.get("pixels"), record.get("card", "")
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(DAMAGED) from error


def is_same_read(one: str, other: str) -> bool:
    """Return whether two encoded reads show the same, apart from the small changes that were tried since."""
    first, second = json.loads(one), json.loads(other)
    for record in (first, second):
        record.pop("program_version")
        record.pop("pixels", None)
        record.pop("card", None)
        record["reading"].pop("under_changes")
        record["reading"].pop("distance", None)
    return bool(first == second)


@lru_cache(maxsize=1)
def _adapters() -> dict[str, TypeAdapter[Any]]:
    """Return what converts each field of a reading but the array; built once, which takes some milliseconds."""
    hints = get_type_hints(Reading)
    return {entry.name: TypeAdapter(hints[entry.name]) for entry in fields(Reading) if entry.name != "class_maps"}
