"""Results are filed under the patient and the study of their image, whatever identifies these."""

import io
import threading

import pydicom
import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.cli.main import main
from cxr_core.imaging import phantom_dicom
from cxr_core.pacs.addresses import DimseAddress, WebAddress
from cxr_core.pacs.dimse_source import DimseSource
from cxr_core.pacs.leased_job import OTHER_PATIENT, TWO_PATIENTS
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.web_source import WebSource
from cxr_core.pacs.worker import Worker
from cxr_core.settings import settings
from tests.application_entities import application_entity
from tests.dicom_results import PATIENT, with_stored
from tests.pacs.test_worker import RULES, UID, configure, image, store, work  # noqa: F401 - fixtures

DIMSE = """
[destinations.archive]
address = "ORTHANC@127.0.0.1:{port}"
read_back = "{read_back}"

[[rules]]
results = [{{{{to = "archive", kinds = ["sr"]}}}}]
"""


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        ({"PatientID": b" P1 ", "AccessionNumber": b" A  ", "StudyID": b" 1"}, {}),
        ({"PatientID": b"P 1\\x "}, {}),
        ({"PatientID": b"", "PatientName": b"", "StudyDate": b""}, {}),
        ({"PatientID": "Müller 1".encode("latin-1")}, {"SpecificCharacterSet": "ISO_IR 100"}),
        ({"PatientID": "山田\\太郎 ".encode("gb18030")}, {"SpecificCharacterSet": "GB18030"}),
        ({"PatientID": "Люкceмбypг".encode("iso8859-5")}, {"SpecificCharacterSet": "ISO_IR 144"}),
    ],
)
def test_a_pacs_has_one_patient_and_one_study(orthanc, configure, store, stored, options):  # noqa: F811
    configure(RULES, orthanc)
    original = with_stored(image(**options), stored)
    orthanc.store(original)
    store.add_instance(original, "AE ROOM1")
    work(store)
    assert [job.state for job in store.jobs()] == ["verified"]
    counts = orthanc.counts()
    assert (counts["patients"], counts["studies"], counts["instances"]) == (1, 1, 2)


def rules(orthanc, way):
    """Rules that send to Orthanc in a way."""
    if way == "web":
        return RULES
    orthanc.know("SECONDREAD", 11112)
    return DIMSE.format(port=orthanc.port, read_back=way)


@pytest.mark.parametrize("way", ["web", "retrieve", "find"])
def test_nothing_is_sent_to_a_study_that_has_another_patient(orthanc, configure, store, way):  # noqa: F811
    """A patient was corrected in the PACS after the image was sent here."""
    configure(rules(orthanc, way), orthanc)
    study = str(pydicom.dcmread(io.BytesIO(image())).StudyInstanceUID)
    store.add_instance(image(), "AE ROOM1")
    corrected = {"PatientID": "QZ-CORRECTED", "PatientName": "QZOTHER^Jane"}
    orthanc.store(image(**corrected))
    lines = []
    work(store, lines)
    (job,) = store.jobs()
    assert job.state == "parked"
    assert job.reason == (
        "archive has this study under another patient than the image here. If it is wrong there, correct it there and "
        "retry; if it is right, replace the study here (pacs fetch --replace)."
    )
    assert (orthanc.counts()["patients"], orthanc.counts()["instances"]) == (1, 1)
    said = "\n".join([*lines, repr(store.jobs()), audit.path().read_text(), study])
    assert not [value for value in (*corrected.values(), *PATIENT.values()) if len(value) > 1 and value in said]
    # the study is corrected there
    orthanc.empty()
    rules(orthanc, way)
    orthanc.store(image())
    store.retry(job.id)
    work(store)
    assert store.job(job.id).state == "verified"
    assert orthanc.counts()["studies"] == 1


@pytest.mark.parametrize("way", ["web", "retrieve", "find"])
def test_a_patient_that_is_corrected_before_the_read_back_is_seen(orthanc, configure, store, way):  # noqa: F811
    configure(rules(orthanc, way), orthanc)
    orthanc.store(image())
    store.add_instance(image(), "AE ROOM1")
    stop = threading.Event()

    def stop_once_sent(line):
        if line.endswith("sent"):
            stop.set()

    Worker(store, load_rules(), "worker", stop_once_sent).work_until_idle(stop)
    assert store.counts()["sent"] == 1
    files = [with_stored(orthanc.file(uid), {"PatientID": b"QZ-CORRECTED"}) for uid in orthanc.uids()]
    orthanc.empty()
    rules(orthanc, way)
    for file in files:
        orthanc.store(file)
    assert orthanc.counts()["patients"] == 1
    work(store)
    (job,) = store.jobs()
    assert job.state == "parked"
    assert "under another patient" in job.reason


OTHER = {"PatientID": "QZ-OTHER", "PatientName": "QZOTHER^Jane"}


@pytest.mark.parametrize("kind", ["study", "patient"])
def test_nothing_of_a_study_of_two_patients_is_read_or_sent(orthanc, configure, store, kind):  # noqa: F811
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    store.add_instance(image(2 if kind == "study" else 1, **OTHER), "AE ROOM2")
    lines = []
    work(store, lines)
    jobs = store.jobs()
    assert {job.state for job in jobs} == {"parked"}
    assert len(jobs) == (2 if kind == "study" else 1)
    assert {job.reason for job in jobs} == {TWO_PATIENTS if kind == "study" else OTHER_PATIENT}
    assert not any("read" in job.times for job in jobs)
    assert orthanc.counts()["instances"] == 0
    assert not audit.path().exists()
    said = "\n".join([*lines, repr(jobs), repr(store.alarms())])
    assert not [value for value in (*OTHER.values(), *PATIENT.values()) if len(value) > 1 and value in said]
    if kind == "study":
        store.retry(jobs[0].id)
        work(store)
        assert store.counts()["parked"] == 2
        store.delete_instances(LOCAL, [f"{UID}.2"])
    else:
        store.acknowledge(store.alarms()[0].id)
    (job,) = store.jobs()
    store.retry(job.id)
    work(store)
    assert store.job(job.id).state == "verified"


def test_results_of_a_study_that_has_a_second_patient_meanwhile_are_not_sent(orthanc, configure, store):  # noqa: F811
    configure(RULES, orthanc)
    store.add_instance(image(), "AE ROOM1")
    stop = threading.Event()

    def stop_once_built(line):
        if line.endswith("built"):
            stop.set()

    Worker(store, load_rules(), "worker", stop_once_built).work_until_idle(stop)
    assert store.counts()["built"] == 1
    store.add_instance(image(2, **OTHER), "AE ROOM2")
    work(store)
    assert store.counts()["parked"] == 2
    assert orthanc.counts()["instances"] == 0


def test_an_image_that_was_deleted_here_and_comes_again_by_another_way_has_one_report(orthanc, configure, store):  # noqa: F811
    """Each sender writes its own File Meta Information: the data set is the same, and the file is not."""
    configure(RULES, orthanc)
    orthanc.store(image())
    store.add_instance(image(), "AE ROOM1")
    work(store)
    count = orthanc.counts()["instances"]
    store.delete_instances(LOCAL, [f"{UID}.1"])
    again, content = pydicom.dcmread(io.BytesIO(image())), io.BytesIO()
    again.file_meta.ImplementationVersionName = "ANOTHER SENDER"
    again.save_as(content, enforce_file_format=True)
    store.add_instance(content.getvalue(), "fetch ARCHIVE")
    work(store)
    assert orthanc.counts()["instances"] == count


@pytest.mark.parametrize("way", ["web", pytest.param("retrieve", marks=pytest.mark.slow)])
def test_a_corrected_patient_is_replaced_and_read(orthanc, configure, store, way, own_folders, capfd):  # noqa: F811
    configure(rules(orthanc, way), orthanc)
    own_folders.setenv("SECOND_READ_PACS", orthanc.dicom_web if way == "web" else f"ORTHANC@127.0.0.1:{orthanc.port}")
    own_folders.setenv("SECOND_READ_PACS_CREDENTIALS", ":".join(orthanc.auth))
    settings.cache_clear()
    study = str(pydicom.dcmread(io.BytesIO(image())).StudyInstanceUID)
    for number in (1, 2):
        store.add_instance(image(number), "AE ROOM1")
    orthanc.store(image(1, **OTHER))
    work(store)
    assert store.counts()["parked"] == 2
    # without the option what is here stays
    assert main(["pacs", "fetch", "--priors", "0", study]) == 0
    assert store.counts()["parked"] == 2
    assert main(["pacs", "fetch", "--priors", "0", "--replace", study]) == 0
    assert f"{study}: 1 image fetched." in capfd.readouterr().out
    # the PACS has no second image
    (instance,) = store.instances()
    assert store.load_instance(instance.sop_instance_uid).find(b"QZ-OTHER") > 0
    assert store.alarms() == ()
    work(store)
    assert [job.state for job in store.jobs()] == ["verified"]
    counts = orthanc.counts()
    assert (counts["patients"], counts["studies"], counts["instances"]) == (1, 1, 2)
    events = [(event.what, event.detail) for event in audit.read()[0]]
    assert ("retrieval", "replace") in events
    assert ("deletion", "received images") in events
    written = "\n".join([*capfd.readouterr(), audit.path().read_text()])
    assert not [value for value in (*OTHER.values(), *PATIENT.values()) if len(value) > 1 and value in written]


def test_nothing_is_deleted_that_the_pacs_does_not_give(orthanc, configure, store, own_folders, capfd):  # noqa: F811
    configure(RULES, orthanc)
    own_folders.setenv("SECOND_READ_PACS", orthanc.dicom_web)
    own_folders.setenv("SECOND_READ_PACS_CREDENTIALS", ":".join(orthanc.auth))
    own_folders.setenv("SECOND_READ_MAX_FILE_MB", "1")
    settings.cache_clear()
    study = str(pydicom.dcmread(io.BytesIO(image())).StudyInstanceUID)
    store.add_instance(image(1), "AE ROOM1")
    assert main(["pacs", "fetch", "--replace", study]) == 3
    orthanc.store(phantom_dicom(800, 700, **PATIENT | OTHER | {"SOPInstanceUID": f"{UID}.2"}))
    assert main(["pacs", "fetch", "--priors", "0", "--replace", study]) == 3
    assert [one.sop_instance_uid for one in store.instances()] == [f"{UID}.1"]
    assert main(["pacs", "fetch", "--replace", "--since", "2026-11-01"]) == 2
    own_folders.setenv("SECOND_READ_PACS", f"ORTHANC@127.0.0.1:{orthanc.port}")
    own_folders.setenv("SECOND_READ_PACS_RETRIEVE", "move")
    settings.cache_clear()
    orthanc.know("SECONDREAD", 11112)
    assert main(["pacs", "fetch", "--priors", "0", "--replace", study]) == 2
    assert "pacs delete" in capfd.readouterr().err


@pytest.fixture(params=["web", "find"])
def source(orthanc, request):
    orthanc.know("SECONDREAD", 11112)
    if request.param == "web":
        return WebSource(WebAddress(orthanc.dicom_web), ":".join(orthanc.auth))
    return DimseSource(DimseAddress(orthanc.aet, orthanc.host, orthanc.port), moves=False)


STUDY = "1.2.826.0.1.99"


@pytest.mark.parametrize(
    ("stored", "character_set", "same", "other"),
    [
        (b"A ", "ISO_IR 100", "A", "a"),
        (b" B C", "ISO_IR 100", "B C", "BC"),
        (b"D\\E ", "ISO_IR 100", "D\\E", "D"),
        (b"", "ISO_IR 100", "", "A"),
        ("Müller".encode("latin-1"), "ISO_IR 100", "Müller", "Muller"),
        ("77 山田".encode("gb18030"), "GB18030", "77 山田", "78 山田"),
        ("Люкceмбypг".encode("iso8859-5"), "ISO_IR 144", "Люкceмбypг", "Люкceмбyг"),
    ],
)
def test_a_study_of_another_patient_is_found_by_its_uid(orthanc, source, stored, character_set, same, other):
    assert not source.has_other_patient(STUDY, same)
    for number, study in enumerate((STUDY, f"{STUDY}.1")):
        data = phantom_dicom(
            64, 56, StudyInstanceUID=study, SOPInstanceUID=f"{study}.9", SpecificCharacterSet=character_set
        )
        orthanc.store(with_stored(data, {"PatientID": b"OTHER "} if number else {"PatientID": stored}))
    assert not source.has_other_patient(STUDY, same)
    assert source.has_other_patient(STUDY, other)


def test_a_study_under_two_patients_has_another(orthanc, source):
    for number in (1, 2):
        orthanc.store(
            phantom_dicom(64, 56, StudyInstanceUID=STUDY, SOPInstanceUID=f"{STUDY}.{number}", PatientID=f"P{number}")
        )
    assert source.has_other_patient(STUDY, "P1")
    assert source.has_other_patient(STUDY, "P2")


def test_an_entity_without_c_find_cannot_be_asked():
    with application_entity() as address:
        assert not DimseSource(address, moves=False).has_other_patient(STUDY, "P1")
