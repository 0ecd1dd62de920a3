"""What the program keeps is its owner's alone, whatever the umask; what was asked for elsewhere goes by the umask."""

import os
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.archive import OutputChunks
from cxr_core.cli.main import main
from cxr_core.files import make_tree_private, open_private, private_folder, secret_key, write_whole
from cxr_core.imaging import phantom_png
from cxr_core.model.predictor import _load
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.runs import made_up, record_of


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}


def open_to_others(folder: Path) -> list[str]:
    return [
        f"{name} {mode:o}"
        for name, mode in modes(folder).items()
        if mode != (0o700 if (folder / name).is_dir() else 0o600)
    ]


@pytest.fixture(params=[0, 0o027])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    # below a folder that is not there, with the trail beside the runs as it comes
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "data" / "runs"))
    monkeypatch.delenv("SECOND_READ_AUDIT")
    settings.cache_clear()
    # the graph is compiled, and kept, once in a process
    _load.cache_clear()
    yield tmp_path / "data" / "runs"
    settings.cache_clear()


@pytest.fixture
def work(tmp_path):
    """Images and their table."""
    folder = tmp_path / "work"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(4):
        (folder / "images" / f"{number}.png").write_bytes(phantom_png(96, 84 + 2 * number))
        rows.append((f"{number}.png", "Effusion" if number % 2 else "No Finding", number, 50, "M", "PA"))
    columns = ["Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "t.csv", index=False)
    return folder


@pytest.mark.slow
def test_commands_close_what_they_keep_and_nothing_else(umask, runs, work, capsys, monkeypatch):
    images = str(work / "images")
    evaluate = ["evaluate", "--images", images, "--table", str(work / "t.csv"), "--name", "one"]
    # truncated: what was scored so far stays
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "add", _stop)
        with pytest.raises(RuntimeError):
            main(evaluate)
    assert list(runs.glob("one.scoring/scores/*.parquet"))
    assert not open_to_others(runs)
    assert main([*evaluate, "--resume"]) == 0
    assert main(["runs", "export", "one", str(work / "out")]) == 0
    assert main(["runs", "export", "one", str(runs / "exported")]) == 0
    assert main(["predict", images, "--archive", str(work / "archive")]) in (0, 3)
    assert main(["predict", images, "--archive", str(runs / "archive")]) in (0, 3)
    assert main(["predict", images, "--csv", "--heatmaps", str(runs / "maps"), "--out", str(runs / "a.csv")]) in (0, 3)
    assert main(["audit", "--verify"]) == 0
    folders = {path.relative_to(runs).parts[0] for path in runs.rglob("*")}
    assert folders >= {
        "audit.jsonl", "audit.key", "audit.head", "patients.key", "second-read.sqlite", "one", "summaries", "compiled",
        "exported", "archive", "a.csv",
    }  # fmt: skip
    assert not open_to_others(runs.parent)
    for folder in (work / "out", work / "archive"):
        for name, mode in modes(folder).items():
            assert mode == (0o777 if (folder / name).is_dir() else 0o666) & ~umask, name


@pytest.mark.parametrize("journal", ["DELETE", "WAL", "PERSIST"])
def test_what_sqlite_keeps_beside_the_database_is_closed_too(umask, tmp_path, journal):
    folder = tmp_path / "runs"
    RunStore(folder=folder, embedded=tmp_path / "none").close()
    connection = sqlite3.connect(folder / "second-read.sqlite", isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE another (number INTEGER)")
    seen = modes(folder)
    connection.rollback()
    connection.close()
    assert len(seen) > 2
    assert set(seen.values()) == {0o700, 0o600}


def test_what_a_former_version_left_open_is_closed_and_what_is_not_ours_is_not(tmp_path):
    folder, predictions = tmp_path / "runs", made_up()
    store = RunStore(folder=folder, embedded=tmp_path / "none")
    store.add(record_of(predictions), predictions)
    store.close()
    (folder / "summaries").mkdir()
    (folder / "mine").mkdir()
    for name in ("audit.jsonl", "audit.jsonl.1", "patients.key", "summaries/x.json", "mine/notes.txt", "letter.txt"):
        (folder / name).write_text("x")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    RunStore(folder=folder, embedded=tmp_path / "none").close()
    assert set(open_to_others(folder)) == {"mine 755", "mine/notes.txt 644", "letter.txt 644"}


def test_a_trail_beside_other_programs_logs_leaves_their_folder_open(tmp_path, monkeypatch, trail):
    trail.parent.mkdir(mode=0o755)
    trail.parent.chmod(0o755)
    audit.record(LOCAL, "export")
    assert trail.parent.stat().st_mode & 0o777 == 0o755
    assert trail.stat().st_mode & 0o777 == 0o600


def test_a_link_and_a_folder_for_everybody_are_left_alone(tmp_path):
    (tmp_path / "theirs").write_text("x")
    (tmp_path / "theirs").chmod(0o644)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "link").symlink_to(tmp_path / "theirs")
    make_tree_private(tmp_path / "ours")
    assert (tmp_path / "theirs").stat().st_mode & 0o777 == 0o644
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    make_tree_private(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize("mask", [0, 0o077, 0o277])
def test_a_private_file_is_readable_by_its_owner_under_any_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        os.close(open_private(private_folder(tmp_path / "a" / "b") / "one", os.O_RDWR))
        write_whole(tmp_path / "a" / "b" / "two", b"x", private=True)
        key = secret_key(tmp_path / "a" / "key")
    finally:
        os.umask(before)
    assert not open_to_others(tmp_path / "a")
    assert secret_key(tmp_path / "a" / "key") == key
    assert sorted(path.name for path in (tmp_path / "a").rglob("*")) == ["b", "key", "one", "two"]


def test_parts_are_private_only_where_that_is_asked_for(tmp_path):
    import pyarrow as pa

    before = os.umask(0)
    try:
        for private in (True, False):
            with OutputChunks(
                tmp_path / str(private), {"t": pa.schema([("a", pa.int64())])}, {}, private=private
            ) as parts:
                parts.put("t", [{"a": 1}])
    finally:
        os.umask(before)
    assert not open_to_others(tmp_path / "True")
    assert len(open_to_others(tmp_path / "False")) == 4


def _stop(*_):
    raise RuntimeError
