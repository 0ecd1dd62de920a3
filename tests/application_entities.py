"""Application entities that tests call: pynetdicom in this process, on a port of loopback that is free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import pynetdicom

TITLE = "ARCHIVE"


@contextmanager
def application_entity(contexts=(), handlers=(), *, tls=None, **attributes) -> Iterator[DimseAddress]:
    """An entity that answers to C-ECHO, and to what else it is given.

    Args:
        contexts: presentation contexts that it supports.
        handlers: pairs of an event and its handler.
        tls: an SSL context.
        attributes: of pynetdicom's AE.
    """
    entity = pynetdicom().AE(ae_title=TITLE)
    entity.supported_contexts = [*contexts, pynetdicom().build_context("1.2.840.10008.1.1")]
    for name, value in attributes.items():
        setattr(entity, name, value)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers), ssl_context=tls)
    try:
        yield DimseAddress(TITLE, "127.0.0.1", server.server_address[1], tls is not None)
    finally:
        server.shutdown()
        server.server_close()
