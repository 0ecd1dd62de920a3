"""Members of a backup: the files that the program stores, and where each is restored to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from io import BufferedReader
from pathlib import Path, PurePosixPath

from ..access import audit
from ..access.audit_chain import HEAD, KEY
from ..access.audit_verification import trail_files
from ..model.folder import CARD, SUMS, list_models
from ..model.precision import int8_home
from ..settings import model_roots, settings
from .card_files import cards_folder
from .database import DATABASE, sqlite_file
from .file_groups import FileGroup, files_below
from .image_files import image_path, studies_folder
from .runs import LOCALISATION, PREDICTIONS, RECORD, is_run_folder

__all__ = [
    "DATABASE_MEMBER",
    "STUDIES",
    "TRAIL_MEMBER",
    "audit_group",
    "database_url",
    "place_of",
    "stored_groups",
]

DATABASE_MEMBER = "database.sqlite"
TRAIL_MEMBER = "audit/trail.jsonl"
PATIENTS_KEY = "patients.key"

STUDIES = "studies"
_AUDIT, _ROTATED, _RUNS, _MODELS, _INT8, _CARDS = "audit", "audit/rotated", "runs", "models", "int8", "cards"
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]|[. ]$')


def database_url() -> str:
    """Return the address of the database of the store of runs."""
    return settings().database_url or f"sqlite:///{settings().runs / DATABASE}"


def stored_groups(images: Collection[tuple[str, str]]) -> Iterator[FileGroup]:
    """Yield the files of each run, stored image, card of reads, and model.

    Args:
        images: (study, digest) of the images that the database has.
    """
    yield from run_groups()
    yield _single(f"{_RUNS}/{PATIENTS_KEY}", settings().runs / PATIENTS_KEY)
    for study, digest in sorted(images):
        yield _single(f"{STUDIES}/{study}/{digest}", image_path(study, digest))
    for path in files_below(cards_folder()):
        yield _single(f"{_CARDS}/{path.name}", path)
    yield from model_groups()


def run_groups() -> Iterator[FileGroup]:
    """Yield the files of each complete run. One that is being written has another folder until it is complete."""
    for record in sorted(settings().runs.glob(f"*/{RECORD}")):
        if is_run_folder(record.parent):
            name = f"{_RUNS}/{record.parent.name}"
            yield FileGroup(name, partial(_folder, record.parent, name, is_run_folder), _is_whole_run)


def model_groups() -> Iterator[FileGroup]:
    """Yield the files of each model folder: imported, trained, and those that came with the program.

    The INT8 graphs of the latter have folders of their own.
    """
    int8 = [card.parent for card in sorted(int8_home().glob(f"*/{CARD}"))]
    for group, folder in [*((_MODELS, folder) for folder in list_models()), *((_INT8, folder) for folder in int8)]:
        name = f"{group}/{folder.name}"
        yield FileGroup(name, partial(_folder, folder, name, _is_model_folder), _is_whole_model)


def audit_group() -> FileGroup:
    """Return the files of the audit trail, its rotated files, key and head."""
    return FileGroup(_AUDIT, _audit_files)


def _audit_files() -> list[tuple[str, Path]]:
    files = [(TRAIL_MEMBER if file == audit.path() else f"{_ROTATED}/{file.name}", file) for file in trail_files()]
    sealing = [(f"{_AUDIT}/{name}", settings().runs / name) for name in (KEY, HEAD)]
    return [*files, *((name, path) for name, path in sealing if path.is_file())]


def _single(name: str, path: Path) -> FileGroup:
    return FileGroup(name, lambda: [(name, path)] if path.is_file() else [])


def _folder(folder: Path, name: str, is_complete: Callable[[Path], bool]) -> list[tuple[str, Path]]:
    """Return the files of a folder; none where it is not complete any more, since somebody is removing it."""
    files = [(f"{name}/{path.relative_to(folder).as_posix()}", path) for path in files_below(folder)]
    return files if is_complete(folder) else []


def _is_model_folder(folder: Path) -> bool:
    """Return whether a folder has a model's card."""
    return (folder / CARD).is_file()


def _is_whole_run(files: Mapping[str, BufferedReader]) -> bool:
    """Return whether all files are there that the run's record names."""
    by_name = {PurePosixPath(name).name: file for name, file in files.items()}
    if not files:
        return True
    try:
        record = json.load(by_name[RECORD])
        return PREDICTIONS in by_name and (LOCALISATION in by_name or not record.get("localisation_sha256"))
    except (KeyError, ValueError, AttributeError, RecursionError):
        return False


def _is_whole_model(files: Mapping[str, BufferedReader]) -> bool:
    """Return whether all files are those that the model's ``SHA256SUMS`` names."""
    by_name = {"/".join(PurePosixPath(name).parts[2:]): file for name, file in files.items()}
    if not files:
        return True
    try:
        sums = [line.split("  ", 1) for line in by_name[SUMS].read().decode().splitlines()]
        # one that is empty names no file, not even the card
        return bool(sums) and all(
            hashlib.file_digest(by_name[name], "sha256").hexdigest() == digest for digest, name in sums
        )
    except (KeyError, ValueError):
        return False


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
    if group == _INT8 and len(rest) == 2:
        return int8_home().joinpath(*rest)
    if group == _MODELS and len(rest) >= 2:
        folder_of_model = next(
            (folder for folder in list_models() if folder.name == rest[0]), model_roots()[0] / rest[0]
        )
        return folder_of_model.joinpath(*rest[1:])
    return None
