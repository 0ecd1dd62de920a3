"""C-FIND, C-GET and C-MOVE against an application entity of this process, and C-MOVE against a real Orthanc."""

import io
from datetime import timedelta

import pydicom
import pytest
from pydicom.dataset import Dataset

from cxr_core.errors import PacsRefused, PacsUnavailable
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import associate, pynetdicom
from cxr_core.pacs.dimse_source import FIND, GET, MOVE, DimseSource
from cxr_core.pacs.fetch import Fetched, PacsClient
from cxr_core.pacs.receiver import Receiver
from cxr_core.pacs.reception import Reception
from cxr_core.pacs.senders import parse_senders
from cxr_core.pacs.source import RemoteImage
from cxr_core.settings import settings
from cxr_core.store import pacs_instances
from cxr_core.store.pacs_store import PacsStore
from tests.application_entities import application_entity
from tests.conftest import missing
from tests.orthanc import lacking, orthanc_server
from tests.received import CR, received, uid

IMAGE = RemoteImage(uid(1, "7"), uid(1, "8"), uid(1), CR)


@pytest.fixture
def store(own_folders):
    store = PacsStore()
    yield store
    store.close()


def answering(model, event, status, *answers):
    """An application entity that answers a request with data sets, and ends with a status."""

    def handle(request):
        if model == GET:
            yield 1
        for answer in answers:
            yield 0xFF00, answer
        if status:
            yield status, None

    library = pynetdicom()
    return application_entity([library.build_context(model)], [(getattr(library.evt, event), handle)])


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (0xA700, PacsUnavailable, "unable to process C-FIND"),
        (0xC001, PacsUnavailable, "unable to process C-FIND"),
        (0xFE00, PacsUnavailable, "has stopped the retrieval"),
        (0xA900, PacsRefused, "refuses C-FIND"),
        (0x0122, PacsRefused, "refuses C-FIND"),
    ],
)
def test_the_status_of_a_query_tells_whether_to_ask_again(status, error, message):
    with answering(FIND, "EVT_C_FIND", status) as address, pytest.raises(error, match=message):
        DimseSource(address, moves=False).studies({"StudyInstanceUID": uid(1, "7")})


@pytest.mark.parametrize("status", [0xA702, 0xC000])
def test_a_retrieval_that_fails_can_be_asked_for_again(status):
    with answering(GET, "EVT_C_GET", status) as address, pytest.raises(PacsUnavailable) as raised:
        DimseSource(address, moves=False).retrieve([IMAGE], [].append)
    assert str(raised.value).startswith(str(address))


def test_an_unknown_destination_of_a_move_says_what_to_add():
    library = pynetdicom()

    def handle(request):
        yield None, None

    services = [library.build_context(MOVE)], [(library.evt.EVT_C_MOVE, handle)]
    with (
        application_entity(*services) as address,
        pytest.raises(PacsUnavailable, match="AE title SECONDREAD as a dest"),
    ):
        DimseSource(address, moves=True).retrieve([IMAGE], [].append)


def test_a_pacs_without_the_service_says_so():
    with application_entity() as address, pytest.raises(PacsUnavailable, match="none of the services"):
        DimseSource(address, moves=False).studies({})


def test_answers_with_broken_values_are_read_as_far_as_they_can_be():
    answer = Dataset()
    answer.StudyInstanceUID, answer.StudyDate, answer.PatientID = uid(1, "7"), "20261399", "A\\B"
    with answering(FIND, "EVT_C_FIND", 0, answer) as address:
        (study,) = DimseSource(address, moves=False).studies({})
    assert (study.uid, study.header.study_date, study.instances) == (uid(1, "7"), None, None)


def receiver(store):
    """An application entity that stores what it is sent, as the receiver does."""
    library = pynetdicom()

    def keep(event):
        store.add_instance(event.encoded_dataset(), "AE ORTHANC")
        return 0

    return application_entity([library.build_context(CR)], [(library.evt.EVT_C_STORE, keep)])


def moving(orthanc, store):
    return PacsClient(DimseSource(DimseAddress(orthanc.aet, orthanc.host, orthanc.port), moves=True), "ARCHIVE", store)


def test_a_move_brings_the_images_of_a_study_through_the_receiver(orthanc, store):
    with receiver(store) as address:
        orthanc.know("SECONDREAD", address.port)
        for number in (1, 2):
            orthanc.store(received(number, StudyInstanceUID=uid(1, "7")))
        client = moving(orthanc, store)
        assert client.fetch(uid(1, "7")) == Fetched(stored=2)
        assert client.fetch(uid(1, "7")) == Fetched(present=2)
    assert {one.source for one in store.instances()} == {"AE ORTHANC"}


@pytest.fixture
def moved(orthanc, store, own_folders):
    """A client by C-MOVE, and the receiver of this program, which Orthanc knows; a study and its prior."""
    own_folders.setenv("SECOND_READ_PACS_RETRIEVE", "move")
    settings.cache_clear()
    receiver = Receiver(store, ("127.0.0.1", 0), parse_senders(["ORTHANC@127.0.0.1"]))
    try:
        orthanc.know("SECONDREAD", receiver.port)
        orthanc.store(received(1, PatientID="QZ-1", StudyDate="20260101"))
        orthanc.store(received(2, PatientID="QZ-1", StudyDate="20250101"))
        yield moving(orthanc, store)
    finally:
        receiver.stop()


def test_a_prior_that_a_move_brings_is_one_until_it_comes_for_itself(orthanc, store, moved):
    (study,) = moved.search({"StudyInstanceUID": uid(1, "7")})
    assert moved.fetch(study.uid) == Fetched(stored=1)
    assert moved.fetch_priors(study.header, 1) == [Fetched(stored=1)]
    assert {one.sop_instance_uid: one.is_prior for one in store.instances()} == {uid(1): False, uid(2): True}
    assert [one.sop_instance_uid for one in store.unplanned()] == [uid(1)]
    assert not store.is_awaited_prior(uid(2))
    assert moved.fetch_priors(study.header, 1) == [Fetched(present=1)]
    # the PACS sends it for itself
    (image,) = orthanc.rest.post("/tools/lookup", content=uid(2)).json()
    orthanc.rest.post("/modalities/SECONDREAD/store", json={"Resources": [image["ID"]]}).raise_for_status()
    assert not store.instance(uid(2)).is_prior


@pytest.mark.parametrize(("originator", "is_prior"), [("SECONDREAD", True), (None, True), ("WORKSTATION", False)])
def test_an_image_that_another_entity_has_moved_here_is_no_prior(store, own_folders, originator, is_prior):
    own_folders.setenv("SECOND_READ_PACS_RETRIEVE", "move")
    settings.cache_clear()
    receiver = Receiver(store, ("127.0.0.1", 0), parse_senders(["SECONDREAD@127.0.0.1"]))
    address = DimseAddress("SECONDREAD", "127.0.0.1", receiver.port)
    try:
        with (
            store.awaiting_priors([uid(1)]),
            associate(address, [pynetdicom().build_context(CR, "1.2.840.10008.1.2.1")]) as opened,
        ):
            for number in (1, 2):
                file = pydicom.dcmread(io.BytesIO(received(number)))
                assert opened.send_c_store(file, originator_aet=originator, originator_id=1).Status == 0
    finally:
        receiver.stop()
    assert {one.sop_instance_uid: one.is_prior for one in store.instances()} == {uid(1): is_prior, uid(2): False}


class LostMove:
    """A PACS whose answers to C-MOVE are lost, and which goes on sending."""

    moves, no_priors = True, ""

    def images(self, study_uid):
        return [RemoteImage(study_uid, uid(1, "8"), uid(number), CR) for number in (1, 2)]

    def retrieve(self, images, keep):
        raise PacsUnavailable("ARCHIVE has ended the connection.")


@pytest.mark.parametrize(("originator", "is_prior"), [("SECONDREAD", True), (None, False), ("WORKSTATION", False)])
def test_what_comes_of_a_move_after_its_answer_was_lost_is_a_prior(store, own_folders, originator, is_prior):
    own_folders.setenv("SECOND_READ_PACS_RETRIEVE", "move")
    settings.cache_clear()
    with pytest.raises(PacsUnavailable):
        PacsClient(LostMove(), "ARCHIVE", store).fetch(uid(1, "7"), as_prior=True)
    receiver = Receiver(store, ("127.0.0.1", 0), parse_senders(["SECONDREAD@127.0.0.1"]))
    address = DimseAddress("SECONDREAD", "127.0.0.1", receiver.port)
    try:
        with associate(address, [pynetdicom().build_context(CR, "1.2.840.10008.1.2.1")]) as opened:
            file = pydicom.dcmread(io.BytesIO(received(1)))
            assert opened.send_c_store(file, originator_aet=originator, originator_id=1).Status == 0
    finally:
        receiver.stop()
    assert store.instance(uid(1)).is_prior is is_prior


def test_what_is_fetched_for_itself_after_a_lost_move_of_it_as_a_prior_is_no_prior(store):
    client, received_by_us = moves_after_a_lost_one(store)
    assert client.fetch(uid(1, "7")) == Fetched(stored=2)
    assert [one.is_prior for one in store.instances()] == [False, False]
    # the lost one goes on
    received_by_us(1)
    assert not store.instance(uid(1)).is_prior


def test_what_a_lost_move_sends_after_the_next_one_has_succeeded_stays_a_prior(store):
    client, received_by_us = moves_after_a_lost_one(store)
    assert client.fetch(uid(1, "7"), as_prior=True) == Fetched(stored=2)
    received_by_us(1)
    assert [one.is_prior for one in store.instances()] == [True, True]


def moves_after_a_lost_one(store):
    """A client of a PACS that has lost the answer to a C-MOVE of a prior, and what receives an image of a move."""
    with pytest.raises(PacsUnavailable):
        PacsClient(LostMove(), "ARCHIVE", store).fetch(uid(1, "7"), as_prior=True)
    reception = Reception(store, "AE ARCHIVE")

    def received_by_us(number):
        reception.add(received(number), asked_for=True, sent_for_us=True)

    class Move(LostMove):
        def retrieve(self, images, keep):
            for number in (1, 2):
                received_by_us(number)

    return PacsClient(Move(), "ARCHIVE", store), received_by_us


def test_an_image_is_awaited_no_more_once_its_move_has_succeeded_or_an_hour_has_passed(store, monkeypatch):
    with store.awaiting_priors([uid(1)]):
        assert store.is_awaited_prior(uid(1))
    assert not store.is_awaited_prior(uid(1), sent_for_us=True)
    with pytest.raises(PacsUnavailable), store.awaiting_priors([uid(1)]):
        raise PacsUnavailable("down")
    assert not store.is_awaited_prior(uid(1))
    assert store.is_awaited_prior(uid(1), sent_for_us=True)
    with store.awaiting_priors([uid(1)]):
        # asked for again
        assert store.is_awaited_prior(uid(1))
        monkeypatch.setattr(pacs_instances, "_LONGEST_RETRIEVAL", timedelta(0))
        assert not store.is_awaited_prior(uid(1), sent_for_us=True)


def test_a_move_to_a_receiver_that_is_down_can_be_asked_for_again(orthanc, store):
    with receiver(store) as address:
        pass
    orthanc.know("SECONDREAD", address.port)
    orthanc.store(received(1))
    with pytest.raises(PacsUnavailable):
        moving(orthanc, store).fetch(uid(1, "7"))
    assert store.instances() == ()


@pytest.mark.slow
def test_studies_are_fetched_over_tls_from_those_whose_certificate_is_known(store, certificates, own_folders):
    if (words := lacking()) is not None:
        missing("orthanc", words)
    files = {name: str(certificates / name) for name in ("certificate.pem", "key.pem", "ca.pem")}
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": files["certificate.pem"],
        "DicomTlsPrivateKey": files["key.pem"],
        "DicomTlsTrustedCertificates": files["ca.pem"],
    }
    with orthanc_server(**options) as orthanc:
        orthanc.know("SECONDREAD", 104, UseDicomTls=True)
        orthanc.store(received(1))
        source = DimseSource(DimseAddress(orthanc.aet, orthanc.host, orthanc.port, tls=True), moves=False)
        client = PacsClient(source, "ARCHIVE", store)
        # no authority that this program knows has signed the archive's certificate
        with pytest.raises(PacsUnavailable, match="TLS"):
            client.fetch(uid(1, "7"))
        own_folders.setenv("SECOND_READ_PACS_TLS_CA", files["ca.pem"])
        own_folders.setenv("SECOND_READ_PACS_TLS_CERTIFICATE", files["certificate.pem"])
        own_folders.setenv("SECOND_READ_PACS_TLS_KEY", files["key.pem"])
        settings.cache_clear()
        assert client.fetch(uid(1, "7")) == Fetched(stored=1)
        plain = DimseSource(DimseAddress(orthanc.aet, orthanc.host, orthanc.port), moves=False)
        with pytest.raises(PacsUnavailable):
            plain.studies({"StudyInstanceUID": uid(1, "7")})
