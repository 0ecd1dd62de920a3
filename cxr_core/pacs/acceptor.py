"""The side of pynetdicom that is called, with the limits that it lacks: memory, time, and who may connect at all.

pynetdicom reads a message of any length into memory, and waits for the rest of one for ever. Here a connection ends
that sends more than a file may have, more than one request at a time, or nothing for a while; and one of an unknown
address before anything of it is read.

A connection becomes an association of pynetdicom, which counts as one, once its request for an association has come
whole, from a known entity. What connects otherwise, such as a health check, ends as soon as that is clear.

This module imports pynetdicom; :mod:`.receiver` imports it when it is used.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pynetdicom import evt
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from ..settings import settings
from .association import ANSWER_SECONDS
from .association_counts import AssociationCounts, Refusal
from .senders import Sender, is_known, is_known_address

__all__ = ["LimitedHandler", "server_class"]

_LOG = logging.getLogger(__name__)

REQUEST_SECONDS = 10
"""In which TLS is agreed and a request for an association has come whole."""

MOST_WAITING = 64
"""Connections whose request has not come yet."""

MOST_PDU_BYTES = 1 << 20
"""Of one PDU; the largest is a request for an association with all of its presentation contexts."""

MOST_COMMAND_BYTES = 1 << 16
_WAITING_REQUESTS = 1
"""Requests of an association that wait behind the one that is answered: asynchronous operations are not offered."""

_BLOCK = 1 << 18

_REQUEST = b"\x01"
"""Type of the PDU that requests an association (PS3.8 9.3.2)."""

_ABORT = bytes.fromhex("0700 00000004 0000 0200")
"""A-ABORT by the service provider, without a reason (PS3.8 9.3.8)."""

_UNEXPECTED = "AA-8"
"""Action of the state machine for an unexpected, unrecognised or invalid PDU: it aborts (PS3.8 9.2)."""

_NOT_RECOGNISED = bytes.fromhex("0300 00000004 0001 0103")
"""A-ASSOCIATE-RJ, permanent, by the service user: calling AE title not recognised (PS3.8 9.3.4)."""

_OTHER_VERSION = bytes.fromhex("0300 00000004 0001 0202")
"""A-ASSOCIATE-RJ, permanent, by the service provider: protocol version not supported."""

_ANSWERS: dict[Refusal, bytes] = {
    "no_request": _ABORT,
    "protocol_version": _OTHER_VERSION,
    "calling_ae_title": _NOT_RECOGNISED,
}
"""What is sent to each connection that makes no association once something has come."""


class _Waiting:
    """The connections whose request has not come yet. Where there are too many, one ends for each further one.

    It is the oldest one of the address that has the most: nobody keeps out the request of another.
    """

    def __init__(self) -> None:
        self._addresses: dict[socket.socket, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._addresses)

    @contextmanager
    def listed(self, connection: socket.socket, address: str) -> Iterator[None]:
        """List a connection while the block waits for its request."""
        with self._lock:
            self._addresses[connection] = address
            if len(self._addresses) > MOST_WAITING:
                ((most, _),) = Counter(self._addresses.values()).most_common(1)
                self._end(next(one for one, of in self._addresses.items() if of == most))
        try:
            yield
        finally:
            with self._lock:
                self._addresses.pop(connection, None)

    def end_all(self) -> None:
        with self._lock:
            for connection in tuple(self._addresses):
                self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        """End a connection: the thread that reads it finds it closed. Not by TLS, which that thread may be agreeing."""
        del self._addresses[connection]
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _LimitedSocket(AssociationSocket):
    """A connection that ends where its peer exceeds a limit.

    Attributes:
        read_before: what was read of it before it was an association: the PDU of the request.
    """

    read_before = bytearray()

    @property
    def ready(self) -> bool:
        """Whether there is something to read."""
        return bool(self.read_before) or bool(super().ready)

    def recv(self, nr_bytes: int) -> bytearray:
        """Return so many bytes, or fewer where the peer has closed the connection; raises OSError beyond a limit."""
        if self.read_before:
            begin, self.read_before = self.read_before[:nr_bytes], self.read_before[nr_bytes:]
            return begin
        self._check(nr_bytes)
        received = bytearray(nr_bytes)
        view, count, end = memoryview(received), 0, time.monotonic() + ANSWER_SECONDS
        connection: Any = self.socket
        while count < nr_bytes:
            if time.monotonic() > end:
                raise TimeoutError("a PDU takes too long")
            size = connection.recv_into(view[count : count + _BLOCK])
            if size == 0:
                return received[:count]
            count += size
        return received

    def _check(self, nr_bytes: int) -> None:
        message: Any = self.assoc.dimse.message
        size = 0 if message is None else message.data_set.tell()
        command = 0 if message is None else message.encoded_command_set.tell()
        if (
            nr_bytes > MOST_PDU_BYTES
            or size + nr_bytes > settings().max_file_mb * 10**6 + MOST_PDU_BYTES
            or command > MOST_COMMAND_BYTES
            or self.assoc.dimse.msg_queue.qsize() > _WAITING_REQUESTS
        ):
            raise OSError("a limit is exceeded")


class LimitedHandler(RequestHandler):
    """Makes the association of a connection."""

    request: socket.socket
    server: Any
    _is_invalid = False

    def handle(self) -> None:
        """Make the association once it is requested; raises OSError where the connection ends, or its time does."""
        with self.server.waiting.listed(self.request, self.client_address[0]):
            try:
                self._pdu = self._read_request(time.monotonic() + REQUEST_SECONDS)
            except OSError:
                self.server.counts.refuse("no_request")
                raise
            refusal = self._refusal()
            if refusal is not None:
                self.server.counts.refuse(refusal)
                self.request.sendall(_ANSWERS[refusal])
        if refusal is not None:
            self.server.shutdown_request(self.request)
            return
        # of each read and write, so that a peer that falls silent is not waited for
        self.request.settimeout(ANSWER_SECONDS)
        super().handle()

    def _read_request(self, end: float) -> bytearray:
        """Return the first PDU, or the beginning of one that is no request for an association."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(REQUEST_SECONDS)
            self.request.do_handshake()
        pdu = self._read(len(_REQUEST), end)
        if pdu == _REQUEST:
            # a reserved byte, and the length of the rest
            pdu += self._read(5, end)
            length = int.from_bytes(pdu[2:], "big")
            if length > MOST_PDU_BYTES:
                raise OSError("a limit is exceeded")
            pdu += self._read(length, end)
        return pdu

    def _read(self, nr_bytes: int, end: float) -> bytearray:
        received = bytearray()
        while len(received) < nr_bytes:
            self.request.settimeout(max(end - time.monotonic(), 0.001))
            part = self.request.recv(nr_bytes - len(received))
            if not part:
                raise ConnectionError("closed by the peer")
            received += part
        return received

    def _refusal(self) -> Refusal | None:
        """Return why a request makes no association, or that it is none."""
        request, address = A_ASSOCIATE_RQ(), self.client_address[0]
        try:
            request.decode(bytes(self._pdu))
            title = request.to_primitive().calling_ae_title
        except Exception:
            # pynetdicom fails in any way on what is no request
            return "no_request"
        if request.protocol_version != 1:
            return "protocol_version"
        if not is_known(self.server.senders, title, address):
            _LOG.warning("Rejected: an AE title that may not send from %s", address)
            return "calling_ae_title"
        return None

    def _create_association(self) -> Any:
        association = super()._create_association()
        connection: Any = association.dul.socket
        # a second one would announce the connection twice
        connection.__class__ = _LimitedSocket
        connection.read_before = self._pdu
        association.bind(evt.EVT_FSM_TRANSITION, self._log_abort)
        # its two threads, and what answers a request in a third one
        for part, name in ((association, "run"), (association.dul, "run"), (association, "_serve_request")):
            setattr(part, name, self._ending(association, getattr(part, name)))
        return association

    def _ending(self, association: Any, function: Callable[..., None]) -> Callable[..., None]:
        """Return a function of an association, which ends it with a line of the log where pynetdicom fails.

        It fails in any way on messages that are none, or come when they must not; a traceback may quote them.
        """

        def run_or_end(*arguments: Any) -> None:
            try:
                function(*arguments)
            except Exception:
                self._log_invalid()
                _end(association)

        return run_or_end

    def _log_abort(self, event: Any) -> None:
        if event.action == _UNEXPECTED:
            self._log_invalid()

    def _log_invalid(self) -> None:
        if not self._is_invalid:
            self._is_invalid = True
            _LOG.warning(
                "Aborted: an association with %s, for an invalid or unexpected message", self.client_address[0]
            )


def _end(association: Any) -> None:
    """Abort an association past its state machine, which may be what has failed."""
    association.is_aborted, association.is_established = True, False
    association._kill = True
    association.dul.kill_dul()
    with suppress(Exception):
        association.dul.socket.send(_ABORT)
    with suppress(Exception):
        association.dul.socket.close()
    evt.trigger(association, evt.EVT_CONN_CLOSE, {"address": association.requestor.address_info.as_tuple})


def server_class(known: Sequence[Sender], counted: AssociationCounts) -> type[ThreadedAssociationServer]:
    """Return the class of a server that reads nothing of unknown addresses, and associates with known entities only."""

    class KnownEntityServer(ThreadedAssociationServer):
        daemon_threads = True
        senders, counts = known, counted

        def __init__(self, *arguments: Any, **named: Any) -> None:
            self.waiting = _Waiting()
            super().__init__(*arguments, **named)

        def get_request(self) -> tuple[socket.socket, Any]:
            """Accept a connection; TLS is agreed by the thread of the connection, not by that of the server."""
            listening: Any = self.socket
            connection, address = listening.accept()
            if self.ssl_context is not None and is_known_address(known, address[0]):
                connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

        def verify_request(self, request: Any, client_address: Any) -> bool:
            may_connect = is_known_address(known, client_address[0])
            if not may_connect:
                counted.refuse("address")
            return may_connect

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Print no traceback, as socketserver would: a handshake has failed, or a connection was closed."""

        def server_close(self) -> None:
            super().server_close()
            self.waiting.end_all()

    return KnownEntityServer
