"""``pacs fetch``: its lines and exit statuses, against a real Orthanc."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from cxr_core.cli.main import main
from cxr_core.errors import PacsUnavailable
from cxr_core.pacs.web_source import WebSource
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.conftest import PROJECT
from tests.received import order, received, uid


@pytest.fixture
def archive(orthanc, own_folders):
    """Orthanc, named by the settings, with a study of 2026 and its prior."""
    own_folders.setenv("SECOND_READ_PACS", orthanc.dicom_web)
    own_folders.setenv("SECOND_READ_PACS_CREDENTIALS", ":".join(orthanc.auth))
    settings.cache_clear()
    orthanc.store(received(1, PatientID="QZ-1", StudyDate="20260301", AccessionNumber="A1"))
    orthanc.store(received(2, PatientID="QZ-1", StudyDate="20250301", AccessionNumber="A2"))
    return orthanc


def stored():
    store = PacsStore()
    try:
        return {one.sop_instance_uid: "prior" if one.is_prior else one.source.split()[0] for one in store.instances()}
    finally:
        store.close()


def test_a_study_and_its_prior_are_fetched_once(archive, capfd, own_folders):
    own_folders.setenv("SECOND_READ_PACS_PATIENT_ID_IN_URL", "true")
    settings.cache_clear()
    assert main(["pacs", "fetch", uid(1, "7")]) == 0
    assert capfd.readouterr().out == f"{uid(1, '7')}: 1 image fetched.\n  prior: 1 image fetched.\n"
    assert stored() == {uid(1): "fetch", uid(2): "prior"}
    assert main(["pacs", "fetch", "--accession", "A1"]) == 0
    assert capfd.readouterr().out == f"{uid(1, '7')}: 1 image already here.\n  prior: 1 image already here.\n"


def test_that_no_priors_are_fetched_is_said_once(archive, capfd):
    assert main(["pacs", "fetch", uid(1, "7"), "--accession", "A1"]) == 0
    written = capfd.readouterr()
    assert written.out == f"{uid(1, '7')}: 1 image fetched.\n{uid(1, '7')}: 1 image already here.\n"
    (line,) = written.err.splitlines()
    assert line.startswith("No priors are fetched.")
    assert "SECOND_READ_PACS_PATIENT_ID_IN_URL=true" in line
    assert stored() == {uid(1): "fetch"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--since", "2026-01-01", "--priors", "0"], {uid(1): "fetch"}),
        (["--since", "2025-01-01", "--until", "2025-12-31"], {uid(2): "fetch"}),
        (["--accession", "A2", "--accession", "A1"], {uid(1): "fetch", uid(2): "fetch"}),
    ],
)
def test_studies_are_chosen_by_day_and_accession_number(arguments, expected, archive):
    assert main(["pacs", "fetch", *arguments]) == 0
    assert stored() == expected


@pytest.mark.parametrize("replace", [[], ["--replace"]])
def test_a_study_of_two_patients_in_the_pacs_is_said_to_be_one(archive, replace, capfd):
    archive.store(received(3, PatientID="QZ-2", StudyInstanceUID=uid(1, "7")))
    assert main(["pacs", "fetch", "--priors", "0", *replace, uid(1, "7")]) == 0
    written = capfd.readouterr()
    assert written.out == f"{uid(1, '7')}: 2 images fetched.\n"
    assert written.err == f"{uid(1, '7')}: nothing more of it is read or sent; `pacs status` has the alarm.\n"


def test_what_a_replacement_changes_is_named(archive, capfd):
    study = {"StudyInstanceUID": uid(1, "7"), "PatientID": "QZ-1"}
    archive.store(received(3, **study))
    with closing(PacsStore()) as store:
        # another image under the UID of one of the archive, one that the archive has not, and one that it has
        for number, seed in ((1, 1), (4, 0), (3, 0)):
            store.add_instance(received(number, seed=seed, **study), "AE ROOM1")
        store.plan(uid(3), [order()])
        job = store.fail(store.lease("worker", 60), "a reason", None)
    assert main(["pacs", "fetch", "--priors", "0", "--replace", uid(1, "7")]) == 0
    written = capfd.readouterr().out
    assert written.splitlines() == [
        f"{uid(1, '7')}: 1 image fetched; 1 image already here.",
        f"  image {uid(1)}: replaced; its jobs and results are deleted",
        f"  image {uid(4)}: deleted with its jobs and results, since the PACS does not have it in this study",
        f"  job {job.id}: no longer parked, given back to the workers",
    ]
    assert main(["pacs", "fetch", "--priors", "0", "--replace", uid(1, "7")]) == 0
    assert capfd.readouterr().out == f"{uid(1, '7')}: 2 images already here.\n"


def test_what_a_replacement_has_changed_is_named_where_the_archive_breaks_off(archive, capfd, monkeypatch):
    """Asked again, the archive has nothing to replace: what is not named now never is."""
    study = {"StudyInstanceUID": uid(1, "7"), "PatientID": "QZ-1"}
    with closing(PacsStore()) as store:
        store.add_instance(received(1, seed=1, **study), "AE ROOM1")
    retrieve = WebSource.retrieve

    def breaking_off(self, images, keep):
        retrieve(self, images, keep)
        raise PacsUnavailable("The PACS cannot be reached.")

    monkeypatch.setattr(WebSource, "retrieve", breaking_off)
    assert main(["pacs", "fetch", "--priors", "0", "--replace", uid(1, "7")]) == 4
    written = capfd.readouterr()
    assert written.out == f"  image {uid(1)}: replaced; its jobs and results are deleted\n"
    assert written.err == "Error: The PACS cannot be reached.\n"


def test_what_is_not_found_is_named_and_the_others_are_fetched(archive, capfd):
    assert main(["pacs", "fetch", uid(9, "7"), uid(1, "7"), "--accession", "A9", "--priors", "0"]) == 3
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        f"{uid(9, '7')}: the PACS has no such study of radiographs.",
        "accession number A9: the PACS has no such study of radiographs.",
    ]
    assert stored() == {uid(1): "fetch"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Nothing to fetch"),
        (["1.2/../3"], "is no Study Instance UID"),
        (["--since", "yesterday"], "a date such as 2026-11-27 is accepted"),
        (["--until", "2026-11-27", "1.2"], "--until needs --since"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, archive, capfd):
    assert main(["pacs", "fetch", *arguments]) == 2
    errors = capfd.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


def test_without_a_pacs_or_where_it_is_down_one_line_says_so(orthanc, own_folders, capfd):
    assert main(["pacs", "fetch", "1.2.3"]) == 2
    assert "SECOND_READ_PACS_SOURCE" in capfd.readouterr().err
    own_folders.setenv("SECOND_READ_PACS", orthanc.dicom_web)
    settings.cache_clear()
    orthanc.stop(kill=True)
    assert main(["pacs", "fetch", "1.2.3"]) == 4
    assert "cannot be reached" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_follows_until_it_is_stopped(number, archive, own_folders):
    own_folders.setenv("SECOND_READ_PACS_CHANGES", archive.url)
    own_folders.setenv("SECOND_READ_PACS_CHANGES_CREDENTIALS", ":".join(archive.auth))
    own_folders.setenv("SECOND_READ_PACS_POLL_SECONDS", "1")
    command = [sys.executable, "-m", "cxr_core", "pacs", "fetch", "--follow"]
    process = subprocess.Popen(command, cwd=PROJECT, env=os.environ.copy(), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f"Following {archive.dicom_web}. Stop with Ctrl-C.\n"
        position = next(iter(wait_for_files(settings().home / "pacs")))
        assert position.name.startswith("changes-")
        archive.store(received(3, PatientID="QZ-3"))
        # the studies that were there may be said to be complete only now
        lines = [process.stdout.readline()]
        end = time.monotonic() + 60
        while uid(3) not in stored() and time.monotonic() < end:
            time.sleep(0.1)
        assert stored()[uid(3)] == "fetch"
        assert lines == ["Study: 1 image fetched\n"]
        process.send_signal(number)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_for_files(folder):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := list(folder.glob("changes-*.json")):
            return found
        time.sleep(0.05)
    raise AssertionError("the feed was not read")
