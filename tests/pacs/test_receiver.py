"""The receiver, called by pynetdicom and by DCMTK's storescu and echoscu."""

import logging
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager

import pydicom
import pytest
from pydicom.filebase import DicomBytesIO

from cxr_core.access import audit
from cxr_core.errors import PacsUnavailable, PathUnusable, WrongArguments
from cxr_core.imaging.frame_decoding import TRANSFER_SYNTAXES
from cxr_core.pacs import acceptor
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import associate, echo, pynetdicom
from cxr_core.pacs.receiver import Receiver
from cxr_core.pacs.senders import parse_senders
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.conftest import missing
from tests.received import CR, SECONDARY_CAPTURE, dcmtk, received, result_of_ours, uid

PATIENT = "QZPLANTEDNAME"
SENDER = "SECONDREAD"
"""What our own client is called, by default."""


def until(is_so, seconds=60):
    """Wait for a state."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture
def store(own_folders):
    settings.cache_clear()
    store = PacsStore()
    yield store
    store.close()


@contextmanager
def receiving(store, *senders, tls=False):
    """A receiver on a free port of loopback."""
    receiver = Receiver(store, ("127.0.0.1", 0), parse_senders(senders or [f"{SENDER}@127.0.0.1"]))
    try:
        yield DimseAddress(settings().pacs_ae_title, "127.0.0.1", receiver.port, tls)
    finally:
        receiver.stop()


def send(address, *files, syntax="1.2.840.10008.1.2.1"):
    """Send files over one association, and return the status of each."""
    contexts = [pynetdicom().build_context(one, syntax) for one in (CR, SECONDARY_CAPTURE)]
    with associate(address, contexts) as opened:
        return [opened.send_c_store(pydicom.dcmread(DicomBytesIO(data))).Status for data in files]


def test_it_answers_to_an_echo_and_stores_what_it_confirms(store):
    with receiving(store) as address:
        echo(address)
        assert send(address, *(received(number) for number in range(3))) == [0x0000] * 3
        assert send(address, received(1)) == [0x0000]
    stored = store.instances()
    assert sorted(each.sop_instance_uid for each in stored) == [uid(0), uid(1), uid(2)]
    assert {each.source for each in stored} == {f"AE {SENDER}"}
    sent = pydicom.dcmread(DicomBytesIO(received(1)))
    kept = pydicom.dcmread(DicomBytesIO(store.load_instance(uid(1))))
    assert kept == sent
    assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    (event,) = audit.read()[0]
    assert (event.what, event.detail, event.who) == ("reception", f"AE {SENDER}", "server")
    assert sorted(event.images) == sorted(each.sha256 for each in stored)


def test_other_bytes_under_a_uid_are_refused_with_an_alarm(store):
    with receiving(store) as address:
        assert send(address, received(1), received(1, seed=1)) == [0x0000, 0x0111]
    (alarm,) = store.alarms()
    assert (alarm.sop_instance_uid, alarm.source) == (uid(1), f"AE {SENDER}")


def test_results_of_ours_are_taken_and_make_no_work(store):
    with receiving(store) as address:
        assert send(address, result_of_ours(1), result_of_ours(1)) == [0x0000, 0x0000]
    assert len(store.instances()) == 1
    assert store.unplanned() == ()


def test_a_file_that_cannot_be_kept_is_not_confirmed(store, own_folders):
    own_folders.setenv("SECOND_READ_PACS_KEEP_GB", "0.00000001")
    settings.cache_clear()
    with receiving(store) as address:
        assert send(address, received(1)) == [0xA700]
    assert store.instances() == ()


def test_a_failure_that_nobody_expected_is_not_confirmed_and_not_quoted(store, monkeypatch, caplog):
    def fail(data, source, **_):
        raise RuntimeError(PATIENT)

    monkeypatch.setattr(store, "add_instance", fail)
    with receiving(store) as address, caplog.at_level(logging.DEBUG):
        assert send(address, received(1)) == [0xA700]
    assert "RuntimeError" in caplog.text
    assert PATIENT not in caplog.text


def test_a_data_set_that_is_not_what_its_command_says_is_refused(store):
    with receiving(store) as address:
        contexts = [pynetdicom().build_context(CR, "1.2.840.10008.1.2.1")]
        with associate(address, contexts) as opened:
            ds = pydicom.dcmread(DicomBytesIO(received(1)))
            request = opened.dimse.send_msg

            def renamed(primitive, context):
                primitive.AffectedSOPInstanceUID = uid(2)
                request(primitive, context)

            opened.dimse.send_msg = renamed
            assert opened.send_c_store(ds).Status == 0xA900
            opened.dimse.send_msg = request
    assert store.instances() == ()


@pytest.mark.parametrize("senders", [["OTHER@127.0.0.1"], ["OTHER@127.0.0.1", f"{SENDER}@127.0.0.2"]])
def test_an_entity_of_another_title_is_rejected(store, senders, caplog):
    with (
        receiving(store, *senders) as address,
        caplog.at_level(logging.WARNING),
        pytest.raises(PacsUnavailable, match="does not know the AE title"),
    ):
        echo(address)
    assert "may not send from 127.0.0.1" in caplog.text


def test_an_entity_that_calls_another_title_is_rejected(store):
    with receiving(store) as address, pytest.raises(PacsUnavailable, match="is not the AE title"):
        echo(DimseAddress("OTHER", address.host, address.port))


def test_an_unknown_address_is_closed_before_it_says_anything(store):
    with receiving(store, f"{SENDER}@127.0.0.2") as address:
        with socket.create_connection((address.host, address.port), 60) as stranger:
            assert stranger.recv(1) == b""
        with pytest.raises(PacsUnavailable):
            echo(address)


def test_all_storage_classes_and_all_syntaxes_that_are_decoded_are_accepted(store):
    classes = [context.abstract_syntax for context in pynetdicom().AllStoragePresentationContexts]
    with receiving(store) as address:
        for start in range(0, len(classes), 128):
            contexts = [pynetdicom().build_context(one) for one in classes[start : start + 128]]
            with associate(address, contexts) as opened:
                assert opened.rejected_contexts == []
        for syntaxes in (TRANSFER_SYNTAXES,):
            with associate(address, [pynetdicom().build_context(CR, one) for one in syntaxes]) as opened:
                assert len(opened.accepted_contexts) == len(syntaxes)
                assert opened.rejected_contexts == []
        with pytest.raises(PacsUnavailable, match="none of the services"):
            # MPEG-4
            send(address, received(1), syntax="1.2.840.10008.1.2.4.102")


def test_tls_with_certificates_of_one_authority(store, own_folders, certificates):
    for name, file in (("CA", "ca"), ("CERTIFICATE", "certificate"), ("KEY", "key")):
        own_folders.setenv(f"SECOND_READ_PACS_TLS_{name}", str(certificates / f"{file}.pem"))
    own_folders.setenv("SECOND_READ_PACS_RECEIVE_TLS", "true")
    settings.cache_clear()
    with receiving(store, tls=True) as address:
        # one that connects and says nothing holds nobody up
        with socket.create_connection((address.host, address.port), 60):
            assert send(address, received(1)) == [0x0000]
        with pytest.raises(PacsUnavailable, match="TLS"):
            echo(DimseAddress(address.ae_title, address.host, address.port))
        for name in ("CERTIFICATE", "KEY"):
            own_folders.delenv(f"SECOND_READ_PACS_TLS_{name}")
        settings.cache_clear()
        with pytest.raises(PacsUnavailable):
            echo(address)
    assert len(store.instances()) == 1


def connected(address):
    return socket.create_connection((address.host, address.port), 60)


def test_a_pdu_beyond_the_limit_ends_its_connection(store):
    with receiving(store) as address:
        with connected(address) as sender:
            sender.sendall(struct.pack(">BBL", 1, 0, acceptor.MOST_PDU_BYTES + 1))
            assert sender.recv(1) == b""
        echo(address)


def test_a_file_beyond_the_limit_ends_its_association(store, own_folders):
    own_folders.setenv("SECOND_READ_MAX_FILE_MB", "1")
    settings.cache_clear()
    large = pydicom.dcmread(DicomBytesIO(received(1)))
    large.add_new("PixelData", "OW", bytes(20_000_000))
    with receiving(store) as address:
        contexts = [pynetdicom().build_context(CR, "1.2.840.10008.1.2.1")]
        with associate(address, contexts) as opened:
            assert "Status" not in opened.send_c_store(large)
            until(lambda: not opened.is_established)
        assert send(address, received(1)) == [0x0000]
    assert [each.sop_instance_uid for each in store.instances()] == [uid(1)]


def test_further_associations_than_the_limit_are_rejected(store, own_folders):
    own_folders.setenv("SECOND_READ_PACS_ASSOCIATIONS", "1")
    settings.cache_clear()
    contexts = [pynetdicom().build_context("1.2.840.10008.1.1")]
    expected = pytest.raises(PacsUnavailable, match="limit of associations")
    with receiving(store) as address, associate(address, contexts), expected:
        echo(address)


def test_stopping_finishes_what_is_being_stored(store, monkeypatch):
    began, go_on, statuses = threading.Event(), threading.Event(), []
    add = store.add_instance

    def slowly(data, source, **_):
        began.set()
        assert go_on.wait(60)
        return add(data, source)

    monkeypatch.setattr(store, "add_instance", slowly)
    receiver = Receiver(store, ("127.0.0.1", 0), parse_senders([f"{SENDER}@127.0.0.1"]))
    address = DimseAddress(settings().pacs_ae_title, "127.0.0.1", receiver.port)
    sending = threading.Thread(target=lambda: statuses.extend(send(address, received(1))))
    sending.start()
    assert began.wait(60)
    stopping = threading.Thread(target=receiver.stop, args=(60,))
    stopping.start()
    go_on.set()
    stopping.join(120)
    sending.join(120)
    assert not stopping.is_alive()
    assert statuses == [0x0000]
    assert len(store.instances()) == 1
    with pytest.raises(PacsUnavailable):
        echo(address)


def test_an_address_that_is_in_use_is_one_line(store):
    with receiving(store) as address, pytest.raises(PathUnusable, match="SECOND_READ_PACS_LISTEN"):
        Receiver(store, ("127.0.0.1", address.port), parse_senders([f"{SENDER}@127.0.0.1"]))
    with pytest.raises(PathUnusable, match="SECOND_READ_PACS_LISTEN"):
        Receiver(store, ("192.0.2.1", 0), parse_senders([f"{SENDER}@127.0.0.1"]))


def test_without_the_library_it_is_one_line(store, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynetdicom", None)
    with pytest.raises(WrongArguments, match="pip install"):
        Receiver(store, ("127.0.0.1", 0), parse_senders([f"{SENDER}@127.0.0.1"]))


def test_nothing_of_a_patient_is_in_a_log_or_the_audit_trail(store, caplog):
    planted = {"PatientName": f"{PATIENT}^A", "PatientID": PATIENT, "StationName": PATIENT, "BodyPartExamined": PATIENT}
    broken = bytearray(received(3, **planted))
    broken[400:600] = PATIENT.encode() * 15 + b"     "
    with receiving(store) as address, caplog.at_level(logging.DEBUG):
        send(address, received(1, **planted), received(1, seed=1, **planted), received(1, **planted))
        with associate(address, [pynetdicom().build_context(CR, "1.2.840.10008.1.2.1")]) as opened:
            ds = pydicom.dcmread(DicomBytesIO(received(2, **planted)))
            ds.add_new("StudyInstanceUID", "LO", PATIENT)
            assert opened.send_c_store(ds).Status == 0xC000
    assert "stored" in caplog.text
    assert "conflict" in caplog.text
    assert "invalid" in caplog.text
    for text in (caplog.text, audit.path().read_text()):
        assert PATIENT not in text


def test_dcmtk_sends_to_it(store, tmp_path):
    echoscu, storescu = dcmtk("echoscu"), dcmtk("storescu")
    if echoscu is None or storescu is None:
        missing("dcmtk", "DCMTK is not installed")
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(received(number))
    with receiving(store, "ROOM3@127.0.0.1") as address:
        target = ["-aet", "ROOM3", "-aec", address.ae_title, address.host, str(address.port)]
        subprocess.run([echoscu, *target], check=True, timeout=120)
        files = [str(path) for path in sorted(tmp_path.glob("*.dcm"))]
        subprocess.run([storescu, *target, *files], check=True, timeout=120)
        refused = subprocess.run([echoscu, "-aet", "OTHER", *target[2:]], capture_output=True, timeout=120)
        assert refused.returncode != 0
    assert {each.source for each in store.instances()} == {"AE ROOM3"}
    for number in range(3):
        assert pydicom.dcmread(DicomBytesIO(store.load_instance(uid(number)))) == pydicom.dcmread(
            DicomBytesIO(received(number))
        )
