"""A study is replaced while the receiver and the worker go on."""

import threading
from collections.abc import Callable

import pytest

from cxr_core.access import audit
from cxr_core.pacs.fetch import Fetched, PacsClient
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.source import RemoteImage
from cxr_core.pacs.worker import Worker
from cxr_core.settings import settings
from cxr_core.store.pacs_header import MANUFACTURER, RESULT_SERIES
from cxr_core.store.pacs_store import PacsStore
from tests.received import CR, SECONDARY_CAPTURE, order, received, uid

STUDY = uid(1, "7")


@pytest.fixture
def store(own_folders):
    # nobody listens to port 9
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:9")
    settings.cache_clear()
    store = PacsStore()
    yield store
    store.close()


def of_patient(number, patient, **elements):
    return received(number, StudyInstanceUID=STUDY, PatientID=patient, **elements)


class Source:
    """A PACS that has a study, and what happens after each image that it gives."""

    moves, no_priors = False, ""

    def __init__(self, files: dict[int, bytes], meanwhile: Callable[[int], None]) -> None:
        self.files, self.meanwhile = files, meanwhile

    def images(self, study_uid):
        return [RemoteImage(study_uid, uid(1, "8"), uid(number), CR) for number in self.files]

    def retrieve(self, images, keep):
        for number, file in self.files.items():
            keep(file)
            self.meanwhile(number)


def work(store):
    Worker(store, load_rules(), "worker").work_until_idle(threading.Event())


DOSE_REPORT = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67", "Modality": "SR"}


def test_what_the_archive_was_not_asked_for_is_deleted_only_where_it_is_of_another_patient(store):
    """A dose report and a result of ours are never fetched: that they did not come says nothing of the archive."""
    ours = {"Manufacturer": MANUFACTURER, "SeriesNumber": RESULT_SERIES[0], "SOPClassUID": SECONDARY_CAPTURE}
    for data in (
        of_patient(1, "QZ-1"),
        of_patient(2, "QZ-1"),
        of_patient(3, "QZ-2", **DOSE_REPORT),
        of_patient(4, "QZ-1", **DOSE_REPORT),
        of_patient(5, "", **DOSE_REPORT),
        of_patient(6, "QZ-1", **ours),
    ):
        assert store.add_instance(data, "AE ROOM1").outcome == "stored"
    # the archive has corrected the patient of the first image, and no longer has the second one here
    source = Source({1: of_patient(1, "QZ-2")}, lambda _: None)
    assert PacsClient(source, "ARCHIVE", store).replace(STUDY) == Fetched(
        stored=1, replaced=(uid(1),), deleted=(uid(2), uid(4))
    )
    assert {one.sop_instance_uid for one in store.instances()} == {uid(number) for number in (1, 3, 5, 6)}
    assert store.alarms() == ()


def test_an_image_that_was_here_in_another_study_is_one_that_is_replaced(store):
    """It was sent under the wrong study, and the archive has moved it to the right one under its UID."""
    store.add_instance(received(1, PatientID="QZ-1", StudyInstanceUID=uid(2, "7")), "AE ROOM1")
    source = Source({1: of_patient(1, "QZ-1")}, lambda _: None)
    assert PacsClient(source, "ARCHIVE", store).replace(STUDY) == Fetched(stored=1, replaced=(uid(1),))


def test_an_image_that_comes_while_a_study_is_replaced_stays(store):
    """Its sender has a confirmation, and does not send it again."""
    store.add_instance(of_patient(1, "QZ-1"), "AE ROOM1")
    source = Source({1: of_patient(1, "QZ-2")}, lambda _: store.add_instance(of_patient(5, "QZ-2"), "AE ROOM1"))
    PacsClient(source, "ARCHIVE", store).replace(STUDY)
    assert {one.sop_instance_uid for one in store.instances()} == {uid(1), uid(5)}


def test_an_image_that_was_in_another_study_is_named_as_replaced(store):
    """As where the PACS has moved it to the right study."""
    store.add_instance(received(1, StudyInstanceUID=uid(8, "7"), PatientID="QZ-1"), "AE ROOM1")
    source = Source({1: of_patient(1, "QZ-1")}, lambda _: None)
    assert PacsClient(source, "ARCHIVE", store).replace(STUDY) == Fetched(stored=1, replaced=(uid(1),))
    assert [one.study_uid for one in store.instances()] == [STUDY]


def test_the_images_of_a_corrected_patient_are_read_whatever_the_worker_does_meanwhile(store):
    """After the first image and before the last one, images of two patients are here."""
    for number in (1, 2):
        store.add_instance(of_patient(number, "QZ-1"), "AE ROOM1")
    source = Source({number: of_patient(number, "QZ-2") for number in (1, 2)}, lambda _: work(store))
    fetched = PacsClient(source, "ARCHIVE", store).replace(STUDY)
    # the worker has parked the first one meanwhile
    retried = tuple(job.id for job in store.jobs(sop_instance_uid=uid(1)))
    assert fetched == Fetched(stored=2, replaced=(uid(1), uid(2)), retried=retried)
    assert store.alarms() == ()
    work(store)
    assert [job.reason for job in store.jobs(["parked"])] == []


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_parked_for_another_reason_is_tried_again_once_all_of_the_study_has_come(store, whole):
    """The archive had the study under another patient when results were to be sent, and was corrected."""
    store.add_instance(of_patient(1, "QZ-1"), "AE ROOM1")
    store.plan(uid(1), [order()])
    job = store.fail(store.lease("worker", 60), "archive has this study under another patient.", None)
    files = {1: of_patient(1, "QZ-1")} | ({} if whole else {2: b"no image"})
    fetched = PacsClient(Source(files, lambda _: None), "ARCHIVE", store).replace(STUDY)
    assert store.job(job.id).state == ("received" if whole else "parked")
    assert (fetched.replaced, fetched.retried) == ((), (job.id,) if whole else ())


def test_what_was_parked_for_a_second_patient_is_tried_again_once_the_study_is_replaced(store):
    """The archive has moved the image of the wrong patient to the study where it belongs."""
    store.add_instance(of_patient(1, "QZ-1"), "AE ROOM1")
    store.add_instance(of_patient(2, "QZ-2"), "AE ROOM1")
    work(store)
    assert store.counts()["parked"] == 2
    image = store.instance(uid(1))
    source = Source({1: of_patient(1, "QZ-1")}, lambda _: None)
    PacsClient(source, "ARCHIVE", store).replace(STUDY)
    retried = [event for event in audit.read()[0] if event.what == "pacs-change"]
    assert [(event.detail, event.images) for event in retried] == [("retry", (image.sha256,))]
    assert store.alarms() == ()
    work(store)
    assert [job.reason for job in store.jobs(["parked"])] == []
