"""Checks of what the program stores and reads with: models, folders, database, audit trail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import text

from ..access import audit
from ..access.audit_verification import verify
from ..errors import CxrError
from ..imaging import phantom_png
from ..model import list_models, open_model, shared_predictor
from ..reading import read_image
from ..settings import Settings, settings
from ..store.backup_members import database_url
from ..store.database import open_database, sqlite_file, transaction
from ..store.migrations import MIGRATIONS, pending
from .configuration import PREFIX, configuration_notes
from .doctor import CheckResult
from .folders import check_writable, free_bytes

__all__ = ["check_audit_trail", "check_database", "check_folders", "check_models", "check_reading", "check_settings"]

FEW_BYTES, HARDLY_ANY_BYTES = 5 * 10**9, 2 * 10**8
_SKEW_SECONDS = 60.0
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


def check_models() -> Iterator[CheckResult]:
    """Verify every model by its ``SHA256SUMS`` and card."""
    served = settings().model
    folders = {str(path): path.name for path in list_models()}
    if served not in folders.values():
        folders[served] = served
    for place, name in folders.items():
        title = f"Model {name}" + (", which serves" if name == served else "")
        try:
            card = open_model(place).card
        except CxrError as error:
            yield CheckResult(title, "failed", str(error), "Restore its folder, or import the model again.")
        else:
            yield CheckResult(title, "ok", f"version {card.version}, all files verified by SHA256SUMS and the card")


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
    """Write to each folder of the program, and state the space that is left."""
    for name, folder in (("SECOND_READ_HOME", settings().home), ("SECOND_READ_RUNS", settings().runs)):
        check_writable(folder, name)
        made = "" if folder.is_dir() else ", made when it is first needed"
        free = free_bytes(folder)
        space = "free space unknown" if free is None else f"{free / 1e9:,.1f} GB free"
        found = f"{folder}: writable{made}, {space}"
        if free is not None and free < FEW_BYTES:
            state = "failed" if free < HARDLY_ANY_BYTES else "warning"
            yield CheckResult(name, state, found, "Free disk space.")  # type: ignore[arg-type]
        else:
            yield CheckResult(name, "ok", found)


def check_database() -> Iterator[CheckResult]:
    """Open the database as it is, and compare its migrations and its clock."""
    url = database_url()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        yield CheckResult("Database", "ok", "SQLite, made when it is first needed")
        return
    engine = open_database(url)
    try:
        with transaction(engine) as connection:
            todo = pending(connection)
            name = engine.dialect.name
            ahead = _clock_difference(connection.scalar(text("SELECT now()"))) if name == "postgresql" else 0.0
    finally:
        engine.dispose()
    found = f"{name}, {len(MIGRATIONS) - len(todo)} of {len(MIGRATIONS)} migrations"
    if todo:
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
