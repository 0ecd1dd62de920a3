"""The chain of the audit trail: each line is sealed with a key, and carries the seal of the line before.

A seal is HMAC-SHA-256 (RFC 2104) with the key ``audit.key``, which lies in the folder that the program keeps. Number
and seal of the newest line stand, sealed too, in ``audit.head`` beside the key: without it a trail that was cut off at
its end would look whole. Whoever can read the key can make a chain of their own; the chain protects the trail from
whoever can write to its file, or to a copy of it, and not to the key.
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
from ..private_files import lock, open_private, private_folder, secret_key, write_private
from ..settings import settings

__all__ = [
    "BEFORE",
    "HEAD",
    "KEY",
    "KEY_MISSING",
    "START",
    "Link",
    "append",
    "beginning",
    "held",
    "link_of",
    "read_head",
    "seal",
    "trail_key",
]

KEY, HEAD, LOCK = "audit.key", "audit.head", "audit.lock"

BEFORE = "before"
"""What is sealed into the first line: everything that its file held before there was a chain."""

KEY_MISSING = (
    f"Its key, {KEY}, is missing: restore it from a backup. Where there is none, put {HEAD} and the trail aside, and a "
    "new chain begins."
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
        torn: seal of what stands before it and was cut short as it was written; empty where nothing was.
    """

    sequence: int
    previous: str = ""
    mac: str = ""
    torn: str = ""


START = Link(0)


def trail_key(*, make: bool = True) -> bytes | None:
    """Return the key of the chain, made where there is none and ``make`` is given.

    Raises:
        OSError: it cannot be read or written.
        PathUnusable: it was changed, or is gone and the head is there: a new key would hide what became of the old.
    """
    key = secret_key(settings().runs / KEY, make=make and not (settings().runs / HEAD).exists())
    if key is None and make:
        raise PathUnusable(KEY_MISSING)
    return key


def seal(key: bytes, kind: str, data: bytes) -> str:
    """Return a seal, hexadecimal; ``kind`` keeps what is sealed for one use from being taken for another."""
    return hmac.new(key, kind.encode() + b"\0" + data, hashlib.sha256).hexdigest()


@contextmanager
def held() -> Iterator[None]:
    """Keep all other programs and threads from appending; raises OSError."""
    private_folder(settings().runs)
    with lock(settings().runs / LOCK):
        yield


def append(trail: Path, fields: Mapping[str, Any]) -> None:
    """Append a line to the trail and move the head on; both are on the disk when this returns, or neither counts.

    Raises:
        OSError: it cannot be written.
        PathUnusable: the key was changed or is gone.
    """
    with held():
        key = trail_key()
        private_folder(trail.parent)
        file = open_private(trail, os.O_RDWR | os.O_APPEND)
        size = os.fstat(file).st_size
        try:
            last, torn, gap = _end_of(file, size, key)
            previous = last.mac or seal(key, BEFORE, trail.read_bytes() + gap)
            text = (
                beginning(last.sequence + 1, previous) + json.dumps(({"torn": torn} if torn else {}) | dict(fields))[1:]
            )
            mac = seal(key, "line", text.encode())
            line = gap + f'{text[:-1]}, "mac": "{mac}"}}\n'.encode()
            if os.write(file, line) != len(line):
                raise OSError("written in part")
            os.fsync(file)
            _write_head(Link(last.sequence + 1, previous, mac), key)
        except OSError:
            # an event that is refused must not stand in the trail
            with suppress(OSError):
                os.ftruncate(file, size)
            raise
        finally:
            os.close(file)


def beginning(sequence: int, previous: str) -> str:
    """Return how a line begins, up to its second seal or its event."""
    return json.dumps({"schema": 2, "sequence": sequence, "previous": previous})[:-1] + ", "


def link_of(line: bytes, key: bytes) -> Link | None:
    """Return the link that a line is, without its line break, or None where its seal is not right."""
    found = _SEALED.fullmatch(line)
    if found is None or not hmac.compare_digest(seal(key, "line", found[1] + b"}"), found[2].decode()):
        return None
    told = json.loads(found[1] + b"}")
    return Link(told["sequence"], told["previous"], found[2].decode(), told.get("torn", ""))


def read_head(key: bytes) -> Link | None:
    """Return number and seal of the newest line, or None where they are missing or not sealed with this key."""
    try:
        told = json.loads((settings().runs / HEAD).read_bytes())
        sequence, mac = int(told["sequence"]), str(told["mac"])
        right = hmac.compare_digest(_head_seal(key, sequence, mac), str(told["seal"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Link(sequence, mac=mac) if right else None


def _write_head(link: Link, key: bytes) -> None:
    told = {"sequence": link.sequence, "mac": link.mac, "seal": _head_seal(key, link.sequence, link.mac)}
    write_private(settings().runs / HEAD, json.dumps(told).encode() + b"\n")


def _head_seal(key: bytes, sequence: int, mac: str) -> str:
    return seal(key, "head", f"{sequence} {mac}".encode())


def _end_of(file: int, size: int, key: bytes) -> tuple[Link, str, bytes]:
    """Return the line to go on from, the seal of a torn line at the end, and what must be written before the next."""
    start = max(size - _TAIL, 0)
    os.lseek(file, start, os.SEEK_SET)
    tail = os.read(file, size - start)
    whole = tail.endswith(b"\n") or not tail
    newest = tail.removesuffix(b"\n").rpartition(b"\n")[2]
    at_end, head = link_of(newest, key), read_head(key)
    torn = "" if whole or at_end is not None else seal(key, "torn", newest)
    last = head or at_end or START
    # a program that was killed between the line and the head: the line counts
    if head is not None and at_end is not None and (at_end.sequence, at_end.previous) == (head.sequence + 1, head.mac):
        last = at_end
    return last, torn, b"" if whole else b"\n"
