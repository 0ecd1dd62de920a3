"""The receiver: C-ECHO and C-STORE for known application entities (PS3.4 A and B), into the store.

A file is confirmed when it is on the disk with its row. A receiver that is killed has confirmed nothing that is lost;
what it had not confirmed is sent to it again, and stored once.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence
from typing import Any

from ..errors import PathUnusable, WrongArguments
from ..imaging.frame_decoding import TRANSFER_SYNTAXES
from ..settings import settings
from ..store.pacs_store import PacsStore
from .association import application_entity, pynetdicom, tls_context
from .association_counts import AssociationCounts
from .reception import STATUS, Named, Reception
from .senders import Sender

__all__ = ["Receiver", "parse_listen"]

_LOG = logging.getLogger(__name__)

VERIFICATION = "1.2.840.10008.1.1"
_PDU_BYTES = 131_072
_POLL_SECONDS = 0.1
_ADDRESS = re.compile(r"(?P<host>[0-9.]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")


def parse_listen(text: str, setting: str = "SECOND_READ_PACS_LISTEN") -> tuple[str, int]:
    """Return address and port to listen on; raises WrongArguments, which names the setting."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65535:
        raise WrongArguments(f"{setting}: IP address of this machine and port, such as 127.0.0.1:11112, are accepted.")
    return match["host"].strip("[]"), int(match["port"])


class Receiver:
    """Listens for associations until it is stopped.

    Attributes:
        port: on which it listens.
        counts: of associations since its start.

    Args:
        store: to which instances are added.
        listen: IP address of this machine and port; 0 for a free one.
        senders: who may send.

    Raises:
        WrongArguments: pynetdicom is not installed, or TLS is set and cannot be used.
        PathUnusable: the address cannot be listened on.
    """

    def __init__(self, store: PacsStore, listen: tuple[str, int], senders: Sequence[Sender]) -> None:
        library, given = pynetdicom(), settings()
        from .acceptor import LimitedHandler, server_class

        self._store = store
        self.counts = AssociationCounts(senders)
        self._asking = {given.pacs_ae_title, *([""] if given.pacs_retrieve == "move" else [])}
        self._storing: set[Any] = set()
        self._answering: set[Any] = set()
        self._receptions: dict[Any, Reception] = {}
        self._changed = threading.Condition()
        self._entity = application_entity()
        self._entity.require_called_aet = True
        self._entity.maximum_associations = given.pacs_associations
        self._entity.maximum_pdu_size = _PDU_BYTES
        contexts = [library.build_context(VERIFICATION)]
        for context in library.AllStoragePresentationContexts:
            contexts.append(library.build_context(context.abstract_syntax, list(TRANSFER_SYNTAXES)))
        events = library.evt
        handlers = [
            (events.EVT_C_STORE, self._store_one),
            (events.EVT_PDU_SENT, self._sent),
            *((event, self._ended) for event in (events.EVT_RELEASED, events.EVT_ABORTED, events.EVT_CONN_CLOSE)),
        ]
        host, port = listen
        try:
            self._server = self._entity.make_server(
                (host, port, 0, 0) if ":" in host else (host, port),
                contexts=contexts,
                evt_handlers=handlers,
                ssl_context=tls_context(server=True) if given.pacs_receive_tls else None,
                server_class=server_class(tuple(senders), self.counts),
                request_handler=LimitedHandler,
            )
        except (OSError, OverflowError) as error:
            raise PathUnusable(
                "The address of SECOND_READ_PACS_LISTEN cannot be listened on: it is in use, not of this machine, or "
                "the port needs more rights."
            ) from error
        self._entity._servers.append(self._server)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)
        self._thread.start()

    def open_associations(self) -> dict[str, int]:
        """Return the number of associations that are open now, by the AE title of each sender that may have one."""
        associations = (one for one in self._entity.active_associations if one.is_established)
        return self.counts.by_sender(one.requestor.ae_title.strip() for one in associations)

    def stop(self, seconds: float = 10.0) -> None:
        """Accept no further association, store and confirm the files that have come, and end all associations.

        Args:
            seconds: for which that is waited for.
        """
        self._server.shutdown()
        end = time.monotonic() + seconds
        with self._changed:
            while self._is_busy() and time.monotonic() < end:
                self._changed.wait(_POLL_SECONDS)
        self._entity.shutdown()
        self._thread.join()
        for association in list(self._receptions):
            self._close(association)

    def _is_busy(self) -> bool:
        return bool(self._storing) or any(association.is_established for association in self._answering)

    def _store_one(self, event: Any) -> int:
        request, association = event.request, event.assoc
        with self._changed:
            self._storing.add(association)
            self._answering.add(association)
            if (reception := self._receptions.get(association)) is None:
                reception = Reception(self._store, f"AE {association.requestor.ae_title.strip()}")
                self._receptions[association] = reception
        try:
            named = Named(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
            # of a C-MOVE (PS3.7 9.1.1.1.8); not every entity states it
            originator = (request.MoveOriginatorApplicationEntityTitle or "").strip()
            asked_for, sent_for_us = originator in self._asking, originator == self._entity.ae_title
            verdict, _ = reception.add(event.encoded_dataset(), named, asked_for=asked_for, sent_for_us=sent_for_us)
            return STATUS[verdict]
        finally:
            with self._changed:
                self._storing.discard(association)
                self._changed.notify_all()
            if not association.is_established:
                # it ended meanwhile
                self._close(association)

    def _sent(self, event: Any) -> None:
        """Note that a response, the only data that is sent, has left; count the answer to a request."""
        self.counts.sent(event.pdu, event.assoc.requestor.ae_title.strip())
        if type(event.pdu).__name__ == "P_DATA_TF":
            with self._changed:
                self._answering.discard(event.assoc)
                self._changed.notify_all()

    def _ended(self, event: Any) -> None:
        self._close(event.assoc)

    def _close(self, association: Any) -> None:
        with self._changed:
            self._answering.discard(association)
        reception = self._receptions.pop(association, None)
        if reception is not None:
            reception.close()
