"""Members of a backup: the files that the program stores, and where each is restored to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..access import audit
from ..access.audit_chain import HEAD, KEY
from ..access.audit_verification import trail_files
from ..model.folder import list_models
from ..settings import model_roots, settings
from .card_files import cards_folder
from .database import DATABASE, sqlite_file
from .image_files import studies_folder
from .runs import PREDICTIONS, RECORD

__all__ = [
    "DATABASE_MEMBER",
    "STUDIES",
    "TRAIL_MEMBER",
    "audit_files",
    "database_url",
    "place_of",
    "stored_files",
]

DATABASE_MEMBER = "database.sqlite"
TRAIL_MEMBER = "audit/trail.jsonl"
PATIENTS_KEY = "patients.key"

STUDIES = "studies"
_AUDIT, _ROTATED, _RUNS, _MODELS, _CARDS = "audit", "audit/rotated", "runs", "models", "cards"
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]|[. ]$')


def database_url() -> str:
    """Return the address of the database of the store of runs."""
    return settings().database_url or f"sqlite:///{settings().runs / DATABASE}"


def stored_files() -> Iterator[tuple[str, Path]]:
    """Yield (name in a backup, file) of runs, stored studies, cards of their reads, and models."""
    yield from run_files()
    yield from study_files()
    yield from card_files()
    yield from model_files()


def run_files() -> Iterator[tuple[str, Path]]:
    """Yield (name in a backup, file) of each complete run, and of the key of the digests."""
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


def study_files() -> Iterator[tuple[str, Path]]:
    """Yield (name in a backup, file) of each image of a stored study, encrypted where it is stored so."""
    for path in sorted(studies_folder().glob("*/*")):
        if not path.name.startswith("."):
            yield f"{STUDIES}/{path.parent.name}/{path.name}", path


def card_files() -> Iterator[tuple[str, Path]]:
    """Yield (name in a backup, file) of each card that a stored read was made with."""
    for path in sorted(cards_folder().glob("*.json")):
        yield f"{_CARDS}/{path.name}", path


def place_of(member: str) -> Path | None:
    """Return where a member of a backup is restored to, or None where this program stores no such file.

    The database has no place where it is on a server.
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
    if group == _CARDS and len(rest) == 1:
        return cards_folder() / rest[0]
    if group == STUDIES and len(rest) == 2:
        return studies_folder().joinpath(*rest)
    if group == _MODELS and len(rest) >= 2:
        folder_of_model = next(
            (folder for folder in list_models() if folder.name == rest[0]), model_roots()[0] / rest[0]
        )
        return folder_of_model.joinpath(*rest[1:])
    return None


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"{name}/{path.relative_to(folder).as_posix()}", path
