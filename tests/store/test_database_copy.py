"""A backup holds nothing of studies whose days have passed; an older one restores what was deleted since."""

import json
import sqlite3
import zipfile
from contextlib import closing

import pytest
from sqlalchemy import text

from cxr_core.access import LOCAL
from cxr_core.cli.main import main
from cxr_core.errors import AuditUnwritable
from cxr_core.store import backup_members, deletion
from cxr_core.store.backup import back_up
from cxr_core.store.database import transaction
from cxr_core.store.image_files import image_path, studies_folder
from tests.store.test_compaction import stored
from tests.store.test_reads import home, store  # noqa: F401 - fixtures


def _refuse(*_, **__):
    raise AuditUnwritable("The audit trail cannot be written: no space is left on the device.")


def test_a_backup_leaves_out_studies_whose_days_have_passed(store, home, url, tmp_path, monkeypatch):  # noqa: F811
    home(identity="store", keep_days="30", database_url=url)
    monkeypatch.setattr(backup_members, "model_groups", lambda: iter(()))
    words = stored(store, "Quendel", 3)
    with transaction(store._engine, writing=True) as connection:
        connection.execute(text("UPDATE studies SET created = '2026-01-01T00:00:00.000+00:00'"))
    # and images that were removed from a worklist, by a program that ended before it had deleted them
    removed = store.add_image("carl", b"removed", name="Quendel.dcm")
    words.append(removed.digest)
    with transaction(store._engine, writing=True) as connection:
        values = {"time": "2026-11-01T00:00:00.000+00:00", "study": removed.study}
        connection.execute(text("UPDATE images SET removed = :time WHERE study = :study"), values)
    kept = store.add_image("bert", b"kept", name="other.dcm")
    monkeypatch.setattr(deletion.audit, "record", _refuse)
    back_up(tmp_path / "b.zip")
    # they could not be deleted
    assert image_path(words[3], words[2]).exists()
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        data = {name: archive.read(name) for name in archive.namelist()}
    assert [name for name in data if name.startswith("studies/")] == [f"studies/{kept.study}/{kept.digest}"]
    assert not [name for name, each in data.items() for word in words if word.encode() in name.encode() + each]
    assert ("database.sqlite" in data) == url.startswith("sqlite")
    if url.startswith("sqlite"):
        (tmp_path / "copy.sqlite").write_bytes(data["database.sqlite"])
        with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
            assert copy.execute("SELECT study, digest FROM images").fetchall() == [(kept.study, kept.digest)]
            assert copy.execute("SELECT count(*) FROM reads").fetchone() == (0,)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_an_older_backup_restores_is_found_by_the_trail_of_before_and_deleted_again(
    store,  # noqa: F811
    home,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    """As docs/security.md says it."""
    home(identity="store")
    monkeypatch.setattr(backup_members, "model_groups", lambda: iter(()))
    words = stored(store, "Quendel", 1)
    assert main(["backup", str(tmp_path / "b.zip")]) == 0
    assert store.delete(LOCAL, reader="anna") == 1
    store.close()
    assert main(["restore", str(tmp_path / "b.zip"), "--overwrite"]) == 0
    lines = (tmp_path / "before-restore-1-audit.jsonl").read_text().splitlines()
    (deleted,) = [line["images"] for line in map(json.loads, lines) if line["what"] == "deletion"]
    (found,) = [path for digest in deleted for path in studies_folder().glob(f"*/{digest}")]
    assert (found.name, found.parent.name) == (words[2], words[3])
    assert main(["reads", "delete", found.parent.name]) == 0
    assert not found.exists()
    assert b"Quendel" not in (tmp_path / "runs" / "second-read.sqlite").read_bytes()
