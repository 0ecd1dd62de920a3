"""Connections that are no associations, or not yet, on real sockets: none of them keeps an association out."""

import logging
import random
import socket
import struct
import threading
import warnings
from contextlib import ExitStack, contextmanager, suppress

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification

from cxr_core.pacs import acceptor, association
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import echo, pynetdicom
from cxr_core.pacs.receiver import Receiver
from cxr_core.pacs.senders import parse_senders
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.pacs.test_receiver import PATIENT, SENDER, connected, until
from tests.received import CR, received, uid

VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def store(own_folders):
    # with one association, the first connection that counted as another would keep it out
    own_folders.setenv("SECOND_READ_PACS_ASSOCIATIONS", "1")
    settings.cache_clear()
    store = PacsStore()
    yield store
    store.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A connection that ends in these tests has not ended by time."""
    monkeypatch.setattr(acceptor, "REQUEST_SECONDS", 3600)


@contextmanager
def receiving(store):
    """A receiver, and how it is called."""
    receiver = Receiver(store, ("127.0.0.1", 0), parse_senders([f"{SENDER}@127.0.0.0/8"]))
    try:
        yield receiver, DimseAddress(settings().pacs_ae_title, "127.0.0.1", receiver.port)
    finally:
        receiver.stop()


def answers(receiver, address):
    """It answers to an echo, after which nothing is left of the association."""
    echo(address)
    until(lambda: not receiver._entity.active_associations)


def pdu(kind, content):
    return struct.pack(">BBL", kind, 0, len(content)) + content


def request(calling=SENDER, classes=(VERIFICATION,), **elements):
    """The PDU of a request for an association, with presentation contexts 1, 3 and so on."""
    asked = A_ASSOCIATE()
    asked.application_context_name = "1.2.840.10008.3.1.1.1"
    asked.calling_ae_title, asked.called_ae_title = calling, settings().pacs_ae_title
    contexts = [pynetdicom().build_context(one) for one in classes]
    for place, context in enumerate(contexts):
        context.context_id = 2 * place + 1
    asked.presentation_context_definition_list = contexts
    size, who = MaximumLengthNotification(), ImplementationClassUIDNotification()
    size.maximum_length_received, who.implementation_class_uid = 16384, "1.2.3"
    asked.user_information = [size, who]
    encoded = A_ASSOCIATE_RQ(asked)
    for name, value in elements.items():
        setattr(encoded, name, value)
    return encoded.encode()


def cut():
    return request()[:-20]


NO_REQUESTS = {
    "HTTP": lambda: b"GET / HTTP/1.1\r\n\r\n",
    "one byte": lambda: b"\n",
    "TLS": lambda: bytes.fromhex("16030100f8010000f4"),
    "a broken request": lambda: pdu(1, b"Q" * 16),
    "an empty request": lambda: pdu(1, b""),
    "a request whose last item is cut": lambda: pdu(1, request()[6:-3]),
    "a request of another version": lambda: request(protocol_version=2),
    "a request of an unknown entity": lambda: request(calling="OTHER"),
    "P-DATA-TF": lambda: pdu(4, b"Q" * 16),
    "A-RELEASE-RQ": lambda: pdu(5, bytes(4)),
    "A-ABORT": lambda: pdu(7, bytes(4)),
    "an unknown PDU": lambda: pdu(9, b"Q" * 16),
}


@pytest.mark.parametrize("kind", NO_REQUESTS)
def test_what_is_no_request_of_a_known_entity_ends_at_once(kind, store):
    data = NO_REQUESTS[kind]()
    with receiving(store) as (receiver, address), connected(address) as sender:
        sender.sendall(data)
        answers(receiver, address)
        try:
            while sender.recv(1000):
                pass
        except ConnectionResetError:
            # what it had sent besides was not read
            pass
        until(lambda: not receiver._server.waiting)


def test_what_its_peer_has_closed_ends_at_once(store):
    kinds = {"nothing": bytes, "a byte": lambda: b"\x01", "a cut request": cut} | NO_REQUESTS
    with receiving(store) as (receiver, address):
        for make in kinds.values():
            sent = make()
            for _ in range(3):
                with connected(address) as sender:
                    sender.sendall(sent)
            answers(receiver, address)
            until(lambda: not receiver._server.waiting)


def test_an_association_that_its_peer_has_closed_ends_at_once(store):
    sent = request()
    with receiving(store) as (receiver, address):
        for _ in range(3):
            with connected(address) as sender:
                sender.sendall(sent)
                sender.shutdown(socket.SHUT_WR)
                while sender.recv(1000):
                    pass
            until(lambda: not receiver._entity.active_associations)
            answers(receiver, address)


def test_connections_that_say_nothing_keep_no_association_out(store, monkeypatch):
    monkeypatch.setattr(acceptor, "MOST_WAITING", 3)
    with receiving(store) as (receiver, address), ExitStack() as open_until_then:
        for count in (1, 2, 3, 3, 3):
            open_until_then.enter_context(connected(address))
            until(lambda count=count: len(receiver._server.waiting) == count)
            answers(receiver, address)


def test_one_address_keeps_no_other_out(store, monkeypatch):
    """The oldest connection of the address that has the most makes room."""
    monkeypatch.setattr(acceptor, "MOST_WAITING", 2)
    with receiving(store) as (receiver, address), ExitStack() as open_until_then:

        def connect(own):
            target = (address.host, address.port)
            return open_until_then.enter_context(socket.create_connection(target, 60, (own, 0)))

        slow = connect("127.0.0.2")
        until(lambda: len(receiver._server.waiting) == 1)
        first = connect("127.0.0.3")
        until(lambda: len(receiver._server.waiting) == 2)
        connect("127.0.0.3")
        assert first.recv(1) == b""
        slow.sendall(request())
        # A-ASSOCIATE-AC
        assert slow.recv(1) == b"\x02"


def test_a_connection_has_a_short_time_for_its_request(store, monkeypatch):
    monkeypatch.setattr(acceptor, "REQUEST_SECONDS", 0.5)
    sent = cut()
    with receiving(store) as (_, address), connected(address) as silent, connected(address) as half:
        half.sendall(sent)
        for sender in (silent, half):
            assert sender.recv(1) == b""


def test_an_association_whose_peer_falls_silent_is_not_waited_for(store, monkeypatch):
    for module in (acceptor, association):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    sent = request()
    with receiving(store) as (receiver, address):
        for data in (b"", struct.pack(">BBL", 4, 0, 1000) + bytes(10)):
            with connected(address) as sender:
                sender.sendall(sent)
                assert sender.recv(1) == b"\x02"
                sender.sendall(data)
                while sender.recv(1000):
                    pass
            until(lambda: not receiver._entity.active_associations)


def test_connections_without_a_request_end_with_the_receiver(store):
    with receiving(store) as (receiver, address):
        silent = connected(address)
        until(lambda: len(receiver._server.waiting) == 1)
    with silent:
        assert silent.recv(1) == b""


COMMAND, DATA, LAST = 1, 0, 2
"""Of the header of a fragment (PS3.8 E.2)."""

ASSOCIATE_AC, ABORT = 2, 7
STORE, CONTEXT_OF_STORE = 0x0001, 3


def fragment(content, header, context=1):
    """A P-DATA-TF with one fragment of a message."""
    return pdu(4, struct.pack(">LBB", len(content) + 2, context, header) + content)


def command(**elements):
    """An encoded command set (PS3.7 6.3); None leaves an element out."""
    stated = {"CommandField": 0x0030, "MessageID": 1, "CommandDataSetType": 0x0101, "AffectedSOPClassUID": VERIFICATION}
    ds = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in (stated | elements).items():
            if value is not None:
                setattr(ds, keyword, value)
    content = encode(ds, True, True)
    return bytes.fromhex("00000000 04000000") + struct.pack("<L", len(content)) + content


def store_command(**elements):
    stated = {
        "CommandField": STORE, "AffectedSOPClassUID": CR, "AffectedSOPInstanceUID": uid(1), "Priority": 0,
        "CommandDataSetType": 1,
    }  # fmt: skip
    return command(**stated | elements)


def whole(content, context=1):
    return fragment(content, COMMAND | LAST, context)


ECHO = command()
DATA_SET = received(1, PatientName=f"{PATIENT}^A")[132:]
MESSAGES = {
    "a second request": lambda: request(),
    "a second request of another": lambda: request(calling=PATIENT),
    "an acceptance": lambda: pdu(2, request()[6:]),
    "a rejection": lambda: pdu(3, bytes(4)),
    "a release that nobody asked for": lambda: pdu(6, bytes(4)),
    "an unknown PDU": lambda: pdu(9, PATIENT.encode()),
    "letters": lambda: f"GET /{PATIENT} HTTP/1.1\r\n\r\n".encode(),
    "an empty P-DATA-TF": lambda: pdu(4, b""),
    "an empty fragment": lambda: pdu(4, struct.pack(">LB", 1, 1)),
    "a fragment that is longer than its PDU": lambda: pdu(4, struct.pack(">LBB", 999, 1, 3) + PATIENT.encode()),
    "an empty command": lambda: whole(b""),
    "a command of letters": lambda: whole(PATIENT.encode() * 9),
    "a command without a field": lambda: whole(command(CommandField=None)),
    "an unknown command": lambda: whole(command(CommandField=0x4711)),
    "two values of a command": lambda: whole(command(CommandField=[0x30, 0x31])),
    "a command without a class": lambda: whole(command(AffectedSOPClassUID=None)),
    "a class that is a name": lambda: whole(command(AffectedSOPClassUID=PATIENT)),
    "an instance that is a name": lambda: whole(store_command(AffectedSOPInstanceUID=PATIENT), CONTEXT_OF_STORE),
    "a command without a number": lambda: whole(command(MessageID=None)),
    "a command that does not say whether data follow": lambda: whole(command(CommandDataSetType=None)),
    "a context that was not negotiated": lambda: whole(ECHO, 99),
    "an image in the context of an echo": lambda: whole(store_command(), 1) + fragment(DATA_SET, LAST, 1),
    "an image without data": lambda: whole(store_command(CommandDataSetType=0x0101), CONTEXT_OF_STORE),
    "an image of no data": lambda: whole(store_command(), CONTEXT_OF_STORE) + fragment(b"", LAST, CONTEXT_OF_STORE),
    "data that are none": lambda: (
        whole(store_command(), CONTEXT_OF_STORE) + fragment(PATIENT.encode() * 99, LAST, CONTEXT_OF_STORE)
    ),
    "data without a command": lambda: fragment(DATA_SET, LAST, CONTEXT_OF_STORE),
    "data in another context than their command": lambda: (
        whole(store_command(), CONTEXT_OF_STORE) + fragment(DATA_SET, LAST, 1)
    ),
    "an echo within data": lambda: (
        whole(store_command(), CONTEXT_OF_STORE) + fragment(DATA_SET[:99], DATA, CONTEXT_OF_STORE) + whole(ECHO)
    ),
    "an abort within data": lambda: (
        whole(store_command(), CONTEXT_OF_STORE) + fragment(DATA_SET[:99], DATA, CONTEXT_OF_STORE) + pdu(7, bytes(4))
    ),
    "a release within data": lambda: (
        whole(store_command(), CONTEXT_OF_STORE) + fragment(DATA_SET[:99], DATA, CONTEXT_OF_STORE) + pdu(5, bytes(4))
    ),
    "the end within data": lambda: (
        whole(store_command(), CONTEXT_OF_STORE) + fragment(DATA_SET, LAST, CONTEXT_OF_STORE)[:99]
    ),
    "an answer that nobody asked for": lambda: whole(command(CommandField=0x8030, Status=0, MessageID=None)),
    "a query": lambda: whole(command(CommandField=0x0020, Priority=0)),
    "a cancellation": lambda: whole(command(CommandField=0x0FFF, MessageIDBeingRespondedTo=1)),
    "an event report": lambda: whole(command(CommandField=0x0100, EventTypeID=1, AffectedSOPInstanceUID="1.2")),
    "a deletion": lambda: whole(
        command(CommandField=0x0150, RequestedSOPClassUID=VERIFICATION, RequestedSOPInstanceUID="1.2")
    ),
    "several requests at once": lambda: whole(ECHO) * 9,
}


@contextmanager
def nothing_is_said(monkeypatch, caplog, capfd, what=""):
    """No thread ends with an exception, and neither log nor output nor warning has what was planted."""
    failures = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: failures.append(failed.exc_type))
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        yield
    assert failures == [], what
    written = capfd.readouterr()
    assert "Traceback" not in written.err, what
    for text in (caplog.text, written.out, written.err, *(str(one.message) for one in warned)):
        assert PATIENT not in text, what


def talk(address, receiver, *messages):
    """Associate, send each message whatever comes back, and wait until the association has ended."""
    with connected(address) as sender:
        sender.sendall(request(classes=(VERIFICATION, CR)))
        assert sender.recv(1) == bytes([ASSOCIATE_AC])
        with suppress(OSError):
            for message in messages:
                sender.sendall(message)
            sender.shutdown(socket.SHUT_WR)
            while sender.recv(65536):
                pass
    until(lambda: not receiver._entity.active_associations)


def test_what_is_no_message_at_that_moment_ends_its_association_alone(store, monkeypatch, caplog, capfd):
    with receiving(store) as (receiver, address):
        for kind, make in MESSAGES.items():
            with nothing_is_said(monkeypatch, caplog, capfd, kind):
                talk(address, receiver, make())
            assert receiver._receptions == {}, kind
        answers(receiver, address)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_second_request_is_one_line_of_the_log(at_once, store, monkeypatch, caplog, capfd):
    """At once, it comes before the first one is answered, which pynetdicom has no state for."""
    with receiving(store) as (receiver, address), nothing_is_said(monkeypatch, caplog, capfd):
        with connected(address) as sender:
            sender.sendall(request() * (2 if at_once else 1))
            if not at_once:
                assert sender.recv(1) == bytes([ASSOCIATE_AC])
                sender.sendall(request())
            with suppress(ConnectionResetError):
                while sender.recv(65536):
                    pass
        answers(receiver, address)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("cxr_core")]
    assert lines == ["Aborted: an association with 127.0.0.1, for an invalid or unexpected message"]


@pytest.mark.slow
def test_no_message_that_was_changed_by_chance_is_an_error(store, monkeypatch, caplog, capfd):
    generator = random.Random(20261127)
    kinds = [make() for make in MESSAGES.values()] + [whole(ECHO), whole(store_command(), CONTEXT_OF_STORE)]
    with receiving(store) as (receiver, address), nothing_is_said(monkeypatch, caplog, capfd):
        for _ in range(120):
            message = bytearray(b"".join(generator.sample(kinds, 2)))
            for _ in range(generator.randint(1, 4)):
                message[generator.randrange(min(len(message), 300))] = generator.randrange(256)
            # the length of its first PDU is right, so that the rest is not waited for
            talk(address, receiver, bytes(message))
        answers(receiver, address)
