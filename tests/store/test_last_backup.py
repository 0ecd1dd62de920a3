"""When the last backup was completed: known after one, without its path, and in no backup itself."""

import json
import zipfile

import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.cli.main import main
from cxr_core.settings import settings
from cxr_core.store.last_backup import LAST_BACKUP, last_backup


def test_a_backup_that_was_completed_is_known_without_its_path(own_folders, tmp_path, capsys):
    assert last_backup() is None
    audit.record(LOCAL, "sign-in")
    assert main(["backup", str(tmp_path / "secret-name.zip")]) == 0
    backup = last_backup()
    with zipfile.ZipFile(tmp_path / "secret-name.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert backup.files == len(manifest["files"])
        assert not [name for name in archive.namelist() if LAST_BACKUP in name]
    file = settings().runs / LAST_BACKUP
    assert "secret-name" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_a_backup_that_failed_is_none(own_folders, tmp_path, capsys):
    (tmp_path / "there.zip").write_text("")
    assert main(["backup", str(tmp_path / "there.zip")]) == 4
    assert last_backup() is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"completed": "x", "files": 1, "bytes": 1}', '{"completed": "2026-11-27T05:00:00"}',
                '{"completed": "2026-11-27T05:00:00", "files": 1, "bytes": 1}'],
)  # fmt: skip
def test_a_broken_note_is_none(own_folders, content):
    settings().runs.mkdir(parents=True)
    (settings().runs / LAST_BACKUP).write_text(content)
    assert last_backup() is None
