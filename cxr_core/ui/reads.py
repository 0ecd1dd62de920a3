"""Reading on the page: films are asked for at the desk, and while they wait the page says how long it will be.

A script runs until it calls Streamlit, and is ended there where the reader did something else or has left; so a wait is
a loop of short ones with a word on the screen in each. Whatever ends it, the place in the queue is given up, and a
read that has begun is taken along: by the script that asked, which Streamlit may keep for a while beside the next one,
and by that one, which finds the ticket on the film.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError

import streamlit as st

from ..desk import AT_ONCE, Ticket
from ..duration import duration
from ..errors import Busy, InputRefused
from ..imaging import Radiograph
from ..model import Predictor
from .chrome import html
from .loaders import ask_for
from .worklist import Film, Worklist

__all__ = ["read_chosen", "read_waiting", "wait_words"]

PATIENCE = 1.0
"""Seconds for which a wait goes without words."""

LOOK = 1.0
"""Seconds between two looks at the queue; an answer is taken at once. Every look costs the server a message a tab."""


def read_chosen(films: Worklist, model: Predictor, meanwhile: Callable[[], None]) -> Film | None:
    """Read the chosen film if it waits, decode it if its picture was let go, and return it; None for an empty list.

    Args:
        films: the list.
        model: that reads.
        meanwhile: draws what is to be seen above the words while the film waits for others'.
    """
    film = films.film()
    if film is None or film.data is None or film.radiograph is not None:
        return film
    asked = _Asked(film, films, model)
    try:
        done = asked.wait(PATIENCE)
        if not done:
            meanwhile()
            line = st.empty()
            while not asked.wait(LOOK):
                with line:
                    html('<div class="sr-wait" role="status">{words}</div>', words=asked.words())
    finally:
        radiograph = asked.close()
    if radiograph is not None:
        films.looked_at(film, radiograph)
    if not done:
        st.rerun()
    return film


def read_waiting(films: Worklist, model: Predictor) -> None:
    """Read what still waits, with time left, once the chosen film is on the screen."""
    waiting = deque(films.waiting())
    if not waiting:
        return
    start, count, done = time.monotonic(), len(waiting), 0
    asked: deque[_Asked] = deque()
    bar = st.progress(0.0)
    try:
        while waiting or asked:
            # no more than are read at once: whoever else asks finds the queue short
            while waiting and len(asked) < AT_ONCE:
                asked.append(_Asked(waiting.popleft(), films, model))
            left = (time.monotonic() - start) / done * (count - done) if done else None
            words = f"Reading film {done + 1} of {count}" + (f", {duration(left)} left" if left else "")
            bar.progress(done / count, words + asked[0].others())
            if asked[0].wait(LOOK):
                asked.popleft().close()
                done += 1
    finally:
        for each in asked:
            each.close()
    st.rerun()


def wait_words(before: int | None, seconds: float) -> str:
    """Say how long a film waits: how many come before it (None once it is being read), and about how many seconds."""
    about = f"about {max(1, math.ceil(seconds))} s"
    if before is None:
        return f"Reading, {about}"
    return f"Waiting for its turn: {_films(before)} before yours, {about}" if before else f"Yours is next, {about}"


def _films(count: int) -> str:
    return f"{count} film" + ("s" if count != 1 else "")


def _shown_as(film: Film) -> tuple:
    """Return what the reader has asked for of a film: a read under anything else is another's answer."""
    return film.quarter_turns, film.mirrored, film.voi_scale, film.read_anyway


class _Asked:
    """A film that was asked for; while the queue is full, it is asked for again at every wait."""

    def __init__(self, film: Film, films: Worklist, model: Predictor) -> None:
        self._film, self._films, self._model = film, films, model
        self._asked = _shown_as(film)
        self._decoded_only = film.status != "waiting"
        self._ticket: Ticket | None = None
        self._busy: Busy | None = None
        self._ask()

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; return whether the film is read."""
        if self._ticket is None:
            time.sleep(seconds)
            self._ask()
        if self._ticket is None or not self._ticket.wait(seconds):
            return False
        if not self._ticket.left():
            return True
        # by the script before this one
        self._ask()
        return False

    def words(self) -> str:
        """Say how long it will be."""
        if self._ticket is None:
            about = f"about {math.ceil(self._busy.seconds)} s"
            return f"Busy, {about}: {_films(self._busy.waiting)} wait already. Yours is asked for again by itself."
        return wait_words(self._ticket.before(), self._ticket.seconds())

    def others(self) -> str:
        """Say what comes before it, where anything does."""
        if self._ticket is None:
            return f"; busy: {_films(self._busy.waiting)} wait already"
        before = self._ticket.before()
        return f"; {_films(before)} before it" if before else ""

    def close(self) -> Radiograph | None:
        """Give the place up; where the read has begun, keep what came of it, and return the decoded film."""
        film, ticket = self._film, self._ticket
        if ticket is None or ticket.leave():
            return None
        try:
            radiograph, reading = ticket.result()
        except CancelledError:
            return None
        except InputRefused as error:
            self._refuse(str(error))
            return None
        except Exception as error:
            # whatever it is, the rest of the list goes on; nothing of the file is quoted
            self._refuse(f"This file could not be read ({type(error).__name__}). Please report it.")
            return None
        if self._is_another():
            return None
        # shared between reruns without a copy, so nobody may write into it
        reading.class_maps.setflags(write=False)
        self._films.take(film, reading, self._model.card)
        film.ticket = None
        return radiograph

    def _is_another(self) -> bool:
        """Return whether the film was turned, overridden or taken off the list while it was read."""
        film = self._film
        return _shown_as(film) != self._asked or self._films.films.get(film.digest) is not film

    def _refuse(self, words: str) -> None:
        if self._is_another():
            return
        self._film.ticket = None
        if self._decoded_only:
            # it was read before: its picture cannot be had again, its findings stay
            self._film.let_go()
        else:
            self._film.refuse(words)

    def _ask(self) -> None:
        begun = self._film.ticket
        if begun is not None and begun.before() is None and not begun.left():
            self._ticket = begun
            return
        try:
            self._ticket, self._busy = ask_for(self._film, self._model), None
        except Busy as busy:
            self._ticket, self._busy = None, busy
        self._film.ticket = self._ticket
