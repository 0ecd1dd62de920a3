"""Stored reads and opinions in bulk: which read of an image counts, and which opinion is before and after reveal."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from cxr_core.errors import StoreDamaged
from cxr_core.imaging import Quality
from cxr_core.store.database import transaction
from cxr_core.store.read_tables import opinion_rows, read_rows, state_of_store, stored_models, stored_months, time_rows
from cxr_core.store.reads import ReadStore
from tests.reads import OPTIONS, made_up_reading, reveal

SHA = "ab" * 32


@pytest.fixture
def store(url, tmp_path):
    store = ReadStore(url, tmp_path / "runs")
    yield store
    store.close()


def add_read(store, data=b"image", reader="anna", *, seed=0, revealed=False, **changes):
    image = store.add_image(reader, data)
    return image, store.save_read(image, made_up_reading(seed, **changes), OPTIONS, "3", revealed=revealed)


def test_the_first_read_of_each_image_by_each_reader_has_its_findings(store):
    image, _ = add_read(store)
    add_read(store, seed=1)  # the same image again, with another result
    add_read(store, b"other", "berta", quality=Quality("refused", ("no",)), findings=())
    add_read(store, b"third", model_sha256="cd" * 32)
    rows = list(read_rows(store))
    assert [(row.image == image.digest, row.quality) for row in rows] == [
        (True, "warning"), (False, "refused"), (False, "warning"),
    ]  # fmt: skip
    expected = made_up_reading(0)
    assert rows[0].findings == {one.label: (one.score, one.state) for one in expected.findings}
    assert (rows[0].view, rows[0].reader, rows[1].findings, rows[0].header) == ("PA", "anna", {}, None)
    assert len(list(read_rows(store, model_sha256=SHA))) == 2
    assert list(read_rows(store, since="2100")) == list(read_rows(store, until="2000")) == []


def test_the_time_of_a_read_is_that_of_all_that_was_shown_of_the_image(store):
    """Another operating point, or prevalence, stores what is shown anew; the time goes to what is on the screen."""
    _, first = add_read(store)
    _, second = add_read(store, operating_point="screening")
    _, other_model = add_read(store, model_sha256="cd" * 32)
    _, other_reader = add_read(store, reader="berta")
    for read, seconds in ((first, 20.0), (second, 40.0), (first, 0.5), (other_model, 5.0), (other_reader, 3.0)):
        store.add_seconds(read, seconds)
    assert sorted((row.reader, row.seconds) for row in time_rows(store)) == [
        ("anna", 5.0), ("anna", 60.5), ("berta", 3.0),
    ]  # fmt: skip
    assert [row.seconds for row in time_rows(store, model_sha256="cd" * 32)] == [5.0]
    assert list(time_rows(store, until="2000")) == []


def test_a_deleted_image_is_in_neither(store):
    _, read = add_read(store)
    store.add_opinion(read, "anna", "Mass", "present")
    with transaction(store._engine, writing=True) as connection:
        connection.execute(text("UPDATE images SET deleted = 1"))
    assert list(read_rows(store)) == opinion_rows(store) == []


def test_opinions_are_those_before_and_after_reveal(store):
    _, read = add_read(store)
    store.add_opinion(read, "anna", "Mass", "absent")
    store.add_opinion(read, "anna", "Mass", "uncertain")  # changed before the findings were shown
    store.add_opinion(read, "anna", "Effusion", "present")
    assert opinion_rows(store) == []
    reveal(store, read)
    (effusion, mass) = sorted(opinion_rows(store), key=lambda row: row.label)
    assert [(row.first, row.final) for row in (mass, effusion)] == [("uncertain",) * 2, ("present",) * 2]
    store.add_opinion(read, "anna", "Mass", "present")
    store.add_opinion(read, "anna", "Nodule", "absent")
    found = {row.label: (row.first, row.final) for row in opinion_rows(store)}
    assert found == {"Mass": ("uncertain", "present"), "Effusion": ("present", "present"), "Nodule": ("", "absent")}
    states = {one.label: one.state for one in made_up_reading(0).findings}
    assert all(row.state == states[row.label] for row in opinion_rows(store))


def test_what_the_findings_were_not_shown_of_is_left_out_and_a_refused_image_is_not(store):
    _, hidden = add_read(store)
    store.add_opinion(hidden, "anna", "Mass", "present")
    _, again = add_read(store, seed=1)  # with another result, which is hidden too
    _, shown = add_read(store, reader="berta", revealed=True)
    store.add_opinion(shown, "berta", "Mass", "present")
    add_read(store, b"other", quality=Quality("refused", ("no",)), findings=())
    assert [row.reader for row in opinion_rows(store)] == ["berta"]
    assert sorted((row.reader, row.shown) for row in time_rows(store)) == [
        ("anna", False), ("anna", True), ("berta", True),
    ]  # fmt: skip
    reveal(store, again)
    assert len(opinion_rows(store)) == 2
    assert all(row.shown for row in time_rows(store))


def test_a_change_is_beside_the_state_that_was_on_the_screen_then(store):
    """The operating point is another one when the findings are shown."""
    states = {one.label: one.state for one in made_up_reading(0).findings}
    label, state = next((label, state) for label, state in states.items() if state == "below")
    _, read = add_read(store)
    store.add_opinion(read, "anna", label, "absent")
    above = [replace(f, state="above") if f.label == label else f for f in made_up_reading(0).findings]
    _, other = add_read(store, operating_point="sensitivity 0.90", findings=tuple(above), revealed=True)
    (row,) = opinion_rows(store)
    assert (row.first, row.final, row.state, row.shown) == ("absent", "absent", state, state)
    store.add_opinion(other, "anna", label, "present")
    (row,) = opinion_rows(store)
    assert (row.first, row.final, row.state, row.shown) == ("absent", "present", "below", "above")


def test_opinions_have_the_time_of_the_read_by_which_they_are_selected(store):
    _, read = add_read(store, revealed=True)
    store.add_opinion(read, "anna", "Mass", "absent")
    created = "2026-10-31T23:59:00.000+00:00"
    with transaction(store._engine, writing=True) as connection:
        connection.execute(text("UPDATE reads SET created = :t"), {"t": created})
    assert [row.created for row in opinion_rows(store, since="2026-10", until="2026-11")] == [created]
    assert opinion_rows(store, since="2026-11") == []


def test_a_selection_does_not_make_another_opinion_the_first_one(store):
    """An opinion on what one model stated, corrected on what another did, before the findings were shown."""
    _, read = add_read(store)
    store.add_opinion(read, "anna", "Mass", "absent")
    _, other = add_read(store, model_sha256="cd" * 32)
    store.add_opinion(other, "anna", "Mass", "uncertain")
    reveal(store, other)
    _, again = add_read(store, model_sha256="ef" * 32, revealed=True)
    store.add_opinion(again, "anna", "Mass", "present")
    with transaction(store._engine, writing=True) as connection:
        for id_, created in ((read, "2026-09-30"), (other, "2026-10-01"), (again, "2026-11-01")):
            connection.execute(text("UPDATE reads SET created = :t WHERE id = :id"), {"t": created, "id": id_})
    expected = [("uncertain", "present")]
    for selection, found in (
        ({}, expected), ({"model_sha256": "cd" * 32}, expected), ({"model_sha256": SHA}, []),
        ({"model_sha256": "ef" * 32}, []), ({"since": "2026-10", "until": "2026-11"}, expected),
        ({"until": "2026-10"}, []), ({"since": "2026-11"}, []),
    ):  # fmt: skip
        assert [(row.first, row.final) for row in opinion_rows(store, **selection)] == found, selection


def test_readers_of_one_image_have_rows_of_their_own(store):
    for reader in ("anna", "berta"):
        _, read = add_read(store, reader=reader, revealed=True)
        store.add_opinion(read, reader, "Mass", "absent")
    assert [row.reader for row in opinion_rows(store, model_sha256=SHA)] == ["anna", "berta"]
    assert opinion_rows(store, model_sha256="cd" * 32) == []


def test_a_record_that_cannot_be_read_is_named_as_damage(store):
    add_read(store)
    with transaction(store._engine, writing=True) as connection:
        connection.execute(text("UPDATE reads SET record = '{}'"))
    with pytest.raises(StoreDamaged):
        list(read_rows(store))


def test_distance_time_to_answer_and_reasons_are_those_that_were_stored(store):
    image = store.add_image("anna", b"image")
    reading = made_up_reading(0, distance=1.25, quality=Quality("warning", ("age under 18: the model is for adults",)))
    read = store.save_read(image, reading, OPTIONS, "3", revealed=True, answer_seconds=0.75)
    (row,) = read_rows(store)
    assert (row.distance, row.answer_seconds, row.reasons) == (1.25, 0.75, reading.quality.reasons)
    assert store.read(read).reading.distance == 1.25


def test_a_database_of_before_they_were_stored_keeps_its_reads(store, url, tmp_path):
    image, read = add_read(store, distance=1.5)
    store.add_opinion(read, "anna", "Mass", "present")
    with transaction(store._engine, writing=True) as connection:
        connection.execute(text("ALTER TABLE reads DROP COLUMN answer_seconds"))
        connection.execute(text("DROP TABLE reader_numbers"))
        connection.execute(text("DELETE FROM migrations WHERE name IN ('times_to_answer', 'reader_numbers')"))
        record = json.loads(connection.execute(text("SELECT record FROM reads")).scalar_one())
        del record["reading"]["distance"]
        connection.execute(text("UPDATE reads SET record = :record"), {"record": json.dumps(record)})
    store.close()
    again = ReadStore(url, tmp_path / "runs")
    try:
        (row,) = read_rows(again)
        assert (row.distance, row.answer_seconds, row.findings["Mass"][0]) == (
            None, None, made_up_reading(0).finding("Mass").score,
        )  # fmt: skip
        assert again.read(read).reading.distance is None
        assert [one.opinion for one in again.opinions(image.study, image.digest)] == ["present"]
        # the same read is still known as the same
        assert again.save_read(image, made_up_reading(0, distance=1.5), OPTIONS, "3", revealed=True) == read
    finally:
        again.close()


def test_models_months_and_the_state_of_the_store(store):
    assert (stored_models(store), stored_months(store)) == ({}, ())
    before = state_of_store(store)
    _, read = add_read(store)
    assert stored_models(store) == {SHA: "second-read-mini"}
    (month,) = stored_months(store)
    assert month == next(iter(read_rows(store))).created[:7]
    states = [before, state_of_store(store)]
    store.add_opinion(read, "anna", "Mass", "present")
    states.append(state_of_store(store))
    reveal(store, read)
    states.append(state_of_store(store))
    store.add_seconds(read, 1.0)
    states.append(state_of_store(store))
    assert len(set(states)) == len(states)
