"""Worklists of several tabs over one store."""

import asyncio
import os
import signal
import time
from contextlib import closing
from dataclasses import replace

import pytest

from benchmarks.soak.server import served
from cxr_core.access import LOCAL, audit
from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.reading import read_image
from cxr_core.settings import settings
from cxr_core.store import reader_choices
from cxr_core.store.read_history import history_rows
from cxr_core.store.read_tables import read_rows
from cxr_core.store.reads import ReadStore
from cxr_core.ui import reading_time, stored_removal, stored_worklist
from cxr_core.ui.opinions import add_opinion, choose_read_first, reveal
from cxr_core.ui.server.browser_cookie import BROWSER_COOKIE
from cxr_core.ui.server.worklist_changes import set_removed
from cxr_core.ui.stored_worklist import StoredWorklist
from cxr_core.ui.worklist import Worklist
from cxr_core.ui.worklist_strip import worklist_message
from tests.protocol import Reader
from tests.store.test_compaction import full_disk


@pytest.fixture
def store(own_folders):
    store = ReadStore()
    yield store
    written()
    store.close()


def written() -> None:
    """Wait until the thread that writes has nothing left to do."""
    stored_worklist._WRITER.submit(bool).result()


@pytest.fixture
def tab(store, predictor):
    """Open a tab of a person: its worklist and what stores it."""

    def opened(reader: str = "anna", card=None) -> tuple[Worklist, StoredWorklist]:
        images = Worklist()
        stored = StoredWorklist(images, store, reader, LOCAL, card or predictor.card)
        stored.refresh()
        return images, stored

    return opened


@pytest.fixture(scope="module")
def phantom(predictor):
    data = phantom_dicom(256, 224, PatientName="Quendelzahn^Xaver", StudyInstanceUID="1.2.3")
    return data, read_image(data, predictor)[1]


def add(images: Worklist, data: bytes, reading=None, card=None, name: str = "a.dcm"):
    """Add an image and its reading as the reading queue does; return the image."""
    digest = images.add([(name, data)], max_images=99).added[0]
    image = images.images[digest]
    if reading is not None:
        images.set_reading(image, reading, card)
        written()
    return image


def test_a_second_tab_has_image_and_reading_as_they_were_shown(tab, phantom, predictor):
    images, _ = tab()
    image = add(images, phantom[0], phantom[1], predictor.card)
    image.quarter_turns, image.pixels = 1, 4711
    images.apply_settings(predictor.card, "default", None)
    written()
    others, _ = tab()
    (restored,) = others.images.values()
    assert others.chosen == restored.digest == image.digest
    assert (restored.status, restored.quarter_turns, restored.data) == ("read", 1, None)
    assert restored.reading.findings == image.reading.findings
    assert (restored.reading.class_maps == image.reading.class_maps).all()
    # by which a repeated SOP Instance UID is an alarm at once
    assert (restored.shape, restored.pixels) == ((256, 224), 4711)
    assert restored.header == image.header
    assert restored.header.patient.name == "Quendelzahn, Xaver"
    # the file comes from the store when somebody wants it; its name names nobody
    assert restored.has_file
    assert restored.file() == phantom[0]
    assert others.used_bytes() == 0
    assert restored.name == f"image {image.digest[:8]}"
    assert tab("bert")[0].images == {}


def test_images_of_one_visit_are_one_study_again_in_their_order(tab, store):
    images, _ = tab()
    for position, name in ((1, "b"), (0, "a")):
        images.add([(name, phantom_png(32 + position, 32))], max_images=99, upload="one", position=position, more=True)
    images.add([("c", phantom_png(40, 32))], max_images=99)
    others, _ = tab()
    assert list(others.images) == list(images.images)
    assert [[i.digest for i in study.images] for study in others.studies()] == [
        [i.digest for i in study.images] for study in images.studies()
    ]
    assert len({image.study for image in store.images("anna")}) == 2


def test_what_another_tab_adds_and_removes_is_seen_in_the_next_run(tab, store, phantom, predictor):
    images, stored = tab()
    others, other = tab()
    kept = add(others, phantom[0], phantom[1], predictor.card)
    gone = add(others, phantom_png(32, 32), name="b.png")
    assert stored.refresh() == 2
    assert list(images.images) == [kept.digest, gone.digest]
    images.choose(gone.digest)
    others.remove(gone.digest)
    # it can be undone: nothing is deleted yet, no process lists it, and the tab itself does not bring it back
    assert (stored.refresh(), other.refresh(), stored.deleted) == (0, 0, 0)
    assert gone.digest in {image.digest for image in store.images("anna")}
    assert gone.digest not in images.images
    assert gone.digest not in others.images
    others.forget_removed()
    written()
    assert (stored.refresh(), other.refresh()) == (0, 0)
    assert list(images.images) == list(others.images) == [kept.digest] == [i.digest for i in store.images("anna")]
    assert images.chosen == kept.digest
    # the page of the other one says so
    assert (stored.deleted, other.deleted) == (1, 0)
    assert [event.images for event in audit.read()[0]] == [(gone.digest,)]


def test_a_removal_that_is_undone_or_followed_by_the_same_file_deletes_nothing(tab, store):
    images, stored = tab()
    image = add(images, phantom_png(32, 32))
    images.remove(image.digest)
    images.undo_removal()
    images.remove(image.digest)
    add(images, phantom_png(32, 32))
    images.forget_removed()
    written()
    assert stored.refresh() == 0
    assert list(images.images) == [image.digest] == [i.digest for i in store.images("anna")]
    # removed and deleted, then added again: it is stored again
    images.remove(image.digest)
    images.forget_removed()
    add(images, phantom_png(32, 32))
    written()
    assert [i.digest for i in store.images("anna")] == [image.digest]
    # a tab that is closed deletes nothing
    images.shared.take_all()
    written()
    assert [i.digest for i in store.images("anna")] == [image.digest]


def test_a_removal_is_undone_by_another_process_than_the_one_that_removed(tab, store):
    images, _ = tab()
    kept, gone = add(images, phantom_png(32, 32)), add(images, phantom_png(33, 32))
    set_removed(images, {gone.digest}, set())
    # the process ends, and the page sends the undo to the next one
    others, other = tab()
    assert list(others.images) == [kept.digest]
    # which goes on offering it
    assert worklist_message(others)["removed"] == [gone.digest]
    set_removed(others, {gone.digest, kept.digest}, set())
    assert worklist_message(others)["removed"] == [kept.digest, gone.digest]
    set_removed(others, set(), {gone.digest, kept.digest})
    assert worklist_message(others)["removed"] == []
    assert other.refresh() == 1
    assert list(others.images) == [kept.digest, gone.digest]
    # what nobody knows changes nothing
    set_removed(others, set(), {"0" * 64})
    assert other.refresh() == 0
    images.shared.take_all()


def test_what_another_process_has_removed_is_offered_until_it_is_deleted(tab, store):
    images, _ = tab()
    gone = add(images, phantom_png(32, 32))
    set_removed(images, {gone.digest}, set())
    others, other = tab()
    assert others.shared.restorable() == [gone.digest]
    images.forget_removed()
    written()
    other.refresh()
    assert others.shared.restorable() == []


def test_a_hidden_reading_is_stored_as_hidden_until_it_is_shown(tab, store, phantom, predictor):
    images, _ = tab()
    images.read_first = True
    image = add(images, phantom[0], phantom[1], predictor.card)
    (read,) = store.list_reads()
    assert read.revealed is None
    assert not next(iter(tab()[0].images.values())).revealed
    image.revealed = True
    images.notify()
    written()
    (read,) = store.list_reads()
    assert read.revealed
    assert next(iter(tab()[0].images.values())).revealed


def test_the_switch_is_of_the_person_in_every_process_and_of_nobody_else(tab, store, phantom, predictor):
    images, _ = tab()
    choose_read_first(images, True)
    reveal(images, add(images, phantom[0], phantom[1], predictor.card))
    written()
    # another process: what was shown stays shown, and what comes next is hidden
    others, other = tab()
    assert others.read_first
    assert not others.is_hidden(next(iter(others.images.values())))
    assert others.is_hidden(add(others, phantom_png(64, 64)))
    assert not tab("bert")[0].read_first
    # turned there, it is turned here as well, and not the other way round
    choose_read_first(others, False)
    images.keeper.refresh()
    other.refresh()
    assert (images.read_first, others.read_first, tab()[0].read_first) == (False, False, False)
    choose_read_first(tab("bert")[0], True)
    images.keeper.refresh()
    assert not images.read_first


def test_a_switch_that_cannot_be_stored_holds_in_memory_and_says_so(tab, store, monkeypatch):
    images, stored = tab()
    with monkeypatch.context() as patch:
        patch.setattr(reader_choices, "write_whole", fails_to_write)
        choose_read_first(images, True)
    assert images.read_first
    assert "Choice of a reader" in stored.problem
    stored.refresh()
    assert images.read_first


def fails_to_write(*_arguments, **_options):
    raise OSError(28, "No space left on device")


def test_another_operating_point_is_another_read_and_is_restored(tab, store, phantom, predictor):
    point = next(name for name in predictor.card.offered_points if name != "default")
    images, _ = tab()
    add(images, phantom[0], phantom[1], predictor.card)
    images.apply_settings(predictor.card, point, None)
    written()
    assert [read.operating_point for read in store.list_reads()] == [point, "default"]
    others, _ = tab()
    assert others.operating_point == point
    assert next(iter(others.images.values())).reading.operating_point == point
    written()
    assert len(store.list_reads()) == 2


def test_an_image_that_another_model_read_is_read_again(tab, store, phantom, predictor):
    images, _ = tab()
    add(images, phantom[0], phantom[1], predictor.card)
    other = replace(predictor.card, weights_sha256="cd" * 32)
    assert next(iter(tab(card=other)[0].images.values())).status == "waiting"
    assert len(store.list_reads()) == 1


@pytest.mark.parametrize("asked", [True, False])
def test_after_a_change_of_model_the_page_hides_what_history_hides(tab, store, phantom, predictor, asked):
    images, _ = tab()
    choose_read_first(images, True)
    image = add(images, phantom[0], phantom[1], predictor.card)
    if asked:
        reveal(images, image)
        written()
    other = replace(predictor.card, weights_sha256="cd" * 32)
    others, _ = tab(card=other)
    (restored,) = others.images.values()
    restored.set_reading(replace(phantom[1], model_sha256="cd" * 32))
    others.notify()
    written()
    reads = [row.id for row in store.list_reads()]
    rows = list(history_rows(store, reads, identity=False, viewer="anna"))
    opinion = add_opinion(others, restored, "Mass", "present")
    assert len(rows) == 2
    assert {others.is_hidden(restored), *(row.hidden for row in rows), not opinion.revealed} == {not asked}


def test_what_cannot_be_stored_stays_in_memory_and_says_so(tab, store, phantom, monkeypatch):
    monkeypatch.setenv("SECOND_READ_KEEP_GB", "0.000000001")
    settings.cache_clear()
    images, stored = tab()
    image = add(images, phantom[0])
    assert image.data == phantom[0]
    assert "SECOND_READ_KEEP_GB" in stored.problem
    assert store.images("anna") == ()
    assert stored.refresh() == 0
    assert list(images.images) == [image.digest]


def test_the_time_on_the_screen_is_that_of_the_read_and_a_script_run_of_another_tab_has_none(
    tab, store, phantom, predictor, monkeypatch
):
    now = 1000.0
    monkeypatch.setattr(reading_time.time, "monotonic", lambda: now)
    monkeypatch.setattr(stored_worklist.time, "monotonic", lambda: now)
    images, stored = tab()
    image = add(images, phantom[0], phantom[1], predictor.card)
    background = Worklist(images.shared)
    background.choose(add(images, phantom_png(32, 32), name="b.png").digest)
    for _ in range(120):
        stored.shown(images, image.digest)
        stored.refresh()
        now += 0.5
    stored.shown(images, image.digest)
    # the last minutes before the tab closes, in which nothing is done
    for _ in range(600):
        now += 0.5
        stored.shown(images, image.digest)
    stored.stop()
    written()
    (read,) = store.list_reads()
    assert read.seconds == 360


def shown(image: dict) -> list[tuple[str, str, str]]:
    """Label, state and value of each finding; whether it is stable is read a moment later."""
    return [(row["label"], row["state"], row["value"]) for row in image["findings"]["rows"]]


@pytest.mark.slow
def test_another_process_has_the_worklist_of_one_that_was_killed(tmp_path, monkeypatch):
    folders = {f"SECOND_READ_{name.upper()}": str(tmp_path / name) for name in ("home", "runs")}
    environment = {**folders, "SECOND_READ_AUDIT": str(tmp_path / "audit.jsonl"), "SECOND_READ_KEEP": "store"}
    data = phantom_dicom(256, 224)

    async def first(address: str) -> tuple[dict, dict[str, str]]:
        async with Reader(address) as visitor:
            page = await visitor._http.get("/", headers={"Accept": "text/html"})
        (header,) = (value for value in page.headers.get_list("set-cookie") if value.startswith(BROWSER_COOKIE))
        assert "HttpOnly" in header
        assert "SameSite=Strict" in header
        cookies = {BROWSER_COOKIE: page.cookies[BROWSER_COOKIE]}
        async with Reader(address, cookies) as reader:
            image = await reader.read("a.dcm", data)
            body = {"label": "Mass", "opinion": "present", "comment": "left hilum"}
            stated = await reader.request("POST", f"/images/{image['id']}/opinions", json=body)
            assert stated.status_code == 200
            async with Reader(address, cookies) as second:
                assert shown(await second.image(image["id"])) == shown(image)
        return image, cookies

    async def again(address: str, image: dict, cookies: dict[str, str]) -> None:
        async with Reader(address, cookies) as reader:
            restored = await reader.image(image["id"])
            assert shown(restored) == shown(image)
            (opinion,) = restored["opinions"]["Mass"]
            assert (opinion["opinion"], opinion["comment"], opinion["shown"]) == ("present", "left hilum", True)
            assert await reader.pixels(image["id"])
        for other in ({}, {BROWSER_COOKIE: "A" * 43}, {BROWSER_COOKIE: "x"}):
            async with Reader(address, other) as stranger:
                assert (await stranger.request("GET", f"/images/{image['id']}")).status_code == 404

    with served(**environment) as server:
        image, cookies = asyncio.run(first(server.address))
        # the reading is stored by a thread of its own, right after it is shown
        for name, value in folders.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        reads, end = (), time.monotonic() + 60
        while not reads and time.monotonic() < end:
            with closing(ReadStore()) as store:
                reads = store.list_reads()
        os.kill(server.pid, signal.SIGKILL)
    settings.cache_clear()
    assert len(reads) == 1
    with served(**environment) as server:
        asyncio.run(again(server.address, image, cookies))


def test_the_time_to_the_answer_is_that_of_the_first_reading(tab, store, phantom, predictor):
    images, _ = tab()
    image = add(images, phantom[0])
    image.added -= 3.0
    images.set_reading(image, phantom[1], predictor.card)
    written()
    (row,) = read_rows(store)
    assert 3.0 <= row.answer_seconds < 10.0
    assert row.distance == phantom[1].distance
    # read again on request: the time is still that of the first reading
    image.quarter_turns = 1
    image.added -= 60.0
    images.set_reading(image, replace(phantom[1], class_maps=phantom[1].class_maps + 1), predictor.card)
    written()
    assert image.answer_seconds < 10.0
    # an image that another tab restores was not uploaded there
    (restored,) = tab()[0].images.values()
    assert restored.answer_seconds is None


def test_a_deletion_that_fails_is_tried_again_until_it_succeeds(tab, store, monkeypatch):
    images, stored = tab()
    image = add(images, phantom_png(32, 32))
    delete, failures = store.delete, []

    def fails(*arguments, **options):
        if len(failures) < 2:
            failures.append(PathUnusable("The disk is away."))
            raise failures[-1]
        return delete(*arguments, **options)

    monkeypatch.setattr(stored_removal, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(store, "delete", fails)
    images.remove(image.digest)
    images.forget_removed()
    written()
    assert stored.problem == "A removed image could not be deleted from the store. It is tried again."
    # meanwhile it does not come back
    assert stored.refresh() == 0
    end = time.monotonic() + 60
    while stored.problem and time.monotonic() < end:
        time.sleep(0.05)
    assert (stored.problem, store.images("anna"), len(failures)) == ("", (), 2)


def test_an_image_that_is_added_again_before_its_deletion_succeeds_stays(tab, store, monkeypatch):
    images, stored = tab()
    data = phantom_png(32, 32)
    image = add(images, data)

    def fails(*arguments, **options):
        raise PathUnusable("The disk is away.")

    monkeypatch.setattr(stored_removal, "RETRY_SECONDS", 0.5)
    with monkeypatch.context() as failing:
        failing.setattr(store, "delete", fails)
        images.remove(image.digest)
        images.forget_removed()
        written()
        assert stored.problem
    assert add(images, data).digest == image.digest
    end = time.monotonic() + 60
    while stored.problem and time.monotonic() < end:
        time.sleep(0.05)
    assert stored.problem == ""
    assert [one.digest for one in store.images("anna")] == [image.digest]


def test_what_is_left_of_a_deletion_is_said_until_it_is_deleted(tab, store):
    images, stored = tab()
    image = add(images, phantom_png(32, 32))
    with full_disk():
        images.remove(image.digest)
        images.forget_removed()
        written()
        assert "cannot be overwritten" in stored.problem
        # it is deleted for the reader
        assert stored.refresh() == 0
        assert store.images("anna") == ()
    store.delete_due()
    assert stored.problem == ""


def test_a_problem_of_storing_is_named_only_until_it_was_stored(tab, store, monkeypatch):
    images, stored = tab()
    data = phantom_png(32, 32)

    def full(*arguments, **options):
        raise PathUnusable("The disk is full.")

    with monkeypatch.context() as failing:
        failing.setattr(store, "add_image", full)
        image = add(images, data)
        assert stored.problem == "The disk is full."
    stored.added([image])
    assert stored.problem == ""
