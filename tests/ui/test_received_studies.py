"""Studies from the DICOM network in the worklist: whose they are, where from, where their results went, and opening."""

import logging
import threading
import time
from contextlib import closing

import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_dicom
from cxr_core.settings import settings
from cxr_core.store.pacs_files import instance_path
from cxr_core.store.pacs_store import PacsStore
from cxr_core.ui import received_studies
from cxr_core.ui.pacs_store import pacs_store
from cxr_core.ui.reading_messages import image_version
from cxr_core.ui.received_studies import ReceivedStudies, describe_origin, open_received
from cxr_core.ui.study_header import study_message
from cxr_core.ui.worklist import Worklist
from cxr_core.ui.worklist_strip import worklist_message
from tests.received import built, order, received, result_of_ours, uid

JANE = {"PatientName": "Quendelzahn^Jane", "PatientID": "QZ-7", "StudyDescription": "QZ thorax"}


@pytest.fixture
def store(own_folders, trail):
    """The store of a network that is set up, with nothing received."""
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:104")
    settings.cache_clear()
    pacs_store.cache_clear()
    with closing(PacsStore()) as opened:
        yield opened
    if pacs_store.cache_info().currsize:
        pacs_store().close()
    pacs_store.cache_clear()


@pytest.fixture
def listed(store, monkeypatch):
    """Looks at the store now, in this thread, and returns what the worklist is told."""
    keeper = received_studies._Received()
    monkeypatch.setattr(keeper, "ask", lambda: keeper.current)
    monkeypatch.setattr(received_studies, "_RECEIVED", keeper)

    def look() -> ReceivedStudies:
        keeper.refresh(store)
        return keeper.current

    return look


def add(store, number, source="AE CT1", **elements):
    """Receive an image; return the digest of its file."""
    return store.add_instance(received(number, **elements), source).instance.sha256


def study_of(number, date, **elements):
    return JANE | {"StudyInstanceUID": uid(number, "7"), "StudyDate": date} | elements


def finish(store, *, results=("sr", "sc-1"), parked=False):
    """Bring the next job to its end."""
    job = store.lease("worker-1", 60)
    if parked:
        return store.fail(job, "archive cannot be reached.", None)
    for state in ("read", "built", "sent", "verified"):
        job = store.advance(job, state, results=[built(name) for name in results] if state == "built" else ())
        if state == "built":
            for result in store.results(job.id):
                store.mark_result(job, result, "sent")
                store.mark_result(job, result, "verified")
    return job


def test_images_are_listed_by_study_and_nothing_else_is(store, listed):
    first = add(store, 1, **study_of(1, "20261126"))
    second = add(store, 2, **study_of(1, "20261126", ViewPosition="LL"))
    other = add(store, 3, PatientName="Roe^Richard", PatientID="8")
    store.add_instance(result_of_ours(4), "AE ARCHIVE")
    add(store, 5, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT")
    studies = listed().studies
    # the last one that was received on top
    assert [[image.digest for image in study.images] for study in studies] == [[other], [first, second]]
    assert [study.patient.name for study in studies] == ["Roe, Richard", "Quendelzahn, Jane"]


def test_other_objects_that_came_later_hide_no_image(store, listed, monkeypatch):
    monkeypatch.setattr(received_studies, "_MOST_IMAGES", 3)
    digests = [add(store, number, **study_of(number, "20261126")) for number in (1, 2, 3, 4)]
    for number in range(5, 9):
        add(store, number, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT", StudyInstanceUID=uid(5, "7"))
        store.add_instance(result_of_ours(number + 10), "AE ARCHIVE")
    assert [study.images[0].digest for study in listed().studies] == digests[:0:-1]


def test_two_patients_under_one_study_uid_are_two_studies(store, listed):
    add(store, 1, **study_of(1, "20261126"))
    add(store, 2, **study_of(1, "20261126", PatientName="Roe^Richard", PatientID="8"))
    studies = listed().studies
    assert len(studies) == 2
    assert all(study.alarms for study in studies)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("AE CT1", "CT1"),
        ("stow", "DICOMweb"),
        ("fetch ORTHANC", "ORTHANC"),
        ("AE CT 1", "CT 1"),
    ],
)
def test_an_image_says_where_it_came_from_and_where_its_results_are(store, listed, source, name):
    digest = add(store, 1, source)
    assert listed().describe(digest, hidden=False) == f"from {name}"
    store.plan(uid(1), [order()])
    assert listed().describe(digest, hidden=False) == f"from {name}; results in work"
    store.retry(finish(store, parked=True).id)
    finish(store)
    texts = [listed().describe(digest, hidden=hidden) for hidden in (False, True)]
    # which results there are depends on the findings
    assert texts == [f"from {name}; results at archive: sc-1, sr verified", f"from {name}"]
    assert listed().describe("0" * 64, hidden=False) == ""


def test_what_was_parked_and_what_has_no_results_is_said(store, listed):
    digests = [add(store, number) for number in (1, 2)]
    for number in (1, 2):
        store.plan(uid(number), [order()])
    finish(store, parked=True)
    finish(store, results=())
    assert [listed().describe(digest, hidden=False) for digest in digests] == [
        "from CT1; results parked", "from CT1; no results",
    ]  # fmt: skip


def test_each_file_and_the_results_of_a_verified_job_are_looked_at_once(store, listed, monkeypatch):
    loaded, asked = [], []
    load, results = store.load_instance, store.results
    monkeypatch.setattr(store, "load_instance", lambda one: loaded.append(one) or load(one))
    monkeypatch.setattr(store, "results", lambda job: asked.append(job) or results(job))
    add(store, 1)
    (job,) = store.plan(uid(1), [order()])
    listed()
    asked.clear()
    listed()
    assert asked == [job.id]
    finish(store)
    listed()
    asked.clear()
    listed()
    assert asked == []
    assert loaded == [uid(1)]


def test_what_was_deleted_leaves_the_memory(store, listed):
    digest = add(store, 1, **JANE)
    assert listed().studies[0].patient.name == "Quendelzahn, Jane"
    store.delete_instances(LOCAL, [uid(1)])
    assert listed() == ReceivedStudies()
    keeper = received_studies._RECEIVED
    assert digest not in keeper._headers
    assert "Quendelzahn" not in repr(vars(keeper))


def test_patients_leave_the_memory_once_nobody_asks(store, listed, monkeypatch):
    add(store, 1, **JANE)
    listed()
    keeper = received_studies._RECEIVED
    keeper._asked = time.monotonic()
    assert received_studies.forget_unasked() == 0
    monkeypatch.setattr(received_studies, "FORGET_SECONDS", 0.0)
    keeper._scheduled = True
    # the thread may be about to list them
    assert received_studies.forget_unasked() == 0
    keeper._scheduled = False
    assert received_studies.forget_unasked() == 1
    assert "Quendelzahn" not in repr(vars(keeper))
    assert listed().studies[0].patient.name == "Quendelzahn, Jane"


def test_a_file_that_is_gone_is_not_listed_because_nobody_knows_whose_it_is(store, listed):
    digest = add(store, 1, **JANE)
    other = add(store, 2, PatientName="Roe^Richard")
    instance_path(digest).unlink()
    assert [study.images[0].digest for study in listed().studies] == [other]


def test_without_a_network_there_is_nothing_and_no_store(own_folders, monkeypatch):
    monkeypatch.setattr(received_studies, "pacs_store", lambda: pytest.fail("the store was opened"))
    assert received_studies.received_studies() is None
    assert describe_origin("0" * 64, hidden=False) == ""
    assert worklist_message(Worklist())["received"] is None
    assert "no longer in the store" in open_received(Worklist(), "0" * 64, LOCAL)


def test_the_worklist_lists_what_is_not_in_it_and_an_open_study_says_where_it_came_from(store, listed):
    digest = add(store, 1, **study_of(1, "20261126"))
    other = add(store, 2, PatientName="Roe^Richard", PatientID="8")
    store.plan(uid(1), [order()])
    finish(store)
    listed()
    images = Worklist()
    message = worklist_message(images)
    assert [entry["id"] for entry in message["received"]] == [other, digest]
    entry = message["received"][1]
    assert {name: entry[name] for name in ("name", "patientId", "date", "description", "count", "origin")} == {
        "name": "Quendelzahn, Jane", "patientId": "QZ-7", "date": "2026-11-26", "description": "QZ thorax", "count": 1,
        "origin": "from CT1; results at archive: sc-1, sr verified",
    }  # fmt: skip
    assert open_received(images, digest, LOCAL) == ""
    message = worklist_message(images)
    assert [entry["id"] for entry in message["received"]] == [other]
    assert message["studies"][0]["origin"] == entry["origin"]
    assert study_message(images.images[digest], images)["origin"] == entry["origin"]
    images.remove(digest)
    assert len(worklist_message(images)["received"]) == 2


def test_read_first_says_nothing_of_results_before_the_findings_are_shown(store, listed):
    digest = add(store, 1, **study_of(1, "20261126"))
    add(store, 2)
    store.plan(uid(1), [order()])
    finish(store)
    listed()
    images = Worklist()
    images.read_first = True
    open_received(images, digest, LOCAL)
    image = images.images[digest]
    messages = repr(worklist_message(images)) + repr(study_message(image, images))
    assert "from CT1" in messages
    assert "archive" not in messages
    before = image_version(image, images)
    image.revealed = True
    assert study_message(image, images)["origin"].endswith("results at archive: sc-1, sr verified")
    assert image_version(image, images) != before


def test_an_image_is_fetched_again_by_the_browser_when_its_results_have_arrived(store, listed):
    digest = add(store, 1)
    store.plan(uid(1), [order()])
    listed()
    images = Worklist()
    open_received(images, digest, LOCAL)
    before = image_version(images.images[digest], images)
    listed()
    assert image_version(images.images[digest], images) == before
    finish(store)
    listed()
    assert image_version(images.images[digest], images) != before


def test_a_study_is_opened_with_its_prior_as_if_it_had_been_dropped(store, listed):
    prior = add(store, 1, **study_of(1, "20251120"))
    oldest = add(store, 2, **study_of(2, "20201120"))
    lateral = add(store, 3, **study_of(3, "20261126", ViewPosition="LL"))
    frontal = add(store, 4, **study_of(3, "20261126", ViewPosition="PA"))
    add(store, 5, PatientName="Roe^Richard", PatientID="8", StudyDate="20240101")
    listed()
    images = Worklist()
    assert open_received(images, frontal, LOCAL) == ""
    assert set(images.images) == {prior, lateral, frontal}
    assert images.chosen == frontal
    assert images.images[frontal].file() == received(4, **study_of(3, "20261126", ViewPosition="PA"))
    assert [one["date"] for one in study_message(images.images[frontal], images)["priors"]] == ["2025-11-20"]
    events = [event for event in audit.read()[0] if event.what == "retrieval"]
    assert [(event.detail, event.images) for event in events] == [
        ("worklist", (prior,)), ("worklist", (frontal, lateral)),
    ]  # fmt: skip
    assert "Quendelzahn" not in audit.path().read_text()
    # once more, as by a second click
    assert open_received(images, frontal, LOCAL) == ""
    assert set(images.images) == {prior, lateral, frontal}
    assert oldest not in images.images


def test_what_cannot_be_opened_is_said(store, listed, own_folders):
    digest = store.add_instance(phantom_dicom(1024, 896, SOPInstanceUID=uid(1)), "AE CT1").instance.sha256
    listed()
    own_folders.setenv("SECOND_READ_SESSION_MB", "1")
    settings.cache_clear()
    images = Worklist()
    assert "at most 1 MB" in open_received(images, digest, LOCAL)
    assert not images.images
    store.delete_instances(LOCAL, [uid(1)])
    # the list is some seconds old
    assert "was deleted" in open_received(images, digest, LOCAL)
    listed()
    assert "no longer in the store" in open_received(images, digest, LOCAL)


def test_without_identity_nobody_is_named(store, listed, own_folders):
    own_folders.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    digest = add(store, 1, **study_of(1, "20261126"))
    add(store, 2, **study_of(1, "20261126"))
    listed()
    images = Worklist()
    message = worklist_message(images)
    # still one study
    assert [entry["count"] for entry in message["received"]] == [2]
    open_received(images, digest, LOCAL)
    everything = repr(message) + repr(worklist_message(images)) + repr(vars(received_studies._RECEIVED))
    for secret in ("Quendelzahn", "QZ-7", "QZ thorax"):
        assert secret not in everything


def test_the_log_says_nothing_of_a_patient_where_the_store_fails(store, monkeypatch, caplog):
    keeper = received_studies._Received()

    def broken():
        raise PathUnusable("Quendelzahn")

    monkeypatch.setattr(received_studies, "pacs_store", broken)
    with caplog.at_level(logging.DEBUG):
        keeper._scheduled = True
        keeper._look()
    assert "Received studies could not be listed: PathUnusable" in caplog.text
    assert "Quendelzahn" not in caplog.text
    # the store is not asked again at once
    assert keeper.ask() == ReceivedStudies()
    assert not keeper._scheduled


def test_who_asks_is_answered_at_once_and_the_store_is_looked_at_by_a_thread(store, monkeypatch):
    keeper, may_look = received_studies._Received(), threading.Event()
    monkeypatch.setattr(received_studies, "_RECEIVED", keeper)
    monkeypatch.setattr(received_studies, "pacs_store", lambda: may_look.wait(60) and store)
    digest = add(store, 1)
    for _ in range(2):
        assert received_studies.received_studies() == ReceivedStudies()
    may_look.set()
    # the thread does one thing after the other
    received_studies._THREAD.submit(bool).result(60)
    assert received_studies.received_studies().study(digest) is not None
