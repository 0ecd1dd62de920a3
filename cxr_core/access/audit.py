"""The audit trail: one line an event, appended, never rewritten.

A line says who did what when, and to what: films by the SHA-256 of their bytes, a model by that of its weights, a
run by its id. It holds no file name, no free text and nothing else of a patient.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from ..errors import AuditUnwritable
from ..settings import settings
from .visitor import Visitor

__all__ = ["Event", "What", "note", "path", "problem", "read", "record"]

What = Literal[
    "sign-in", "refusal", "sign-out", "override", "export", "evaluation", "training", "model-import", "model-change",
    "serving",
]  # fmt: skip

_MODE = 0o600
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One line of the trail.

    Attributes:
        when: UTC, ISO 8601 with milliseconds and Z.
        who: the provider's subject, ``local``, or ``server``.
        issuer: whose subject that is; empty for ``local`` and ``server``.
        role: what they had, or empty.
        what: the kind of event.
        detail: which of that kind, in the program's own words, such as ``findings-csv`` or a page's name.
        films: SHA-256 of the bytes of the films concerned.
        model: SHA-256 of the weights of the model concerned, or empty.
        run: id of the run concerned, or empty.
    """

    when: str
    who: str
    issuer: str
    role: str
    what: What
    detail: str = ""
    films: tuple[str, ...] = ()
    model: str = ""
    run: str = ""


def path() -> Path:
    """Return where the trail is kept: the setting ``audit``, by default beside the runs."""
    return settings().audit or settings().runs / "audit.jsonl"


def record(
    who: Visitor, what: What, detail: str = "", *, films: Iterable[str] = (), model: str = "", run: str = ""
) -> None:
    """Append an event; it is on the disk when this returns.

    For what must not be done unless it is in the trail: ask before doing it.

    Raises AuditUnwritable.
    """
    if what not in get_args(What):
        raise ValueError(what)
    when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    role = "" if who.role is None else str(who.role)
    event = Event(when, who.subject, who.issuer, role, what, detail, tuple(films), model, run)
    line = (json.dumps({"schema": 1} | asdict(event)) + "\n").encode()
    try:
        file = _open()
        try:
            # what a full disk cut short stays a broken line of its own
            line = b"\n" + line if _torn(file) else line
            if os.write(file, line) != len(line):
                raise OSError
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise _unwritable() from error


def note(
    who: Visitor, what: What, detail: str = "", *, films: Iterable[str] = (), model: str = "", run: str = ""
) -> bool:
    """Append an event where that is possible; else warn in the server's log, and go on.

    For a reader's work, which is not lost to a full disk. Returns whether it was written.
    """
    try:
        record(who, what, detail, films=films, model=model, run=run)
    except AuditUnwritable as error:
        _LOG.warning("An event (%s) is missing in the audit trail. %s", what, error)
        return False
    return True


def problem() -> AuditUnwritable | None:
    """Return why the trail cannot be written now, or None."""
    try:
        os.close(_open())
    except OSError:
        return _unwritable()
    return None


def read(since: str = "") -> tuple[list[Event], int]:
    """Return the events in the order of the file, and how many lines could not be read.

    Args:
        since: the beginning of an ISO 8601 time in UTC, such as ``2026-11-24``; earlier events are left out.

    Raises AuditUnwritable where the file is there and cannot be read.
    """
    events, broken = [], 0
    try:
        with suppress(FileNotFoundError), path().open(encoding="utf-8", errors="replace") as lines:
            for line in filter(str.strip, lines):
                try:
                    told = json.loads(line)
                    told.pop("schema")
                    event = Event(**told | {"films": tuple(told["films"])})
                    later = event.when >= since
                except (ValueError, KeyError, TypeError, AttributeError):
                    broken += 1
                else:
                    events += [event] if later else []
    except OSError as error:
        raise AuditUnwritable(
            "The audit trail cannot be read. Check SECOND_READ_AUDIT and the file's owner."
        ) from error
    return events, broken


def _open() -> int:
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True)
    return os.open(place, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)


def _torn(file: int) -> bool:
    if not os.fstat(file).st_size:
        return False
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1) != b"\n"


def _unwritable() -> AuditUnwritable:
    return AuditUnwritable(
        "The audit trail cannot be written, and this must stand in it. Make room, or check SECOND_READ_AUDIT."
    )
