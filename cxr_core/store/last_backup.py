"""When the last backup was completed: a small file in the folder of runs, without the backup's path."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..files import private_folder, write_whole
from ..settings import settings

__all__ = ["LAST_BACKUP", "LastBackup", "last_backup", "note_backup"]

LAST_BACKUP = "last-backup.json"


@dataclass(frozen=True)
class LastBackup:
    """A backup that was completed.

    Attributes:
        completed: when, UTC, ISO 8601.
        files: number of files in it.
        bytes: of all files.
    """

    completed: str
    files: int
    bytes: int


def note_backup(files: int, size: int) -> None:
    """Note that a backup was completed now; raises OSError."""
    noted = LastBackup(datetime.now(UTC).isoformat(timespec="seconds"), files, size)
    write_whole(_file(private_folder(settings().runs)), json.dumps(asdict(noted)).encode(), private=True)


def last_backup() -> LastBackup | None:
    """Return the last backup that was completed, or None where none is known."""
    try:
        noted = json.loads(_file(settings().runs).read_bytes())
        backup = LastBackup(str(noted["completed"]), int(noted["files"]), int(noted["bytes"]))
        return backup if datetime.fromisoformat(backup.completed).tzinfo is not None else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(runs: Path) -> Path:
    return runs / LAST_BACKUP
