"""STOW-RS, the side that is called (PS3.18 10.5): the files of a request, and the response to it.

A body is taken apart as it arrives, so that one file of it is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any

from ..errors import InputRefused
from ..store.pacs_records import InstanceHeader
from .reception import STATUS, Verdict

__all__ = ["MultipartFiles", "StowResponse", "boundary_of"]

_MOST_BOUNDARY, _MOST_HEADER = 70, 8192
_BROKEN = "The body is not multipart/related with parts of application/dicom."

_SOP_CLASS, _SOP_INSTANCE, _REASON = "00081150", "00081155", "00081197"
_REFERENCED, _FAILED, _OTHER_FAILURES = "00081199", "00081198", "0008119A"


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary of a body of DICOM files; None for a content type that is not accepted.

    Only ``multipart/related; type="application/dicom"`` is (PS3.18 8.7.3).
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary, kind = header.get_param("boundary"), header.get_param("type", "application/dicom")
    if header.get_content_type() != "multipart/related" or kind != "application/dicom":
        return None
    if not isinstance(boundary, str) or not 0 < len(boundary) <= _MOST_BOUNDARY or not boundary.isascii():
        return None
    return boundary.encode()


class MultipartFiles:
    """Takes a body apart (RFC 2046 5.1).

    Args:
        boundary: of the parts.
        most: bytes that a part may have.
    """

    def __init__(self, boundary: bytes, most: int) -> None:
        self._delimiter, self._most = b"\r\n--" + boundary, most
        # the first delimiter may have no line before it
        self._received, self._searched = bytearray(b"\r\n"), 0
        self._in_preamble, self._ended = True, False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the files that are complete with this piece of the body.

        Raises InputRefused for a body that is no such thing, or with a part that is too large.
        """
        self._received += chunk
        while not self._ended and (end := self._received.find(self._delimiter, self._searched)) >= 0:
            self._check(end)
            after = end + len(self._delimiter)
            if len(self._received) < after + 2:
                # whether it is the last one is not known yet
                self._searched = end
                return
            part = b"" if self._in_preamble else bytes(memoryview(self._received)[:end])
            self._ended = self._received[after : after + 2] == b"--"
            # the line break after a delimiter begins the header of the part
            del self._received[:after]
            self._searched = 0
            if not self._in_preamble:
                yield self._file(part)
            self._in_preamble = False
        if self._ended:
            self._received.clear()
            return
        self._searched = max(0, len(self._received) - len(self._delimiter))
        self._check(len(self._received))

    def _check(self, size: int) -> None:
        if size > self._most + _MOST_HEADER:
            raise InputRefused("A part of the body is larger than SECOND_READ_MAX_FILE_MB allows.")

    def end(self) -> None:
        """Raise InputRefused where the body ended too soon."""
        if not self._ended:
            raise InputRefused(_BROKEN)

    @staticmethod
    def _file(part: bytes) -> bytes:
        head, separator, _ = part[:_MOST_HEADER].partition(b"\r\n\r\n")
        lines = [line.partition(b":") for line in head.split(b"\r\n") if line]
        types = [
            value.partition(b";")[0].strip().lower() for name, _, value in lines if name.lower() == b"content-type"
        ]
        if not separator or types not in ([], [b"application/dicom"]):
            raise InputRefused(_BROKEN)
        return part[len(head) + len(separator) :]


class StowResponse:
    """What became of each file of a request."""

    def __init__(self) -> None:
        self._stored: list[dict[str, Any]] = []
        self._failed: list[dict[str, Any]] = []
        self._unnamed: list[dict[str, Any]] = []
        self._verdicts: list[Verdict] = []

    def add(self, verdict: Verdict, header: InstanceHeader | None) -> None:
        """Add a file.

        Args:
            verdict: what became of it.
            header: of the file; None where it could not be read.
        """
        self._verdicts.append(verdict)
        reason = {} if STATUS[verdict] == 0 else {_REASON: {"vr": "US", "Value": [STATUS[verdict]]}}
        if header is None:
            self._unnamed.append(reason)
            return
        item = {
            _SOP_CLASS: {"vr": "UI", "Value": [header.sop_class]},
            _SOP_INSTANCE: {"vr": "UI", "Value": [header.sop_instance_uid]},
        }
        (self._failed if reason else self._stored).append(item | reason)

    @property
    def status(self) -> int:
        """Status of HTTP (PS3.18 10.5.3): all, some or none were stored; 503 where none can be stored at the moment."""
        if not self._failed and not self._unnamed:
            return 200 if self._stored else 400
        if self._stored:
            return 202
        return 503 if set(self._verdicts) == {"unstorable"} else 409

    def body(self) -> Mapping[str, Any]:
        """Return the response in the DICOM JSON model (PS3.18 annex F)."""
        sequences = {_REFERENCED: self._stored, _FAILED: self._failed, _OTHER_FAILURES: self._unnamed}
        return {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}
