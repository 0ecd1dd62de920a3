"""Made-up instances as a modality sends them, each small and with UIDs of its own, for tests of the DICOM network."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.report.dicom.identification import MANUFACTURER, SERIES
from cxr_core.store.pacs_records import BuiltResult, JobOrder

CR, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"


def uid(number: int, kind: str = "9") -> str:
    """The UID of an instance (9), a series (8) or a study (7)."""
    return f"1.2.826.0.1.3680043.8.498.{kind}.{number}"


@cache
def _pixels(seed: int):
    return phantom(64, 56, seed=seed, text=False)


def received(number: int, seed: int = 0, **elements: object) -> bytes:
    """The file of an instance; with another seed, other pixels under the same UIDs."""
    stated = {
        "SOPInstanceUID": uid(number), "SeriesInstanceUID": uid(number, "8"), "StudyInstanceUID": uid(number, "7"),
        "Manufacturer": "Phantom", "StationName": "ROOM 3",
    }  # fmt: skip
    return phantom_dicom(values=_pixels(seed), **stated | elements)


def result_of_ours(number: int) -> bytes:
    """The file of a Secondary Capture of ours, as a PACS returns it."""
    series = {"Manufacturer": MANUFACTURER, "SeriesNumber": SERIES["sc"].number, "SOPClassUID": SECONDARY_CAPTURE}
    return received(number, **series)


def order(content: str = "c" * 64, operating_point: str = "default") -> JobOrder:
    """How an instance is read, in one of several ways."""
    return JobOrder("second-read-mini", "ab" * 32, operating_point, content, '{"rule": "all"}')


SENT_SERIES = "1.2.826.0.1.3680043.8.498.4.1"
"""Of the results of :func:`built`."""


def built(name: str = "sr", destination: str = "archive", data: bytes = b"a report") -> BuiltResult:
    """A result object."""
    return BuiltResult(name, destination, "1.2.840.10008.5.1.4.1.1.88.34", SENT_SERIES, uid(len(name), "6"), data)


def dcmtk(name: str) -> str | None:
    """The path of a program of DCMTK; pynetdicom installs others of the same names beside Python."""
    beside = Path(sys.executable).parent
    folders = [one for one in os.environ.get("PATH", "").split(os.pathsep) if one and Path(one) != beside]
    return shutil.which(name, path=os.pathsep.join(folders))
