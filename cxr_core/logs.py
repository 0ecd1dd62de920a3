"""Logs of a process that runs until it is stopped: text, or one JSON object per line (``SECOND_READ_LOG_FORMAT``).

A request has an id, made here, which is in every line that is written while it is answered, while an image is read that
came with it, and while a page runs whose tab it has connected. An id that a proxy or client has given is beside it in
the lines that are written while the request is answered, and nowhere else. A line has no value of an exception: its
type and the places in the code are logged, and not its message, which may quote a file.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from .formatting import shown_name
from .settings import settings

__all__ = [
    "ProcessRole",
    "configure_logs",
    "new_request_id",
    "request_id",
    "take_request_ids_from",
    "within_request",
]

ProcessRole = Literal["app", "receiver", "worker"]

_ID = re.compile(r"[0-9a-f]{32}")
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FRAMES = 20

_current: ContextVar[str] = ContextVar("request_id", default="")
_given: ContextVar[str] = ContextVar("client_request_id", default="")


_of_thread: Callable[[], str] = str
"""Finds the id of a request where the context has none."""


def request_id() -> str:
    """Return the id of the request that is answered in this context; empty outside of one."""
    identifier = _current.get() or _of_thread()
    return identifier if _ID.fullmatch(identifier) else ""


def take_request_ids_from(find: Callable[[], str]) -> None:
    """Ask a function for the id of the request where the context has none, as in a thread that another one started."""
    global _of_thread
    _of_thread = find


def new_request_id() -> str:
    """Return a new id: 32 random hexadecimal digits."""
    return secrets.token_hex(16)


@contextmanager
def within_request(identifier: str, given: str = "") -> Iterator[None]:
    """Give the lines that are logged within the block, in this context, the id of a request.

    Args:
        identifier: of :func:`new_request_id`.
        given: id that a proxy or client has given. It is logged where it is 1 to 64 letters, digits, ``.``, ``_`` and
            ``-`` of ASCII.
    """
    tokens = _current.set(identifier), _given.set(given if _GIVEN.fullmatch(given) else "")
    try:
        yield
    finally:
        _current.reset(tokens[0])
        _given.reset(tokens[1])


def _ids() -> dict[str, str]:
    """Return the ids of the request that is answered in this context, as a line has them."""
    ids = {"request_id": request_id(), "client_request_id": _given.get()}
    return {name: identifier for name, identifier in ids.items() if identifier}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, role, event, logger, and what else is known.

    Args:
        role: of the process.
    """

    def __init__(self, role: ProcessRole) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "role": self._role,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= _ids()
        if isinstance(fields := getattr(record, "fields", None), dict):
            line |= fields
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["at"] = _places(record)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """Formats a record as time, level and text, with the ids of its request, and an exception without its message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and those of an exception."""
        text = f"{self.formatTime(record)} {record.levelname} {record.getMessage()}"
        fields = _ids() | (getattr(record, "fields", None) or {})
        # one line, whatever a library has put into it
        text = shown_name(text + "".join(f" {name}={value}" for name, value in fields.items()))
        if record.exc_info and record.exc_info[0] is not None:
            text += "".join(f"\n  {place}" for place in [record.exc_info[0].__name__, *_places(record)])
        return text


def _places(record: logging.LogRecord) -> list[str]:
    """Return where an exception came from, innermost last: module and line, nothing of what was computed there."""
    frames = traceback.extract_tb(record.exc_info[2]) if record.exc_info else []
    return [f"{one.filename.rpartition('site-packages/')[2]}:{one.lineno} {one.name}" for one in frames[-_FRAMES:]]


def configure_logs(role: ProcessRole) -> None:
    """Write all logs of this process to stderr, in the format of the settings; lines of our own from INFO on.

    Libraries that have configured loggers before, such as uvicorn and Streamlit, write by way of the root logger too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(role) if settings().log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(__package__).setLevel(logging.INFO)
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and (logger.handlers or not logger.propagate):
            logger.handlers.clear()
            logger.propagate = True
    logging.captureWarnings(True)
