import hashlib
import threading
from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from cxr_core.errors import PathUnusable, WrongArguments
from cxr_core.settings import settings
from cxr_core.store.image_files import image_path, studies_folder
from cxr_core.store.read_history import ReadChoice, history_rows, matching_reads
from cxr_core.store.reads import ReadStore
from cxr_core.studies import Patient, StudyHeader
from tests.reads import OPTIONS, made_up_reading, reveal
from tests.store.test_sealing import KEY

PATIENT = "Quendelzahn, Xaver"
HEADER = StudyHeader("1.2.3", "1.2.3.4", "PA", Patient(PATIENT, "QZ-4711"), date(2026, 11, 24))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder for everything that the program writes; call it with settings."""

    def use(**changes: str):
        for name, value in changes.items():
            monkeypatch.setenv(f"SECOND_READ_{name.upper()}", value)
        settings.cache_clear()
        return tmp_path / "home"

    yield (use(home=str(tmp_path / "home"), runs=str(tmp_path / "runs"), audit=str(tmp_path / "audit.jsonl")), use)[1]
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def store(url, home, tmp_path):
    store = ReadStore(url, tmp_path / "runs")
    yield store
    store.close()


def read_of(store, data=b"image", reader="anna", *, seed=0, revealed=False, **changes):
    """Store an image and a read of it; return both."""
    image = store.add_image(reader, data)
    return image, store.save_read(image, made_up_reading(seed, **changes), OPTIONS, "3", revealed=revealed)


def test_an_image_is_on_the_disk_for_its_owner_alone(store):
    image = store.add_image("anna", b"one", position=1)
    second = store.add_image("anna", b"two", study=image.study)
    assert store.images("anna") == (second, image)
    assert store.load(image.study, image.digest) == b"one"
    assert image.digest == hashlib.sha256(b"one").hexdigest()
    path = image_path(image.study, image.digest)
    assert path.read_bytes() == b"one"
    assert path.name == image.digest
    modes = {place.stat().st_mode & 0o777 for place in (studies_folder(), path.parent)}
    assert (modes, path.stat().st_mode & 0o777) == ({0o700}, 0o600)


def test_a_reader_has_an_image_once_and_another_reader_has_another(store):
    image = store.add_image("anna", b"one")
    assert store.add_image("anna", b"one") == image
    other = store.add_image("bert", b"one")
    assert other.study != image.study
    assert store.images("bert") == (other,)
    with pytest.raises(WrongArguments, match="No such study"):
        store.add_image("bert", b"two", study=image.study)
    assert len(store.images("anna")) == 1


def test_a_changed_or_missing_image_is_refused(store):
    image = store.add_image("anna", b"one")
    path = image_path(image.study, image.digest)
    path.write_bytes(b"two")
    with pytest.raises(PathUnusable, match="changed since it was stored"):
        store.load(image.study, image.digest)
    path.unlink()
    with pytest.raises(PathUnusable, match="missing"):
        store.load(image.study, image.digest)
    assert store.images("anna") == ()
    # added again, it is there again
    assert store.add_image("anna", b"one") == image


def test_a_full_store_takes_no_more(store, home):
    home(keep_gb="0.000001")
    store.add_image("anna", bytes(600))
    with pytest.raises(PathUnusable, match="SECOND_READ_KEEP_GB"):
        store.add_image("bert", bytes(601))
    assert store.images("bert") == ()
    assert len(list(studies_folder().glob("*/*"))) == 1


@pytest.mark.parametrize("identity", ["screen", "off", "store"])
def test_identity_is_stored_only_where_the_setting_says_so(store, home, identity, url, tmp_path):
    home(identity=identity)
    image = store.add_image("anna", b"one", name="quendelzahn.dcm", path="x/quendelzahn.dcm", header=HEADER)
    store.save_read(image, made_up_reading(), OPTIONS, "3", revealed=True)
    rows = everything(url)
    stored = identity == "store"
    assert ("Quendelzahn" in rows, "quendelzahn" in rows, "1.2.3" in rows) == (stored, stored, stored)
    again = store.images("anna")[0]
    assert (again.name, again.path) == (("quendelzahn.dcm", "x/quendelzahn.dcm") if stored else ("", ""))
    assert again.header == store.list_reads()[0].header == (HEADER if stored else None)


def test_identity_that_was_stored_is_given_to_nobody_where_it_is_off(store, home):
    home(identity="store")
    image = store.add_image("anna", b"one", name="quendelzahn.dcm", path="x/quendelzahn.dcm", header=HEADER)
    read = store.save_read(image, made_up_reading(), OPTIONS, "3", revealed=True)
    for identity, named in (("off", False), ("store", True)):
        home(identity=identity)
        (again,) = store.images("anna")
        (row,) = history_rows(store, [read], identity=True)
        assert (again.name, again.path) == (("quendelzahn.dcm", "x/quendelzahn.dcm") if named else ("", ""))
        assert row.name == again.name
        assert row.header == again.header == store.read(read).summary.header == (HEADER if named else None)
        assert len(matching_reads(store, ReadChoice(), "Quendel")) == named


def everything(url) -> str:
    """All rows of the database, as text."""
    engine = create_engine(url)
    tables = ("studies", "images", "reads", "read_findings", "opinions", "compactions", "runs")
    with engine.begin() as connection:
        rows = [str(tuple(row)) for table in tables for row in connection.execute(text(f"SELECT * FROM {table}"))]
    engine.dispose()
    return "\n".join(rows)


def test_a_read_is_shown_again_as_it_was(store, url, home, tmp_path):
    image, read = read_of(store, checked=True)
    again = ReadStore(url, tmp_path / "runs")
    stored = again.read(read[:8])
    assert stored.summary == again.last_read(image).summary == again.list_reads()[0]
    again.close()
    assert (stored.summary.id, stored.summary.study, stored.summary.image) == (read, image.study, image.digest)
    assert (stored.options, stored.model_version) == (OPTIONS, "3")
    reading = made_up_reading(checked=True)
    assert all(np.array_equal(getattr(stored.reading, f.name), getattr(reading, f.name)) for f in fields(reading))


def test_the_same_reading_is_stored_once_and_another_beside_it(store):
    image, read = read_of(store)
    reading = made_up_reading()
    assert store.save_read(image, reading, OPTIONS, "3", revealed=False) == read
    checked = replace(reading, under_changes=made_up_reading(checked=True).under_changes)
    assert store.save_read(image, checked, OPTIONS, "3", revealed=False) == read
    assert store.read(read).reading.changes_checked
    # without the small changes again: those that were tried stay
    assert store.save_read(image, reading, OPTIONS, "3", revealed=False) == read
    assert store.read(read).reading.changes_checked
    other = store.save_read(image, replace(reading, operating_point="screening"), OPTIONS, "3", revealed=False)
    assert other != read
    assert store.last_read(image).summary.id == other
    assert [one.id for one in store.list_reads(study=image.study)] == [other, read]


def test_findings_are_revealed_once_and_stay_so(store):
    image, read = read_of(store)
    assert store.read(read).summary.revealed is None
    reveal(store, read)
    first = store.read(read).summary.revealed
    reveal(store, read)
    store.add_seconds(read, 2.5)
    store.add_seconds(read, 4)
    summary = store.read(read).summary
    assert (summary.revealed, summary.seconds) == (first, 6.5)
    another = replace(made_up_reading(), operating_point="screening")
    assert store.read(store.save_read(image, another, OPTIONS, "3", revealed=False)).summary.revealed


def test_the_first_opinion_stays_and_later_ones_follow(store, url):
    image, read = read_of(store)
    first = store.add_opinion(read, "anna", "Mass", "absent", "no mass seen")
    reveal(store, read)
    second = store.add_opinion(read, "anna", "Mass", "present")
    # of another read of the same image
    other = store.save_read(image, replace(made_up_reading(), operating_point="screening"), OPTIONS, "3", revealed=True)
    third = store.add_opinion(other, "anna", "Mass", "uncertain")
    store.add_opinion(read, "bert", "Mass", "present")
    opinions = store.opinions(image.study, image.digest)
    assert opinions[:3] == (first, second, third)
    assert [(one.number, one.opinion, one.revealed, one.comment) for one in opinions[:3]] == [
        (0, "absent", False, "no mass seen"),
        (1, "present", True, ""),
        (2, "uncertain", True, ""),
    ]
    # nobody has shown them to the other reader
    assert (opinions[3].reader, opinions[3].number, opinions[3].revealed) == ("bert", 0, False)
    engine = create_engine(url)
    for statement in (
        "UPDATE opinions SET opinion = 'present'",
        "UPDATE opinions SET created = '2020' WHERE number = 1",
    ):
        with pytest.raises(DBAPIError, match="an opinion is never changed"), engine.begin() as connection:
            connection.execute(text(statement))
    # nor is there room for a second first one
    copy = (
        "INSERT INTO opinions SELECT study, image, label, reader, 0, read_id, 'present', 0, NULL, created FROM opinions"
    )
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(f"{copy} WHERE number = 1"))
    engine.dispose()
    assert store.opinions(image.study, image.digest) == opinions


def test_opinions_at_once_are_all_kept_and_one_is_the_first(store, url, tmp_path):
    image, read = read_of(store)
    barrier, failed = threading.Barrier(4), []

    def say(number):
        own = ReadStore(url, tmp_path / "runs")
        barrier.wait()
        try:
            for time in range(3):
                # the same again would be no further opinion
                own.add_opinion(read, "anna", "Mass", "present", f"{number}, {time}")
        except Exception as error:
            failed.append(error)
        own.close()

    threads = [threading.Thread(target=say, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [one.number for one in store.opinions(image.study, image.digest)] == list(range(12))


def test_the_last_opinion_again_is_no_further_one_but_an_earlier_one_is(store):
    image, read = read_of(store)
    given = [("present", "left"), ("present", "left"), ("present", ""), ("absent", ""), ("present", "left")]
    numbers = [store.add_opinion(read, "anna", "Mass", opinion, comment).number for opinion, comment in given]
    assert numbers == [0, 0, 1, 2, 3]
    assert store.add_opinion(read, "bert", "Mass", "present", "left").number == 0
    assert len(store.opinions(image.study, image.digest)) == 5


def test_an_opinion_on_nothing_is_refused(store):
    _, read = read_of(store)
    for arguments in (("0" * 20, "anna", "Mass", "present"), (read, "anna", "Nonsense", "present")):
        with pytest.raises(WrongArguments, match="No such read, or it has no such finding"):
            store.add_opinion(*arguments)
    with pytest.raises(WrongArguments, match="present, absent, uncertain"):
        store.add_opinion(read, "anna", "Mass", "normal")
    for name in ("0" * 20, "", "%", "_"):
        with pytest.raises(WrongArguments):
            store.read(name)


def test_reads_are_found_by_what_is_asked(store):
    image, first = read_of(store, b"one", seed=1)
    _, second = read_of(store, b"two", "bert", seed=2, model_id="another")
    assert [one.id for one in store.list_reads()] in ([second, first], [first, second])
    day = store.read(first).summary.created[:10]
    above = {f.label for f in made_up_reading(1).findings if f.state == "above"}
    below = next(f.label for f in made_up_reading(1).findings if f.state == "below")
    for asked, found in (
        ({"reader": "anna"}, {first}),
        ({"model": "another"}, {second}),
        ({"study": image.study}, {first}),
        ({"since": day}, {first, second}),
        ({"until": day}, set()),
        ({"since": "2999"}, set()),
        ({"label": "Mass"}, {first, second}),
        ({"label": "Nonsense"}, set()),
        ({"label": min(above), "state": "above", "reader": "anna"}, {first}),
        ({"label": below, "state": "above", "reader": "anna"}, set()),
        ({"state": "not_evaluated"}, {first, second}),
        ({"reader": "nobody' OR '1' = '1"}, set()),
    ):
        assert {one.id for one in store.list_reads(**asked)} == found, asked


def test_with_a_key_nothing_that_is_stored_can_be_read_without_it(store, home, url):
    home(store_key=KEY, identity="store")
    image = store.add_image("anna", b"pixels of a chest" * 10, name="quendelzahn.dcm", header=HEADER)
    read = store.save_read(image, made_up_reading(), OPTIONS, "3", revealed=True)
    store.add_opinion(read, "anna", "Mass", "absent", "a comment on Quendelzahn")
    rows, data = everything(url), image_path(image.study, image.digest).read_bytes()
    assert b"pixels" not in data
    for words in ("uendelzahn", "QZ-4711", "mirrored", "a comment"):
        assert words not in rows
    assert store.load(image.study, image.digest) == b"pixels of a chest" * 10
    assert store.images("anna")[0].header == HEADER
    assert store.read(read).reading.quality == made_up_reading().quality
    assert store.opinions(image.study, image.digest)[0].comment == "a comment on Quendelzahn"
