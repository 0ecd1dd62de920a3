"""Workers that are killed (SIGKILL) at any moment: another one does the rest, and the PACS has each result once."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cxr_core.imaging import phantom_dicom
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.worker import Worker
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.dicom_results import PATIENT

PROJECT = Path(__file__).resolve().parents[2]
DATA = phantom_dicom(256, 224, **PATIENT | {"SOPInstanceUID": "1.2.826.0.1.78"})

KILLED = """
import os, signal, sys, threading
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.worker import Worker
from cxr_core.store.pacs_store import PacsStore

method, moment, state = sys.argv[1:]
original = getattr(PacsStore, method)

def killing(self, *arguments, **options):
    chosen = not state or state in arguments
    if chosen and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = original(self, *arguments, **options)
    if chosen:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

setattr(PacsStore, method, killing)
Worker(PacsStore(), load_rules(), "killed").work_until_idle(threading.Event())
"""
"""A worker that is killed before or after a call of the store, with an argument that is a state."""

MOMENTS = [
    ("lease", "after", "", "received", 0),
    ("load_instance", "after", "", "received", 0),
    ("advance", "before", "read", "received", 0),
    ("advance", "after", "read", "read", 0),
    ("advance", "before", "built", "read", 0),
    ("advance", "after", "built", "built", 0),
    ("mark_result", "before", "sent", "built", 1),
    ("mark_result", "after", "sent", "built", 1),
    ("advance", "after", "sent", "sent", 2),
    ("mark_result", "before", "verified", "sent", 2),
    ("advance", "before", "verified", "sent", 2),
    ("advance", "after", "verified", "verified", 2),
]
"""Call, moment and state; what the job's state is then, and how many results the PACS has."""


@contextmanager
def one_image(orthanc, own_folders, tmp_path):
    """A store with one image, whose two results go to Orthanc."""
    (tmp_path / "secret").write_text(":".join(orthanc.auth))
    (tmp_path / "rules.toml").write_text(
        f"""
        [destinations.archive]
        address = "{orthanc.dicom_web}"
        credentials_file = "{tmp_path}/secret"
        [[rules]]
        results = [{{to = "archive", kinds = ["sr", "gsps"]}}]
        """
    )
    own_folders.setenv("SECOND_READ_PACS_RULES", str(tmp_path / "rules.toml"))
    settings.cache_clear()
    orthanc.store(DATA)
    with closing(PacsStore()) as store:
        store.add_instance(DATA, "AE ROOM1")
        yield store


@pytest.fixture
def store(orthanc, own_folders, tmp_path):
    with one_image(orthanc, own_folders, tmp_path) as store:
        yield store


@pytest.fixture
def store_of_several(orthanc, own_folders, tmp_path, url):
    """The store on SQLite and on PostgreSQL."""
    own_folders.setenv("SECOND_READ_DATABASE_URL", url)
    with one_image(orthanc, own_folders, tmp_path) as store:
        yield store


@pytest.mark.slow
@pytest.mark.parametrize(("method", "moment", "state", "reached", "there"), MOMENTS)
def test_a_worker_that_is_killed_is_replaced(orthanc, store, method, moment, state, reached, there):
    killed = subprocess.run([sys.executable, "-c", KILLED, method, moment, state], cwd=PROJECT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (job,) = store.jobs()
    assert job.state == reached
    assert orthanc.counts()["instances"] == 1 + there
    known = orthanc.uids()
    worker, stop = Worker(store, load_rules(), "other"), threading.Event()
    # nobody else has the job while the lease lasts, and somebody has it once that has ended
    assert store.lease("other", 60) is None
    later = datetime.now(UTC) + timedelta(hours=1)
    if reached != "verified":
        worker.work(store.lease("other", 60, later), stop)
    assert store.lease("other", 60, later) is None
    (job,) = store.jobs()
    assert (job.state, job.reason) == ("verified", "")
    results = store.results(job.id)
    assert sorted(result.name for result in results) == ["gsps", "sr"]
    assert all(result.sent and result.verified for result in results)
    assert orthanc.uids() == {"1.2.826.0.1.78"} | {result.sop_instance_uid for result in results}
    # what the killed worker had sent is what the other one has sent: no result is there under another UID
    assert known <= orthanc.uids()
    assert orthanc.counts() == {"patients": 1, "studies": 1, "series": 3, "instances": 3}


@pytest.mark.slow
def test_two_workers_share_a_queue_and_stop_when_they_are_asked_to(orthanc, store_of_several):
    store, images = store_of_several, 6
    for number in range(1, images):
        store.add_instance(phantom_dicom(256, 224, **PATIENT | {"SOPInstanceUID": f"1.2.826.0.1.78.{number}"}), "stow")
    command = [sys.executable, "-m", "cxr_core", "pacs", "work"]
    workers = [
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        done, waited = threading.Event(), 0
        while store.counts()["verified"] < images and waited < 120:
            assert all(worker.poll() is None for worker in workers)
            done.wait(0.5)
            waited += 0.5
        assert store.counts()["verified"] == images
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        printed = [worker.communicate(timeout=60) for worker in workers]
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.communicate()
    assert [worker.returncode for worker in workers] == [0, 0]
    assert [error for _, error in printed] == ["", ""]
    lines = [line for out, _ in printed for line in out.splitlines() if ": verified" in line]
    assert len(lines) == len(set(lines)) == images
    assert orthanc.counts()["instances"] == 1 + 2 * images
    said = "".join(out for out, _ in printed)
    assert not [value for value in PATIENT.values() if len(value) > 1 and value in said]


@pytest.mark.slow
def test_the_command_is_stopped_before_it_has_begun(own_folders):
    """A signal between two jobs ends it at once, with status 0."""
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:9")
    command = [sys.executable, "-m", "cxr_core", "pacs", "work"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as worker:
        try:
            assert "waits for images" in worker.stdout.readline()
            worker.send_signal(signal.SIGINT)
            assert worker.wait(60) == 0
        finally:
            if worker.poll() is None:
                worker.kill()
