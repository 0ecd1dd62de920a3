"""Which result an object is: what all results of a reading share, and UIDs by content.

A PACS keeps the first object of a SOP Instance UID and drops any other silently. The UIDs of a result are therefore
computed from all that it says: the same reading gives the same UIDs again, so that it is stored once, and one with
another operating point, prevalence, calibration, override or opinion gives others.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from ... import __version__
from ...imaging import Radiograph
from ...model import ModelCard
from ...model.card import card_json
from ...store.pacs_header import MANUFACTURER
from ..record import reading_record
from ..report_text import ReportImage
from .codes import coding_scheme
from .original import CHARACTER_SET

__all__ = ["MANUFACTURER", "SERIES", "ResultSource", "Series", "reference_to", "remove_creation_times"]

_NAMESPACE = uuid.UUID("6d0f6a5e-9a55-4f0e-8d0a-3c1f4ab1c7d2")

_CREATION_TIMES = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "DateOfSecondaryCapture",
    "TimeOfSecondaryCapture",
)

_LO = 64
"""Longest value of a long string."""


@dataclass(frozen=True)
class Series:
    """The series of one kind of result.

    Attributes:
        number: Series Number; with the manufacturer it says that an object is a result, and no image to be read.
        description: Series Description.
    """

    number: int
    description: str


SERIES = {
    "sr": Series(9101, "Second Read: findings (structured report)"),
    "sc": Series(9102, "Second Read: findings and heat maps"),
    "pdf": Series(9103, "Second Read: report"),
    "gsps": Series(9104, "Second Read: contours"),
    "seg": Series(9105, "Second Read: heat maps (segmentation)"),
}
"""Every kind of result."""


@dataclass(frozen=True, eq=False)
class ResultSource:
    """What the results of one reading are made from.

    Attributes:
        image: reading, radiograph and opinions; the reading has findings.
        card: of the model that read.
        original: identity and size of the file that was read, from :func:`.original.read_original`.
        when: date and time of the reading, with a time zone.
        identity: whether the report in a PDF prints patient and study; every object has them in its attributes.
    """

    image: ReportImage
    card: ModelCard
    original: Dataset
    when: datetime
    identity: bool

    @cached_property
    def content(self) -> str:
        """SHA-256 of all that a result says; neither the time nor the name of a file is part of it."""
        reading = self.image.reading
        said = {
            "program": __version__,
            "original": str(self.original.SOPInstanceUID),
            "reading": reading_record("", reading),
            "placement": None if reading.placement is None else asdict(reading.placement),
            "maps": hashlib.sha256(reading.class_maps.tobytes()).hexdigest(),
            "card": hashlib.sha256(card_json(self.card)).hexdigest(),
            "opinions": [asdict(opinion) for opinion in self.image.opinions],
            "identity": self.identity,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def uid(self, *parts: str) -> UID:
        """Return the UID of a part of the results (PS3.5 B.2: a UUID)."""
        return UID(f"2.25.{uuid.uuid5(_NAMESPACE, ' '.join((self.content, *parts))).int}")

    def displayed(self) -> Radiograph:
        """Return the image as it was displayed and read; ValueError where it is no longer in memory."""
        radiograph = self.image.radiograph()
        if radiograph is None:
            raise ValueError("the image is no longer in memory")
        return radiograph

    def attributes(self, kind: str, number: int = 1, *, dated: bool = True) -> dict[str, Any]:
        """Return highdicom's arguments that identify a result.

        Args:
            kind: a key of :data:`SERIES`.
            number: of the object in its series, from 1.
            dated: whether the object has a Content Date and Time.
        """
        series = SERIES[kind]
        dates = {"content_date": self.when.date(), "content_time": self.when.time()} if dated else {}
        return dates | {
            "series_instance_uid": self.uid(kind),
            "series_number": series.number,
            "series_description": series.description,
            "sop_instance_uid": self.uid(kind, str(number)),
            "instance_number": number,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": self.card.id[:_LO],
            "software_versions": (f"Second Read {__version__}", f"Model {self.card.version}"[:_LO]),
            "device_serial_number": self.card.weights_sha256,
            "specific_character_set": CHARACTER_SET,
            "coding_schemes": (coding_scheme(),),
        }


def reference_to(original: Dataset) -> Dataset:
    """Return the item of a sequence that refers to the file that was read."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = original.SOPClassUID, original.SOPInstanceUID
    return item


def remove_creation_times(result: Dataset) -> None:
    """Remove the optional times at which highdicom made an object, so that the same result has the same bytes."""
    for keyword in _CREATION_TIMES:
        if keyword in result:
            delattr(result, keyword)
    for equipment in result.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime
