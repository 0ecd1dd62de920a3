"""A database that was deleted or damaged, and the runs whose files are still there."""

import json
import shutil
import sqlite3

import pytest

from cxr_core.access import audit
from cxr_core.cli.main import main
from cxr_core.errors import StoreDamaged
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.runs import made_up, made_up_boxes, record_of
from tests.store.test_predictions import same


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of two runs, one with boxes."""
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, tmp_path / "none"))
    settings.cache_clear()
    predictions = made_up()
    store = RunStore()
    store.add(record_of(predictions, "one", thresholds={"Mass": 0.25}), predictions)
    store.add(record_of(predictions, "two"), predictions, made_up_boxes(predictions))
    store.close()
    yield tmp_path / "runs"
    settings.cache_clear()


def records():
    store = RunStore()
    by_id = {run.record.id: run.record for run in store.list()}
    store.close()
    return by_id


def database(runs):
    return runs / "second-read.sqlite"


def test_a_deleted_database_is_told_and_brought_back(runs, capsys):
    before = records()
    database(runs).unlink()
    assert main(["runs", "list"]) == 0
    out = capsys.readouterr()
    assert "There are no runs yet" in out.out
    assert "2 runs are in the folder of runs but not in the database: one, two." in out.err
    assert "runs rebuild" in out.err
    assert main(["runs", "rebuild"]) == 0
    assert capsys.readouterr().out.splitlines() == ["one: added", "two: added"]
    assert records() == before
    assert before["two"].evaluated_before == 1
    store = RunStore()
    same(made_up(), store.get("two").predictions())
    assert len(store.get("two").localisation()) == len(made_up_boxes(made_up()))
    store.close()
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["runs", "rebuild"]) == 0
    assert "Every run in the folder of runs is in the database." in capsys.readouterr().out


def garbage(data):
    return b"not a database at all, for longer than its header has bytes" * 20


def head(data):
    return b"\0" * 100 + data[100:]


def half(data):
    return data[: len(data) // 2]


def last_page(data):
    # all of it: its end may be unused
    return data[:-4096] + b"\xa5" * 4096


@pytest.mark.parametrize("damage", [garbage, head, half, last_page])
def test_a_damaged_database_is_one_line_that_says_what_to_do(runs, damage, capsys):
    before = records()
    data = damage(database(runs).read_bytes())
    database(runs).write_bytes(data)
    statuses = [main(["runs", *words]) for words in (["list"], ["show", "one"], ["compare", "one", "two"])]
    err = capsys.readouterr().err
    # a page that no query has read may be damaged and go unseen until it is looked for
    for status, line in zip([status for status in statuses if status], err.splitlines(), strict=True):
        assert status == 4
        assert line.startswith("Error: The database of runs is damaged. `python -m cxr_core runs rebuild`")
    if damage in (garbage, head, half):
        assert statuses == [4, 4, 4]
    assert main(["runs", "rebuild"]) == 0
    out = capsys.readouterr().out
    assert "second-read.sqlite.damaged-1" in out
    assert (runs / "second-read.sqlite.damaged-1").read_bytes() == data
    assert records() == before
    database(runs).write_bytes(b"damaged once more, and longer than a header" * 30)
    assert main(["runs", "rebuild"]) == 0
    assert (runs / "second-read.sqlite.damaged-2").is_file()
    assert records() == before


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE runs",
        "UPDATE runs SET record = '{'",
        "UPDATE runs SET record = '3'",
        "UPDATE runs SET record = '{}'",
    ],
)
def test_a_database_of_other_contents_is_damaged_too(runs, statement, capsys):
    before = records()
    connection = sqlite3.connect(database(runs))
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert main(["runs", "list"]) == 4
    assert capsys.readouterr().err.startswith("Error: The database of runs is damaged.")
    assert main(["runs", "rebuild"]) == 0
    assert records() == before


def test_an_empty_file_is_an_empty_database(runs, capsys):
    database(runs).write_bytes(b"")
    assert main(["runs", "list"]) == 0
    assert "2 runs are in the folder" in capsys.readouterr().err
    assert main(["runs", "rebuild"]) == 0
    assert set(records()) == {"one", "two"}


def test_a_damaged_database_elsewhere_is_put_aside_there(runs, tmp_path, monkeypatch, capsys):
    file = tmp_path / "elsewhere.sqlite"
    file.write_bytes(b"no database, but longer than the header of one is" * 30)
    monkeypatch.setenv("SECOND_READ_DATABASE_URL", f"sqlite:///{file}")
    settings.cache_clear()
    with pytest.raises(StoreDamaged):
        RunStore()
    assert main(["runs", "rebuild"]) == 0
    assert (tmp_path / "elsewhere.sqlite.damaged-1").is_file()
    assert set(records()) == {"one", "two"}


def changed(runs):
    path = runs / "one" / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def boxes_gone(runs):
    (runs / "two" / "localisation.parquet").unlink()


def broken(runs):
    (runs / "one" / "run.json").write_text("{")


def nested(runs):
    (runs / "one" / "run.json").write_text("[" * 100_000)


def of_another_type(runs):
    fields = json.loads((runs / "one" / "run.json").read_text())
    (runs / "one" / "run.json").write_text(json.dumps(fields | {"images": "many"}))


def incomplete(runs):
    (runs / "one" / "run.json").write_text('{"id": "one"}')


def renamed(runs):
    (runs / "one").rename(runs / "another")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed, "Run one: predictions.parquet is missing or was changed"),
        (boxes_gone, "Run two: localisation.parquet is missing or was changed"),
        (broken, "Run one: run.json cannot be read"),
        (nested, "Run one: run.json cannot be read"),
        (of_another_type, "Run one: run.json cannot be read"),
        (incomplete, "Run one: run.json cannot be read"),
        (renamed, "Run another: its run.json is of run one"),
    ],
)
def test_a_run_that_is_not_whole_is_named_and_the_others_come_back(runs, change, words, capsys):
    database(runs).unlink()
    change(runs)
    assert main(["runs", "rebuild"]) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"Error: {words}")
    assert err.count("\n") == 1
    assert len(records()) == 1


def test_what_is_no_run_is_not_taken_for_one(runs, capsys):
    for name in ("half.writing", "half.scoring", "an export"):
        shutil.copytree(runs / "one", runs / name)
    (runs / "exported").mkdir()
    (runs / "exported" / "run.json").write_text("{}")
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["runs", "rebuild"]) == 0
    assert set(records()) == {"one", "two"}


def test_a_run_whose_files_are_gone_is_told(runs, capsys):
    shutil.rmtree(runs / "one")
    assert main(["runs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("; its files are missing") for line in lines] == [line.startswith("one") for line in lines]


def test_a_rebuild_of_a_whole_store_changes_nothing(runs):
    before, data = records(), database(runs).read_bytes()
    assert main(["runs", "rebuild"]) == 0
    assert (records(), database(runs).read_bytes()) == (before, data)


def test_a_rebuild_is_in_the_trail(runs, trail, monkeypatch, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(runs))
    settings.cache_clear()
    database(runs).unlink()
    assert main(["runs", "rebuild"]) == 0
    (event,) = audit.read()[0]
    assert (event.what, event.detail) == ("rebuild", "2 runs added")
