"""Connections that are no associations, or not yet, on real sockets: none of them keeps an association out."""

import socket
import struct
from contextlib import ExitStack, contextmanager

import pytest
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification

from cxr_core.pacs import acceptor, association
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import echo, pynetdicom
from cxr_core.pacs.receiver import Receiver
from cxr_core.pacs.senders import parse_senders
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.pacs.test_receiver import SENDER, connected, until

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


def request(calling=SENDER, **elements):
    """The PDU of a request for an association."""
    asked = A_ASSOCIATE()
    asked.application_context_name = "1.2.840.10008.3.1.1.1"
    asked.calling_ae_title, asked.called_ae_title = calling, settings().pacs_ae_title
    asked.presentation_context_definition_list = [pynetdicom().build_context(VERIFICATION)]
    asked.presentation_context_definition_list[0].context_id = 1
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
