"""A backup of everything that is kept; everything deleted; everything restored. And backups that are not whole."""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import threading
import time
import zipfile
from pathlib import Path

import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.cli.main import main
from cxr_core.evaluation.images import digest_key, image_digest
from cxr_core.model.card import read_card
from cxr_core.model.folder import CARD, ModelFolder, find_model, open_model
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.store.file_groups import FileGroup
from tests.runs import made_up, made_up_boxes, record_of
from tests.small_models import pretended_int8, small_model
from tests.store.test_predictions import same

MINI = find_model("second-read-mini")


def set_folders(monkeypatch, folder: Path) -> None:
    monkeypatch.setenv("SECOND_READ_RUNS", str(folder / "runs"))
    monkeypatch.setenv("SECOND_READ_HOME", str(folder))
    monkeypatch.delenv("SECOND_READ_AUDIT", raising=False)
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, folder / "none"))
    settings.cache_clear()


def fill(folder: Path) -> None:
    """Store what is kept: two runs, a rotated trail, a model, an INT8 graph, keys; and what no backup has."""
    predictions = made_up()
    store = RunStore()
    store.add(record_of(predictions, "one"), predictions)
    store.add(record_of(predictions, "two"), predictions, made_up_boxes(predictions))
    digest_key(store.folder)
    store.close()
    audit.record(LOCAL, "export", run="one")
    audit.path().rename(audit.path().with_name("audit.jsonl.1"))
    audit.record(LOCAL, "export", run="two")
    # beside the model that comes with the program, which is in a backup as well
    small_model(folder / "models" / "mine")
    pretended_int8(ModelFolder(MINI, read_card(MINI / CARD)))
    for name in ("compiled", "summaries", "train", "half.scoring"):
        (folder / "runs" / name).mkdir()
        (folder / "runs" / name / "x").write_text("found again")


@pytest.fixture
def no_home(tmp_path, monkeypatch):
    """The home directory of the program, which is not there yet."""
    set_folders(monkeypatch, tmp_path / "home")
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture
def home(no_home):
    """The home directory of the program, filled."""
    fill(no_home)
    return no_home


BY_COMMANDS = ("audit.jsonl", "audit.head", "audit.lock", "last-backup.json", "x", "second-read.sqlite")


def kept(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file, but for those that a command changes by being run."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in BY_COMMANDS
    }


def back_up(tmp_path, *options) -> Path:
    file = tmp_path / "backups" / "b.zip"
    assert main(["backup", str(file), *options]) == 0
    return file


@pytest.fixture(scope="module")
def whole_backup(tmp_path_factory) -> bytes:
    """A backup of a home directory that is not there any more."""
    folder = tmp_path_factory.mktemp("backed-up")
    with pytest.MonkeyPatch.context() as patch:
        set_folders(patch, folder / "home")
        fill(folder / "home")
        whole = back_up(folder).read_bytes()
    settings.cache_clear()
    shutil.rmtree(folder)
    return whole


def test_everything_is_deleted_and_restored(home, tmp_path, capsys):
    before, key = kept(home), digest_key(home / "runs")
    assert len(before) > 10
    file = back_up(tmp_path)
    out = capsys.readouterr().out
    assert "2 runs, 2 models" in out
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in file.parent.iterdir()) == ["b.zip"]
    events = audit.read()[0]
    shutil.rmtree(home)
    assert main(["restore", str(file)]) == 0
    assert "2 runs, 2 models" in capsys.readouterr().out
    assert kept(home) == before
    store = RunStore()
    assert [run.record.evaluated_before for run in sorted(store.list(), key=lambda run: run.record.id)] == [0, 1]
    for run in store.list():
        same(made_up(), run.predictions())
    assert len(store.get("two").localisation()) == len(made_up_boxes(made_up()))
    assert not store.unknown()
    store.close()
    assert image_digest("a.png", digest_key(home / "runs")) == image_digest("a.png", key)
    assert open_model("mine").card.id
    # the trail goes on where the backup ended, and is whole
    now = audit.read()[0]
    assert [event.what for event in events] == ["export", "backup"]
    assert now[:-1] == events
    assert (now[-1].what, now[-1].detail[:10]) == ("restore", "backup of ")
    assert main(["audit", "--verify"]) == 0
    for path in [home / "runs", *(home / "runs").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert not [path for path in home.rglob("*") if path.name.endswith(".part")]


def test_it_is_restored_to_another_place(home, tmp_path, monkeypatch, capsys):
    before, file = kept(home), back_up(tmp_path)
    set_folders(monkeypatch, tmp_path / "other")
    monkeypatch.setenv("SECOND_READ_AUDIT", str(tmp_path / "logs" / "trail.jsonl"))
    monkeypatch.setenv("SECOND_READ_DATABASE_URL", f"sqlite:///{tmp_path / 'other.sqlite'}")
    settings.cache_clear()
    assert main(["restore", str(file)]) == 0
    store = RunStore()
    assert {run.record.id for run in store.list()} == {"one", "two"}
    store.close()
    restored = kept(tmp_path / "other")
    assert restored == {name: data for name, data in before.items() if not name.endswith("audit.jsonl.1")}
    assert main(["audit", "--verify", "--also", str(tmp_path / "logs" / "audit.jsonl.1")]) == 0
    assert kept(home) == before


def test_nothing_is_overwritten_without_being_told(home, tmp_path, capsys):
    file = back_up(tmp_path)
    assert main(["backup", str(file)]) == 4
    assert "exists already. Give another name, or --overwrite" in capsys.readouterr().err
    back_up(tmp_path, "--overwrite")
    # a younger run, a younger event, a changed file
    predictions = made_up(seed=3)
    store = RunStore()
    store.add(record_of(predictions, "younger"), predictions)
    store.close()
    audit.record(LOCAL, "export", run="younger")
    card = home / "models" / "mine" / "SHA256SUMS"
    sums = card.read_bytes()
    card.write_text("changed")
    before, trail = kept(home), audit.path().read_bytes()
    assert main(["restore", str(file)]) == 4
    err = capsys.readouterr().err
    assert "files exist already with other contents" in err
    assert "Nothing was restored" in err
    assert (kept(home), audit.path().read_bytes()) == (before, trail)
    assert main(["restore", str(file), "--overwrite"]) == 0
    assert "younger: added" in capsys.readouterr().out
    assert card.read_bytes() == sums
    store = RunStore()
    assert {run.record.id for run in store.list()} == {"one", "two", "younger"}
    store.close()
    # what the restored trail does not hold is still there to be looked at
    assert (home / "runs" / "before-restore-1-audit.jsonl").read_bytes() == trail
    assert main(["audit", "--verify"]) == 0


def test_what_is_there_already_is_left_and_may_stay(home, tmp_path, capsys):
    file = back_up(tmp_path)
    shutil.rmtree(home / "runs")
    before = {path: path.stat().st_mtime_ns for path in (home / "models").rglob("*")}
    assert main(["restore", str(file)]) == 0
    assert {path: path.stat().st_mtime_ns for path in (home / "models").rglob("*")} == before


def test_a_journal_of_the_former_database_is_not_played_into_the_new(home, tmp_path):
    file = back_up(tmp_path)
    for ending in ("-journal", "-wal", "-shm"):
        (home / "runs" / f"second-read.sqlite{ending}").write_bytes(b"of another database")
    (home / "runs" / "second-read.sqlite").write_bytes(b"damaged")
    assert main(["restore", str(file), "--overwrite"]) == 0
    assert not list((home / "runs").glob("second-read.sqlite-*"))
    store = RunStore()
    assert len(store.list()) == 2
    store.close()


def test_a_backup_of_a_store_that_is_written_to_is_whole(home, tmp_path, capsys):
    stop, wrote = threading.Event(), []

    def write():
        store = RunStore()
        while not stop.is_set():
            predictions = made_up(8, seed=len(wrote))
            store.add(record_of(predictions, f"meanwhile-{len(wrote)}"), predictions)
            wrote.append(audit.note(LOCAL, "evaluation", run=f"meanwhile-{len(wrote)}"))
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(wrote) < 3:
            time.sleep(0.001)
        file = back_up(tmp_path)
    finally:
        stop.set()
        writer.join()
    shutil.rmtree(home)
    assert main(["restore", str(file)]) == 0
    store = RunStore()
    runs = {run.record.id for run in store.list()}
    for run in store.list():
        run.check()
    assert not store.unknown()
    store.close()
    assert runs >= {"one", "two", "meanwhile-0", "meanwhile-1", "meanwhile-2"}
    assert main(["audit", "--verify"]) == 0


def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(home, tmp_path, capsys):
    (home / "runs" / "second-read.sqlite").write_bytes(b"no database, and longer than its header" * 40)
    assert main(["backup", str(tmp_path / "b.zip")]) == 4
    assert "The database of runs is damaged." in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]
    assert main(["runs", "rebuild"]) == 0
    assert main(["backup", str(tmp_path / "b.zip")]) == 0


def cut(data):
    return data[: len(data) // 2]


def one_byte_cut(data):
    return data[:-1]


def middle_changed(data):
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def empty(data):
    return b""


def no_zip(data):
    return b"this is no backup" * 1000


def rewritten(change):
    """Return what makes a whole zip of the same members, changed by ``change(name, data)``: its checksums are right."""

    def of(data: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as new:
            for name in old.namelist():
                if (made := change(name, old.read(name))) is not None:
                    new.writestr(*made)
        return stream.getvalue()

    return of


def without_a_member(name, data):
    return None if name == "runs/one/predictions.parquet" else (name, data)


def without_manifest(name, data):
    return None if name == "manifest.json" else (name, data)


def changed_member(name, data):
    return name, data.replace(b'"one"', b'"own"') if name == "runs/one/run.json" else data


def another_version(name, data):
    return name, data.replace(b'"schema": 1', b'"schema": 9') if name == "manifest.json" else data


def renamed_to(target):
    def change(name, data):
        if name == "manifest.json":
            data = data.replace(b"runs/one/run.json", target.encode())
        return (target if name == "runs/one/run.json" else name), data

    return change


@pytest.mark.parametrize(
    "damage",
    [
        cut, one_byte_cut, middle_changed, empty, no_zip,
        *(rewritten(change) for change in (
            without_a_member, without_manifest, changed_member, another_version,
            renamed_to("../../evil"), renamed_to("/tmp/evil"), renamed_to("runs/../../evil"), renamed_to("evil"),
            renamed_to("runs/one/a:b"), renamed_to("runs\\one"), renamed_to("audit/rotated/x/y"),
        )),
    ],
)  # fmt: skip
def test_a_damaged_backup_is_refused_before_anything_is_written(no_home, whole_backup, tmp_path, damage, capsys):
    file = tmp_path / "b.zip"
    file.write_bytes(damage(whole_backup))
    assert main(["restore", str(file)]) == 4
    err = capsys.readouterr().err
    assert "is damaged, truncated or not a backup. Nothing was restored." in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]


def test_the_same_backup_undamaged_is_restored(no_home, whole_backup, tmp_path, capsys):
    file = tmp_path / "b.zip"
    file.write_bytes(whole_backup)
    assert main(["restore", str(file)]) == 0
    assert "2 runs, 2 models" in capsys.readouterr().out
    assert len(kept(no_home)) > 10


def test_every_byte_of_a_backup_counts(home, tmp_path, capsys, monkeypatch):
    shutil.rmtree(home / "models")
    # the model that comes with the program would be read once for each member
    monkeypatch.setattr("cxr_core.store.backup_members.model_groups", lambda: [])
    file = back_up(tmp_path)
    whole = file.read_bytes()
    names = zipfile.ZipFile(io.BytesIO(whole)).namelist()
    shutil.rmtree(home)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        for name in names:
            member = archive.getinfo(name)
            # in the bytes of the member, behind its header
            at = member.header_offset + 30 + len(name) + 20 + member.file_size // 2
            assert at < len(whole)
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert main(["restore", str(file)]) == 4, name
            assert not home.exists()
    file.write_bytes(whole)
    assert main(["restore", str(file)]) == 0


def test_a_disk_that_is_full_meanwhile_leaves_what_was_there(home, tmp_path, monkeypatch, capsys):
    file = back_up(tmp_path)
    (home / "runs" / "one" / "run.json").write_text("{}")
    (home / "runs" / "two" / "run.json").write_text("{}")
    before = kept(home)
    extract, done = __import__("cxr_core.store.backup", fromlist=["_extract"])._extract, []

    def full(archive, name, aside):
        extract(archive, name, aside)
        done.append(name)
        if len(done) == 2:
            raise OSError(28, "no space")

    monkeypatch.setattr("cxr_core.store.backup._extract", full)
    assert main(["restore", str(file), "--overwrite"]) == 4
    assert "a file cannot be written" in capsys.readouterr().err
    assert kept(home) == before
    monkeypatch.undo()


def test_a_backup_that_cannot_be_written_leaves_nothing(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cxr_core.store.backup._copy", _full)
    assert main(["backup", str(tmp_path / "b.zip")]) == 4
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]
    assert main(["backup", str(tmp_path / "home" / "models" / "mine" / "SHA256SUMS" / "b.zip")]) == 4
    assert main(["restore", str(tmp_path / "none.zip")]) == 4
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_pipe_stays_a_pipe(home, tmp_path, options, capsys):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for file in (pipe, link):
        assert main(["backup", str(file), *options]) == 4
        assert "Name a regular file" in capsys.readouterr().err
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert link.is_symlink()


def test_a_link_stays_a_link_and_what_it_leads_to_is_written(home, tmp_path, capsys):
    target, link = tmp_path / "elsewhere" / "b.zip", tmp_path / "link.zip"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link.symlink_to(target)
    assert main(["backup", str(link), "--overwrite"]) == 0
    assert link.is_symlink()
    assert zipfile.is_zipfile(target)


def test_the_reason_is_told_why_a_backup_cannot_be_written_or_a_file_not_read(home, tmp_path, monkeypatch, capsys):
    assert main(["backup", str(tmp_path), "--overwrite"]) == 4
    assert "it is a folder" in capsys.readouterr().err
    with monkeypatch.context() as patched:
        patched.setattr("cxr_core.store.backup._copy", _full)
        assert main(["backup", str(tmp_path / "b.zip")]) == 4
    assert "no space is left" in capsys.readouterr().err
    # a folder opens as little as a file of another owner
    unreadable = FileGroup("models/mine", lambda: [("models/mine/x", tmp_path)])
    monkeypatch.setattr("cxr_core.store.backup_members.model_groups", lambda: [unreadable])
    assert main(["backup", str(tmp_path / "b.zip")]) == 4
    assert "models/mine/x cannot be read" in capsys.readouterr().err


def test_a_backup_names_no_file_of_a_patient_and_no_image(home, tmp_path, capsys):
    file = back_up(tmp_path)
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert set(manifest) == {"schema", "created", "files"}
        roots = {name.split("/")[0] for name in archive.namelist()}
    assert roots == {"manifest.json", "database.sqlite", "audit", "runs", "models", "int8"}
    connection = sqlite3.connect(f"file:{home / 'runs' / 'second-read.sqlite'}?mode=ro", uri=True)
    assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (2,)
    connection.close()


def _full(*_):
    raise OSError(28, os.strerror(28))
