"""The audit trail: one line per event, appended, never rewritten, each sealed and carrying the seal of the one before.

A line states user, time and event, and the objects concerned: images by the SHA-256 of their bytes, a model by that of
its weights, a run by its id. What came through a request has the id that the server has made for it, as the log has
(:mod:`cxr_core.logs`). It holds no file name, no free text and no other patient data. :mod:`.audit_chain` makes the
seals, :mod:`.audit_verification` checks that all lines are present and unchanged.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from ..errors import AuditUnwritable, CxrError
from ..files import open_private, private_folder
from ..logs import request_id
from ..settings import settings
from .audit_chain import append, trail_key, trail_lock
from .visitor import LOCAL, OPERATING_SYSTEM, Visitor, system_user

__all__ = ["Event", "What", "newest_first", "note", "path", "problem", "read", "record"]

What = Literal[
    "sign-in", "refusal", "sign-out", "override", "export", "evaluation", "training", "model-import", "model-change",
    "serving", "backup", "restore", "rebuild", "deletion", "retrieval", "pacs-change",
    "reception",
]  # fmt: skip

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One line of the trail.

    Attributes:
        when: UTC, ISO 8601 with milliseconds and Z.
        who: the provider's subject; in single-user mode and for commands the operating system's user; or ``server``.
        issuer: of that name, :data:`.visitor.OPERATING_SYSTEM` or the provider; empty for ``server``.
        role: of the user, or empty.
        what: the kind of event.
        detail: a fixed text of the program, such as ``findings-csv`` or a page's name.
        images: SHA-256 of the bytes of the images concerned.
        model: SHA-256 of the weights of the model concerned, or empty.
        run: id of the run concerned, or empty.
        request_id: of the request by which it came, or empty; a line without one has no such key.
    """

    when: str
    who: str
    issuer: str
    role: str
    what: What
    detail: str = ""
    images: tuple[str, ...] = ()
    model: str = ""
    run: str = ""
    request_id: str = ""


def path() -> Path:
    """Return the file of the trail: the setting ``audit``, by default beside the runs."""
    return settings().audit or settings().runs / "audit.jsonl"


def record(
    who: Visitor, what: What, detail: str = "", *, images: Iterable[str] = (), model: str = "", run: str = ""
) -> None:
    """Append an event; it is on the disk when this returns.

    For actions that must not happen without their event: call it before the action.

    Raises AuditUnwritable.
    """
    if what not in get_args(What):
        raise ValueError(what)
    when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    role = "" if who.role is None else str(who.role)
    subject, issuer = (system_user(), OPERATING_SYSTEM) if who == LOCAL else (who.subject, who.issuer)
    event = asdict(Event(when, subject, issuer, role, what, detail, tuple(images), model, run, request_id()))
    if not event["request_id"]:
        del event["request_id"]
    try:
        append(path(), event)
    except (OSError, CxrError) as error:
        raise _unwritable(error) from error


def note(
    who: Visitor, what: What, detail: str = "", *, images: Iterable[str] = (), model: str = "", run: str = ""
) -> bool:
    """Append an event where that is possible, else log a warning; return whether it was written.

    For a reader's work, which must not be lost to a full disk.
    """
    try:
        record(who, what, detail, images=images, model=model, run=run)
    except AuditUnwritable as error:
        _LOG.warning("An event (%s) is missing in the audit trail. %s", what, error)
        return False
    return True


def problem() -> AuditUnwritable | None:
    """Return why the trail cannot be written now, or None."""
    try:
        with trail_lock():
            trail_key()
            private_folder(path().parent)
            os.close(open_private(path(), os.O_RDWR | os.O_APPEND))
    except (OSError, CxrError) as error:
        return _unwritable(error)
    return None


def read(since: str = "") -> tuple[list[Event], int]:
    """Return the events in the order of the file, and how many lines could not be read.

    Args:
        since: the beginning of an ISO 8601 time in UTC, such as ``2026-11-24``; earlier events are left out.

    Raises AuditUnwritable where the file is there and cannot be read.
    """
    events, broken = [], 0
    try:
        # lines end where the chain's lines do: a carriage return within one makes no line of its own
        with suppress(FileNotFoundError), path().open(encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in filter(str.strip, lines):
                event = _event_of(line)
                if event is None:
                    broken += 1
                elif event.when >= since:
                    events.append(event)
    except OSError as error:
        raise _unreadable() from error
    return events, broken


def newest_first() -> Iterator[Event]:
    """Yield the events from the newest on, as they are asked for; lines that could not be read are left out.

    Only so much of the file is read as the events take that are asked for. What is appended meanwhile is left out.

    Raises AuditUnwritable where the file is there and cannot be read.
    """
    try:
        with suppress(FileNotFoundError), path().open("rb") as file:
            end, rest = file.seek(0, os.SEEK_END), b""
            while end:
                start = max(0, end - _BLOCK)
                file.seek(start)
                first, *lines = (file.read(end - start) + rest).split(b"\n")
                yield from filter(None, (_event_of(line.decode(errors="replace")) for line in reversed(lines)))
                end, rest = start, first
            yield from filter(None, [_event_of(rest.decode(errors="replace"))])
    except OSError as error:
        raise _unreadable() from error


_BLOCK = 1 << 16


def _event_of(line: str) -> Event | None:
    """Return the event of a line of the trail, or None where it cannot be read."""
    try:
        entry = json.loads(line)
        if "films" in entry:  # the name of images in version 0.1.0
            entry["images"] = entry.pop("films")
        entry = {"request_id": ""} | entry | {"images": tuple(entry["images"])}
        event = Event(**{field.name: entry[field.name] for field in fields(Event)})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return event if isinstance(event.when, str) and isinstance(event.request_id, str) else None


def _unreadable() -> AuditUnwritable:
    return AuditUnwritable("The audit trail cannot be read. Check SECOND_READ_AUDIT and the file's owner.")


def _unwritable(error: Exception) -> AuditUnwritable:
    # the message about a changed key says what to do
    remedy = "Free disk space, or check SECOND_READ_AUDIT and SECOND_READ_RUNS."
    remedy = str(error) if isinstance(error, CxrError) else remedy
    return AuditUnwritable(f"The audit trail cannot be written, and this action requires an entry in it. {remedy}")
