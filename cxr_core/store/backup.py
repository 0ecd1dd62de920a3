"""Backup of everything that the program stores to one file, and restore.

The file is a zip of uncompressed members, with a ``manifest.json`` that lists each with its size and SHA-256. It holds
keys and predictions, so only its owner may read it, wherever it is written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ..access.audit_chain import trail_lock
from ..errors import PathUnusable
from ..files import cannot_write, is_stream, make_private, part_beside, private_folder, put_in_place, whole_file
from ..settings import settings
from .backup_folder import backup_folder
from .backup_members import DATABASE_MEMBER, audit_group, place_of, stored_groups
from .database import SIDE_FILES
from .database_copy import copy_database
from .deletion import expiry_limit
from .file_groups import FileGroup, opened_group
from .image_files import studies_folder
from .rebuild import Rebuilt, rebuild
from .removals import abandoned_limit
from .stored_studies import StudyStore

__all__ = ["Contents", "Restored", "back_up", "restore"]

MANIFEST = "manifest.json"
SCHEMA = 1
_BLOCK = 1 << 20
_MOST_MANIFEST = 64_000_000
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, NotImplementedError, zipfile.BadZipFile)

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Contents:
    """Contents of a backup.

    Attributes:
        created: time of the backup, UTC.
        files: SHA-256 and size of each file, by its name in the backup.
    """

    created: str
    files: dict[str, tuple[str, int]]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(size for _, size in self.files.values())

    def count(self, group: str) -> int:
        """Return how many there are of a group: ``runs``, ``models`` or ``studies``."""
        parts = (name.split("/") for name in self.files)
        return len({name[1] for name in parts if name[0] == group and len(name) > 2})


@dataclass(frozen=True)
class Restored:
    """Result of a restore.

    Attributes:
        contents: of the backup.
        written: number of files written; the others already existed with the same contents.
        rebuilt: runs whose rows were added, because they are newer than the database of the backup, or because the
            database is on a server.
    """

    contents: Contents
    written: int
    rebuilt: Rebuilt


def back_up(file: Path, *, overwrite: bool = False, report: Report = lambda done, files: None) -> Contents:
    """Write a backup; the file appears under its name when it is complete.

    Others may write to the store meanwhile. The database is copied by SQLite's backup interface; one on a server is not
    included. A run, a model or an image is in the backup whole or, where it was added or removed meanwhile, not at all.

    Raises:
        PathUnusable: the file exists and ``overwrite`` is not given, it is a pipe or device, or something cannot be
            read or written.
        StoreDamaged: the database is damaged.
    """
    if is_stream(file):
        raise PathUnusable(f"Backup {file}: is a pipe or a device. Name a regular file.")
    if file.exists() and not overwrite:
        raise PathUnusable(f"Backup {file}: exists already. Give another name, or --overwrite.")
    created = datetime.now(UTC).isoformat(timespec="seconds")
    files: dict[str, tuple[str, int]] = {}
    try:
        with backup_folder(file) as folder:
            groups = _groups(folder)
            with (
                whole_file(folder / "backup.zip", private=True) as opened,
                zipfile.ZipFile(opened, "w", zipfile.ZIP_STORED) as archive,
            ):
                for done, group in enumerate(groups, 1):
                    with opened_group(group) as sources:
                        for name, source in sources.items():
                            _check_name(name)
                            with archive.open(_member(name), "w", force_zip64=True) as target:
                                files[name] = _copy(source, target)
                    report(done, len(groups))
                manifest = {"schema": SCHEMA, "created": created, "files": files}
                archive.writestr(_member(MANIFEST), json.dumps(manifest, indent=1))
            put_in_place(folder / "backup.zip", file, private=True)
    except OSError as error:
        raise cannot_write(f"Backup {file}", error) from error
    return Contents(created, files)


def _groups(temporary: Path) -> list[FileGroup]:
    """Return all that is backed up; what may change in place meanwhile is copied to a folder first."""
    images: list[tuple[str, str]] = []
    copies = {}
    limits = expiry_limit(settings().keep_days), abandoned_limit()
    if studies_folder().is_dir():
        # what was to be deleted is deleted, or left out, so that it is in no backup from now on
        with closing(StudyStore()) as studies:
            # before the database: an image that is added meanwhile would have a file and no row
            images = studies.all_images(*limits)
    # before the runs: a run that is added meanwhile has files and no row, and a restore makes the row
    if copy_database(temporary / DATABASE_MEMBER, *limits):
        copies[DATABASE_MEMBER] = temporary / DATABASE_MEMBER
    with trail_lock(), opened_group(audit_group()) as sources:
        for number, (name, source) in enumerate(sources.items()):
            copies[name] = temporary / f"audit-{number}"
            with copies[name].open("wb") as target:
                shutil.copyfileobj(source, target)
    copied = FileGroup("copies", lambda: list(copies.items()))
    return [copied, *stored_groups(images)]


def _check_name(name: str) -> None:
    """Raise PathUnusable for a name that a restore would refuse."""
    if name != DATABASE_MEMBER and place_of(name) is None:
        folder = "/".join(name.split("/")[:2])
        raise PathUnusable(f"Backup: a file in {folder} has a name that is not valid on every system. Rename it.")


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o600 << 16
    return info


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
    """Restore all files of a backup to where the program stores them now.

    The whole backup is compared with its checksums before anything is written, and all files are written under
    temporary names before any is replaced. Files that are not in the backup are kept. The former files of an audit
    trail that is replaced are kept under names that begin with ``before-restore-``.

    Args:
        file: of the backup.
        overwrite: replace existing files with other contents.
        report: called with the files done and their number; each counts twice, for comparing and for writing.

    Raises:
        PathUnusable: the file is damaged or not a backup, files exist with other contents, or something cannot be
            written.
    """
    with _opened(file) as archive:
        contents = _contents(archive)
        total = 2 * len(contents.files)
        for done, (name, expected) in enumerate(contents.files.items(), 1):
            with archive.open(name) as opened:
                if _copy(opened, None) != expected:
                    raise ValueError(name)
            report(done, total)
        places = {name: place for name in contents.files if (place := place_of(name)) is not None}
        if len(places) < len(contents.files) - (DATABASE_MEMBER in contents.files and DATABASE_MEMBER not in places):
            raise ValueError("a member that does not belong to a backup")
    changed = {name: place for name, place in places.items() if not _same(place, contents.files[name])}
    existing = [name for name, place in changed.items() if place.exists()]
    if existing and not overwrite:
        raise PathUnusable(
            f"Restore: {len(existing)} of {len(contents.files)} files exist already with other contents, such as "
            f"{existing[0]}. Nothing was restored. Give --overwrite to replace them."
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
        raise PathUnusable(f"Backup {file}: is damaged, truncated or not a backup. Nothing was restored.") from error


def _contents(archive: zipfile.ZipFile) -> Contents:
    """Return the manifest; raises one of ``_BROKEN`` where the archive does not hold just what it names."""
    if archive.getinfo(MANIFEST).file_size > _MOST_MANIFEST:
        raise ValueError(MANIFEST)
    manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if manifest["schema"] != SCHEMA:
        raise ValueError("of another version")
    files = {str(name): (str(sha256), int(size)) for name, (sha256, size) in manifest["files"].items()}
    members = [member for member in archive.infolist() if member.filename != MANIFEST]
    # stored as they are: a small file cannot become a large one
    if [member.filename for member in members] != list(files) or any(
        member.compress_type != zipfile.ZIP_STORED or member.file_size != files[member.filename][1]
        for member in members
    ):
        raise ValueError("its members")
    return Contents(str(manifest["created"]), files)


def _same(place: Path, expected: tuple[str, int]) -> bool:
    try:
        with place.open("rb") as opened:
            return _copy(opened, None) == expected
    except OSError:
        return False


def _write(archive: zipfile.ZipFile, places: dict[str, Path], report: Callable[[int], None]) -> None:
    """Write members under temporary names, then rename all of them."""
    parts: dict[str, Path] = {}
    try:
        with ExitStack() as stack:
            for done, (name, place) in enumerate(places.items(), 1):
                _make_folder(name, place.parent)
                parts[name] = stack.enter_context(part_beside(place))
                _extract(archive, name, parts[name])
                report(done)
            # nobody appends to a trail that is being replaced
            stack.enter_context(trail_lock())
            for name, place in places.items():
                if name.startswith("audit/") and place.exists():
                    place.rename(_free(place))
                if name == DATABASE_MEMBER:
                    # SQLite would apply the journal of the former database to the new one
                    for ending in SIDE_FILES:
                        place.with_name(place.name + ending).unlink(missing_ok=True)
                parts[name].replace(place)
    except OSError as error:
        raise PathUnusable(
            "Restore: a file cannot be written. Free disk space, or check the folders' owner; then restore again."
        ) from error


def _make_folder(name: str, folder: Path) -> None:
    if name.startswith("models/"):
        folder.mkdir(parents=True, exist_ok=True)
        return
    private_folder(folder)
    if name.startswith("runs/"):
        make_private(folder)


def _extract(archive: zipfile.ZipFile, name: str, part: Path) -> None:
    with whole_file(part, private=not name.startswith("models/")) as target, archive.open(name) as source:
        _copy(source, target)


def _free(place: Path) -> Path:
    """Return a name for a file of the trail that is replaced, which is not taken for a file of the trail."""
    number = 1
    while (free := place.with_name(f"before-restore-{number}-{place.name}")).exists():
        number += 1
    return free
