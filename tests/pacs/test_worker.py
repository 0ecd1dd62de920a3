"""Jobs from the received image to results that a real Orthanc keeps, and what becomes of those that fail."""

import io
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pydicom
import pytest

from cxr_core.access import audit
from cxr_core.imaging import phantom_dicom
from cxr_core.pacs import worker as worker_module
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.worker import READING_ATTEMPTS, WAITS, Worker
from cxr_core.report.dicom.identification import SERIES
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.dicom_results import PATIENT

UID = "1.2.826.0.1.77"
RULES = """
[destinations.archive]
address = "{address}"
credentials_file = "{folder}/secret"

[[rules]]
results = [{{to = "archive", kinds = ["sr"]}}]
"""


def image(number=1, **attributes):
    """A phantom of the planted patient; each number is another image of one study."""
    return phantom_dicom(256, 224, **PATIENT | {"SOPInstanceUID": f"{UID}.{number}"} | attributes)


@pytest.fixture
def configure(own_folders, tmp_path):
    """Write a file of rules, and set it."""

    def write(text, orthanc):
        (tmp_path / "secret").write_text(":".join(orthanc.auth))
        (tmp_path / "rules.toml").write_text(text.format(address=orthanc.dicom_web, folder=tmp_path))
        own_folders.setenv("SECOND_READ_PACS_RULES", str(tmp_path / "rules.toml"))
        settings.cache_clear()

    return write


@pytest.fixture
def store(own_folders):
    store = PacsStore()
    yield store
    store.close()


def work(store, lines=None):
    """Do what is due, by a worker with the rules as they are now."""
    steps = [] if lines is None else lines
    Worker(store, load_rules(), f"worker {len(steps)}", steps.append).work_until_idle(threading.Event())


@pytest.fixture
def no_waits(monkeypatch):
    """Failed jobs are due at once."""
    monkeypatch.setattr(worker_module, "WAITS", (-1,) * len(WAITS))


def ours(orthanc):
    """The results that Orthanc has, by their SOP Instance UID."""
    files = {uid: pydicom.dcmread(io.BytesIO(orthanc.file(uid))) for uid in orthanc.uids()}
    numbers = {series.number for series in SERIES.values()}
    return {uid: file for uid, file in files.items() if file.SeriesNumber in numbers}


def test_an_image_is_read_and_its_results_are_in_its_study(orthanc, configure, store, caplog):
    configure(RULES.replace('["sr"]', '["sr", "sc"]'), orthanc)
    orthanc.store(image())
    store.add_instance(image(), "AE ROOM1")
    lines = []
    with caplog.at_level(logging.DEBUG):
        work(store, lines)
    (job,) = store.jobs()
    assert [line.split(": ")[1] for line in lines] == ["read", "built", "sent", "verified"]
    assert job.state == "verified"
    results = ours(orthanc)
    assert {int(file.SeriesNumber) for file in results.values()} == {SERIES[kind].number for kind in ("sr", "sc")}
    counts = orthanc.counts()
    assert (counts["patients"], counts["studies"], counts["series"]) == (1, 1, 3)
    for file in results.values():
        assert (file.PatientID, str(file.PatientName)) == (PATIENT["PatientID"], PATIENT["PatientName"])
    # nothing names the patient, and the trail has image, model and destination
    said = "\n".join([*lines, caplog.text, audit.path().read_text(), repr(store.jobs())])
    assert not [value for value in PATIENT.values() if len(value) > 1 and value in said]
    events, _ = audit.read()
    (event,) = [event for event in events if event.what == "export"]
    instance = store.instance(f"{UID}.1")
    assert (event.detail, event.images, event.model) == (
        "results to archive",
        (instance.sha256,),
        job.order.weights_sha256,
    )


@pytest.mark.slow
def test_the_same_again_is_one_report_and_another_operating_point_two(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    work(store)
    assert len(ours(orthanc)) == 1
    # the modality sends it again, and an administrator applies the rules again
    store.add_instance(image(), "AE ROOM1")
    # a prior, which is stored without being read
    store.add_instance(image(2), "fetch archive")
    store.plan(f"{UID}.2", [])
    assert Worker(store, load_rules(), "worker").plan_again("2026") == 0
    configure(RULES.replace("[[rules]]", '[[rules]]\noperating_point = "youden"'), orthanc)
    assert Worker(store, load_rules(), "worker").plan_again("2999") == 0
    assert Worker(store, load_rules(), "worker").plan_again("2026") == 1
    work(store)
    assert [job.state for job in store.jobs()] == ["verified"] * 2
    assert len(ours(orthanc)) == 2
    assert orthanc.counts()["studies"] == 1


@pytest.mark.slow
def test_jobs_that_differ_in_destinations_alone_have_the_same_files(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    work(store)
    (before,) = ours(orthanc)
    data = orthanc.file(before)
    second = '[destinations.second]\naddress = "{address}"\ncredentials_file = "{folder}/secret"\n'
    configure(RULES.replace('to = "archive"', 'to = "second"').replace("[[rules]]", second + "[[rules]]"), orthanc)
    (rule,) = load_rules().rules
    store.enqueue(f"{UID}.1", rule.order())
    work(store)
    assert [job.state for job in store.jobs()] == ["verified"] * 2
    assert list(ours(orthanc)) == [before]
    assert orthanc.file(before) == data


@pytest.mark.slow
def test_our_own_results_that_come_back_are_not_read(orthanc, configure, store):
    configure(RULES.replace('["sr"]', '["sr", "sc"]').replace("[[rules]]", "[[rules]]\nmodality = []"), orthanc)
    store.add_instance(image(), "AE ROOM1")
    work(store)
    for uid in ours(orthanc):
        store.add_instance(orthanc.file(uid), "AE ORTHANC")
    work(store)
    assert len(store.jobs()) == 1


def work_later(store, hours):
    """Do what is due in so many hours."""
    worker, now = Worker(store, load_rules(), "later"), datetime.now(UTC) + timedelta(hours=hours)
    while job := store.lease("later", 60, now):
        worker.work(job, threading.Event())


@pytest.mark.slow
def test_a_pacs_that_is_down_is_sent_to_once_it_is_up(orthanc, configure, store):
    configure(RULES, orthanc)
    for number in (1, 2, 3):
        store.add_instance(image(number), "AE ROOM1")
    orthanc.stop()
    # no job is due twice before the test lets time pass
    work(store)
    assert {job.state for job in store.jobs()} == {"built"}
    assert all("cannot be reached" in job.reason for job in store.jobs())
    orthanc.start()
    work_later(store, 1)
    assert {job.state for job in store.jobs()} == {"verified"}
    assert {job.reason for job in store.jobs()} == {""}
    assert len(ours(orthanc)) == 3


@pytest.mark.slow
def test_failures_wait_longer_each_time_and_are_parked_at_last(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    orthanc.stop()
    worker, waits = Worker(store, load_rules(), "worker"), []
    worker.plan()
    now = datetime.now(UTC)
    while job := store.lease("worker", 60, now):
        worker.work(job, threading.Event())
        job, failed = store.job(job.id), datetime.now(UTC)
        if job.state == "parked":
            break
        due = datetime.fromisoformat(job.next_attempt)
        waits.append((due - failed).total_seconds())
        assert store.lease("worker", 60, due - timedelta(seconds=1)) is None
        now = due + timedelta(seconds=1)
    # the attempt of the worker that has read the image is one more
    assert waits == pytest.approx([WAITS[0], *WAITS], abs=4)
    assert job.state == "parked"
    assert "cannot be reached" in job.reason
    orthanc.start()
    assert store.retry(job.id).state == "built"
    work(store)
    assert store.job(job.id).state == "verified"


@pytest.mark.slow
def test_a_conflict_is_parked_at_once(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    work(store)
    (uid,) = ours(orthanc)
    other = pydicom.dcmread(io.BytesIO(orthanc.file(uid)))
    other.ContentSequence.pop()
    stream = io.BytesIO()
    other.save_as(stream)
    orthanc.empty()
    orthanc.store(stream.getvalue())
    # the same result again, for a destination of another name
    again = RULES.replace('"archive"', '"again"').replace("destinations.archive", "destinations.again")
    configure(again, orthanc)
    (rule,) = load_rules().rules
    job, new = store.enqueue(f"{UID}.1", rule.order())
    assert new
    work(store)
    parked = store.job(job.id)
    assert parked.state == "parked"
    assert "keeps another object under the UID of result sr" in parked.reason
    assert parked.attempts <= 1


def test_an_image_that_the_gate_refuses_has_no_results_and_a_reason(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(ViewPosition="LL"), "AE ROOM1")
    work(store)
    (job,) = store.jobs()
    assert job.state == "verified"
    assert "frontal views" in job.reason
    assert store.results(job.id) == ()
    assert not ours(orthanc)


def test_a_rule_without_destinations_reads_alone(orthanc, configure, store):
    configure(RULES.replace('results = [{{to = "archive", kinds = ["sr"]}}]', ""), orthanc)
    store.add_instance(image(), "AE ROOM1")
    work(store)
    (job,) = store.jobs()
    assert (job.state, job.reason) == ("verified", "no result is to be sent")
    assert not ours(orthanc)


def test_a_destination_that_is_gone_is_named(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    Worker(store, load_rules(), "worker").plan()
    configure(RULES.replace('"archive"', '"other"').replace("destinations.archive", "destinations.other"), orthanc)
    work(store)
    (job,) = store.jobs()
    assert (job.state, "archive" in job.reason) == ("parked", True)


def test_a_model_that_was_exchanged_is_not_used(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    (rule,) = load_rules().rules
    job, _ = store.enqueue(f"{UID}.1", replace(rule.order(), weights_sha256="0" * 64))
    store.plan(f"{UID}.1", [])
    work(store)
    assert store.job(job.id).state == "parked"
    assert "other weights" in store.job(job.id).reason
    assert not ours(orthanc)


@pytest.mark.slow
def test_an_error_that_is_none_of_ours_is_not_quoted(orthanc, configure, store, monkeypatch, no_waits):
    def broken(*_):
        raise RuntimeError(f"quotes {PATIENT['PatientName']}")

    monkeypatch.setattr("cxr_core.pacs.leased_job.build_results", broken)
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    lines = []
    work(store, lines)
    (job,) = store.jobs()
    assert (job.state, job.reason) == ("parked", "Unexpected error (RuntimeError).")
    assert job.attempts == READING_ATTEMPTS
    assert PATIENT["PatientName"] not in "".join(lines)


def test_an_image_that_ends_every_worker_is_parked(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    Worker(store, load_rules(), "worker").plan()
    now = datetime.now(UTC)
    for number in range(READING_ATTEMPTS):
        assert store.lease(f"killed {number}", 60, now + timedelta(minutes=2 * number))
    job = store.lease("worker", 60, now + timedelta(minutes=2 * READING_ATTEMPTS))
    Worker(store, load_rules(), "worker").work(job, threading.Event())
    assert store.job(job.id).state == "parked"
    assert "ended without a word" in store.job(job.id).reason


def test_a_worker_that_is_stopped_gives_its_job_back(orthanc, configure, store):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    stop = threading.Event()

    def stop_after_reading(line):
        if line.endswith("read"):
            stop.set()

    Worker(store, load_rules(), "first", stop_after_reading).work_until_idle(stop)
    (job,) = store.jobs()
    assert (job.state, job.lease_until, job.attempts) == ("read", None, 0)
    work(store)
    assert store.job(job.id).state == "verified"


@pytest.mark.slow
def test_nothing_is_sent_that_is_not_in_the_trail(orthanc, configure, store, own_folders, tmp_path, no_waits):
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    (tmp_path / "a folder").mkdir()
    own_folders.setenv("SECOND_READ_AUDIT", str(tmp_path / "a folder"))
    settings.cache_clear()
    work(store)
    (job,) = store.jobs()
    assert "audit trail" in job.reason
    assert not ours(orthanc)
