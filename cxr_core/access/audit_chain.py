"""The chain of the audit trail: each line is sealed with a key, and carries the seal of the line before.

A seal is HMAC-SHA-256 (RFC 2104) with the key ``audit.key`` in the folder of runs. Number and seal of the newest line
are stored, sealed too, in ``audit.head`` beside the key: without it, a trail that was truncated would look complete.
Whoever can read the key can forge a chain; the chain protects the trail against changes by anybody who can write to
its file, or to a copy of it, but cannot read the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PathUnusable
from ..files import existing_key, lock, open_private, private_folder, secret_key, write_whole
from ..settings import settings

__all__ = [
    "BEFORE",
    "HEAD",
    "KEY",
    "KEY_MISSING",
    "START",
    "Link",
    "append",
    "line_start",
    "link_of",
    "read_head",
    "seal",
    "trail_key",
    "trail_lock",
]

KEY, HEAD, LOCK = "audit.key", "audit.head", "audit.lock"

BEFORE = "before"
"""Kind of the seal in the first line: of everything that its file held before the chain began."""

KEY_MISSING = (
    f"Its key, {KEY}, is missing: restore it from a backup. If there is none, move {HEAD} and the trail elsewhere; a "
    "new chain then begins."
)

_SEALED = re.compile(rb'(\{.*), "mac": "([0-9a-f]{64})"\}', re.DOTALL)
_TAIL = 1 << 20


@dataclass(frozen=True)
class Link:
    """One line of the chain.

    Attributes:
        sequence: its number, from 1; 0 is the start, before any line.
        previous: seal of the line before; that of :data:`BEFORE` in line 1.
        mac: its own seal, 64 hexadecimal digits.
        torn: seal of a line before it that was truncated while it was written; empty where there is none.
    """

    sequence: int
    previous: str = ""
    mac: str = ""
    torn: str = ""


START = Link(0)


def trail_key() -> bytes:
    """Return the key of the chain; make it where there is none.

    Raises:
        OSError: it cannot be read or written.
        PathUnusable: it was changed, or is missing although the head exists: a new key would hide the loss.
    """
    has_head = (settings().runs / HEAD).exists()
    key = (existing_key if has_head else secret_key)(settings().runs / KEY)
    if key is None:
        raise PathUnusable(KEY_MISSING)
    return key


def seal(key: bytes, kind: str, data: bytes) -> str:
    """Return a seal, hexadecimal; ``kind`` keeps the seal of one use from being accepted for another."""
    return hmac.new(key, kind.encode() + b"\0" + data, hashlib.sha256).hexdigest()


@contextmanager
def trail_lock() -> Iterator[None]:
    """Hold the lock of the trail, so that no other program or thread appends; raises OSError."""
    private_folder(settings().runs)
    with lock(settings().runs / LOCK):
        yield


def append(trail: Path, fields: Mapping[str, Any]) -> None:
    """Append a line to the trail and update the head; both are on the disk when this returns, or neither counts.

    Raises:
        OSError: it cannot be written.
        PathUnusable: the key was changed or is missing.
    """
    with trail_lock():
        key = trail_key()
        private_folder(trail.parent)
        file = open_private(trail, os.O_RDWR | os.O_APPEND)
        size = os.fstat(file).st_size
        try:
            last, torn, gap = _end_of(file, size, key)
            previous = last.mac or seal(key, BEFORE, trail.read_bytes() + gap)
            text = (
                line_start(last.sequence + 1, previous)
                + json.dumps(({"torn": torn} if torn else {}) | dict(fields))[1:]
            )
            mac = seal(key, "line", text.encode())
            line = gap + f'{text[:-1]}, "mac": "{mac}"}}\n'.encode()
            if os.write(file, line) != len(line):
                raise OSError("written in part")
            os.fsync(file)
            _write_head(Link(last.sequence + 1, previous, mac), key)
        except OSError:
            # an event that is refused must not be in the trail
            with suppress(OSError):
                os.ftruncate(file, size)
            raise
        finally:
            os.close(file)


def line_start(sequence: int, previous: str) -> str:
    """Return the beginning of a line, up to its second seal or its event."""
    return json.dumps({"schema": 2, "sequence": sequence, "previous": previous})[:-1] + ", "


def link_of(line: bytes, key: bytes) -> Link | None:
    """Return the link of a line without its line break, or None where its seal is not valid."""
    sealed = _SEALED.fullmatch(line)
    if sealed is None or not hmac.compare_digest(seal(key, "line", sealed[1] + b"}"), sealed[2].decode()):
        return None
    fields = json.loads(sealed[1] + b"}")
    return Link(fields["sequence"], fields["previous"], sealed[2].decode(), fields.get("torn", ""))


def read_head(key: bytes) -> Link | None:
    """Return number and seal of the newest line, or None where they are missing or not sealed with this key."""
    try:
        fields = json.loads((settings().runs / HEAD).read_bytes())
        sequence, mac = int(fields["sequence"]), str(fields["mac"])
        valid = hmac.compare_digest(_head_seal(key, sequence, mac), str(fields["seal"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Link(sequence, mac=mac) if valid else None


def _write_head(link: Link, key: bytes) -> None:
    fields = {"sequence": link.sequence, "mac": link.mac, "seal": _head_seal(key, link.sequence, link.mac)}
    write_whole(settings().runs / HEAD, json.dumps(fields).encode() + b"\n", private=True)


def _head_seal(key: bytes, sequence: int, mac: str) -> str:
    return seal(key, "head", f"{sequence} {mac}".encode())


def _end_of(file: int, size: int, key: bytes) -> tuple[Link, str, bytes]:
    """Return the last link, the seal of a truncated line at the end, and the bytes to write before the next line."""
    start = max(size - _TAIL, 0)
    os.lseek(file, start, os.SEEK_SET)
    tail = os.read(file, size - start)
    complete = tail.endswith(b"\n") or not tail
    newest = tail.removesuffix(b"\n").rpartition(b"\n")[2]
    at_end, head = link_of(newest, key), read_head(key)
    torn = "" if complete or at_end is not None else seal(key, "torn", newest)
    last = head or at_end or START
    # where a program was killed between the line and the head, the line counts
    if head is not None and at_end is not None and (at_end.sequence, at_end.previous) == (head.sequence + 1, head.mac):
        last = at_end
    return last, torn, b"" if complete else b"\n"
