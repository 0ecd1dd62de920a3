"""Verification of the audit trail: no line deleted, changed, inserted, moved, or cut off at the end."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AuditUnwritable
from ..files import existing_key
from ..settings import settings
from .audit import path
from .audit_chain import BEFORE, HEAD, KEY, KEY_MISSING, Link, line_start, link_of, read_head, seal, trail_lock

__all__ = ["Verification", "trail_files", "verify"]


MAX_FILE_BYTES = 500_000_000
"""Largest size of one file, unpacked: some million events."""


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes:
        files: of the trail, oldest first.
        events: number of valid lines of the chain.
        before: number of lines from before the chain, which have no seal.
        first, last: numbers of the oldest and the newest event; 0 where there is none.
        mac: seal of the newest event, to be recorded elsewhere.
        problems: one line each, in the order of the files; empty where the trail is unchanged.
        torn: places of lines that were truncated while they were written, and hold no event.
    """

    files: tuple[Path, ...]
    events: int
    before: int
    first: int
    last: int
    mac: str
    problems: tuple[str, ...]
    torn: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Line:
    file: Path
    number: int
    data: bytes
    link: Link | None

    @property
    def place(self) -> str:
        return f"{self.file.name}, line {self.number}"


def trail_files() -> list[Path]:
    """Return the file of the trail and its rotated files.

    Rotated files of ``audit.jsonl`` are ``audit.jsonl.1``, ``audit.jsonl-20261126`` and ``audit-20261126.jsonl``, each
    also with ``.gz`` appended.
    """
    trail = path()
    if not trail.parent.is_dir():
        return []
    return [
        file
        for file in sorted(trail.parent.iterdir())
        if file.is_file() and file.name.startswith(trail.stem) and trail.suffix in file.name
    ]


def verify(more: Sequence[Path] = (), first: int = 1) -> Verification:
    """Compare the trail with its seals.

    Args:
        more: files of the trail in other folders, such as rotated ones.
        first: number of the oldest event that must be present; older ones were archived on purpose.

    Raises:
        AuditUnwritable: a file cannot be read, or the chain has no key.
    """
    try:
        # no other program appends meanwhile, so the head belongs to these lines
        with trail_lock():
            key, head_known = existing_key(settings().runs / KEY), (settings().runs / HEAD).exists()
            files = {_read(file) for file in {file.resolve(): file for file in (*more, *trail_files())}.values()}
            head = read_head(key) if key is not None else None
    except (OSError, EOFError) as error:
        raise AuditUnwritable(
            "A file of the audit trail cannot be read, or is larger than 500 MB. Check paths and owner."
        ) from error
    chained = head_known or any(_claims(line).get("mac") for _, data in files for line in data.split(b"\n"))
    if key is None and chained:
        raise AuditUnwritable(KEY_MISSING)
    lines = sorted((_lines(file, data, key or b"") for file, data in files), key=_age)
    return _Verifier(lines, head, first, key or b"").result()


class _Verifier:
    """Checks all lines once."""

    def __init__(self, files: list[list[_Line]], head: Link | None, first: int, key: bytes) -> None:
        self._files, self._head, self._first, self._key = files, head, first, key
        self._newest = path().resolve()
        self._linked: dict[int, _Line] = {}
        self._links: dict[int, Link] = {}
        for line in itertools.chain.from_iterable(files):
            if line.link is not None:
                self._linked.setdefault(line.link.sequence, line)
                self._links.setdefault(line.link.sequence, line.link)
        self._changed: set[int] = set()
        self._before = 0
        self._problems: list[str] = []
        self._torn: list[str] = []

    def result(self) -> Verification:
        newest = 0
        for file in self._files:
            self._before_the_chain(file)
            for at, line in enumerate(file):
                if line.link is None:
                    self._unsealed(line, file[at + 1].link if at + 1 < len(file) else None)
                    continue
                newest = self._sealed(line, line.link, newest)
        self._missing()
        self._end()
        last = max(self._linked, default=0)
        return Verification(
            tuple(file[0].file for file in self._files if file),
            len(self._linked),
            self._before,
            min(self._linked, default=0),
            last,
            self._links[last].mac if last else "",
            tuple(self._problems),
            tuple(self._torn),
        )

    def _before_the_chain(self, file: list[_Line]) -> None:
        """Remove the lines that are older than the chain from the front of a file."""
        start, first = next(((at, line.link) for at, line in enumerate(file) if line.link is not None), (0, None))
        if first is None:
            if self._linked and file and file[0].file == self._newest:
                # the current file has no line that is older than the chain
                return
            # rotated before the chain began
            start = len(file)
        elif first.sequence == 1:
            sealed = seal(self._key, BEFORE, b"".join(line.data + b"\n" for line in file[:start]))
            if sealed != first.previous:
                self._problems.append(
                    f"{file[start].place}: lines before event 1 were changed or deleted since the chain began."
                )
        else:
            return
        # a line that claims a seal is not of that time
        start = next((at for at, line in enumerate(file[:start]) if _claims(line.data).get("mac")), start)
        self._before += sum(bool(line.data.strip()) for line in file[:start])
        del file[:start]

    def _unsealed(self, line: _Line, following: Link | None) -> None:
        if following is not None and self._cut_short(line.data, following):
            self._torn.append(line.place)
            return
        claimed = _claims(line.data).get("sequence")
        if isinstance(claimed, int) and claimed not in self._linked and 0 < claimed <= self._largest_sequence():
            self._changed.add(claimed)
            self._problems.append(f"{line.place}: event {claimed} was changed.")
        else:
            self._problems.append(f"{line.place}: inserted or changed; it has no seal of this trail.")

    def _cut_short(self, data: bytes, following: Link) -> bool:
        """Return whether a full disk or a crash truncated a line, as the following line states.

        The following line seals whatever preceded it without a line break, so its statement is not enough: only the
        beginning of the expected line is accepted, and never one that can be read as an event.
        """
        if not following.torn or seal(self._key, "torn", data) != following.torn:
            return False
        start = line_start(following.sequence, following.previous).encode()
        return (data.startswith(start) or start.startswith(data)) and b"\r" not in data and not _readable(data)

    def _largest_sequence(self) -> int:
        """Return the largest number that an event may have."""
        return max(self._head.sequence if self._head else 0, max(self._linked, default=0) + 1)

    def _sealed(self, line: _Line, link: Link, newest: int) -> int:
        sequence = link.sequence
        if self._linked[sequence] is not line:
            self._problems.append(f"{line.place}: event {sequence} appears again; this copy was inserted.")
            return newest
        if sequence < newest:
            self._problems.append(f"{line.place}: event {sequence} comes after event {newest}; lines were moved.")
        before = self._links.get(sequence - 1)
        if before is not None and before.mac != link.previous:
            self._problems.append(
                f"{line.place}: event {sequence} follows a different event {sequence - 1} than the one present."
            )
        return max(newest, sequence)

    def _missing(self) -> None:
        known = sorted({*self._linked, *self._changed} | {self._first - 1})
        for before, after in itertools.pairwise(known):
            if before >= self._first - 1 and after > before + 1:
                where = self._linked.get(after)
                place = f", before {where.place}" if where else ""
                self._problems.append(f"{_events(before + 1, after - 1)} missing{place}.")

    def _end(self) -> None:
        last = max([*self._linked, *self._changed, self._first - 1])
        head = self._head
        if head is None:
            if self._linked or self._changed:
                self._problems.append(
                    f"{HEAD} is missing or was changed: whether events after event {last} were cut off is unknown."
                )
        elif head.sequence > last:
            self._problems.append(f"{_events(last + 1, head.sequence)} missing at the end of the trail.")
        elif last > head.sequence + 1:
            self._problems.append(f"{HEAD} is older than the trail, which has event {last}: it states {head.sequence}.")
        elif head.sequence in self._links and self._links[head.sequence].mac != head.mac:
            self._problems.append(f"Event {head.sequence} is not the one that {HEAD} states.")


def _events(first: int, last: int) -> str:
    return f"Event {first} is" if first == last else f"Events {first} to {last} are"


def _read(file: Path) -> tuple[Path, bytes]:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
        data = opened.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise OSError("too large")
    return file, data


def _lines(file: Path, data: bytes, key: bytes) -> list[_Line]:
    parts = data.split(b"\n")
    if not parts[-1]:
        parts.pop()
    return [_Line(file, number, part, link_of(part, key)) for number, part in enumerate(parts, 1)]


def _age(lines: list[_Line]) -> tuple[int, str]:
    """Return the sort key of a file by age: the number of its first event, 0 without events; then its name."""
    numbers: Iterable[int] = (line.link.sequence for line in lines if line.link is not None)
    return next(iter(numbers), 0), lines[0].file.name if lines else ""


def _readable(line: bytes) -> bool:
    """Return whether a line is JSON to :func:`.audit.read`."""
    try:
        json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _claims(line: bytes) -> dict[str, Any]:
    """Return the fields of a line, whatever its seal; an empty dict where it is not a line of the trail."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
