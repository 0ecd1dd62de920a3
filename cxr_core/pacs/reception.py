"""What becomes of a DICOM file that is received, whichever service it came by.

It is on the disk, with its row, before its sender gets a confirmation. A line of the log says from where, what became
of it and its digest; the audit trail has the digests of what was stored. Neither has anything of its content.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Literal

from ..access import SERVER, audit
from ..errors import InputRefused, PathUnusable
from ..store.pacs_header import read_instance_header
from ..store.pacs_records import InstanceHeader
from ..store.pacs_store import PacsStore

__all__ = ["STATUS", "Named", "Reception", "Verdict"]

_LOG = logging.getLogger(__name__)

Verdict = Literal["stored", "confirmed", "conflict", "mismatch", "invalid", "unstorable"]

STATUS: dict[Verdict, int] = {
    "stored": 0x0000,
    "confirmed": 0x0000,
    "conflict": 0x0111,
    "mismatch": 0xA900,
    "invalid": 0xC000,
    "unstorable": 0xA700,
}
"""Status of C-STORE (PS3.4 B.2.3, PS3.7 C.5), and reason of a failure of STOW-RS (PS3.18 I.2.2)."""

_NOTED_AT_ONCE = 100


@dataclass(frozen=True)
class Named:
    """What a sender says of a file beside it; empty where the service does not have the sender say so."""

    sop_class: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""

    def fits(self, header: InstanceHeader) -> bool:
        """Return whether a file is what its sender says."""
        return all(not value or value == getattr(header, name) for name, value in asdict(self).items())


UNNAMED = Named()


class Reception:
    """Files of one association or one request.

    Args:
        store: to which they are added.
        source: as in :class:`.pacs_records.StoredInstance`; it is logged.
    """

    def __init__(self, store: PacsStore, source: str) -> None:
        self._store, self._source = store, source
        self._stored: list[str] = []

    def add(
        self, data: bytes, named: Named = UNNAMED, *, asked_for: bool = False, sent_for_us: bool = False
    ) -> tuple[Verdict, InstanceHeader | None]:
        """Store a file; return what became of it, and its UIDs where they could be read.

        Args:
            data: the whole file.
            named: what the sender says that it is.
            asked_for: whether it may come because this program has asked for it; a prior that it has asked for is one.
            sent_for_us: whether its sender says so.
        """
        header = None
        try:
            header = read_instance_header(data)
            if not named.fits(header):
                return self._logged("mismatch"), header
            uid = header.sop_instance_uid
            is_prior = asked_for and self._store.is_awaited_prior(uid, sent_for_us=sent_for_us)
            receipt = self._store.add_instance(data, self._source, is_prior=is_prior)
        except InputRefused as error:
            return self._logged("invalid", str(error)), header
        except PathUnusable as error:
            return self._logged("unstorable", str(error)), header
        except Exception as error:
            # its message may be of a patient
            return self._logged("unstorable", type(error).__name__), header
        instance = receipt.instance
        if receipt.outcome == "stored":
            self._stored.append(instance.sha256)
            if len(self._stored) == _NOTED_AT_ONCE:
                self.close()
        return self._logged(receipt.outcome, instance.sha256), header

    def close(self) -> None:
        """Note in the audit trail what was stored since this was called last."""
        if self._stored:
            audit.note(SERVER, "reception", self._source, images=self._stored)
            self._stored = []

    def _logged(self, verdict: Verdict, detail: str = "") -> Verdict:
        level = logging.INFO if STATUS[verdict] == 0 else logging.WARNING
        _LOG.log(level, "%s: %s (0x%04X) %s", self._source, verdict, STATUS[verdict], detail)
        return verdict
