"""Commands of the DICOM network."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.access import audit
from cxr_core.cli.main import main
from cxr_core.imaging import phantom_dicom
from cxr_core.pacs.alarm_texts import ALARM_TEXTS
from cxr_core.reading import read_image
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from cxr_core.store.read_record import ReadOptions
from cxr_core.store.reads import ReadStore
from tests.application_entities import application_entity
from tests.dicom_results import PATIENT
from tests.received import SENT_SERIES, built, order, received, uid


def test_echo_asks_the_address_and_else_the_pacs_that_is_set(own_folders, capsys):
    with application_entity() as address:
        assert main(["pacs", "echo", str(address)]) == 0
        assert capsys.readouterr().out == f"{address} answers.\n"
        assert main(["pacs", "echo"]) == 2
        assert "No PACS is set" in capsys.readouterr().err
        own_folders.setenv("SECOND_READ_PACS", str(address))
        settings.cache_clear()
        assert main(["pacs", "echo"]) == 0
    assert main(["pacs", "echo"]) == 4
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("title", ["", "seventeen letters", "back\\slash", " space", "space ", "tab\t", "ä"])
def test_a_title_of_ours_that_is_none_is_refused(own_folders, title, capsys):
    own_folders.setenv("SECOND_READ_PACS_AE_TITLE", title)
    settings.cache_clear()
    assert main(["pacs", "echo", "ARCHIVE@127.0.0.1:104"]) == 2
    assert "SECOND_READ_PACS_AE_TITLE" in capsys.readouterr().err


@pytest.fixture
def image(own_folders):
    """The UID of a received image of the planted patient."""
    with closing(PacsStore()) as store:
        store.add_instance(phantom_dicom(256, 224, **PATIENT), "AE ROOM1")
        return store.unplanned()[0].sop_instance_uid


@pytest.fixture
def unreachable(own_folders):
    """A PACS is set that nobody answers for."""
    with application_entity() as address:
        pass
    own_folders.setenv("SECOND_READ_PACS", str(address))
    settings.cache_clear()


def test_status_counts_jobs_and_names_what_waits(image, unreachable, capsys):
    assert main(["pacs", "work", "--until-idle"]) == 0
    capsys.readouterr()
    assert main(["pacs", "status"]) == 0
    printed = capsys.readouterr().out
    assert "Jobs: received 0, read 0, built 1, sent 0, verified 0, parked 0" in printed
    assert "Last 24 hours: 1 images received" in printed
    assert "Next attempt" in printed
    assert "cannot be reached" in printed
    with closing(PacsStore()) as store:
        job = store.lease("worker", 60, datetime.now(UTC) + timedelta(hours=1))
        store.fail(job, "a reason", None)
    assert main(["pacs", "status", "--json"]) == 0
    printed += (text := capsys.readouterr().out)
    (parked,) = json.loads(text)["parked"]
    assert (parked["job"], parked["reason"]) == (job.id, "a reason")
    assert main(["pacs", "retry", "--all"]) == 0
    assert capsys.readouterr().out == f"Job {job.id}: built\n"
    assert main(["pacs", "retry", job.id]) == 2
    assert main(["pacs", "retry"]) == 2
    with closing(PacsStore()) as store:
        digest = store.instance(image).sha256
    (event,) = [event for event in audit.read()[0] if event.what == "pacs-change"]
    assert (event.detail, event.images, event.issuer) == ("retry", (digest,), "os")
    assert not [value for value in PATIENT.values() if len(value) > 1 and value in printed]


def test_a_job_is_not_retried_without_the_audit_trail_or_where_another_one_is_not_parked(image, unreachable, capsys):
    with closing(PacsStore()) as store:
        store.plan(image, [order()])
        job = store.fail(store.lease("worker", 60), "a reason", None)
        assert main(["pacs", "retry", job.id, "no such job"]) == 2
        assert store.counts()["parked"] == 1
        audit.path().unlink(missing_ok=True)
        audit.path().mkdir()
        assert main(["pacs", "retry", job.id]) != 0
        assert store.counts()["parked"] == 1
        audit.path().rmdir()
        assert main(["pacs", "retry", job.id, job.id]) == 0
        assert store.counts()["parked"] == 0


def test_status_lists_the_images_of_each_patient_of_a_study_and_the_results_that_were_sent(own_folders, capsys):
    same = {"StudyInstanceUID": uid(1, "7")}
    with closing(PacsStore()) as store:
        store.add_instance(received(1, **same, PatientID="QZ-1"), "AE CT1")
        send_results(store, uid(1), verified=1)
        store.add_instance(received(2, **same, PatientID="QZ-2"), "AE CT2")
        store.add_instance(received(3, **same, PatientID="QZ-1"), "fetch ARCHIVE")
        store.add_instance(received(4, **same, PatientID=""), "AE CT1")
        store.add_instance(received(1, **same, seed=1, PatientID="QZ-1"), "AE CT4")
    assert main(["pacs", "status"]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    study, of_image = (
        next(number for number, line in enumerate(lines) if line.startswith("Alarm") and f"from {source}" in line)
        for source in ("AE CT2", "AE CT4")
    )
    sent = "2 results sent to archive, 1 of them verified"
    assert lines[study + 1 : of_image] == [
        f"  of the study: {sent}",
        f"  patient 1: 2 images from AE CT1, fetch ARCHIVE; {sent}:",
        f"    {uid(1)}",
        f"    {uid(3)}",
        f"    results at archive: series {SENT_SERIES}",
        "  patient 2: 1 image from AE CT2; no results sent:",
        f"    {uid(2)}",
        "  patient not known: 1 image from AE CT1; no results sent:",
        f"    {uid(4)}",
        f"  {ALARM_TEXTS['study'].remedy}",
    ]
    assert lines[of_image + 1 :] == [
        f"  of the image: {sent}",
        f"    results at archive: series {SENT_SERIES}",
        f"  {ALARM_TEXTS['image'].remedy}",
    ]
    assert main(["pacs", "status", "--json"]) == 0
    printed += (text := capsys.readouterr().out)
    alarms = {alarm["kind"]: alarm for alarm in json.loads(text)["alarms"]}
    results = [{"destination": "archive", "sent": 2, "verified": 1, "series": [SENT_SERIES]}]
    assert alarms["study"]["results"] == alarms["image"]["results"] == results
    assert [patient["sop_instance_uids"] for patient in alarms["study"]["patients"]] == [
        [uid(1), uid(3)], [uid(2)], [uid(4)],
    ]  # fmt: skip
    assert alarms["image"]["patients"] == []
    assert "QZ-" not in printed


def send_results(store, sop_instance_uid, *, verified):
    """Have an image read, and its two results sent, of which some were read back."""
    store.plan(sop_instance_uid, [order()])
    job = store.advance(store.lease("worker", 60), "read")
    job = store.advance(job, "built", results=[built("sr"), built("sc-1")])
    for place, result in enumerate(store.results(job.id)):
        store.mark_result(job, result, "sent")
        if place < verified:
            store.mark_result(job, result, "verified")


def test_status_names_each_kind_of_alarm_and_the_study(own_folders, capsys):
    same = {"StudyInstanceUID": uid(1, "7")}
    with closing(PacsStore()) as store:
        store.add_instance(received(1, PatientID="QZ-1"), "AE CT1")
        store.add_instance(received(2, **same, PatientID="QZ-2"), "AE CT2")
        store.add_instance(received(1, PatientID="QZ-2"), "AE CT3")
        store.add_instance(received(1, seed=1, PatientID="QZ-1"), "AE CT4")
    assert main(["pacs", "status"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Alarm")]
    study = f"study {uid(1, '7')}"
    for line, end in zip(
        sorted(lines, key=lambda line: line.partition("from ")[2]),
        (
            f"{study}, from AE CT2: images of two patients in one study, 1 of them of a further one; nothing more "
            "of it is read or sent",
            f"{study}, from AE CT3: an image of another patient under the SOP Instance UID {uid(1)} was kept out "
            "(1 times); nothing more of its study is read or sent",
            f"{study}, from AE CT4: another image under the SOP Instance UID {uid(1)} was kept out (1 times)",
        ),
        strict=True,
    ):
        assert line.endswith(end), line
    assert main(["pacs", "status", "--json"]) == 0
    shown = capsys.readouterr().out
    assert {alarm["kind"] for alarm in json.loads(shown)["alarms"]} == {"study", "patient", "image"}
    assert "QZ-" not in shown + "".join(lines)


def test_images_are_deleted_by_their_uid_or_that_of_their_study(own_folders, capsys):
    with closing(PacsStore()) as store:
        for number in (1, 2, 3):
            store.add_instance(received(number, StudyInstanceUID=uid(number // 2, "7"), PatientID="QZ-1"), "AE CT1")
        digests = {one.sha256 for one in store.instances()}
        assert main(["pacs", "delete", uid(1), uid(1, "7")]) == 0
        written = capsys.readouterr().out
        assert written == f"{uid(1)}: 1 image deleted.\n{uid(1, '7')}: 2 images deleted.\n"
        assert store.instances() == ()
        assert main(["pacs", "delete", uid(1)]) == 3
    events = [event for event in audit.read()[0] if event.what == "deletion"]
    assert {digest for event in events for digest in event.images} == digests
    assert "QZ-" not in written + audit.path().read_text()


def test_nothing_that_names_a_patient_is_made_where_identity_is_off(image, unreachable, own_folders, capsys):
    own_folders.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    for command in (["work", "--until-idle"], ["send", "a"]):
        assert main(["pacs", *command]) == 2
        assert "SECOND_READ_IDENTITY=off" in capsys.readouterr().err
    with closing(PacsStore()) as store:
        assert len(store.unplanned()) == 1


def test_work_without_a_pacs_is_one_line(own_folders, capsys):
    assert main(["pacs", "work"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_stored_read_is_sent_once(orthanc, own_folders, predictor, capsys):
    data = phantom_dicom(256, 224, **PATIENT)
    with closing(ReadStore()) as store:
        _, reading = read_image(data, predictor)
        read = store.save_read(store.add_image("anna", data), reading, ReadOptions(), "1", revealed=True)
    own_folders.setenv("SECOND_READ_PACS", orthanc.dicom_web)
    own_folders.setenv("SECOND_READ_PACS_CREDENTIALS", ":".join(orthanc.auth))
    settings.cache_clear()
    orthanc.store(data)
    assert main(["pacs", "send", read, "--kinds", "sr,gsps"]) == 0
    assert capsys.readouterr().out == "sr: sent to pacs\ngsps: sent to pacs\n"
    assert main(["pacs", "send", read, "--kinds", "sr"]) == 0
    assert capsys.readouterr().out == "sr: pacs has it already\n"
    assert orthanc.counts() == {"patients": 1, "studies": 1, "series": 3, "instances": 3}
    # an opinion makes another report
    with closing(ReadStore()) as store:
        store.add_opinion(read, "anna", reading.findings[0].label, "present")
    assert main(["pacs", "send", read, "--kinds", "sr"]) == 0
    assert orthanc.counts()["instances"] == 4
    events, _ = audit.read()
    assert [event.detail for event in events if event.what == "export"] == ["results to pacs"] * 3
    for wrong in (["--kinds", "mp4"], ["--to", "nowhere"]):
        assert main(["pacs", "send", read, *wrong]) == 2
