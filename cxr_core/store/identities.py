"""Names of files and study attributes as they are stored beside an image: JSON, encrypted where a key is set."""

from __future__ import annotations

import json

from pydantic import TypeAdapter, ValidationError

from ..errors import StoreDamaged
from ..settings import settings
from ..studies import StudyHeader
from .database import DAMAGED
from .sealing import open_text, seal_text

__all__ = ["decode_identity", "encode_identity", "opened_identity", "sealed_identity"]

_HEADER = TypeAdapter(StudyHeader)


def sealed_identity(study: str, digest: str, name: str, path: str, header: StudyHeader | None) -> str | None:
    """Return what is stored of name, path and study attributes of an image; None unless identity is stored."""
    if settings().identity != "store":
        return None
    return seal_text(encode_identity(name, path, header), _purpose(study, digest))


def opened_identity(study: str, digest: str, identity: str | None) -> tuple[str, str, StudyHeader | None]:
    """Return name, path and study attributes of an image as they are stored.

    They are empty where they are not stored, and where the setting ``identity`` is ``off`` by now.
    """
    if identity is None or settings().identity == "off":
        return "", "", None
    return decode_identity(open_text(identity, _purpose(study, digest)))


def encode_identity(name: str, path: str, header: StudyHeader | None) -> str:
    """Return the name of a file and its study attributes as JSON."""
    fields_of_header = None if header is None else _HEADER.dump_python(header, mode="json")
    return json.dumps({"name": name, "path": path, "header": fields_of_header}, ensure_ascii=False)


def decode_identity(text: str) -> tuple[str, str, StudyHeader | None]:
    """Return name, path and study attributes; raises StoreDamaged."""
    try:
        record = json.loads(text)
        header = None if record["header"] is None else _HEADER.validate_python(record["header"])
        return record["name"], record["path"], header
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(DAMAGED) from error


def _purpose(study: str, digest: str) -> str:
    return f"identity {study} {digest}"
