"""Associations with application entities (PS3.7, PS3.8), and who this program is in them.

pynetdicom, of the optional extra ``pacs``, is imported when it is used, and logs nothing: it would log data sets and
the text of errors about them.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from ..errors import PacsUnavailable, WrongArguments
from ..settings import settings
from .addresses import DimseAddress

__all__ = ["application_entity", "associate", "echo", "pynetdicom", "tls_context"]

CONNECT_SECONDS, ANSWER_SECONDS = 10, 60
"""After which a connection that is not made, and an answer that does not come, is given up."""

_REJECTIONS = {
    # (source, diagnostic) of PS3.8 9.3.4
    (1, 3): "does not know the AE title {calling} of this program. Add it there, or set SECOND_READ_PACS_AE_TITLE",
    (1, 7): "is not the AE title of that application. Check the address",
    (3, 1): "is busy",
    (3, 2): "has reached its limit of associations",
}


def pynetdicom() -> ModuleType:
    """Return the library; raises WrongArguments where it is not installed."""
    try:
        import pynetdicom as library
        from pynetdicom import _config
        from pynetdicom.transport import AssociationSocket
    except ImportError as error:
        raise WrongArguments("The DICOM network needs pynetdicom: pip install -r requirements-pacs.txt") from error
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    # the functions that would format each message for a log
    _config.LOG_HANDLER_LEVEL = "none"
    connection: Any = AssociationSocket
    connection._shutdown_socket = _close
    return library


def _close(connection: Any) -> None:
    """Close the socket of an association; one that the peer has closed first, pynetdicom leaves open."""
    with suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)
    connection.socket.close()


def application_entity() -> Any:
    """Return a pynetdicom application entity with the title and the time limits of this program."""
    entity = pynetdicom().AE(ae_title=settings().pacs_ae_title)
    entity.connection_timeout = CONNECT_SECONDS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
    return entity


def tls_context(*, server: bool = False) -> ssl.SSLContext:
    """Return how TLS is spoken, by the settings ``pacs_tls_...``.

    Args:
        server: whether this program is the one that is called. It then needs a certificate, and accepts only those who
            show one of ``pacs_tls_ca``, where that is set.

    Raises WrongArguments for files that cannot be used.
    """
    given = settings()
    if server and given.pacs_tls_certificate is None:
        raise WrongArguments("TLS needs a certificate: set SECOND_READ_PACS_TLS_CERTIFICATE.")
    purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
    try:
        context = ssl.create_default_context(purpose, cafile=given.pacs_tls_ca)
        if given.pacs_tls_certificate is not None:
            context.load_cert_chain(given.pacs_tls_certificate, given.pacs_tls_key)
    except OSError as error:
        raise WrongArguments(
            "TLS: the files of SECOND_READ_PACS_TLS_CERTIFICATE, SECOND_READ_PACS_TLS_KEY or SECOND_READ_PACS_TLS_CA "
            "cannot be used. PEM files are accepted, and the key must be that of the certificate, without a password."
        ) from error
    if server and given.pacs_tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def associate(
    address: DimseAddress, contexts: Iterable[Any], *, handlers: Iterable[Any] = (), negotiation: Iterable[Any] = ()
) -> Iterator[Any]:
    """Open an association, and release it at the end of the block, or abort it where the block raises.

    Args:
        address: who is called.
        contexts: presentation contexts to propose, at most 128.
        handlers: pairs of a pynetdicom event and its handler.
        negotiation: further items to negotiate, such as roles.

    Raises:
        PacsUnavailable: it cannot be reached, or accepts no association with this program.
        WrongArguments: pynetdicom is not installed, or the settings of TLS cannot be used.
    """
    entity = application_entity()
    try:
        host, own_address = _route(address)
        association = entity.associate(
            host,
            address.port,
            contexts=list(contexts),
            ae_title=address.ae_title,
            ext_neg=list(negotiation),
            evt_handlers=list(handlers),
            bind_address=own_address,
            tls_args=(tls_context(), address.host) if address.tls else None,
        )
    except OSError as error:
        # a name that no server knows
        raise PacsUnavailable(f"{address} cannot be reached. Check host and port.") from error
    if not association.is_established:
        # which pynetdicom leaves to the garbage collector
        if (connection := association.dul.socket) is not None and connection.socket is not None:
            connection.socket.close()
        raise PacsUnavailable(_why_not(association, address))
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def _route(address: DimseAddress) -> tuple[str, tuple[str, int]]:
    """Return the IP address of an entity, and that of this machine from which it is reached, with any port.

    pynetdicom would bind to all addresses of this machine, and to those of IPv4 for an entity of IPv6.
    """
    known = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    family, _, _, _, target = min(known, key=lambda entry: entry[0] != socket.AF_INET)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        # sends nothing: a datagram socket is given its route
        probe.connect(target)
        return str(target[0]), (probe.getsockname()[0], 0)


def _why_not(association: Any, address: DimseAddress) -> str:
    # a rejection that came before pynetdicom looked whether it is connected: it takes that for no connection
    answer = association.acceptor.primitive if association.is_rejected else association.dul.peek_next_pdu()
    if getattr(answer, "result", 0):
        known = _REJECTIONS.get((answer.result_source, answer.diagnostic), "rejects associations with this program")
        return f"{address} {known.format(calling=settings().pacs_ae_title)}."
    if association.rejected_contexts:
        return f"{address} offers none of the services that are asked for."
    return f"{address} cannot be reached. Check host, port and TLS, and that it is running."


def echo(address: DimseAddress) -> None:
    """Verify that an application entity answers (C-ECHO, PS3.4 A); raises PacsUnavailable and WrongArguments."""
    context = pynetdicom().build_context("1.2.840.10008.1.1")
    with associate(address, [context]) as association:
        status = association.send_c_echo().get("Status")
    if status != 0:
        raise PacsUnavailable(f"{address} does not answer to C-ECHO.")
