"""The DICOM network as it is deployed: receiver, worker and fetch as processes beside a real Orthanc."""

import contextlib
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import time

import pydicom
import pytest

from cxr_core.access import audit
from cxr_core.imaging import phantom_dicom
from cxr_core.report.dicom.identification import SERIES
from cxr_core.settings import settings
from cxr_core.store.pacs_header import dataset_sha256
from cxr_core.store.pacs_store import PacsStore
from tests.conftest import PROJECT, missing
from tests.dicom_results import PATIENT

pytestmark = pytest.mark.slow

LIMIT = 120
"""Seconds that a state may take."""
PLANTED = re.compile("|".join(re.escape(str(value)) for value in PATIENT.values() if len(str(value)) > 2))


def image(number=1, **attributes):
    """An image of the planted patient; each number is another one of one study."""
    return phantom_dicom(256, 224, **PATIENT | {"SOPInstanceUID": uid(number)} | attributes)


def uid(number):
    return f"1.2.826.0.1.77.{number}"


def wait(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


class Network:
    """Processes of the DICOM network over one store, and what they have written.

    Attributes:
        orthanc: that images come from and results go to.
        store: of the processes.
        port: of the receiver.

    Args:
        known: further options with which Orthanc knows the receiver.
    """

    def __init__(self, orthanc, folder, **known):
        self.orthanc, self.folder, self.known, self.store = orthanc, folder, known, PacsStore()
        self.end, self.port = contextlib.ExitStack(), 0
        self.end.callback(self.store.close)

    def start(self, *arguments, sign=None):
        """Start a command; wait until it has written a sign."""
        log = self.folder / f"{'-'.join(arguments)}-{len(list(self.folder.glob('*.log')))}.log"
        with open(log, "wb") as file:
            command = [sys.executable, "-m", "cxr_core", "pacs", *arguments]
            process = subprocess.Popen(command, cwd=PROJECT, env=os.environ.copy(), stdout=file, stderr=file)
        self.end.callback(stop, process)
        if sign is not None:
            wait(lambda: process.poll() is not None or re.search(sign, log.read_text()), f"{sign} in {log.read_text()}")
            assert process.poll() is None, log.read_text()
        return process, log

    def receive(self):
        """Start the receiver, on a free port that Orthanc is told."""
        process, log = self.start("receive", sign=r"receives on .*:\d+")
        self.port = int(re.search(r"receives on .*:(\d+)", log.read_text())[1])
        self.orthanc.know("SECONDREAD", self.port, **self.known)
        return process

    def work(self):
        return self.start("work", sign="waits for images")[0]

    def send(self, resource):
        """Let Orthanc send a study or an image to the receiver by C-STORE."""
        body = {"Resources": [resource], "Synchronous": True, "Timeout": LIMIT}
        self.orthanc.rest.post("/modalities/SECONDREAD/store", json=body, timeout=LIMIT).raise_for_status()

    def study(self):
        """Orthanc's id of the only study that it has."""
        (study,) = self.orthanc.get("/studies")
        return study

    def verified(self, number):
        """Wait until so many jobs are verified, and no job is in another state."""
        wait(lambda: self.store.counts()["verified"] == number, f"{self.store.counts()}\n{self.written()}")
        assert sum(self.store.counts().values()) == number

    def results(self):
        """The results that Orthanc has, by the kind of their series, in the order of their instance numbers."""
        files = [pydicom.dcmread(io.BytesIO(self.orthanc.file(one))) for one in self.orthanc.uids()]
        kinds = {series.number: kind for kind, series in SERIES.items()}
        ours = [file for file in files if file.SeriesNumber in kinds]
        return {kind: [f for f in ours if f.SeriesNumber == number] for number, kind in kinds.items()}

    def written(self):
        return "\n".join(log.read_text() for log in self.folder.glob("*.log"))


def stop(process):
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def network(orthanc, own_folders, tmp_path):
    own_folders.setenv("SECOND_READ_PACS", orthanc.dicom_web)
    own_folders.setenv("SECOND_READ_PACS_CREDENTIALS", ":".join(orthanc.auth))
    own_folders.setenv("SECOND_READ_PACS_LISTEN", "127.0.0.1:0")
    own_folders.setenv("SECOND_READ_PACS_SENDERS", "ORTHANC@127.0.0.1,ROOM1@127.0.0.1")
    settings.cache_clear()
    (tmp_path / "logs").mkdir()
    network = Network(orthanc, tmp_path / "logs")
    with network.end:
        yield network


def dcmtk(program, *arguments):
    path = shutil.which(program) or missing("dcmtk", f"DCMTK's {program} is not installed")
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=LIMIT)


def test_a_study_comes_by_itself_and_its_results_go_back_into_it(network, own_folders):
    orthanc, store = network.orthanc, network.store
    network.receive()
    network.work()
    original = orthanc.store(image())
    network.send(original)
    network.verified(1)
    results = network.results()
    assert len(results["sr"]) == 1
    assert results["sc"]
    count = 1 + len(results["sr"]) + len(results["sc"])
    assert orthanc.counts() == {"patients": 1, "studies": 1, "series": 3, "instances": count}
    for file in (*results["sr"], *results["sc"]):
        assert (file.PatientID, str(file.PatientName)) == (PATIENT["PatientID"], PATIENT["PatientName"])
    # the whole study by C-MOVE, as a workstation would ask for it: results of ours among the images
    address = ["-aet", "SECONDREAD", "-aec", "ORTHANC", "-aem", "SECONDREAD", orthanc.host, str(orthanc.port)]
    query = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={results['sr'][0].StudyInstanceUID}"]
    moved = dcmtk("movescu", "-S", *address, *query)
    assert moved.returncode == 0, moved.stderr
    wait(lambda: len(store.instances()) == count, f"{store.instances()}\n{network.written()}")
    # all are kept, and nothing of ours is read
    assert {one.sop_instance_uid for one in store.instances()} == orthanc.uids()
    assert sum(one.is_result for one in store.instances()) == count - 1
    for one in store.instances():
        assert dataset_sha256(store.load_instance(one.sop_instance_uid)) == one.dataset_sha256
    # a second time all of it is confirmed, and a new image is read: the worker has seen the others
    network.send(network.study())
    orthanc.store(image(2))
    network.send(orthanc.rest.post("/tools/lookup", content=uid(2)).json()[0]["ID"])
    network.verified(2)
    assert len(network.results()["sr"]) == 2
    assert store.alarms() == ()
    assert not PLANTED.search(network.written()), network.written()
    assert not PLANTED.search(audit.path().read_text())


def test_strangers_are_rejected(network, tmp_path):
    network.receive()
    file = tmp_path / "image.dcm"
    file.write_bytes(image())
    here = ["127.0.0.1", str(network.port)]
    for calling, called in (("STRANGER", "SECONDREAD"), ("ROOM1", "OTHER")):
        sent = dcmtk("storescu", "-aet", calling, "-aec", called, *here, str(file))
        assert sent.returncode != 0
        assert "Association Rejected" in sent.stderr
        assert dcmtk("echoscu", "-aet", calling, "-aec", called, *here).returncode != 0
    assert network.store.instances() == ()
    assert dcmtk("echoscu", "-aet", "ROOM1", "-aec", "SECONDREAD", *here).returncode == 0
    assert dcmtk("storescu", "-aet", "ROOM1", "-aec", "SECONDREAD", *here, str(file)).returncode == 0
    assert [one.source for one in network.store.instances()] == ["AE ROOM1"]


def test_a_pacs_that_is_down_gets_each_result_once_when_it_is_up_again(network, tmp_path):
    orthanc, store = network.orthanc, network.store
    network.receive()
    network.work()
    orthanc.stop(kill=True)
    for number in (1, 2, 3):
        file = tmp_path / f"{number}.dcm"
        file.write_bytes(image(number))
        here = ["-aet", "ROOM1", "-aec", "SECONDREAD", "127.0.0.1", str(network.port)]
        assert dcmtk("storescu", *here, str(file)).returncode == 0
    wait(lambda: sum("cannot be reached" in job.reason for job in store.jobs()) == 3, network.written())
    orthanc.start()
    network.verified(3)
    assert len(network.results()["sr"]) == 3
    assert orthanc.counts()["studies"] == 1
    # not one result came twice: another file under a UID would have been refused, and here each job sent its own
    assert {result.sent is not None for job in store.jobs() for result in store.results(job.id)} == {True}
    assert not PLANTED.search(network.written()), network.written()


def test_another_operating_point_gives_a_second_report_and_the_same_one_none(network, own_folders, tmp_path):
    orthanc = network.orthanc
    rules, secret = tmp_path / "rules.toml", tmp_path / "secret"
    secret.write_text(":".join(orthanc.auth))
    own_folders.setenv("SECOND_READ_PACS_RULES", str(rules))

    def work_with(operating_point):
        archive = f'[destinations.archive]\naddress = "{orthanc.dicom_web}"\ncredentials_file = "{secret}"\n'
        rule = f'[[rules]]\noperating_point = "{operating_point}"\nresults = [{{to = "archive", kinds = ["sr"]}}]\n'
        rules.write_text(archive + rule)
        process, log = network.start("work", "--until-idle", "--again-since", "2026-01-01")
        assert process.wait(LIMIT) == 0, log.read_text()
        return len(network.results()["sr"])

    network.receive()
    network.send(orthanc.store(image()))
    assert work_with("default") == 1
    assert work_with("default") == 1
    assert work_with("youden") == 2
    assert work_with("youden") == 2
    assert work_with("default") == 2
    network.verified(2)
    assert (orthanc.counts()["patients"], orthanc.counts()["studies"]) == (1, 1)


def test_a_prior_that_is_fetched_is_not_read(network, own_folders):
    orthanc, store = network.orthanc, network.store
    own_folders.setenv("SECOND_READ_PACS_POLL_SECONDS", "1")
    own_folders.setenv("SECOND_READ_PACS_PATIENT_ID_IN_URL", "true")
    prior = {"StudyInstanceUID": "1.2.826.0.1.78", "SeriesInstanceUID": "1.2.826.0.1.78.1", "StudyDate": "20180301"}
    orthanc.store(image(9, **prior))
    network.receive()
    network.work()
    network.send(orthanc.store(image()))
    network.verified(1)
    network.start("fetch", "--follow", sign="Following")
    wait(lambda: store.instance(uid(9)) is not None, network.written())
    assert (store.instance(uid(9)).source, store.instance(uid(9)).is_prior) == (f"fetch {orthanc.dicom_web}", True)
    # the worker has applied the rules to all that came before another image, and made no job of it
    network.send(orthanc.store(image(2)))
    network.verified(2)
    assert store.jobs(sop_instance_uid=uid(9)) == ()
    # until it is sent for itself
    network.send(orthanc.store(image(9, **prior)))
    network.verified(3)
    assert len(store.jobs(sop_instance_uid=uid(9))) == 1
    assert not PLANTED.search(network.written()), network.written()


def test_what_the_pacs_returns_by_dicomweb_is_what_was_sent(network):
    """Asked for with transfer-syntax=*, original and results are the same bytes as were stored."""
    orthanc, store = network.orthanc, network.store
    network.receive()
    original = orthanc.store(image())
    network.send(original)
    network.start("work", "--until-idle")
    network.verified(1)
    (instance,) = [one for one in store.instances() if not one.is_result]
    assert dataset_sha256(orthanc.file(uid(1))) == instance.dataset_sha256
    (job,) = store.jobs()
    sent = {result.sop_instance_uid: result.sha256 for result in store.results(job.id)}
    assert {one: hashlib.sha256(orthanc.file(one)).hexdigest() for one in sent} == sent
