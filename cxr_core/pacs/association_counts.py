"""Associations that the receiver was asked for: accepted by sender, refused by reason."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, get_args

from .senders import Sender

__all__ = ["REFUSALS", "AssociationCounts", "Refusal"]

Refusal = Literal["address", "calling_ae_title", "called_ae_title", "limit", "protocol_version", "no_request", "other"]
"""Why a connection became no association: its address is of no sender; its AE title is of none at this address; it
calls another title than ours; ``pacs_associations`` are open; another version of the protocol; no request has come
whole, such as from a check whether the port is open, or where TLS was not agreed; anything else."""

REFUSALS: tuple[Refusal, ...] = get_args(Refusal)

_REJECTIONS: dict[tuple[int, int], Refusal] = {
    # (source, diagnostic) of PS3.8 9.3.4
    (1, 3): "calling_ae_title",
    (1, 7): "called_ae_title",
    (2, 2): "protocol_version",
    (3, 2): "limit",
}


class AssociationCounts:
    """Counts since the receiver was started. Safe for several threads.

    Args:
        senders: who may send. No other title is ever counted by its name.
    """

    def __init__(self, senders: Iterable[Sender]) -> None:
        self._lock = threading.Lock()
        self._accepted = Counter(dict.fromkeys((sender.ae_title for sender in senders), 0))
        self._refused: Counter[Refusal] = Counter(dict.fromkeys(REFUSALS, 0))

    @property
    def accepted(self) -> dict[str, int]:
        """Number of associations that were accepted, by the AE title of the sender."""
        with self._lock:
            return dict(self._accepted)

    @property
    def refused(self) -> dict[Refusal, int]:
        """Number of connections that became no association, by reason."""
        with self._lock:
            return dict(self._refused)

    def refuse(self, reason: Refusal) -> None:
        """Count a connection that became no association."""
        with self._lock:
            self._refused[reason] += 1

    def sent(self, pdu: Any, calling_ae_title: str) -> None:
        """Count the answer to a request for an association, among all PDUs that pynetdicom has sent.

        Args:
            pdu: of pynetdicom.
            calling_ae_title: of the sender.
        """
        kind = type(pdu).__name__
        if kind == "A_ASSOCIATE_RJ":
            self.refuse(_REJECTIONS.get((pdu.source, pdu.reason_diagnostic), "other"))
        elif kind == "A_ASSOCIATE_AC":
            with self._lock:
                if calling_ae_title in self._accepted:
                    self._accepted[calling_ae_title] += 1

    def by_sender(self, calling_ae_titles: Iterable[str]) -> dict[str, int]:
        """Return how many of some titles are of each sender; 0 for a sender that is not among them."""
        with self._lock:
            known = dict.fromkeys(self._accepted, 0)
        for title in calling_ae_titles:
            if title in known:
                known[title] += 1
        return known
