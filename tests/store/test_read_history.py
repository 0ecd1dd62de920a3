import pytest
from sqlalchemy import text

from cxr_core.access import LOCAL
from cxr_core.settings import settings
from cxr_core.store.database import transaction
from cxr_core.store.read_history import ReadChoice, history_rows, matching_reads, present_choices
from cxr_core.store.reads import ReadStore
from tests.reads import reveal
from tests.store.test_reads import HEADER, read_of
from tests.store.test_sealing import KEY


@pytest.fixture
def store(url, tmp_path, monkeypatch):
    for name in ("home", "runs"):
        monkeypatch.setenv(f"SECOND_READ_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("SECOND_READ_AUDIT", str(tmp_path / "audit.jsonl"))
    settings.cache_clear()
    store = ReadStore(url, tmp_path / "runs")
    yield store
    store.close()
    monkeypatch.undo()
    settings.cache_clear()


def ids(store, words="", **choice) -> list[str]:
    return [key.read for key in matching_reads(store, ReadChoice(**choice), words)]


def test_each_choice_leaves_out_the_others_and_the_newest_is_first(store):
    image, one = read_of(store, b"one", "anna", revealed=True)
    _, two = read_of(store, b"two", "bert", seed=1, model_id="other")
    three = read_of(store, b"one", "anna", seed=2, operating_point="youden")[1]
    with transaction(store._engine, writing=True) as connection:
        for read, day in ((one, "24"), (two, "25"), (three, "26")):
            values = {"id": read, "day": f"2026-11-{day}T10:00:00.000+00:00"}
            connection.execute(text("UPDATE reads SET created = :day WHERE id = :id"), values)
    assert ids(store) == [three, two, one]
    assert ids(store, reader="anna") == [three, one]
    assert ids(store, since="2026-11-25", until="2026-11-26") == [two]
    assert ids(store, model="other") == [two]
    assert ids(store, image=image.digest) == ids(store, study=image.study) == [three, one]
    assert ids(store, read=two) == [two]
    assert ids(store, read=two[:10]) == ids(store, read="%") == []
    assert ids(store, read=two, reader="anna") == []
    choices = present_choices(store)
    assert (choices.models, choices.readers) == (("other", "second-read-mini"), ("anna", "bert"))
    assert len(choices.labels) == 14
    assert present_choices(store, "anna").models == ("second-read-mini",)


def test_a_choice_by_state_tells_nothing_of_findings_that_the_viewer_has_not_asked_for(store):
    shown = read_of(store, b"one", "anna", revealed=True)[1]
    hidden = read_of(store, b"two", "anna")[1]
    assert ids(store, viewer="anna") == [hidden, shown]
    for choice in ({"state": "not_evaluated"}, {"label": "Mass"}):
        assert ids(store, viewer="anna", **choice) == [shown]
        assert set(ids(store, viewer="bert", **choice)) == {shown, hidden}
    rows = history_rows(store, [shown, hidden], identity=False, viewer="anna")
    assert [row.hidden for row in rows] == [False, True]
    assert not any(row.hidden for row in history_rows(store, [shown, hidden], identity=False, viewer="bert"))


def test_the_reads_of_others_of_an_image_are_hidden_until_the_viewer_has_asked_for_its_findings(store):
    image, other = read_of(store, b"one", "bert", revealed=True)
    elsewhere = read_of(store, b"two", "bert", revealed=True)[1]

    def hidden() -> list[str]:
        rows = list(history_rows(store, [other, elsewhere], identity=False, viewer="anna"))
        unlisted = {row.id for row in rows} - set(ids(store, viewer="anna", state="not_evaluated"))
        assert unlisted == {row.id for row in rows if row.hidden}
        return [row.id for row in rows if row.hidden]

    # a lead who does not read the image sees what was read of it
    assert hidden() == []
    # it waits to be read
    own = store.add_image("anna", b"one")
    assert own.digest == image.digest
    assert hidden() == [other]
    read = read_of(store, b"one", "anna")[1]
    assert hidden() == [other]
    assert not any(row.hidden for row in history_rows(store, [other, read], identity=False, viewer="bert"))
    reveal(store, read)
    assert hidden() == []


@pytest.mark.parametrize("key", ["", KEY])
def test_a_line_has_what_is_stored_and_patients_only_where_they_are(store, monkeypatch, key):
    monkeypatch.setenv("SECOND_READ_IDENTITY", "store")
    if key:
        monkeypatch.setenv("SECOND_READ_STORE_KEY", key)
    settings.cache_clear()
    image = store.add_image("anna", b"one", name="a.dcm", header=HEADER)
    _, read = read_of(store, b"one", "anna", revealed=True)
    store.add_opinion(read, "anna", "Mass", "absent")
    (row,) = history_rows(store, [read, "0" * 20], identity=True)
    stored = store.read(read)
    assert (row.id, row.study, row.image, row.view, row.opinions) == (read, image.study, image.digest, "PA", 1)
    assert row.states == {finding.label: finding.state for finding in stored.reading.findings}
    assert row.above == tuple(f.label for f in stored.reading.findings if f.state == "above")
    assert (row.model_version, row.prevalence, row.header) == ("3", {"Mass": 0.03}, HEADER)
    assert next(history_rows(store, [read], identity=False)).header is None
    for words in ("QUENDELZAHN", "qz-47", "xaver"):
        assert ids(store, words) == [read]
    assert ids(store, "nobody") == []
    assert "Quendelzahn" not in repr(row)
    store.delete_study(LOCAL, image.study)
    assert ids(store) == list(history_rows(store, [read], identity=True)) == []


def test_more_reads_than_one_query_takes_are_listed(store):
    read_of(store, b"one", "anna", revealed=True)
    with transaction(store._engine, writing=True) as connection:
        record = connection.execute(text("SELECT record FROM reads")).scalar_one()
        same = "study, image, reader, created, revealed, seconds, model_id, model_sha256, operating_point, quality"
        for number in range(1, 1200):
            connection.execute(
                text(
                    f"INSERT INTO reads (id, number, record, {same}) "
                    f"SELECT :id, :number, :record, {same} FROM reads WHERE number = 0"
                ),
                {"id": f"{number:020x}", "number": number, "record": record},
            )
    keys = matching_reads(store, ReadChoice(reader="anna"))
    assert len(keys) == 1200
    assert len({row.id for row in history_rows(store, [key.read for key in keys], identity=False)}) == 1200
