"""What a backup that was killed has left is removed by the next one to the same folder, and by no other."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from cxr_core.cli.main import main
from cxr_core.files import lock
from cxr_core.settings import settings
from cxr_core.store.backup import back_up
from cxr_core.store.backup_folder import backup_folder, remove_interrupted
from tests.store.test_backup import home, no_home  # noqa: F401 - fixtures
from tests.store.test_deletion import holding
from tests.store.test_reads import PATIENT


def left(folder: Path, name: str = "one", locked: bool = True) -> Path:
    place = folder / f".second-read-backup-{name}"
    place.mkdir(parents=True)
    (place / "database.sqlite").write_bytes(PATIENT.encode())
    if locked:
        (place / "lock").touch()
    return place


def test_what_was_left_is_removed_and_what_is_in_use_stays(tmp_path):
    file = tmp_path / "backups" / "b.zip"
    folder = left(file.parent)
    (file.parent / ".second-read-backup-file").write_text("no folder")
    (file.parent / ".second-read-backup-link").symlink_to(tmp_path)
    elsewhere = left(tmp_path / "elsewhere")
    with backup_folder(file) as used:
        (used / "x").write_text("copy")
        assert remove_interrupted(file) == 1
        assert not folder.exists()
        assert (used / "x").exists()
    assert not used.exists()
    assert elsewhere.exists()
    assert sorted(path.name for path in file.parent.iterdir()) == [
        ".second-read-backup-file",
        ".second-read-backup-link",
    ]


def test_a_folder_of_an_earlier_version_is_left_for_a_day(tmp_path):
    folder = left(tmp_path, locked=False)
    assert remove_interrupted(tmp_path / "b.zip") == 0
    day_before = folder.stat().st_mtime - 86_500
    os.utime(folder, (day_before, day_before))
    assert remove_interrupted(tmp_path / "b.zip") == 1


def test_a_lock_that_is_held_is_an_error_for_who_does_not_wait(tmp_path):
    with lock(tmp_path / "lock"), pytest.raises(OSError), lock(tmp_path / "lock", wait=False):
        pass
    with lock(tmp_path / "lock", wait=False):
        pass


def _die(environment: dict[str, str], file: str) -> None:
    os.environ.update(environment)
    settings.cache_clear()
    # when some files are in the backup
    back_up(Path(file), report=lambda done, _: os.kill(os.getpid(), signal.SIGKILL) if done == 2 else None)


def test_a_backup_that_was_killed_is_cleared_away_by_the_next(home, tmp_path, capsys):  # noqa: F811
    file = tmp_path / "backups" / "b.zip"
    context = multiprocessing.get_context("forkserver")
    environment = {name: value for name, value in os.environ.items() if name.startswith("SECOND_READ")}
    process = context.Process(target=_die, args=(environment, str(file)))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    key = (home / "runs" / "audit.key").read_bytes()
    remains = [path for path in file.parent.rglob("*") if path.is_file() and key in path.read_bytes()]
    assert remains
    assert main(["backup", str(file)]) == 0
    assert "Removed what 1 interrupted backup had left in that folder." in capsys.readouterr().out
    assert [path.name for path in file.parent.iterdir()] == ["b.zip"]
    assert main(["backup", str(file), "--overwrite"]) == 0
    assert "interrupted" not in capsys.readouterr().out
    assert holding(file.parent, "b.zip") == [file]
