"""The audit trail: one line an event, appended, never rewritten, each sealed and carrying the seal of the one before.

A line says who did what when, and to what: images by the SHA-256 of their bytes, a model by that of its weights, a
run by its id. It holds no file name, no free text and nothing else of a patient. :mod:`.audit_chain` has the seals,
:mod:`.audit_verification` tells whether all lines are there as they were written.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from ..errors import AuditUnwritable, CxrError
from ..private_files import open_private, private_folder
from ..settings import settings
from .actors import OPERATING_SYSTEM, system_user
from .audit_chain import append, held, trail_key
from .visitor import LOCAL, Visitor

__all__ = ["Event", "What", "note", "path", "problem", "read", "record"]

What = Literal[
    "sign-in", "refusal", "sign-out", "override", "export", "evaluation", "training", "model-import", "model-change",
    "serving", "backup", "restore", "rebuild",
]  # fmt: skip

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One line of the trail.

    Attributes:
        when: UTC, ISO 8601 with milliseconds and Z.
        who: the provider's subject; in single-user mode and of a command the operating system's user; or ``server``.
        issuer: whose name that is, :data:`.actors.OPERATING_SYSTEM` or the provider; empty for ``server``.
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
    local = who == LOCAL
    subject, issuer = (system_user(), OPERATING_SYSTEM) if local else (who.subject, who.issuer)
    event = Event(when, subject, issuer, role, what, detail, tuple(films), model, run)
    try:
        append(path(), asdict(event))
    except (OSError, CxrError) as error:
        raise _unwritable(error) from error


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
        with held():
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
    events, broken, names = [], 0, [field.name for field in fields(Event)]
    try:
        # lines end where the chain's lines do: a carriage return within one makes no line of its own
        with suppress(FileNotFoundError), path().open(encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in filter(str.strip, lines):
                try:
                    told = json.loads(line)
                    event = Event(**{name: told[name] for name in names} | {"films": tuple(told["films"])})
                    later = event.when >= since
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    broken += 1
                else:
                    events += [event] if later else []
    except OSError as error:
        raise AuditUnwritable(
            "The audit trail cannot be read. Check SECOND_READ_AUDIT and the file's owner."
        ) from error
    return events, broken


def _unwritable(error: Exception) -> AuditUnwritable:
    # of a key that was changed, its own words say what to do
    do = str(error) if isinstance(error, CxrError) else "Make room, or check SECOND_READ_AUDIT and SECOND_READ_RUNS."
    return AuditUnwritable(f"The audit trail cannot be written, and this must stand in it. {do}")
