"""Deleted means deleted: neither database nor disk nor a later backup holds anything of it, whenever a program dies."""

import hashlib
import multiprocessing
import os
import signal
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from cxr_core.access import LOCAL, audit
from cxr_core.cli.main import main
from cxr_core.errors import AuditUnwritable, PathUnusable, WrongArguments
from cxr_core.files import write_whole
from cxr_core.settings import settings
from cxr_core.store import backup_members
from cxr_core.store.image_files import image_path, studies_folder
from cxr_core.store.reads import ReadStore
from tests.reads import OPTIONS, made_up_reading
from tests.store.test_reads import HEADER, PATIENT, everything, home, read_of, store  # noqa: F401 - fixtures

PIXELS = b"pixels of the chest of " + PATIENT.encode()


def stored(store, number=0, reader="anna"):  # noqa: F811
    """Store an image with identity, a read of it and an opinion; return the image."""
    data = PIXELS + b" %d" % number
    image = store.add_image(reader, data, name=f"{PATIENT}.dcm", path=f"{PATIENT}.dcm", header=HEADER)
    read = store.save_read(image, made_up_reading(number, checked=True), OPTIONS, "3", revealed=True)
    store.add_opinion(read, reader, "Mass", "absent", f"{PATIENT} has no mass")
    return image


def holding(folder: Path, *words: str) -> list[Path]:
    """The files below a folder that hold one of the words, or are named so."""
    found = []
    for path in folder.rglob("*"):
        data = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
        found += [path] if any(word.encode() in data for word in words) else []
    return found


def test_nothing_of_a_deleted_study_is_anywhere(store, home, tmp_path, url, monkeypatch):  # noqa: F811
    home(identity="store")
    monkeypatch.setattr(backup_members, "model_groups", lambda: iter(()))
    # enough that rows are moved between pages
    kept, gone = [], []
    for number in range(24):
        (gone if number % 3 else kept).append(stored(store, number))
    words = ("Quendelzahn", "QZ-4711", "has no mass", *(image.digest for image in gone), "pixels of")
    disk = [tmp_path / "home", tmp_path / "runs"]
    assert all(holding(folder, *words) for folder in disk[: 1 + url.startswith("sqlite")])
    # of those that stay, nothing may be looked for
    assert store.delete(LOCAL, reader="anna", digests=[image.digest for image in kept]) == len(kept)
    assert store.delete_study(LOCAL, gone[0].study) == 1
    assert store.delete(LOCAL, reader="anna") == len(gone) - 1
    store.close()
    for folder in disk:
        assert [path for path in holding(folder, *words) if path.name != "audit.jsonl"] == []
    assert not [name for name in words if name in everything(url)]
    assert not list(studies_folder().glob("*/"))
    events = audit.read()[0]
    assert {event.what for event in events} == {"deletion"}
    assert sorted(digest for event in events for digest in event.images) == sorted(i.digest for i in [*kept, *gone])
    if url.startswith("sqlite"):
        monkeypatch.setenv("SECOND_READ_AUDIT", str(tmp_path / "another.jsonl"))
        settings.cache_clear()
        assert main(["backup", str(tmp_path / "b.zip")]) == 0
        with zipfile.ZipFile(tmp_path / "b.zip") as archive:
            data = {name: archive.read(name) for name in archive.namelist()}
        assert "database.sqlite" in data
        assert not [name for name, each in data.items() for word in words if word.encode() in name.encode() + each]


def test_the_search_finds_what_is_there(store, home, tmp_path, url):  # noqa: F811
    home(identity="store")
    image = stored(store)
    assert holding(tmp_path / "home", "pixels of", image.digest)
    if url.startswith("sqlite"):
        assert [path.name for path in holding(tmp_path / "runs", "QZ-4711")] == ["second-read.sqlite"]


def test_other_images_of_the_study_and_of_other_readers_stay(store):  # noqa: F811
    image = stored(store)
    second = store.add_image("anna", b"two", study=image.study)
    other = stored(store, reader="bert")
    assert other.digest == image.digest
    assert store.delete(LOCAL, reader="anna", digests=[image.digest]) == 1
    assert store.images("anna") == (second,)
    assert store.load(second.study, second.digest) == b"two"
    assert [read.reader for read in store.list_reads()] == ["bert"]
    assert len(store.opinions(other.study, other.digest)) == 1
    with pytest.raises(WrongArguments, match="No such study"):
        store.delete_study(LOCAL, "0" * 20)
    # added again, it is a new one without reads
    again = store.add_image("anna", PIXELS + b" 0")
    assert store.last_read(again) is None


def test_a_reader_deletes_images_whose_files_are_missing_too(store, home):  # noqa: F811
    whole, missing = stored(store), stored(store, 1)
    image_path(missing.study, missing.digest).unlink()
    assert store.delete(LOCAL, reader="anna", digests=[missing.digest]) == 1
    assert [read.image for read in store.list_reads()] == [whole.digest]
    image_path(whole.study, whole.digest).unlink()
    assert store.delete(LOCAL, reader="anna") == 1
    assert not store.list_reads()


def test_studies_are_deleted_when_their_days_have_passed(store, home):  # noqa: F811
    home(keep_days="3")
    image = stored(store)
    now = datetime.now(UTC)
    assert store.delete_expired(now + timedelta(days=2.9)) == 0
    orphan = image_path("0" * 20, "ab" * 32)
    orphan.parent.mkdir()
    orphan.write_bytes(b"of a database that was restored since")
    assert store.delete_expired(now + timedelta(days=2.9)) == 0
    assert store.delete_expired(now + timedelta(days=3.1)) == 2
    assert store.images("anna") == store.list_reads() == store.opinions(image.study, image.digest) == ()
    assert not list(studies_folder().glob("*/"))
    (event,) = audit.read()[0]
    assert (event.who, event.what, event.detail) == ("server", "deletion", "expired")
    assert set(event.images) == {image.digest, "ab" * 32}


def test_without_a_line_in_the_trail_nothing_is_deleted(store, home, tmp_path):  # noqa: F811
    image = stored(store)
    (tmp_path / "no").write_text("a file")
    home(audit=str(tmp_path / "no" / "audit.jsonl"))
    with pytest.raises(AuditUnwritable):
        store.delete(LOCAL, reader="anna")
    assert store.images("anna") == (image,)
    assert len(store.list_reads()) == 1


def test_a_deletion_that_the_database_refuses_leaves_no_line_in_the_trail(store):  # noqa: F811
    image = stored(store)

    def refuse(connection, cursor, statement, *_):
        if statement.startswith("UPDATE images SET deleted"):
            raise OperationalError(statement, None, Exception("database is locked"))

    event.listen(store._engine, "before_cursor_execute", refuse)
    try:
        with pytest.raises(PathUnusable, match="at the moment"):
            store.delete(LOCAL, reader="anna")
    finally:
        event.remove(store._engine, "before_cursor_execute", refuse)
    assert store.images("anna") == (image,)
    assert audit.read()[0] == []
    assert store.delete(LOCAL, reader="anna") == 1
    assert [line.images for line in audit.read()[0]] == [(image.digest,)]


def _die_at(environment: dict[str, str], where: str, calls: int, action: str, url: str, runs: Path) -> None:
    """Do something in a process of its own, and kill it where a function is called once more than so many times."""
    from cxr_core.store import deletion, image_files, stored_studies
    from cxr_core.store import reads as reads_module

    os.environ.update(environment)
    modules = (deletion, image_files, stored_studies, reads_module)
    remaining = calls

    def dying(function, after):
        def call(*arguments, **options):
            nonlocal remaining
            remaining -= 1
            if remaining < 0:
                if after:
                    function(*arguments, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    settings.cache_clear()
    store = ReadStore(url, runs)  # noqa: F811
    name, _, after = where.partition(" ")
    if name == "commit":
        # the row is written, and nothing is confirmed yet
        event.listen(store._engine, "commit", lambda _connection: os.kill(os.getpid(), signal.SIGKILL))
    for module in modules:
        if hasattr(module, name):
            setattr(module, name, dying(getattr(module, name), after == "after"))
    if action == "add":
        read_of(store, PIXELS)
    elif action == "opinion":
        store.add_opinion(store.list_reads()[0].id, "anna", "Mass", "present", "second")
        # as soon as it is confirmed
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        store.delete(LOCAL, reader="anna")


def killed(where: str, action: str, url: str, runs: Path, calls: int = 0) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cxr_core.store.reads", "tests.store.test_reads"])
    # a fork server has the environment of the test that started it
    environment = {name: value for name, value in os.environ.items() if name.startswith("SECOND_READ")}
    process = context.Process(target=_die_at, args=(environment, where, calls, action, url, runs))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    ["save_file", "seal_bytes", "write_whole", "write_whole after", "save_file after", "encode_read", "seal_text"],
)
def test_a_program_that_is_killed_while_it_stores_a_read_leaves_nothing_half(store, url, tmp_path, where):  # noqa: F811
    confirmed = stored(store, 7)
    before = store.opinions(confirmed.study, confirmed.digest)
    killed(where, "add", url, tmp_path / "runs")
    again = ReadStore(url, tmp_path / "runs")
    # what was confirmed is whole
    assert again.load(confirmed.study, confirmed.digest) == PIXELS + b" 7"
    assert again.opinions(confirmed.study, confirmed.digest) == before
    # what was not is there whole, or not at all
    others = [image for image in again.images("anna") if image != confirmed]
    assert [again.load(image.study, image.digest) for image in others] in ([], [PIXELS])
    assert len(others) == (where in ("write_whole after", "save_file after", "encode_read", "seal_text"))
    assert len(again.list_reads()) == 1
    # and is stored when it is tried again; no part of a file stays
    image, _ = read_of(again, PIXELS)
    assert again.load(image.study, image.digest) == PIXELS
    assert len(again.list_reads()) == 2
    again.delete(LOCAL, reader="anna")
    assert not [path for path in studies_folder().rglob("*") if path.name != ".lock"]
    again.close()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["seal_text", "seal_text after", "commit", "after it is confirmed"])
def test_a_program_that_is_killed_within_an_opinion_leaves_it_whole_or_not_at_all(store, url, tmp_path, where):  # noqa: F811
    image = stored(store)
    before = store.opinions(image.study, image.digest)
    killed(where, "opinion", url, tmp_path / "runs")
    after = store.opinions(image.study, image.digest)
    assert after[:1] == before
    confirmed = [(one.opinion, one.comment, one.number) for one in after[1:]]
    assert confirmed == ([("present", "second", 1)] if where == "after it is confirmed" else [])
    store.add_opinion(store.list_reads()[0].id, "anna", "Mass", "uncertain")
    assert [one.number for one in store.opinions(image.study, image.digest)] == list(range(len(after) + 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "calls"),
    [("finish_deletions", 0), ("remove_file", 0), ("remove_file", 1), ("remove_file after", 1), ("compact", 0)],
)
def test_a_deletion_that_is_killed_is_finished_by_whoever_opens_the_store_next(
    store,  # noqa: F811
    home,  # noqa: F811
    url,
    tmp_path,
    where,
    calls,
):
    home(identity="store")
    images = [stored(store, number) for number in range(2)]
    other = stored(store, 3, "bert")
    killed(where, "delete", url, tmp_path / "runs", calls)
    # decided: they are not shown any more, whatever is still there
    assert store.images("anna") == ()
    again = ReadStore(url, tmp_path / "runs")
    assert [read.reader for read in again.list_reads()] == ["bert"]
    assert again.load(other.study, other.digest) == PIXELS + b" 3"
    again.close()
    words = [image.digest for image in images]
    assert [path for path in holding(tmp_path, *words) if path.name != "audit.jsonl"] == []
    assert not [word for word in words if word in everything(url)]


@pytest.mark.slow
def test_a_deletion_that_was_not_decided_has_deleted_nothing(store, url, tmp_path):  # noqa: F811
    images = {stored(store, number) for number in range(2)}
    killed("studies_lock", "delete", url, tmp_path / "runs")
    again = ReadStore(url, tmp_path / "runs")
    assert set(again.images("anna")) == images
    again.close()


def test_a_database_that_is_gone_for_a_moment_loses_nothing(store, server, home, tmp_path):  # noqa: F811
    """The connections of the pool are ended by the server, as by its restart."""
    if not str(store._engine.url).startswith("postgresql"):
        pytest.skip("on a server only")
    image = stored(store)
    engine = create_engine(server)
    with engine.begin() as connection:
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL"
        ended = connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).fetchall()
    engine.dispose()
    assert ended
    assert store.images("anna") == (image,)
    store.add_opinion(store.list_reads()[0].id, "anna", "Mass", "uncertain")
    assert len(store.opinions(image.study, image.digest)) == 2


def test_a_disk_that_cannot_be_written_leaves_no_row(store, url, monkeypatch):  # noqa: F811
    def full(*arguments, **options):
        raise OSError(28, "no space")

    monkeypatch.setattr("cxr_core.store.image_files.write_whole", full)
    with pytest.raises(PathUnusable, match="no space is left"):
        store.add_image("anna", b"one")
    assert store.images("anna") == ()
    monkeypatch.setattr("cxr_core.store.image_files.write_whole", write_whole)
    second = store.add_image("anna", b"two")
    assert store.images("anna") == (second,)
    assert hashlib.sha256(b"one").hexdigest() not in everything(url)


def test_a_read_is_not_lost_where_its_missing_file_cannot_be_written_again(store, monkeypatch):  # noqa: F811
    image, _ = read_of(store, b"one")
    image_path(image.study, image.digest).unlink()
    with monkeypatch.context() as full:
        full.setattr("cxr_core.store.image_files.write_whole", _full)
        with pytest.raises(PathUnusable, match="no space is left"):
            store.add_image("anna", b"one")
    assert len(store.list_reads()) == 1
    assert store.add_image("anna", b"one") == image
    assert store.last_read(image) is not None


def _full(*arguments, **options):
    raise OSError(28, "no space")
