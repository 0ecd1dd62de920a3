"""A deletion while a read or an opinion of the same image is added, over two connections: neither fails."""

import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import create_engine, event, text

from cxr_core.access import LOCAL
from cxr_core.store.reads import ReadStore
from tests.reads import OPTIONS, made_up_reading
from tests.store.test_deletion import stored
from tests.store.test_reads import everything, home, store  # noqa: F401 - fixtures


def waiting(server: str) -> bool:
    """Return whether a connection waits for a lock."""
    engine = create_engine(server)
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")).scalar_one() > 0
    finally:
        engine.dispose()


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@pytest.mark.parametrize("what", ["reads", "opinions"])
def test_a_deletion_and_what_is_added_meanwhile_do_not_wait_for_each_other(store, server, url, tmp_path, what):  # noqa: F811
    image = stored(store)
    (read,) = store.list_reads()
    failures, deletions = [], []

    def delete():
        try:
            with closing(ReadStore(url, tmp_path / "runs")) as other:
                other.delete(LOCAL, reader="anna")
        except Exception as error:
            failures.append(error)

    def send(connection, cursor, statement, *_):
        if statement.startswith(f"INSERT INTO {what} ") and not deletions:
            deletions.append(threading.Thread(target=delete))
            deletions[0].start()
            end = time.monotonic() + 60
            while not waiting(server) and time.monotonic() < end:
                time.sleep(0.05)
            assert time.monotonic() < end

    event.listen(store._engine, "before_cursor_execute", send)
    try:
        if what == "reads":
            store.save_read(image, made_up_reading(1), OPTIONS, "3", revealed=True)
        else:
            store.add_opinion(read.id, "anna", "Mass", "present")
    finally:
        event.remove(store._engine, "before_cursor_execute", send)
        deletions[0].join(60)
    assert failures == []
    assert store.images("anna") == store.list_reads() == store.opinions(image.study, image.digest) == ()
    assert image.digest not in everything(url)
