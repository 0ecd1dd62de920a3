"""The side of pynetdicom that is called, with the limits that it lacks: memory, time, and who may connect at all.

pynetdicom reads a message of any length into memory, and waits for the rest of one for ever. Here a connection ends
that sends more than a file may have, more than one request at a time, or nothing for a while; and one of an unknown
address before anything of it is read.

This module imports pynetdicom; :mod:`.receiver` imports it when it is used.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from ..settings import settings
from .association import ANSWER_SECONDS

__all__ = ["LimitedHandler", "server_class"]

MOST_PDU_BYTES = 1 << 20
"""Of one PDU; the largest is a request for an association with all of its presentation contexts."""

MOST_COMMAND_BYTES = 1 << 16
_WAITING_REQUESTS = 1
"""Requests of an association that wait behind the one that is answered: asynchronous operations are not offered."""

_BLOCK = 1 << 18


class _LimitedSocket(AssociationSocket):
    """A connection that ends where its peer exceeds a limit."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Return so many bytes, or fewer where the peer has closed the connection; raises OSError beyond a limit."""
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

    def handle(self) -> None:
        """Make the association, once TLS is agreed where it is spoken."""
        # of each read and write, so that a peer that falls silent is not waited for
        self.request.settimeout(ANSWER_SECONDS)
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().handle()

    def _create_association(self) -> Any:
        association = super()._create_association()
        # a second one would announce the connection twice
        association.dul.socket.__class__ = _LimitedSocket
        return association


def server_class(is_known_address: Callable[[str], bool]) -> type[ThreadedAssociationServer]:
    """Return the class of a server that reads nothing of unknown addresses."""

    class KnownAddressServer(ThreadedAssociationServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, Any]:
            """Accept a connection; TLS is agreed by the thread of the connection, not by that of the server."""
            listening: Any = self.socket
            connection, address = listening.accept()
            if self.ssl_context is not None and is_known_address(address[0]):
                connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

        def verify_request(self, request: Any, client_address: Any) -> bool:
            return is_known_address(client_address[0])

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Print no traceback, as socketserver would: a handshake has failed, or a connection was closed."""

    return KnownAddressServer
