"""Studies are deleted when their days have passed, whoever opens a page, a command or nothing."""

import asyncio
import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from cxr_core.access import audit
from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable
from cxr_core.settings import settings
from cxr_core.store.image_files import studies_folder
from cxr_core.store.pacs_files import instance_path
from cxr_core.store.pacs_store import PacsStore
from cxr_core.store.reads import ReadStore
from cxr_core.ui import read_store, server
from tests.received import received, uid

DIGEST = hashlib.sha256(b"old").hexdigest()


@pytest.fixture
def expired(tmp_path, monkeypatch):
    """A store that has an image of 31 days ago and one of today, while no process has it open."""
    for name in ("home", "runs"):
        monkeypatch.setenv(f"SECOND_READ_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("SECOND_READ_AUDIT", str(tmp_path / "audit.jsonl"))
    settings.cache_clear()
    with closing(ReadStore()) as store:
        image = store.add_image("anna", b"old")
        store.add_image("anna", b"new")
        ago = (datetime.now(UTC) - timedelta(days=31)).isoformat(timespec="milliseconds")
        with store._engine.begin() as connection:
            connection.execute(
                text("UPDATE studies SET created = :ago WHERE id = :id"), {"ago": ago, "id": image.study}
            )
    read_store._opened.cache_clear()
    yield tmp_path
    read_store._opened.cache_clear()
    monkeypatch.undo()
    settings.cache_clear()


def stored() -> list[bytes]:
    return [path.read_bytes() for path in studies_folder().glob("*/*")]


@pytest.mark.parametrize("keep", ["store", "session"])
def test_a_server_deletes_what_has_expired_before_anybody_opens_a_page(expired, monkeypatch, keep):
    monkeypatch.setenv("SECOND_READ_KEEP", keep)
    settings.cache_clear()
    assert len(stored()) == 2

    async def run():
        async with server.lifespan(None):
            end = time.monotonic() + 60
            while len(stored()) == 2 and time.monotonic() < end:
                await asyncio.sleep(0.05)

    asyncio.run(run())
    assert stored() == [b"new"]
    assert [event.images for event in audit.read()[0]] == [(DIGEST,)]
    read_store.read_store().close()


@pytest.mark.parametrize("token", ["t" * 40, None], ids=["stow", "no longer"])
def test_a_server_that_stores_no_studies_deletes_received_images(own_folders, token):
    own_folders.setenv("SECOND_READ_KEEP", "session")
    if token is not None:
        own_folders.setenv("SECOND_READ_PACS_STOW_TOKEN", token)
    settings.cache_clear()
    read_store._opened.cache_clear()
    with closing(PacsStore()) as store:
        old, _ = (store.add_instance(received(number), "stow").instance for number in (1, 2))
        ago = (datetime.now(UTC) - timedelta(days=15)).isoformat(timespec="milliseconds")
        with store._engine.begin() as connection:
            values = {"ago": ago, "uid": uid(1)}
            connection.execute(text("UPDATE pacs_instances SET received = :ago WHERE sop_instance_uid = :uid"), values)

        def rows():
            with store._engine.begin() as connection:
                return connection.execute(text("SELECT sop_instance_uid FROM pacs_instances")).scalars().all()

        async def run():
            async with server.lifespan(None):
                end = time.monotonic() + 60
                while len(rows()) == 2 and time.monotonic() < end:
                    await asyncio.sleep(0.05)

        asyncio.run(run())
        assert rows() == [uid(2)]
    assert not instance_path(old.sha256).exists()
    assert [event.images for event in audit.read()[0] if event.what == "deletion"] == [(old.sha256,)]
    read_store.read_store().close()
    read_store._opened.cache_clear()


def test_a_server_that_may_receive_images_opens_the_store(own_folders):
    own_folders.setenv("SECOND_READ_KEEP", "session")
    own_folders.setenv("SECOND_READ_PACS_STOW_TOKEN", "t" * 40)
    settings.cache_clear()
    opened = threading.Event()
    own_folders.setattr(read_store, "_open", opened.set)
    read_store.open_read_store()
    assert opened.wait(60)


def test_a_server_without_stored_studies_opens_no_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    monkeypatch.setattr(read_store, "_open", lambda: pytest.fail("opened"))
    try:
        read_store.open_read_store()
        assert not (tmp_path / "home").exists()
    finally:
        monkeypatch.undo()
        settings.cache_clear()


@pytest.mark.parametrize("command", [["reads", "list"], ["reads", "delete", "--expired"], ["backup"]])
def test_a_command_that_opens_the_store_deletes_what_has_expired(expired, command, capsys):
    assert main([*command, *([str(expired / "b.zip")] if command == ["backup"] else [])]) == 0
    assert stored() == [b"new"]
    out = capsys.readouterr().out
    assert ("Older than 30 days: 1 image deleted" in out) == ("--expired" in command)


def test_a_command_says_that_a_deletion_is_unfinished(expired, monkeypatch, capsys):
    (expired / "no").write_text("a file")
    monkeypatch.setenv("SECOND_READ_AUDIT", str(expired / "no" / "audit.jsonl"))
    settings.cache_clear()
    assert main(["reads", "list"]) == 0
    assert capsys.readouterr().err.startswith(
        "Studies whose days have passed cannot be deleted at the moment. The audit"
    )
    assert len(stored()) == 2


@pytest.fixture
def attempts(monkeypatch):
    """Attempts to open a store whose database gives no answer, each of 0.3 s; by the time they began."""
    began = []

    class Unanswered:
        def __init__(self, **_):
            began.append(time.monotonic())
            time.sleep(0.3)
            raise PathUnusable("The database of runs cannot be opened.")

    monkeypatch.setattr(read_store, "ReadStore", Unanswered)
    read_store._opened.cache_clear()
    yield began
    read_store._opened.cache_clear()
    read_store._failures.clear()


def _fail() -> None:
    with pytest.raises(PathUnusable, match="cannot be opened"):
        read_store.read_store()


def test_sessions_do_not_wait_one_after_the_other_for_a_database_that_gives_no_answer(attempts, monkeypatch):
    monkeypatch.setattr(read_store, "_SLOW_SECONDS", 0.1)
    with ThreadPoolExecutor(4) as threads:
        for session in [threads.submit(_fail) for _ in range(4)]:
            session.result()
    assert len(attempts) == 1
    # it is asked again after a while
    end = time.monotonic() + 60
    while len(attempts) == 1 and time.monotonic() < end:
        _fail()
    assert len(attempts) == 2
    assert attempts[1] - attempts[0] >= 0.6


def test_a_database_that_refuses_at_once_is_asked_again_at_once(attempts):
    for count in (1, 2):
        _fail()
        assert len(attempts) == count
