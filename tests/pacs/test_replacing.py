"""A study is replaced while the receiver and the worker go on."""

import threading
from collections.abc import Callable

import pytest

from cxr_core.pacs.fetch import Fetched, PacsClient
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.source import RemoteImage
from cxr_core.pacs.worker import Worker
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.received import CR, received, uid

STUDY = uid(1, "7")


@pytest.fixture
def store(own_folders):
    # nobody listens to port 9
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:9")
    settings.cache_clear()
    store = PacsStore()
    yield store
    store.close()


def of_patient(number, patient):
    return received(number, StudyInstanceUID=STUDY, PatientID=patient)


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


def test_an_image_that_comes_while_a_study_is_replaced_stays(store):
    """Its sender has a confirmation, and does not send it again."""
    store.add_instance(of_patient(1, "QZ-1"), "AE ROOM1")
    source = Source({1: of_patient(1, "QZ-2")}, lambda _: store.add_instance(of_patient(5, "QZ-2"), "AE ROOM1"))
    PacsClient(source, "ARCHIVE", store).replace(STUDY)
    assert {one.sop_instance_uid for one in store.instances()} == {uid(1), uid(5)}


def test_the_images_of_a_corrected_patient_are_read_whatever_the_worker_does_meanwhile(store):
    """After the first image and before the last one, images of two patients are here."""
    for number in (1, 2):
        store.add_instance(of_patient(number, "QZ-1"), "AE ROOM1")
    source = Source({number: of_patient(number, "QZ-2") for number in (1, 2)}, lambda _: work(store))
    assert PacsClient(source, "ARCHIVE", store).replace(STUDY) == Fetched(stored=2)
    assert store.alarms() == ()
    work(store)
    assert [job.reason for job in store.jobs(["parked"])] == []


def test_what_was_parked_for_a_second_patient_is_tried_again_once_the_study_is_replaced(store):
    """The archive has moved the image of the wrong patient to the study where it belongs."""
    store.add_instance(of_patient(1, "QZ-1"), "AE ROOM1")
    store.add_instance(of_patient(2, "QZ-2"), "AE ROOM1")
    work(store)
    assert store.counts()["parked"] == 2
    source = Source({1: of_patient(1, "QZ-1")}, lambda _: None)
    PacsClient(source, "ARCHIVE", store).replace(STUDY)
    assert store.alarms() == ()
    work(store)
    assert [job.reason for job in store.jobs(["parked"])] == []
