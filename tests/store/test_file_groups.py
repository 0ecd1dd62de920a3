"""A backup is made while others add, replace and remove runs, models, images and files of the trail."""

import hashlib
import os
import shutil
import threading
import time
import zipfile

import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable
from cxr_core.files import write_whole
from cxr_core.settings import settings
from cxr_core.store import RunStore, backup_members, file_groups
from cxr_core.store import backup as backup_module
from cxr_core.store.file_groups import FileGroup, opened_group
from cxr_core.store.image_files import files_before, image_path
from cxr_core.store.reads import ReadStore
from tests.runs import made_up, record_of
from tests.store.test_backup import home, no_home  # noqa: F401 - fixtures


def members(tmp_path, at_first=lambda: None) -> dict[str, bytes]:
    """Back up, do something when the first file is in the backup, and return the content of all files of it."""
    done = []

    def report(*counts):
        if not done:
            done.append(at_first())

    file = tmp_path / "b.zip"
    contents = backup_module.back_up(file, report=report)
    with zipfile.ZipFile(file) as archive:
        data = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    assert {name: (hashlib.sha256(each).hexdigest(), len(each)) for name, each in data.items()} == contents.files
    return data


def folders(data: dict[str, bytes], group: str) -> set[str]:
    return {name.split("/")[1] for name in data if name.startswith(f"{group}/")}


def test_a_run_that_is_being_written_is_not_in_a_backup(home, tmp_path):  # noqa: F811
    shutil.copytree(home / "runs" / "one", home / "runs" / "three.writing")
    (home / "runs" / "one" / ".0123456789abcdef.part").write_bytes(b"half")
    data = members(tmp_path)
    assert folders(data, "runs") == {"one", "two", "patients.key"}
    assert not [name for name in data if name.endswith(".part")]


def test_what_is_removed_while_a_backup_is_made_is_left_out_whole(home, tmp_path):  # noqa: F811
    store = ReadStore()
    images = [store.add_image("anna", b"one"), store.add_image("anna", b"two")]

    def remove():
        shutil.rmtree(home / "runs" / "two")
        shutil.rmtree(home / "models" / "mine")
        assert store.delete_study(LOCAL, images[0].study) == 1

    data = members(tmp_path, remove)
    store.close()
    assert folders(data, "runs") == {"one", "patients.key"}
    assert "mine" not in folders(data, "models")
    assert folders(data, "studies") == {images[1].study}


def test_a_folder_that_somebody_is_removing_is_left_out(home, tmp_path):  # noqa: F811
    """The files go one by one."""
    data = members(tmp_path, (home / "runs" / "two" / "predictions.parquet").unlink)
    assert folders(data, "runs") == {"one", "patients.key"}


def test_an_image_that_is_added_while_a_backup_is_made_has_no_file_without_a_row(home, tmp_path, monkeypatch):  # noqa: F811
    store, added = ReadStore(), []
    first = store.add_image("anna", b"one")
    copy = backup_module.copy_database

    def copying(place, *limits):
        result = copy(place, *limits)
        added.append(store.add_image("anna", b"two"))
        return result

    monkeypatch.setattr(backup_module, "copy_database", copying)
    assert folders(members(tmp_path), "studies") == {first.study}
    store.close()


def test_a_model_that_is_being_replaced_is_in_the_backup_as_it_was_or_as_it_is(home, tmp_path):  # noqa: F811
    folder = home / "models" / "mine"
    card, sums = (folder / "card.json").read_bytes(), (folder / "SHA256SUMS").read_text()
    new = card + b"\n"

    def replace():
        write_whole(folder / "card.json", new)

    def complete():
        changed = sums.replace(hashlib.sha256(card).hexdigest(), hashlib.sha256(new).hexdigest())
        write_whole(folder / "SHA256SUMS", changed.encode())

    timer = threading.Timer(0.5, complete)

    def begin():
        replace()
        timer.start()

    data = members(tmp_path, begin)
    timer.join()
    assert data["models/mine/card.json"] == new
    listed = dict(reversed(line.split("  ")) for line in data["models/mine/SHA256SUMS"].decode().splitlines())
    assert len(listed) > 3
    assert {name: hashlib.sha256(data[f"models/mine/{name}"]).hexdigest() for name in listed} == listed


def test_a_model_whose_sums_are_being_written_is_awaited(home, tmp_path):  # noqa: F811
    file = home / "models" / "mine" / "SHA256SUMS"
    sums = file.read_bytes()
    timer = threading.Timer(0.3, lambda: write_whole(file, sums))

    def begin():
        file.write_bytes(b"")
        timer.start()

    data = members(tmp_path, begin)
    timer.join()
    assert data["models/mine/SHA256SUMS"] == sums


def test_a_damaged_model_is_backed_up_as_it_is(home, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(file_groups, "_PAUSE_SECONDS", 0)
    (home / "models" / "mine" / "card.json").write_bytes(b"damaged")
    assert members(tmp_path)["models/mine/card.json"] == b"damaged"


def test_a_trail_that_is_rotated_while_a_backup_is_made_is_whole(home, tmp_path, monkeypatch):  # noqa: F811
    listed, count = backup_members.trail_files, []

    def rotate():
        files = listed()
        if not count:
            count.append(1)
            audit.path().with_name("audit.jsonl.1").rename(audit.path().with_name("audit.jsonl.2"))
            audit.path().rename(audit.path().with_name("audit.jsonl.1"))
        return files

    monkeypatch.setattr(backup_members, "trail_files", rotate)
    file = tmp_path / "b.zip"
    assert main(["backup", str(file)]) == 0
    shutil.rmtree(home)
    assert main(["restore", str(file)]) == 0
    assert main(["audit", "--verify"]) == 0


def test_files_that_are_replaced_again_and_again_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(file_groups, "_PAUSE_SECONDS", 0)
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(b"0")

    def replaced():
        other.write_bytes(b"another")
        other.replace(file)
        return [("runs/one/file", file)]

    with (
        pytest.raises(PathUnusable, match="runs/one is being changed"),
        opened_group(FileGroup("runs/one", replaced)),
    ):
        pass


def test_what_is_open_is_read_to_its_end_whoever_replaces_it(tmp_path):
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(b"before")
    with opened_group(FileGroup("one", lambda: [("one/file", file)])) as opened:
        other.write_bytes(b"after")
        other.replace(file)
        assert {name: source.read() for name, source in opened.items()} == {"one/file": b"before"}


def test_a_study_that_is_deleted_while_files_are_listed_is_no_error(home, monkeypatch):  # noqa: F811
    for study in ("a" * 20, "b" * 20):
        image_path(study, "ab" * 32).parent.mkdir(parents=True)
        image_path(study, "ab" * 32).write_bytes(b"image")
    scan, studies = os.scandir, settings().home / "studies"

    def scanning(place):
        # when the folder of studies was listed, and one of them not yet
        other = f"{studies}/{('b' if os.path.basename(place)[0] == 'a' else 'a') * 20}"
        if os.path.dirname(place) == str(studies) and os.path.exists(place):
            os.unlink(f"{other}/{'ab' * 32}")
            os.rmdir(other)
        return scan(place)

    monkeypatch.setattr(os, "scandir", scanning)
    assert len(files_before(time.time() + 60)) == 1


def test_a_run_that_is_being_added_is_not_taken_for_one_without_a_row(home, monkeypatch):  # noqa: F811
    """Its folder gets its name a moment before its row can be seen."""
    named, commit = threading.Event(), threading.Event()
    store, other, predictions = RunStore(), RunStore(), made_up()
    insert = RunStore._insert

    def inserting(connection, record):
        insert(connection, record)
        # as the renaming that follows
        shutil.copytree(home / "runs" / f"{record.id}.writing", home / "runs" / "copy")
        (home / "runs" / "copy").rename(home / "runs" / record.id)
        named.set()
        assert commit.wait(60)
        shutil.rmtree(home / "runs" / record.id)

    monkeypatch.setattr(RunStore, "_insert", staticmethod(inserting))
    writer = threading.Thread(target=store.add, args=(record_of(predictions, "three"), predictions))
    writer.start()
    assert named.wait(60)
    timer = threading.Timer(0.3, commit.set)
    timer.start()
    assert other.unknown() == ()
    writer.join()
    assert {run.record.id for run in other.list()} >= {"three"}
    # and what really has no row is found
    shutil.copytree(home / "runs" / "one", home / "runs" / "four")
    assert [folder.name for folder in other.unknown()] == ["four"]
    store.close()
    other.close()
