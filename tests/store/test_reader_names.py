"""What statistics call the readers."""

import hashlib

import pytest
from sqlalchemy import text

from cxr_core.settings import settings
from cxr_core.store.database import transaction
from cxr_core.store.reader_names import reader_titles
from cxr_core.store.reads import ReadStore
from tests.reads import OPTIONS, made_up_reading

READERS = [f"https://id.example|reader-{n}" for n in range(8)]


def digest(name):
    return hashlib.sha256(name.encode()).hexdigest()


@pytest.fixture
def store(url, tmp_path):
    store = ReadStore(url, tmp_path / "runs")
    yield store
    store.close()
    settings.cache_clear()


def test_a_reader_keeps_the_number_and_the_store_has_no_name_for_it(store):
    first = reader_titles(store, READERS[:5])
    assert sorted(first.values()) == [f"Reader {n}" for n in range(1, 6)]
    # whoever else there is by then
    later = reader_titles(store, READERS[3:])
    assert {name: later[name] for name in READERS[3:5]} == {name: first[name] for name in READERS[3:5]}
    assert sorted(set(later.values()) - set(first.values())) == ["Reader 6", "Reader 7", "Reader 8"]
    assert reader_titles(store, READERS[:5]) == first
    with transaction(store._engine) as connection:
        stored = connection.execute(text("SELECT reader FROM reader_numbers")).scalars().all()
    assert not any("reader-" in name for name in stored)


def test_a_number_does_not_depend_on_who_was_counted_first(store, monkeypatch):
    """All readers of the store have one as soon as the first statistic is made, whatever its period or filter."""
    monkeypatch.setattr("cxr_core.store.reader_names.SystemRandom.shuffle", lambda self, names: names.sort())
    for reader in READERS:
        store.save_read(store.add_image(reader, reader.encode()), made_up_reading(), OPTIONS, "1", revealed=True)
    expected = {name: f"Reader {n}" for n, name in enumerate(sorted(READERS, key=digest), 1)}
    for name in reversed(READERS):
        assert reader_titles(store, [name]) == {name: expected[name]}
    assert reader_titles(store, READERS) == expected
    # a new one is the next, and one whose reads were deleted keeps the number
    store.save_read(store.add_image("new", b"new"), made_up_reading(), OPTIONS, "1", revealed=True)
    assert reader_titles(store, [READERS[0]]) == {READERS[0]: expected[READERS[0]]}
    assert reader_titles(store, ["new", "gone"]) == {"new": "Reader 9", "gone": "Reader 10"}


def test_numbers_are_given_in_random_order(store, monkeypatch):
    monkeypatch.setattr("cxr_core.store.reader_names.SystemRandom.shuffle", lambda self, names: names.reverse())
    # the digest of b comes before that of a
    assert reader_titles(store, ["b", "a"]) == {"a": "Reader 1", "b": "Reader 2"}


def test_names_are_those_at_the_provider_where_the_setting_allows_it(store, monkeypatch):
    monkeypatch.setenv("SECOND_READ_READER_NAMES", "lead")
    settings.cache_clear()
    assert reader_titles(store, READERS[:1]) == {READERS[0]: "reader-0"}
    # the same name at two providers is two people
    both = ["https://a|ann", "https://b|ann"]
    assert reader_titles(store, both) == {name: name for name in both}
