"""What the program keeps, in one list: what a backup holds, and where each file of it belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..access import audit
from ..access.audit_chain import HEAD, KEY
from ..access.audit_verification import trail_files
from ..model.folder import list_models
from ..settings import settings
from .database import DATABASE, sqlite_file
from .runs import PREDICTIONS, RECORD

__all__ = ["DATABASE_MEMBER", "TRAIL_MEMBER", "audit_files", "database_url", "model_files", "place_of", "run_files"]

DATABASE_MEMBER = "database.sqlite"
TRAIL_MEMBER = "audit/trail.jsonl"
PATIENTS_KEY = "patients.key"

_AUDIT, _ROTATED, _RUNS, _MODELS = "audit", "audit/rotated", "runs", "models"
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]|[. ]$')


def database_url() -> str:
    """Return the address of the database of the store of runs."""
    return settings().database_url or f"sqlite:///{settings().runs / DATABASE}"


def run_files() -> Iterator[tuple[str, Path]]:
    """Yield (name in a backup, file) of each whole run, and of the key of the digests."""
    for record in sorted(settings().runs.glob(f"*/{RECORD}")):
        if (record.parent / PREDICTIONS).is_file():
            yield from _below(record.parent, f"{_RUNS}/{record.parent.name}")
    if (settings().runs / PATIENTS_KEY).is_file():
        yield f"{_RUNS}/{PATIENTS_KEY}", settings().runs / PATIENTS_KEY


def audit_files() -> Iterator[tuple[str, Path]]:
    """Yield (name in a backup, file) of the audit trail, its rotated files, key and head."""
    for file in trail_files():
        yield (TRAIL_MEMBER if file == audit.path() else f"{_ROTATED}/{file.name}"), file
    for name in (KEY, HEAD):
        if (settings().runs / name).is_file():
            yield f"{_AUDIT}/{name}", settings().runs / name


def model_files() -> Iterator[tuple[str, Path]]:
    """Yield (name in a backup, file) of each model folder: imported, trained, and those that came with the program."""
    for folder in list_models():
        yield from _below(folder, f"{_MODELS}/{folder.name}")


def place_of(member: str) -> Path | None:
    """Return where a member of a backup belongs now, or None where this program keeps no such file.

    The database has no place where it lies on a server.
    """
    path = PurePosixPath(member)
    if path.is_absolute() or str(path) != member or any(_UNSAFE.search(part) for part in path.parts):
        return None
    group, rest = path.parts[0], path.parts[1:]
    if member == DATABASE_MEMBER:
        return sqlite_file(database_url())
    if member == TRAIL_MEMBER:
        return audit.path()
    if group == _AUDIT and rest in ((KEY,), (HEAD,)):
        return settings().runs / rest[0]
    if group == _AUDIT and len(rest) == 2 and rest[0] == "rotated":
        return audit.path().parent / rest[1]
    if group == _RUNS and (rest == (PATIENTS_KEY,) or len(rest) >= 2):
        return settings().runs.joinpath(*rest)
    if group == _MODELS and len(rest) >= 2:
        return settings().home.joinpath(*rest)
    return None


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"{name}/{path.relative_to(folder).as_posix()}", path
