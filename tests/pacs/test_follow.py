"""Studies that are fetched as they arrive at a real Orthanc, by its change feed or by date, and their priors."""

import threading
import time
from datetime import date

import pytest

from cxr_core.errors import PacsUnavailable
from cxr_core.pacs import follow
from cxr_core.pacs.addresses import WebAddress
from cxr_core.pacs.changes import ChangeFeed
from cxr_core.pacs.fetch import PacsClient
from cxr_core.pacs.follow import Follower
from cxr_core.pacs.web_source import WebSource
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.received import received, uid

TODAY = f"{date.today():%Y%m%d}"
LIMIT = 60
"""Seconds that a state may take."""


@pytest.fixture
def store(own_folders):
    store = PacsStore()
    yield store
    store.close()


@pytest.fixture
def client(orthanc, store):
    return PacsClient(WebSource(WebAddress(orthanc.dicom_web), ":".join(orthanc.auth)), "ARCHIVE", store)


@pytest.fixture
def feed(orthanc, own_folders):
    return ChangeFeed(WebAddress(orthanc.url), ":".join(orthanc.auth))


@pytest.fixture
def lines():
    return []


def sources(store):
    return {one.sop_instance_uid: one.source for one in store.instances()}


def stable(orthanc, *numbers):
    """Wait until Orthanc has said of each study that it is complete."""
    end = time.monotonic() + LIMIT
    wanted = {uid(number, "7") for number in numbers}
    while time.monotonic() < end:
        changes = orthanc.get("/changes", limit=1000)["Changes"]
        complete = {one["ID"] for one in changes if one["ChangeType"] == "StableStudy"}
        if wanted <= {orthanc.get(f"/studies/{one}")["MainDicomTags"]["StudyInstanceUID"] for one in complete}:
            return
        time.sleep(0.05)
    raise AssertionError("the studies are not stable")


def all_pages(feed):
    return [uid for page in feed.completed_studies() for uid in page]


@pytest.mark.slow
def test_the_feed_tells_each_complete_study_once(orthanc, feed):
    orthanc.store(received(1))
    stable(orthanc, 1)
    # what was there before is left to `--since`
    assert all_pages(feed) == []
    orthanc.store(received(2))
    orthanc.store(received(3))
    stable(orthanc, 2, 3)
    assert sorted(all_pages(feed)) == [uid(2, "7"), uid(3, "7")]
    assert all_pages(feed) == []


@pytest.mark.slow
def test_the_feed_is_read_on_where_another_process_has_left_it(orthanc, feed):
    all_pages(feed)
    orthanc.store(received(1))
    stable(orthanc, 1)
    again = ChangeFeed(WebAddress(orthanc.url), ":".join(orthanc.auth))
    # a page that was begun and not ended is given again
    next(again.completed_studies())
    assert all_pages(again) == [uid(1, "7")]
    assert all_pages(feed) == []


@pytest.mark.slow
def test_the_feed_of_a_new_orthanc_is_read_from_its_beginning(orthanc, feed):
    all_pages(feed)
    orthanc.store(received(1))
    stable(orthanc, 1)
    feed._note(10**6)
    assert uid(1, "7") in all_pages(feed)


@pytest.mark.slow
def test_a_study_that_was_deleted_is_no_error(orthanc, feed, monkeypatch):
    all_pages(feed)
    for number in (1, 2):
        orthanc.store(received(number))
    stable(orthanc, 1, 2)
    (gone,) = orthanc.rest.post("/tools/lookup", content=uid(1, "7")).json()
    # Orthanc forgets the changes of what it deletes; here it is deleted between the list and the question
    pages = feed._json

    def then_deleted(client, path):
        answer = pages(client, path)
        if "since" in path:
            orthanc.rest.delete(gone["Path"])
        return answer

    monkeypatch.setattr(feed, "_json", then_deleted)
    assert all_pages(feed) == [uid(2, "7")]


@pytest.mark.parametrize("how", [pytest.param("by feed", marks=pytest.mark.slow), "by date"])
def test_what_arrives_is_fetched_and_nothing_else(how, orthanc, client, feed, lines, store):
    follower = Follower(client, feed if how == "by feed" else None, priors=0, report=lines.append)
    orthanc.store(received(1, StudyDate="20250101"))
    stable(orthanc, 1)
    follower.look()
    assert sources(store) == {}
    orthanc.store(received(2, StudyDate=TODAY))
    orthanc.store(received(3, StudyDate=TODAY, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))
    if how == "by feed":
        stable(orthanc, 2, 3)
    follower.look()
    assert sources(store) == {uid(2): "fetch ARCHIVE"}
    assert lines == ["Study: 1 image fetched"]
    # a further image of the same study
    orthanc.store(received(4, StudyDate=TODAY, StudyInstanceUID=uid(2, "7")))
    if how == "by feed":
        again(orthanc, 2)
    follower.look()
    assert set(sources(store)) == {uid(2), uid(4)}
    follower.look()
    assert lines == ["Study: 1 image fetched", "Study: 1 image fetched; 1 image already here"]


def again(orthanc, number):
    """Wait until Orthanc has said a second time that a study is complete."""
    (study,) = orthanc.rest.post("/tools/lookup", content=uid(number, "7")).json()
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        changes = orthanc.get("/changes", limit=1000)["Changes"]
        if sum(one["ChangeType"] == "StableStudy" and one["ID"] == study["ID"] for one in changes) == 2:
            return
        time.sleep(0.05)
    raise AssertionError("the study is not stable again")


def test_a_study_that_is_looked_at_by_date_is_asked_for_again_only_when_it_grows(orthanc, client, lines, monkeypatch):
    orthanc.store(received(1, StudyDate=TODAY))
    asked = []
    images = client.source.images
    monkeypatch.setattr(client.source, "images", lambda uid: asked.append(uid) or images(uid))
    follower = Follower(client, None, priors=0, report=lines.append)
    for _ in range(3):
        follower.look()
    assert asked == [uid(1, "7")]


@pytest.mark.parametrize("day", ["20261126", "20261127", "20261128"])
def test_by_date_no_time_zone_is_missed(day, orthanc, client, lines, store, monkeypatch):
    """It is tomorrow in Tokyo, and yesterday in Honolulu, for hours in which a program in UTC has today."""

    class Clock(date):
        @classmethod
        def today(cls):
            return date(2026, 11, 27)

    monkeypatch.setattr(follow, "date", Clock)
    orthanc.store(received(1, StudyDate=day))
    Follower(client, None, priors=0, report=lines.append).look()
    assert set(sources(store)) == {uid(1)}


def test_the_prior_of_a_study_that_was_sent_here_is_fetched_once(
    orthanc, client, lines, store, own_folders, monkeypatch
):
    own_folders.setenv("SECOND_READ_PACS_PATIENT_ID_IN_URL", "true")
    settings.cache_clear()
    for number, day in ((1, "20250101"), (2, "20240101")):
        orthanc.store(received(number, PatientID="QZ-1", StudyDate=day))
    orthanc.store(received(3, PatientID="QZ-2", StudyDate="20250101"))
    store.add_instance(received(4, PatientID="QZ-1", StudyDate="20260101"), "AE MODALITY")
    searched = []
    search = client.search
    monkeypatch.setattr(client, "search", lambda keys: searched.append(keys) or search(keys))
    follower = Follower(client, None, priors=1, report=lines.append)
    for _ in range(3):
        follower.look()
    assert sources(store) == {uid(4): "AE MODALITY", uid(1): "fetch ARCHIVE"}
    assert store.instance(uid(1)).is_prior
    assert lines == ["Prior: 1 image fetched"]
    # a prior has none of its own, and a study is looked up once
    assert len([keys for keys in searched if "PatientID" in keys]) == 1


@pytest.mark.slow
def test_a_pacs_that_is_down_is_reported_once_and_what_came_meanwhile_is_fetched(orthanc, client, feed, lines, store):
    stop, looked = threading.Event(), []
    follower = Follower(client, feed, priors=1, report=lines.append)
    look = follower.look

    def noted():
        try:
            look()
        finally:
            looked.append(len(lines))

    follower.look = noted
    thread = threading.Thread(target=follower.run, args=(stop, 0.05))
    thread.start()
    try:
        wait(lambda: looked)
        orthanc.stop(kill=True)
        count = len(looked)
        wait(lambda: len(looked) >= count + 3)
        orthanc.start()
        orthanc.store(received(1))
        wait(lambda: sources(store))
    finally:
        stop.set()
        thread.join(LIMIT)
    assert not thread.is_alive()
    assert [line for line in lines if "reached" in line] == [lines[0]]
    assert lines[-1] == "Study: 1 image fetched"


def wait(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_a_study_that_a_pacs_cannot_give_does_not_hold_up_the_others(orthanc, client, feed, lines, store, monkeypatch):
    all_pages(feed)
    for number in (1, 2):
        orthanc.store(received(number))
    stable(orthanc, 1, 2)
    retrieve = client.source.retrieve

    def broken(images, keep):
        if images[0].study_uid == uid(1, "7"):
            raise PacsUnavailable("ARCHIVE answers with HTTP status 500.")
        retrieve(images, keep)

    monkeypatch.setattr(client.source, "retrieve", broken)
    follower = Follower(client, feed, priors=0, report=lines.append)
    for _ in range(4):
        with pytest.raises(PacsUnavailable):
            follower.look()
    assert set(sources(store)) == {uid(2)}
    follower.look()
    assert lines == ["Study: 1 image fetched", "Study skipped. ARCHIVE answers with HTTP status 500."]
    # and the feed goes on
    assert all_pages(feed) == []
