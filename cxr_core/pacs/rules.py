"""Which studies of a PACS are read, with which model, and where their results go.

``SECOND_READ_PACS_RULES`` names a TOML file of destinations and rules; docs/deployment-pacs.md explains it. Without
one, images of CR and DX are read with the model of the settings, and a structured report and Secondary Capture images
go to ``SECOND_READ_PACS``.

Whether an image is a frontal chest radiograph that can be read is for the gate to say: what it refuses has no results.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..errors import WrongArguments
from ..model import read_card
from ..model.folder import find_model
from ..settings import settings
from ..store.pacs_records import InstanceHeader, JobOrder
from .addresses import WebAddress, parse_address
from .destinations import Destination, ReadBack

__all__ = ["Delivery", "Kind", "Plan", "Rule", "Rules", "load_rules"]

Kind = Literal["sr", "sc", "pdf", "gsps", "seg"]
"""A key of :data:`cxr_core.report.dicom.objects.KINDS`, which highdicom is imported for."""

READABLE = ("1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.7")
"""Computed Radiography, Digital X-Ray for presentation, Secondary Capture. No other object is read: one for processing
is of an exposure that is there for presentation too."""

_DEFAULT_DESTINATION = "pacs"
_AE = "AE "


def _strings(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_Codes = Annotated[tuple[str, ...], BeforeValidator(_strings)]
"""One text or several; none is any."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Delivery(_Table):
    """Results of a rule that go to one destination.

    Attributes:
        to: name of the destination.
        kinds: of results.
        only: ``flagged`` leaves out readings without a finding above its operating point.
    """

    to: str
    kinds: tuple[Kind, ...] = Field(default=("sr", "sc"), min_length=1)
    only: Literal["all", "flagged"] = "all"


class Plan(_Table):
    """How an image is read and what becomes of it, apart from model and operating point.

    Attributes:
        prevalence: assumed, for all labels or by label, or None.
        small_changes: whether the image is read under small changes as well, which takes some seven times as long.
        results: where they go; nowhere where there are none.
    """

    prevalence: float | dict[str, float] | None = None
    small_changes: bool = False
    results: tuple[Delivery, ...] = ()


class Rule(Plan):
    """Which images are read in one way. An attribute without values holds for any value; capitals do not matter.

    Attributes:
        modality, body_part, station: of the image; the empty text stands for images that do not state it.
        calling_ae: titles of the entities that the image comes from.
        model: id of the model; None for that of the settings.
        operating_point: of the model.
    """

    modality: _Codes = ("CR", "DX")
    body_part: _Codes = ()
    station: _Codes = ()
    calling_ae: _Codes = ()
    model: str | None = None
    operating_point: str = "default"

    def matches(self, image: InstanceHeader, source: str) -> bool:
        """Return whether the rule holds for an image from a source, as :class:`.StoredInstance` states it."""
        calling = source.removeprefix(_AE) if source.startswith(_AE) else None
        return image.sop_class in READABLE and all(
            not values or (value is not None and value.casefold() in map(str.casefold, values))
            for value, values in (
                (image.modality, self.modality),
                (image.body_part, self.body_part),
                (image.station_name, self.station),
                (calling, self.calling_ae),
            )
        )

    def order(self) -> JobOrder:
        """Return the order of a job; raises ModelUnusable and WrongArguments for a model that cannot read so."""
        card = read_card(find_model(self.model or settings().model) / "card.json")
        card.operating_point(self.operating_point)
        plan = Plan(prevalence=self.prevalence, small_changes=self.small_changes, results=self.results)
        text = json.dumps(plan.model_dump(mode="json"), sort_keys=True)
        content = hashlib.sha256(text.encode()).hexdigest()
        return JobOrder(card.id, card.weights_sha256, self.operating_point, content, text)


@dataclass(frozen=True)
class Rules:
    """The rules and the destinations that they name.

    Attributes:
        rules: the first that matches an image holds for it.
        destinations: by name.
    """

    rules: tuple[Rule, ...]
    destinations: Mapping[str, Destination]

    def matching(self, image: InstanceHeader, source: str) -> Rule | None:
        """Return the rule of an image, or None where it is not to be read."""
        return next((rule for rule in self.rules if rule.matches(image, source)), None)


class _Destination(_Table):
    address: str
    credentials_file: Path | None = None
    read_back: ReadBack = "retrieve"


class _File(_Table):
    destinations: dict[str, _Destination] = {}
    rules: tuple[Rule, ...] = Field(min_length=1)


def load_rules() -> Rules:
    """Return the rules of the settings.

    Raises WrongArguments where the file cannot be used, no PACS is set, or a model cannot read as a rule says.
    """
    given = settings()
    own = {}
    if given.pacs:
        address = parse_address(given.pacs)
        own[_DEFAULT_DESTINATION] = Destination(_DEFAULT_DESTINATION, address, given.pacs_credentials)
    if given.pacs_rules is None:
        if not own:
            raise WrongArguments("No PACS is set: set SECOND_READ_PACS, or SECOND_READ_PACS_RULES.")
        rules = Rules((Rule(results=(Delivery(to=_DEFAULT_DESTINATION),)),), own)
    else:
        file = _read(given.pacs_rules)
        others = {name: _destination(name, table) for name, table in file.destinations.items()}
        rules = Rules(file.rules, own | others)
    for rule in rules.rules:
        for delivery in rule.results:
            if delivery.to not in rules.destinations:
                known = ", ".join(rules.destinations) or "none"
                raise WrongArguments(f"The rules name the destination {delivery.to!r}; there are: {known}.")
        rule.order()
    return rules


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise WrongArguments(f"SECOND_READ_PACS_RULES: {path} cannot be read.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongArguments(f"SECOND_READ_PACS_RULES: {path} is no TOML file: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WrongArguments(f"SECOND_READ_PACS_RULES: {path}, {where}: {first['msg']}.") from error


def _destination(name: str, table: _Destination) -> Destination:
    credentials = None
    if table.credentials_file is not None:
        try:
            credentials = table.credentials_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongArguments(f"Destination {name}: the file of its credentials cannot be read.") from error
    address = parse_address(table.address)
    if credentials is not None and not isinstance(address, WebAddress):
        raise WrongArguments(f"Destination {name}: credentials are for DICOMweb; DIMSE has none.")
    if isinstance(address, WebAddress) and table.read_back == "find":
        raise WrongArguments(f'Destination {name}: read_back = "find" is for DIMSE.')
    return Destination(name, address, credentials, table.read_back)
