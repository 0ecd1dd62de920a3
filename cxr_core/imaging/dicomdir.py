"""The directory of a medium (PS3.3 F, PS3.10 8): which files hold its images."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pydicom
from pydicom.uid import MediaStorageDirectoryStorage

from ..errors import InputRefused
from ..settings import settings

__all__ = ["is_directory", "is_directory_name", "listed_files", "plain_name"]

# PS3.10 8.2: up to eight of these letters; others would lead out of the medium
_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}", re.IGNORECASE)


def is_directory(head: bytes) -> bool:
    """Return whether the first kilobyte of a file is that of a DICOMDIR, whatever its name."""
    return head[128:132] == b"DICM" and MediaStorageDirectoryStorage.encode() in head


def plain_name(name: str) -> str:
    """Return a file's name as a DICOMDIR would have it: in capitals, without ``.dcm`` and the ``;1`` of ISO 9660."""
    return re.sub(r"(\.DCM)?\.?(;\d+)?$", "", name.upper())


def is_directory_name(name: str) -> bool:
    """Return whether a file on a medium is called DICOMDIR, however it is spelt."""
    return plain_name(name) == "DICOMDIR"


def listed_files(data: bytes) -> list[Path]:
    """Return the places of the images, below the folder of the directory, in its order.

    Raises:
        InputRefused: it cannot be read, lists more files than the setting ``max_files``, or a place that is
            not below it.
    """
    try:
        # only these elements are kept: a directory holds the patients' names
        ds = pydicom.dcmread(io.BytesIO(data), specific_tags=["DirectoryRecordSequence"])
        records = [
            item.ReferencedFileID
            for item in ds.DirectoryRecordSequence
            if item.get("DirectoryRecordType") == "IMAGE" and item.get("ReferencedFileID")
        ]
        places = [[str(record)] if isinstance(record, str) else [str(part) for part in record] for record in records]
    except Exception as error:
        raise InputRefused("DICOMDIR that is broken or cut short. Give the folder of the images instead.") from error
    if len(places) > settings().max_files:
        raise InputRefused(f"DICOMDIR of {len(places)} images: {settings().max_files} are accepted.")
    if not all(_COMPONENT.fullmatch(part) for place in places for part in place):
        raise InputRefused("DICOMDIR that names files outside its medium. Give the folder of the images instead.")
    return [Path(*place) for place in places]
