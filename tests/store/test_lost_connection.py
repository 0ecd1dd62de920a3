"""The server ends a connection in the middle of a read, an opinion or a deletion: confirmed is there, nothing half."""

from contextlib import closing, contextmanager

import pytest
from sqlalchemy import create_engine, event, text

from cxr_core.access import LOCAL
from cxr_core.errors import PathUnusable
from cxr_core.store.image_files import studies_folder
from cxr_core.store.reads import ReadStore
from tests.reads import OPTIONS, made_up_reading
from tests.store.test_deletion import PIXELS, holding, stored
from tests.store.test_reads import everything, home, store  # noqa: F401 - fixtures

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("url", ["postgres"], indirect=True)]


@contextmanager
def ended_at(store, server: str, statement: int):  # noqa: F811
    """End the connection that a statement is about to be sent over, counted from 0; gives the statements so far."""
    engine, sent = create_engine(server), []

    def send(connection, cursor, sql, *_):
        sent.append(sql)
        if len(sent) == statement + 1:
            with engine.begin() as other:
                pid = connection.connection.dbapi_connection.info.backend_pid
                assert other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()

    event.listen(store._engine, "before_cursor_execute", send)
    try:
        yield sent
    finally:
        event.remove(store._engine, "before_cursor_execute", send)
        engine.dispose()


def fails(act, store, server, statement) -> bool:  # noqa: F811
    """Do something while the connection is ended; return whether it was: then the error is one line."""
    refusal = ""
    with ended_at(store, server, statement) as sent:
        try:
            act()
        except PathUnusable as error:
            refusal = str(error)
    # some have fewer statements
    assert bool(refusal) == (len(sent) > statement)
    assert len(refusal.splitlines()) <= 1
    return bool(refusal)


@pytest.mark.parametrize("statement", range(12))
def test_a_read_is_there_whole_or_not_at_all(store, server, url, tmp_path, statement):  # noqa: F811
    confirmed = stored(store, 7)

    def act():
        image = store.add_image("anna", PIXELS)
        return store.save_read(image, made_up_reading(0), OPTIONS, "3", revealed=False)

    refused = fails(act, store, server, statement)
    with closing(ReadStore(url, tmp_path / "runs")) as again:
        assert again.load(confirmed.study, confirmed.digest) == PIXELS + b" 7"
        assert [one.comment for one in again.opinions(confirmed.study, confirmed.digest)]
        reads = again.list_reads()
        assert len(reads) == 1 if refused else 2
        for read in reads:
            assert len(again.read(read.id).reading.findings) == len(made_up_reading(0).findings)
    act()
    assert len(store.list_reads()) == 2


@pytest.mark.parametrize("statement", range(6))
def test_an_opinion_is_there_whole_or_not_at_all(store, server, statement):  # noqa: F811
    image = stored(store)
    (read,) = store.list_reads()
    refused = fails(lambda: store.add_opinion(read.id, "anna", "Mass", "present", "second"), store, server, statement)
    opinions = store.opinions(image.study, image.digest)
    assert [one.opinion for one in opinions] == (["absent"] if refused else ["absent", "present"])
    store.add_opinion(read.id, "anna", "Mass", "uncertain")
    assert [one.number for one in store.opinions(image.study, image.digest)] == list(range(len(opinions) + 1))


@pytest.mark.parametrize("statement", range(14))
def test_a_deletion_is_finished_or_has_not_begun(store, server, home, url, tmp_path, statement):  # noqa: F811
    home(identity="store")
    images = [stored(store, number) for number in range(2)]
    other = stored(store, 3, "bert")
    refused = fails(lambda: store.delete(LOCAL, reader="anna"), store, server, statement)
    with closing(ReadStore(url, tmp_path / "runs")) as again:
        remaining = again.images("anna")
        assert set(remaining) in (set(images), set())
        if remaining:
            assert refused
            assert len(again.list_reads()) == 3
            assert again.delete(LOCAL, reader="anna") == 2
        assert [read.reader for read in again.list_reads()] == ["bert"]
        assert again.load(other.study, other.digest) == PIXELS + b" 3"
    words = [image.digest for image in images]
    assert holding(studies_folder(), *words) == []
    assert not [word for word in words if word in everything(url)]
