"""The films of one session: what was dropped, what came of each, and which one is looked at.

Streamlit forgets uploaded files on a page switch, so they are moved here at once. A film is named by
the digest of its bytes; the name under which it was dropped is shown as text, and nowhere else used:
it is no path, no HTML, and is never logged.

What a list holds is bounded: the files by the setting ``session_mb``; of the films that were looked at only the last
ones keep their file, and the last few their pixels. Findings stay. A list is emptied when its tab has been closed for
as long as Streamlit keeps a session that may come back.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import streamlit as st

from ..desk import Ticket
from ..imaging import Radiograph, VoiScale
from ..model import ModelCard, Reading, reassessed
from ..settings import settings
from ..shown import shown_name
from .presence import present

__all__ = ["DECODED", "LOOKED_AT", "Dropped", "Film", "FilmStatus", "Worklist", "worklist"]

FilmStatus = Literal["waiting", "read", "refused", "unreadable"]

LOOKED_AT = 10
"""So many films that were looked at, the last ones, keep their file. Films that were not yet looked at all do."""

DECODED = 2
"""So many of them keep their pixels too; a film of 2048 x 2048 takes some 16 MB, and 20 to 100 ms to decode again."""


@dataclass(eq=False)
class Film:
    """One dropped file.

    Attributes:
        digest: hex SHA-256 of the bytes; names the film.
        name: as dropped, by :func:`cxr_core.shown.shown_name`. For display as text only.
        data: the bytes; None where they were let go: they are no film, or others were looked at since.
        status: ``waiting`` to be read; ``read``; ``refused`` by the gate (shown, may be read anyway);
            ``unreadable`` (no image could be had from the bytes).
        reading: the reading, also of a refused film; None while waiting and where unreadable.
        reason: why it is unreadable, one line.
        read_anyway: why a refused film shall be read all the same.
        quarter_turns: by how many quarters the reader turned it, clockwise.
        mirrored: the reader had left and right exchanged, before any turn.
        voi_scale: by what the reader had the VOI table scaled.
        shown: with "film first": its findings were asked for.
        label: the finding that was chosen last.
        radiograph: the decoded film, of the last that were looked at; else None.
        ticket: its place at the desk, while it has one: a script that takes another's place finds what that one asked.
    """

    digest: str
    name: str = field(repr=False)
    data: bytes | None = field(repr=False)
    status: FilmStatus = "waiting"
    reading: Reading | None = None
    reason: str = ""
    read_anyway: str | None = None
    quarter_turns: int = 0
    mirrored: bool = False
    voi_scale: VoiScale = "file"
    shown: bool = False
    label: str | None = None
    radiograph: Radiograph | None = field(default=None, repr=False)
    ticket: Ticket | None = field(default=None, repr=False)

    def wait(self) -> None:
        """Have it read, again where it was: in another position, or for a reason."""
        self.status, self.radiograph, self.ticket = "waiting", None, None

    def take(self, reading: Reading) -> None:
        """Keep a reading."""
        self.reading, self.reason = reading, ""
        self.status = "read" if reading.findings else "refused"

    def refuse(self, reason: str) -> None:
        """Keep why the bytes are no film."""
        self.reading, self.reason, self.status = None, reason, "unreadable"
        self.let_go()

    def let_go(self) -> None:
        """Give file and pixels back, whoever still holds the film."""
        self.data = self.radiograph = None

    def reasons(self) -> tuple[str, ...]:
        """Return why the film was not read; empty where it was or waits."""
        if self.status == "unreadable":
            return (self.reason,)
        if self.status == "refused" and self.reading is not None:
            return self.reading.quality.reasons
        return ()


@dataclass(frozen=True)
class Dropped:
    """What became of one drop: films taken, films that were there already, files left out."""

    taken: tuple[str, ...] = ()
    known: int = 0
    left_out: int = 0
    why: str = ""


@dataclass
class Worklist:
    """Films by digest, in the order of dropping, and the chosen one.

    ``operating_point`` and ``prevalence`` (assumed share of positive films by label, or None) are what all
    readings of the list stand under; :meth:`stand_under` changes them.
    """

    films: dict[str, Film] = field(default_factory=dict)
    chosen: str | None = None
    operating_point: str = "default"
    prevalence: dict[str, float] | None = None
    _looked_at: list[str] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def room(self) -> int:
        """Return how many bytes of files the list may still take in, by the setting ``session_mb``."""
        return settings().session_mb * 10**6 - sum(len(film.data or b"") for film in self.films.values())

    def drop(self, files: Iterable[tuple[str, bytes]], *, most: int, left_out: int = 0) -> Dropped:
        """Take files in; the first new one is chosen.

        Args:
            files: (name, content) of each.
            most: how many films the list may hold.
            left_out: how many files of an archive there was no room for.
        """
        taken, known, room = [], 0, self.room()
        full = f"the list holds {settings().session_mb} MB of files at most"
        why = full if left_out else ""
        for name, data in files:
            digest = hashlib.sha256(data).hexdigest()
            film = self.films.get(digest)
            if film is not None and film.data is not None:
                known += 1
            elif film is None and len(self.films) >= most:
                left_out, why = left_out + 1, f"the list holds {most} files at most"
            elif len(data) > room:
                left_out, why = left_out + 1, full
            else:
                room -= len(data)
                if film is None:
                    self.films[digest] = Film(digest, shown_name(name), data)
                    taken.append(digest)
                    continue
                known, film.data = known + 1, data
                if film.status == "unreadable":
                    film.wait()
            if digest in self.films and not taken:
                self.chosen = digest
        if taken:
            self.chosen = taken[0]
        return Dropped(tuple(taken), known, left_out, why)

    def film(self) -> Film | None:
        """Return the chosen film."""
        return self.films.get(self.chosen) if self.chosen else None

    def choose(self, digest: str) -> None:
        """Choose a film that is in the list; another digest changes nothing."""
        if digest in self.films:
            self.chosen = digest

    def looked_at(self, film: Film, radiograph: Radiograph) -> None:
        """Keep the decoded film that is looked at, and let go what has not been looked at for long."""
        # without what was worked out for the reading: two float32 of every pixel
        film.radiograph = replace(radiograph)
        others = [digest for digest in self._looked_at if digest in self.films and digest != film.digest]
        self._looked_at = [*others, film.digest]
        for digest in self._looked_at[:-DECODED]:
            self.films[digest].radiograph = None
        for digest in self._looked_at[:-LOOKED_AT]:
            self.films[digest].data = None

    def waiting(self) -> list[Film]:
        """Return the films that wait to be read, the chosen one first."""
        films = [film for film in self.films.values() if film.status == "waiting"]
        return sorted(films, key=lambda film: film.digest != self.chosen)

    def take(self, film: Film, reading: Reading, card: ModelCard) -> None:
        """Keep a film's reading, under what the list stands under by now: another script may be changing it."""
        with self._lock:
            film.take(reassessed(reading, card, self.operating_point, self.prevalence))

    def stand_under(self, card: ModelCard, operating_point: str, prevalence: dict[str, float] | None) -> None:
        """Put every reading under another operating point or assumed prevalence; no film is read again.

        Raises WrongArguments for one that the card does not allow; then nothing is changed.
        """
        with self._lock:
            read = [film for film in self.films.values() if film.reading is not None]
            again = [reassessed(film.reading, card, operating_point, prevalence) for film in read]
            for film, reading in zip(read, again, strict=True):
                film.reading = reading
            self.operating_point, self.prevalence = operating_point, prevalence

    def remove(self, digest: str) -> None:
        """Forget a film; its neighbour is chosen."""
        order = list(self.films)
        if digest not in self.films:
            return
        at = order.index(digest)
        self.films.pop(digest).let_go()
        if self.chosen == digest:
            rest = list(self.films)
            self.chosen = rest[min(at, len(rest) - 1)] if rest else None

    def clear(self) -> None:
        """Forget all films."""
        for film in self.films.values():
            film.let_go()
        self.films.clear()
        self.chosen = None


def worklist() -> Worklist:
    """Return this session's worklist; it outlives page switches, and is emptied when the session ends."""
    films = st.session_state.setdefault("worklist", Worklist())
    present(films.clear)
    return films
