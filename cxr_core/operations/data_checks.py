"""Checks of what the program stores and reads with: settings, models, folders, database, audit trail, queue."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import text

from ..access import audit
from ..access.audit_verification import verify
from ..errors import CxrError
from ..imaging import phantom_png
from ..model import ModelCard, list_models, shared_predictor
from ..reading import read_image
from ..reading_queue import FairQueue, shared_queue
from ..settings import Settings, settings
from ..store.backup_members import database_url
from ..store.database import open_database, sqlite_file, transaction
from ..store.migrations import MIGRATIONS, pending
from .configuration import PREFIX, configuration_notes
from .doctor import CheckResult
from .folders import check_writable, free_bytes
from .model_verification import model_verification

__all__ = [
    "check_audit_trail",
    "check_database",
    "check_folders",
    "check_other_models",
    "check_queue",
    "check_reading",
    "check_serving_model",
    "check_settings",
    "check_space",
    "stuck_seconds",
]

FEW_BYTES, HARDLY_ANY_BYTES = 5 * 10**9, 2 * 10**8
_SKEW_SECONDS = 60.0
_CONNECT_SECONDS = 5
"""After which a database that gives no answer has failed: a process makes the check as it starts."""
_MARGIN_SECONDS = 10.0
_PEOPLE = ("readers", "reviewers", "admins")


def check_settings() -> Iterator[CheckResult]:
    """List what is set, without secrets and names of persons, and what is wrong with it."""
    given = settings()
    for name in sorted(given.model_fields_set):
        yield CheckResult(f"{PREFIX}{name.upper()}", "ok", _shown(given, name))
    if not given.model_fields_set:
        yield CheckResult("Settings", "ok", "all are the defaults")
    for line in configuration_notes():
        yield CheckResult("Settings", "warning", line, "Correct the settings, and restart.")


def _shown(given: Settings, name: str) -> str:
    value = getattr(given, name)
    if Settings.model_fields[name].repr is False:
        return "set, not shown" if value else "empty"
    if name in _PEOPLE:
        return f"{len(value)} persons"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def check_serving_model() -> Iterator[CheckResult]:
    """Verify the model that serves by its ``SHA256SUMS`` and card; files that nobody touched are not hashed again."""
    yield _verified(f"Model {settings().model}, which serves", model_verification())


def check_other_models() -> Iterator[CheckResult]:
    """Verify every other model."""
    for path in list_models():
        if path.name != settings().model:
            yield _verified(f"Model {path.name}", partial(model_verification(), str(path)))


def _verified(title: str, verify: Callable[[], ModelCard]) -> CheckResult:
    try:
        card = verify()
    except CxrError as error:
        return CheckResult(title, "failed", str(error), "Restore its folder, or import the model again.")
    return CheckResult(title, "ok", f"version {card.version}, all files verified by SHA256SUMS and the card")


def check_reading() -> Iterator[CheckResult]:
    """Read the phantom with the model and the engine of the settings."""
    given = settings()
    start = time.perf_counter()
    predictor = shared_predictor(given.model, given.engine)
    loaded = time.perf_counter()
    _, reading = read_image(phantom_png(), predictor)
    text = f"model loaded in {loaded - start:.1f} s, an image read in {time.perf_counter() - loaded:.1f} s"
    if reading.findings:
        yield CheckResult(f"Reading with {given.engine}", "ok", text)
    else:
        yield CheckResult(f"Reading with {given.engine}", "failed", "the phantom was refused", "Please report it.")


def check_folders() -> Iterator[CheckResult]:
    """Write to each folder of the program."""
    for name, folder in _folders():
        try:
            check_writable(folder, name)
        except CxrError as error:
            text, _, action = str(error).partition(". ")
            yield CheckResult(name, "failed", text, action)
        else:
            made = "" if folder.is_dir() else ", made when it is first needed"
            yield CheckResult(name, "ok", f"{folder}: writable{made}")


def check_space() -> Iterator[CheckResult]:
    """State the space that is left for each folder of the program."""
    for name, folder in _folders():
        title, free = f"Space for {name}", free_bytes(folder)
        if free is None:
            yield CheckResult(title, "ok", "unknown")
            continue
        found = f"{name}: {free / 1e9:,.1f} GB free"
        if free >= FEW_BYTES:
            yield CheckResult(title, "ok", found)
        else:
            yield CheckResult(title, "failed" if free < HARDLY_ANY_BYTES else "warning", found, "Free disk space.")


def _folders() -> tuple[tuple[str, Path], ...]:
    return ("SECOND_READ_HOME", settings().home), ("SECOND_READ_RUNS", settings().runs)


def check_database() -> Iterator[CheckResult]:
    """Open the database as it is, and compare its migrations and its clock; failed where it is newer than the program.

    A file of SQLite that is not there yet is made when it is first needed, and not by this check.
    """
    url = database_url()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        yield CheckResult("Database", "ok", "SQLite, made when it is first needed")
        return
    engine = open_database(url, _CONNECT_SECONDS)
    try:
        with transaction(engine) as connection:
            todo = pending(connection)
            name = engine.dialect.name
            ahead = _clock_difference(connection.scalar(text("SELECT now()"))) if name == "postgresql" else 0.0
    finally:
        engine.dispose()
    found = f"{name}, {len(MIGRATIONS) - len(todo)} of {len(MIGRATIONS)} migrations"
    # asked of the system: a file opened and closed here would end the locks that this process has on it
    if file is not None and not os.access(file, os.W_OK):
        action = "Give the user who runs the program write permission for it."
        yield CheckResult("Database", "failed", f"{found}; its file cannot be written", action)
    elif todo:
        yield CheckResult("Database", "warning", found, "The rest is done when the app or a command opens it.")
    else:
        yield CheckResult("Database", "ok", found)
    if abs(ahead) > _SKEW_SECONDS:
        difference = f"differs by {ahead:+.0f} s from the clock of this machine"
        yield CheckResult("Clock of the database", "warning", difference, "Set both clocks, for example by NTP.")


def _clock_difference(when: datetime) -> float:
    return when.timestamp() - time.time()


def check_audit_trail() -> Iterator[CheckResult]:
    """Check that the audit trail can be written, and that its chain is unbroken."""
    if not settings().runs.is_dir():
        yield CheckResult("Audit trail", "ok", "begins with the first event")
        return
    if problem := audit.problem():
        raise problem
    result = verify()
    events = f"{result.events:,} event{'s' * (result.events != 1)}"
    if result.problems:
        count = f"{len(result.problems):,} problem{'s' * (len(result.problems) > 1)}"
        action = "python -m cxr_core audit --verify names each."
        yield CheckResult("Audit trail", "failed", f"{events}; the chain is broken: {count}", action)
    else:
        yield CheckResult("Audit trail", "ok", f"{events}, the chain is unbroken")


def check_queue(queue: FairQueue | None = None) -> Iterator[CheckResult]:
    """Look whether images wait and none has begun or ended for longer than a read may take.

    Args:
        queue: by default that of this process.
    """
    state, limit = (shared_queue() if queue is None else queue).state(), stuck_seconds()
    if state.waiting and state.still_seconds > limit:
        found = (
            f"{state.waiting} images wait in the reading queue, the oldest for {state.oldest_seconds:.0f} s, and none "
            f"has begun or ended for {state.still_seconds:.0f} s"
        )
        yield CheckResult("Reading queue", "failed", found, "Restart the app.")
    else:
        yield CheckResult("Reading queue", "ok", f"{state.waiting} waiting, {state.at_work} being read")


def stuck_seconds() -> float:
    """Return for how long nothing may move in the reading queue: twice the time limit of a decoder, and a margin."""
    return 2 * settings().decode_seconds + _MARGIN_SECONDS
