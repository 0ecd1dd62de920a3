import json
import multiprocessing
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from cxr_core.errors import PathUnusable, WrongArguments
from cxr_core.store import RunStore
from cxr_core.store.migrations import MIGRATIONS, migrate
from cxr_core.store.stored_studies import StudyStore
from tests.runs import made_up, record_of
from tests.store.test_predictions import same


@pytest.fixture
def store(url, tmp_path):
    store = RunStore(url, tmp_path / "runs", tmp_path / "none")
    yield store
    store.close()


def execute(url, *statements):
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_a_run_is_kept_and_found_by_its_beginning(store, url, tmp_path):
    predictions = made_up()
    stored = store.add(record_of(predictions, thresholds={"Mass": 0.25}, operating_point="default"), predictions)
    again = RunStore(url, tmp_path / "runs", tmp_path / "none")
    reopened = again.get("a-r")
    again.close()
    assert reopened.record == stored.record
    same(predictions, reopened.predictions())


def test_a_name_that_is_taken_or_unknown_is_refused(store):
    predictions = made_up()
    store.add(record_of(predictions, "one-run"), predictions)
    store.add(record_of(predictions, "one-more"), predictions)
    with pytest.raises(WrongArguments, match="a run with this name exists"):
        store.add(record_of(predictions, "one-run"), predictions)
    with pytest.raises(WrongArguments, match="several ids begin with this"):
        store.get("one")
    with pytest.raises(WrongArguments, match="no such run"):
        store.get("two")
    assert len(store.list()) == 2


def test_how_often_the_same_images_were_evaluated_is_counted_by_any_model(store):
    predictions, others = made_up(), made_up(seed=1)
    counts = [
        store.add(record_of(p, f"run-{i}", model_id=f"model-{i}"), p).record.evaluated_before
        for i, p in enumerate((predictions, others, predictions, predictions))
    ]
    assert counts == [0, 0, 1, 2]


def test_a_store_that_cannot_be_written_is_read(tmp_path):
    folder, predictions = tmp_path / "runs", made_up()
    store = RunStore(folder=folder, embedded=tmp_path / "none")
    stored = store.add(record_of(predictions), predictions)
    store.close()
    # a folder's mode would not stop an administrator
    store = RunStore(f"sqlite:///file:{folder}/second-read.sqlite?mode=ro&uri=true", folder, tmp_path / "none")
    assert store.get("a-run") == stored
    assert store.evaluations(stored.record.data_sha256) == 1
    with pytest.raises(PathUnusable, match="cannot be read or written at the moment"):
        store.add(record_of(predictions, "another"), predictions)
    store.close()
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["a-run"]


def test_predictions_that_were_changed_are_refused(store):
    predictions = made_up()
    run = store.add(record_of(predictions), predictions)
    path = run.folder / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(PathUnusable, match="changed since it was stored"):
        store.get("a-run").predictions()


def _write(url, folder, number, barrier):
    predictions = made_up(seed=0)
    barrier.wait()
    store = RunStore(url, folder, folder / "none")
    for i in range(5):
        store.add(record_of(predictions, f"writer-{number}-{i}"), predictions)
    store.close()


@pytest.mark.slow
def test_two_writers_at_once_lose_nothing_from_a_new_store_on(url, tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    writers = [context.Process(target=_write, args=(url, tmp_path / "runs", n, barrier)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]
    store = RunStore(url, tmp_path / "runs", tmp_path / "none")
    runs = store.list()
    store.close()
    assert len(runs) == 10
    assert sorted(run.record.evaluated_before for run in runs) == list(range(10))


def test_a_store_of_the_previous_version_migrates_and_keeps_its_runs(url, tmp_path):
    folder = tmp_path / "runs"
    store = RunStore(url, folder, tmp_path / "none")
    predictions = made_up()
    stored = store.add(record_of(predictions), predictions)
    store.close()
    # as it was before the last twelve steps
    fields = {key: value for key, value in asdict(stored.record).items() if key != "image_names_kept"}
    names = (
        "evaluations_by_films", "image_names_kept", "reads_and_opinions", "times_to_answer", "reader_numbers",
        "no_column_statistics", "removals", "dicom_network", "patients_of_studies", "stated_issuers",
        "states_of_retrievals", "series_of_results",
    )  # fmt: skip
    tables = (
        "opinions", "read_findings", "reads", "images", "studies", "compactions", "reader_numbers", "pacs_results",
        "pacs_jobs", "pacs_alarms", "pacs_instances", "pacs_awaited_priors",
    )  # fmt: skip
    execute(url, "DROP INDEX runs_by_films", f"DELETE FROM migrations WHERE name IN {names}")
    execute(url, *(f"DROP TABLE {table}" for table in tables))
    if not url.startswith("sqlite"):
        execute(url, "DROP FUNCTION opinions_are_final")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET record = :record"), {"record": json.dumps(fields)})
    assert migrate(engine) == names == tuple(step.__name__ for step in MIGRATIONS[-12:])
    assert migrate(engine) == ()
    with engine.begin() as connection:
        (record,) = connection.execute(text("SELECT record FROM runs")).one()
    assert json.loads(record)["image_names_kept"] is True
    engine.dispose()
    store = RunStore(url, folder, tmp_path / "none")
    same(predictions, store.get("a-run").predictions())
    store.close()


def test_a_record_of_before_thresholds_were_kept_is_read(url, store, tmp_path):
    predictions = made_up()
    stored = store.add(record_of(predictions, thresholds={"Mass": 0.25}, operating_point="default"), predictions)
    fields = {
        key: value for key, value in asdict(stored.record).items() if key not in ("thresholds", "operating_point")
    }
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET record = :record"), {"record": json.dumps(fields)})
    engine.dispose()
    record = store.get("a-run").record
    assert (record.operating_point, record.thresholds) == ("", {})


def test_a_step_that_fails_leaves_nothing(url, tmp_path, monkeypatch):
    def broken(connection):
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        raise RuntimeError

    folder = tmp_path / "runs"
    RunStore(url, folder, tmp_path / "none").close()
    monkeypatch.setattr("cxr_core.store.migrations.MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(RuntimeError):
        RunStore(url, folder, tmp_path / "none")
    engine = create_engine(url)
    tables = set(inspect(engine).get_table_names())
    assert {"runs", "migrations"} <= tables
    assert "half" not in tables
    engine.dispose()


def test_a_newer_store_is_refused_with_words(url, tmp_path):
    folder = tmp_path / "runs"
    RunStore(url, folder, tmp_path / "none").close()
    execute(url, "INSERT INTO migrations VALUES ('of_the_future')")
    with pytest.raises(PathUnusable, match=r"newer than this program: it has of_the_future\. Use the version"):
        RunStore(url, folder, tmp_path / "none")


def test_a_file_is_read_once_and_again_when_it_changed(store, monkeypatch):
    predictions = made_up()
    run = store.add(record_of(predictions), predictions)
    path = run.folder / "predictions.parquet"
    run.check()
    monkeypatch.setattr("cxr_core.store.runs.file_sha256", lambda path: "another")
    run.check()
    now = path.stat()
    os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns + 1))
    with pytest.raises(PathUnusable, match="changed since it was stored"):
        run.check()


def test_an_address_that_cannot_be_opened_is_one_line_without_its_password(tmp_path):
    for url in ("nonsense", "postgresql://user:QZSECRET@nowhere.invalid/x", f"sqlite:///{tmp_path}/no/such/folder.db"):
        with pytest.raises(PathUnusable) as error:
            RunStore(url, tmp_path / "runs")
        assert "QZSECRET" not in str(error.value)
        assert "SECOND_READ_DATABASE_URL" in str(error.value)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_connections_of_a_store_that_nobody_has_any_more_are_closed(tmp_path):
    def opened() -> int:
        return sum(os.path.realpath(file).startswith(f"{tmp_path}/") for file in Path("/proc/self/fd").iterdir())

    stores = [RunStore(None, tmp_path / "runs", tmp_path / "none"), StudyStore(None, tmp_path / "runs")]
    assert stores[0].list() == ()
    assert opened()
    stores.clear()
    assert opened() == 0
