"""A backup of everything that the program keeps, in one file, and back.

The file is a zip whose members are stored as they are, and ``manifest.json``, which names each with its size and
SHA-256. It holds keys and predictions, so it is its owner's alone wherever it is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ..access.audit_chain import held
from ..errors import PathUnusable, StoreDamaged
from ..private_files import make_private, open_private, private_folder
from ..whole_files import cannot_write, is_stream
from .database import DAMAGED, SIDE_FILES, open_database, sqlite_file
from .kept_files import DATABASE_MEMBER, audit_files, database_url, model_files, place_of, run_files
from .rebuild import Rebuilt, rebuild

__all__ = ["Contents", "Restored", "back_up", "restore"]

MANIFEST = "manifest.json"
SCHEMA = 1
_BLOCK = 1 << 20
_MOST_MANIFEST = 64_000_000
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, NotImplementedError, zipfile.BadZipFile)

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Contents:
    """What a backup holds.

    Attributes:
        created: when it was made, UTC.
        files: SHA-256 and size of each file, by its name in the backup.
    """

    created: str
    files: dict[str, tuple[str, int]]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(size for _, size in self.files.values())

    def count(self, group: str) -> int:
        """Return how many runs or models there are; ``group`` is ``runs`` or ``models``."""
        parts = (name.split("/") for name in self.files)
        return len({name[1] for name in parts if name[0] == group and len(name) > 2})


@dataclass(frozen=True)
class Restored:
    """What a restore did.

    Attributes:
        contents: of the backup.
        written: files that were written; the others were there with the same contents.
        rebuilt: runs whose rows were made anew, because they are younger than the database of the backup, or because
            that lies on a server.
    """

    contents: Contents
    written: int
    rebuilt: Rebuilt


def back_up(file: Path, *, overwrite: bool = False, report: Report = lambda done, files: None) -> Contents:
    """Write a backup; it stands under its name when it is whole, and not before.

    The database is copied while others may write to it, by SQLite's backup interface; one on a server is not in it.

    Raises:
        PathUnusable: the file is there and ``overwrite`` is not given, it is a pipe or device, or something cannot be
            read or written.
        StoreDamaged: the database is damaged.
    """
    if is_stream(file):
        raise PathUnusable(f"Backup {file}: is a pipe or a device. Name a regular file.")
    if file.exists() and not overwrite:
        raise PathUnusable(f"Backup {file}: is there already. Give another name, or --overwrite.")
    told_as, file = file, file.resolve() if file.is_symlink() else file
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    created, files = datetime.now(UTC).isoformat(timespec="seconds"), {}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".second-read-backup-", dir=file.parent) as aside:
            sources = _sources(Path(aside))
            with (
                os.fdopen(open_private(part, os.O_RDWR | os.O_EXCL), "w+b") as opened,
                zipfile.ZipFile(opened, "w", zipfile.ZIP_STORED) as archive,
            ):
                for done, (name, source) in enumerate(sources, 1):
                    files[name] = _add(archive, name, source)
                    report(done, len(sources))
                told = {"schema": SCHEMA, "created": created, "files": files}
                archive.writestr(_member(MANIFEST), json.dumps(told, indent=1))
            with part.open("rb") as opened:
                os.fsync(opened.fileno())
        part.replace(file)
    except OSError as error:
        raise cannot_write(f"Backup {told_as}", error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return Contents(created, files)


def _sources(aside: Path) -> list[tuple[str, Path]]:
    """Return (name, file) of all that is backed up; what others write to is copied first."""
    sources = []
    # before the runs: a run that is added meanwhile has files and no row, and a restore makes the row
    if _copy_database(aside / DATABASE_MEMBER):
        sources.append((DATABASE_MEMBER, aside / DATABASE_MEMBER))
    with held():
        for number, (name, file) in enumerate(audit_files()):
            shutil.copyfile(file, aside / f"audit-{number}")
            sources.append((name, aside / f"audit-{number}"))
    sources += [*run_files(), *model_files()]
    for name, _ in sources:
        if name != DATABASE_MEMBER and place_of(name) is None:
            folder = "/".join(name.split("/")[:2])
            raise PathUnusable(f"Backup: a file in {folder} has a name that not every system takes. Rename it.")
    return sources


def _copy_database(copy: Path) -> bool:
    """Copy the database as it is at one moment; return False where there is none, or it lies on a server."""
    url = database_url()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return False
    engine = open_database(url)
    try:
        if engine.dialect.name != "sqlite":
            return False
        connection = engine.raw_connection()
        target = sqlite3.connect(copy)
        try:
            connection.driver_connection.backup(target)
            if target.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise StoreDamaged(DAMAGED)
        finally:
            target.close()
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(DAMAGED) from error
    finally:
        engine.dispose()
    return True


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o600 << 16
    return info


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> tuple[str, int]:
    try:
        opened = source.open("rb")
    except OSError as error:
        raise PathUnusable(f"Backup: {name} cannot be read. Check its owner, then back up again.") from error
    with opened, archive.open(_member(name), "w", force_zip64=True) as target:
        return _copy(opened, target)


def _copy(source: IO[bytes], target: IO[bytes] | None) -> tuple[str, int]:
    """Copy a stream, or only read it, and return its SHA-256 and size."""
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if target is not None:
            target.write(block)
    return digest.hexdigest(), size


def restore(file: Path, *, overwrite: bool = False, report: Report = lambda done, files: None) -> Restored:
    """Put everything of a backup where the program keeps it now.

    The whole backup is compared with its checksums before anything is written, and everything is written aside before
    anything is replaced. Files that are not in the backup stay. Of an audit trail that is replaced, the former files
    stay under names that begin with ``before-restore-``.

    Args:
        file: of the backup.
        overwrite: replace files that are there with other contents.
        report: called with the files done and their number; each counts twice, for comparing and for writing.

    Raises:
        PathUnusable: it is damaged or no backup, other files are there, or something cannot be written.
    """
    with _opened(file) as archive:
        contents = _contents(archive)
        total = 2 * len(contents.files)
        for done, (name, known) in enumerate(contents.files.items(), 1):
            with archive.open(name) as opened:
                if _copy(opened, None) != known:
                    raise ValueError(name)
            report(done, total)
        places = {name: place for name in contents.files if (place := place_of(name)) is not None}
        if len(places) < len(contents.files) - (DATABASE_MEMBER in contents.files and DATABASE_MEMBER not in places):
            raise ValueError("a file that is no member of a backup")
    changed = {name: place for name, place in places.items() if not _same(place, contents.files[name])}
    there = [name for name, place in changed.items() if place.exists()]
    if there and not overwrite:
        raise PathUnusable(
            f"Restore: {len(there)} of {len(contents.files)} files are here already with other contents, such as "
            f"{there[0]}. Nothing was restored. Give --overwrite to replace them."
        )
    with _opened(file) as archive:
        _write(archive, changed, lambda done: report(total // 2 + done, total))
    report(total, total)
    return Restored(contents, len(changed), rebuild())


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    if not file.is_file():
        raise PathUnusable(f"Backup {file}: no such file.")
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except _BROKEN as error:
        raise PathUnusable(f"Backup {file}: is damaged or cut short, or no backup. Nothing was restored.") from error


def _contents(archive: zipfile.ZipFile) -> Contents:
    """Return the manifest; raises one of ``_BROKEN`` where the archive does not hold just what it names."""
    if archive.getinfo(MANIFEST).file_size > _MOST_MANIFEST:
        raise ValueError(MANIFEST)
    told: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if told["schema"] != SCHEMA:
        raise ValueError("of another version")
    files = {str(name): (str(sha256), int(size)) for name, (sha256, size) in told["files"].items()}
    members = [member for member in archive.infolist() if member.filename != MANIFEST]
    # stored as they are: a small file cannot become a large one
    if [member.filename for member in members] != list(files) or any(
        member.compress_type != zipfile.ZIP_STORED or member.file_size != files[member.filename][1]
        for member in members
    ):
        raise ValueError("its members")
    return Contents(str(told["created"]), files)


def _same(place: Path, known: tuple[str, int]) -> bool:
    try:
        with place.open("rb") as opened:
            return _copy(opened, None) == known
    except OSError:
        return False


def _write(archive: zipfile.ZipFile, places: dict[str, Path], report: Callable[[int], None]) -> None:
    """Write members aside, and then all of them under their names."""
    written: list[tuple[str, Path, Path]] = []
    try:
        for done, (name, place) in enumerate(places.items(), 1):
            aside = place.with_name(f".{place.name}.{os.getpid()}.restoring")
            written.append((name, aside, place))
            _extract(archive, name, aside)
            report(done)
        # nobody appends to a trail that is being replaced
        with held():
            for name, aside, place in written:
                if name.startswith("audit/") and place.exists():
                    place.rename(_free(place))
                if name == DATABASE_MEMBER:
                    # what SQLite kept beside the former database would be played into the new one
                    for ending in SIDE_FILES:
                        place.with_name(place.name + ending).unlink(missing_ok=True)
                aside.replace(place)
    except OSError as error:
        raise PathUnusable(
            "Restore: a file cannot be written. Make room, or check the folders' owner; then restore again."
        ) from error
    finally:
        for _, aside, _ in written:
            with suppress(OSError):
                aside.unlink(missing_ok=True)


def _extract(archive: zipfile.ZipFile, name: str, aside: Path) -> None:
    if name.startswith("models/"):
        aside.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    else:
        private_folder(aside.parent)
        file = open_private(aside, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(file, "wb") as target, archive.open(name) as source:
        _copy(source, target)
        target.flush()
        os.fsync(target.fileno())
    if name.startswith("runs/"):
        make_private(aside.parent)


def _free(place: Path) -> Path:
    """Return a name for a file of the trail that is replaced; it does not look like a file of the trail."""
    number = 1
    while (free := place.with_name(f"before-restore-{number}-{place.name}")).exists():
        number += 1
    return free
