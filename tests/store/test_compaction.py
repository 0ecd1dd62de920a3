"""After a deletion no file of the database holds anything of it: not what the server's statistics copied, either."""

import functools
import hashlib
import os
import sqlite3
import threading
import uuid
import zipfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from cxr_core.access import LOCAL
from cxr_core.cli.main import main
from cxr_core.errors import DeletionUnfinished
from cxr_core.settings import settings
from cxr_core.store import backup_members, compaction, database
from cxr_core.store.backup import back_up
from cxr_core.store.column_statistics import TABLES
from cxr_core.store.image_files import image_path, studies_folder
from cxr_core.store.reads import ReadStore
from cxr_core.studies import Patient, StudyHeader
from tests.reads import OPTIONS, made_up_reading
from tests.store.test_reads import everything, home, store  # noqa: F401 - fixtures

on_the_server = pytest.mark.parametrize("url", ["postgres"], indirect=True)


@contextmanager
def connected(url, isolation="AUTOCOMMIT"):
    engine = create_engine(url, isolation_level=isolation)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def stored(store, word: str, count: int = 12) -> list[str]:  # noqa: F811
    """Store images of a patient with reads and opinions; return all that a deletion is to leave nothing of."""
    words = [word, f"no mass in {word}"]
    header = StudyHeader("1.2.3", "1.2.3.4", "PA", Patient(word, f"ID of {word}"))
    for number in range(count):
        image = store.add_image("anna", f"{word} {number}".encode(), name=f"{word}.dcm", header=header)
        read = store.save_read(image, made_up_reading(number, checked=True), OPTIONS, "3", revealed=True)
        store.add_opinion(read, "anna", "Mass", "absent", words[1])
        words += [image.digest, image.study, read]
    assert hashlib.sha256(f"{word} 0".encode()).hexdigest() in words
    return words


def on_disk(connection, words: list[str]) -> set[str]:
    """Return the words that a file of the server holds, but for its write-ahead log; after a checkpoint."""
    connection.exec_driver_sql("CHECKPOINT")
    folder = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
    if not folder.is_dir():
        pytest.skip("the server's files are not here")
    files = [path for path in folder.rglob("*") if path.is_file() and "pg_wal" not in path.parts]
    assert len(files) > 500
    data = [path.read_bytes() for path in files]
    return {word for word in words if any(word.encode() in each for each in data)}


def in_statistics(connection, words: list[str]) -> set[str]:
    rows = connection.exec_driver_sql(
        "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE schemaname = current_schema() "
        "UNION ALL SELECT most_common_vals::text, '' FROM pg_stats_ext WHERE schemaname = current_schema()"
    )
    found = " ".join(str(value) for row in rows for value in row)
    return {word for word in words if word in found}


@on_the_server
def test_no_statistics_are_collected_of_studies(store, home, url):  # noqa: F811
    home(identity="store")
    words = stored(store, f"Quendel{uuid.uuid4().hex}")
    with connected(url) as connection:
        connection.exec_driver_sql(f"ANALYZE {', '.join(TABLES)}")
        assert not in_statistics(connection, words)
        # nor of a column that a later migration has added
        columns = text("SELECT attname FROM pg_stats WHERE schemaname = current_schema() AND tablename = :tab")
        assert [row for table in TABLES for row in connection.execute(columns, {"tab": table})] == []
        # what is looked for can be found
        assert on_disk(connection, words) == set(words)
        assert store.delete(LOCAL, reader="anna") == 12
        assert not on_disk(connection, words)


def collect_statistics(connection) -> None:
    """As where an administrator asked for them, or the database is of an earlier version."""
    columns = text("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:tab) AND attnum > 0")
    for table in TABLES:
        for column in connection.execute(columns, {"tab": table}).scalars().fetchall():
            connection.exec_driver_sql(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 100")
    connection.exec_driver_sql("CREATE STATISTICS both_columns (mcv) ON study, image FROM reads")
    connection.exec_driver_sql(f"ANALYZE {', '.join(TABLES)}")


@on_the_server
def test_a_database_of_an_earlier_version_loses_its_statistics_when_it_is_opened(store, home, url, tmp_path):  # noqa: F811
    home(identity="store")
    words = stored(store, f"Quendel{uuid.uuid4().hex}")
    with connected(url) as connection:
        connection.exec_driver_sql("DELETE FROM migrations WHERE name = 'no_column_statistics'")
        collect_statistics(connection)
        assert len(in_statistics(connection, words)) > 30
        with closing(ReadStore(url, tmp_path / "runs")) as again:
            assert again.unfinished == ""
            assert len(again.images("anna")) == 12
            assert not in_statistics(connection, words)
            again.add_opinion(again.list_reads()[0].id, "anna", "Mass", "present")
            with pytest.raises(DBAPIError, match="an opinion is never changed"):
                connection.exec_driver_sql("UPDATE opinions SET opinion = 'absent'")
            assert again.delete(LOCAL, reader="anna") == 12
        assert not on_disk(connection, words)


@on_the_server
def test_statistics_that_were_collected_go_with_the_rows(store, home, url):  # noqa: F811
    home(identity="store")
    words = stored(store, f"Quendel{uuid.uuid4().hex}")
    with connected(url) as connection:
        collect_statistics(connection)
        assert len(in_statistics(connection, words)) > 30
        assert store.delete(LOCAL, reader="anna") == 12
        assert not in_statistics(connection, words)
        assert not on_disk(connection, words)
        # and none are collected from now on
        again = stored(store, f"Quendel{uuid.uuid4().hex}")
        connection.exec_driver_sql(f"ANALYZE {', '.join(TABLES)}")
        assert not in_statistics(connection, again)


@on_the_server
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_deletion_is_finished_when_no_transaction_can_see_the_rows_any_more(
    store,  # noqa: F811
    home,  # noqa: F811
    url,
    isolation,
    monkeypatch,
):
    home(identity="store")
    words = stored(store, f"Quendel{uuid.uuid4().hex}", 2)
    monkeypatch.setattr(compaction, "_WAIT_SECONDS", 0.5)
    with connected(url) as connection, connected(url, isolation) as other:
        # one that writes, and one that only reads
        other.exec_driver_sql("SELECT pg_current_xact_id()" if isolation == "READ COMMITTED" else "SELECT 1")
        with pytest.raises(DeletionUnfinished, match="a transaction from before the deletion is still open"):
            store.delete(LOCAL, reader="anna")
        assert "still open" in store.unfinished
        assert store.images("anna") == store.list_reads() == ()
        # it hinders nobody
        with closing(ReadStore(url, home().parent / "runs")) as again:
            assert "still open" in again.unfinished
            kept = again.add_image("bert", b"another")
        other.rollback()
        store.delete_due()
        assert store.unfinished == ""
        assert not on_disk(connection, words)
        assert store.images("bert") == (kept,)


@on_the_server
def test_a_deletion_waits_for_a_short_transaction(store, home, url):  # noqa: F811
    home(identity="store")
    words = stored(store, f"Quendel{uuid.uuid4().hex}", 2)
    with connected(url) as connection, connected(url, "READ COMMITTED") as other:
        other.exec_driver_sql("SELECT pg_current_xact_id()")
        timer = threading.Timer(0.5, other.rollback)
        timer.start()
        assert store.delete(LOCAL, reader="anna") == 2
        timer.join()
        assert not on_disk(connection, words)


@on_the_server
def test_a_server_that_does_not_overwrite_for_lack_of_rights_is_no_success(store, server, url):  # noqa: F811
    """It warns, and answers as if it had."""
    stored(store, "Quendel", 1)
    role, schema = f"role_{uuid.uuid4().hex}", make_url(url).query["options"].partition("=")[2]
    with connected(server) as connection:
        for statement in (
            f"CREATE ROLE {role}",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}",
        ):
            connection.exec_driver_sql(statement)
        options = f"-csearch_path={schema} -crole={role}"
        of_role = make_url(url).update_query_dict({"options": options}).render_as_string(hide_password=False)
        try:
            with (
                closing(ReadStore(of_role)) as limited,
                pytest.raises(DeletionUnfinished, match="must own the tables"),
            ):
                limited.delete(LOCAL, reader="anna")
        finally:
            connection.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
    store.delete_due()
    assert store.unfinished == ""


@contextmanager
def of_table_owner(server, url):
    """Yield the address of a role that owns the tables, and not the database."""
    role, schema = f"role_{uuid.uuid4().hex}", make_url(url).query["options"].partition("=")[2]
    with connected(server) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}; GRANT ALL ON SCHEMA {schema} TO {role}")
        owned = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
        for table in connection.execute(owned, {"schema": schema}).scalars().fetchall():
            connection.exec_driver_sql(f"ALTER TABLE {schema}.{table} OWNER TO {role}")
        options = f"-csearch_path={schema} -crole={role}"
        try:
            yield make_url(url).update_query_dict({"options": options}).render_as_string(hide_password=False)
        finally:
            connection.exec_driver_sql(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")


@on_the_server
def test_statistics_that_the_role_must_not_overwrite_are_left_to_the_administrator(store, server, home, url):  # noqa: F811
    """VACUUM FULL of a catalog only warns where the role owns the tables and not the database."""
    home(identity="store")
    words = stored(store, f"Quendel{uuid.uuid4().hex}")
    catalogs = ("pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data")
    files = text("SELECT pg_relation_filenode('reads')")
    with connected(url) as connection:
        collect_statistics(connection)
        with of_table_owner(server, url) as address:
            with (
                closing(ReadStore(address)) as limited,
                pytest.raises(DeletionUnfinished, match="a superuser or the owner of the database execute VACUUM"),
            ):
                limited.delete(LOCAL, reader="anna")
            assert len(on_disk(connection, words)) > 30
            rewritten = connection.execute(files).scalar_one()
            # it stays due: at the next attempt, and while half of it is done
            for step in ("SELECT 1", *(f"VACUUM (FULL) {catalog}" for catalog in catalogs)):
                with closing(ReadStore(address)) as again:
                    assert all(catalog in again.unfinished for catalog in catalogs)
                    assert "\n" not in again.unfinished
                connection.exec_driver_sql(step)
            with closing(ReadStore(address)) as again:
                assert again.unfinished == ""
            # the tables were not written again for that
            assert connection.execute(files).scalar_one() == rewritten
            assert not on_disk(connection, words)
            # the next deletion has no statistics to remove
            stored(store, "Quendel", 2)
            with closing(ReadStore(address)) as again:
                assert again.delete(LOCAL, reader="anna") == 2
                assert again.unfinished == ""


@contextmanager
def full_disk():
    """No VACUUM succeeds."""

    def execute(connection, cursor, statement, *_):
        if statement.startswith("VACUUM"):
            raise OperationalError(statement, None, Exception("database or disk is full"))

    event.listen(Engine, "before_cursor_execute", execute)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", execute)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_write_ahead_log_that_somebody_reads_keeps_the_deletion_due(home, url, tmp_path, monkeypatch):  # noqa: F811
    """An administrator or a replication tool may have switched it on; the program does not."""
    home(identity="store")
    monkeypatch.setattr(database, "open_database", functools.partial(database.open_database, wait_seconds=0.1))
    file = Path(make_url(url).database)
    with closing(ReadStore(url, tmp_path / "runs")) as store:  # noqa: F811
        words = stored(store, "Quendel", 3)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            assert other.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
            other.execute("BEGIN")
            assert other.execute("SELECT COUNT(*) FROM reads").fetchone() == (3,)
            with pytest.raises(DeletionUnfinished, match="another program reads the database"):
                store.delete(LOCAL, reader="anna")
            held = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
            assert [word for word in words if word.encode() in held]
            store.delete_due()
            assert "another program reads the database" in store.unfinished
        store.delete_due()
        assert store.unfinished == ""
        held = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
        assert not [word for word in words if word.encode() in held]


def test_a_store_whose_rows_cannot_be_overwritten_works_and_tries_again(store, home, url, tmp_path):  # noqa: F811
    home(identity="store")
    words = stored(store, "Quendel", 3)
    with full_disk():
        with pytest.raises(DeletionUnfinished, match="cannot be overwritten in the files of the database at the mom"):
            store.delete(LOCAL, reader="anna")
        assert "deleted when the store is opened next" in store.unfinished
        # opened again, written and read
        with closing(ReadStore(url, tmp_path / "runs")) as again:
            assert again.unfinished == store.unfinished
            assert again.images("anna") == ()
            assert len(again.load(again.add_image("anna", b"new").study, hashlib.sha256(b"new").hexdigest())) == 3
            assert [image.digest for image in store.images("anna")] == [hashlib.sha256(b"new").hexdigest()]
            assert not [word for word in words if word in everything(url)]
    store.delete_due()
    assert store.unfinished == ""
    with closing(ReadStore(url, tmp_path / "runs")) as again:
        assert again.unfinished == ""
    if url.startswith("sqlite"):
        data = Path(make_url(url).database).read_bytes()
        assert not [word for word in words if word.encode() in data]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_backup_holds_nothing_of_a_deletion_that_is_unfinished(store, home, url, tmp_path, monkeypatch):  # noqa: F811
    home(identity="store")
    monkeypatch.setattr(backup_members, "model_groups", lambda: iter(()))
    words = stored(store, "Quendel", 3)
    kept = store.add_image("bert", b"kept", name="other.dcm")
    path = image_path(words[3], words[2])
    with full_disk():
        with monkeypatch.context() as patched:
            # and one of the files cannot be removed
            patched.setattr(Path, "unlink", lambda file, **_: _refuse() if file == path else os.unlink(file))
            with pytest.raises(DeletionUnfinished, match="A stored image cannot be deleted"):
                store.delete(LOCAL, reader="anna")
            # the others are gone
            assert [file for file in studies_folder().glob("*/*") if file.name != kept.digest] == [path]
            monkeypatch.setenv("SECOND_READ_AUDIT", str(tmp_path / "another.jsonl"))
            settings.cache_clear()
            back_up(tmp_path / "b.zip")
        with zipfile.ZipFile(tmp_path / "b.zip") as archive:
            data = {name: archive.read(name) for name in archive.namelist()}
    assert f"studies/{kept.study}/{kept.digest}" in data
    assert kept.digest.encode() in data["database.sqlite"]
    assert not [name for name, each in data.items() for word in words if word.encode() in name.encode() + each]
    store.delete_due()
    assert (store.unfinished, path.exists()) == ("", False)


def _refuse():
    raise PermissionError(1, "not permitted")


def test_an_image_is_added_again_while_its_deletion_is_unfinished(store, home, monkeypatch):  # noqa: F811
    image = store.add_image("anna", b"one")
    second = store.add_image("anna", b"two", study=image.study)
    path = image_path(image.study, image.digest)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda file, **_: _refuse() if file == path else os.unlink(file))
        with pytest.raises(DeletionUnfinished):
            store.delete(LOCAL, reader="anna", digests=[image.digest])
        again = store.add_image("anna", b"one", study=image.study)
        # nothing of the former one is in it
        assert again.study not in (image.study, "")
        assert {one.digest for one in store.images("anna")} == {again.digest, second.digest}
    store.delete_due()
    assert store.unfinished == ""
    assert not path.exists()
    assert store.load(again.study, again.digest) == b"one"


def test_a_command_says_that_a_deletion_is_unfinished(store, home, url, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("SECOND_READ_DATABASE_URL", url)
    settings.cache_clear()
    image = store.add_image("anna", b"one")
    with full_disk():
        assert main(["reads", "delete", image.study]) == 4
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("Error: The deleted rows cannot be overwritten")
        assert main(["reads", "list"]) == 0
        assert "cannot be overwritten" in capsys.readouterr().err
    assert main(["reads", "list"]) == 0
    assert capsys.readouterr().err == ""
