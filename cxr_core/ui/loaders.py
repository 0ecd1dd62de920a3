"""What is loaded or computed once: the model per process, a film's message for as long as it is decoded."""

from __future__ import annotations

import time
from functools import partial
from uuid import uuid4
from weakref import WeakKeyDictionary

import streamlit as st

from ..desk import Ticket, shared_desk
from ..errors import Busy, CxrError
from ..imaging import Radiograph, decoder_apart
from ..memory import settle
from ..model import Predictor, Reading, list_models, shared_predictor
from ..model.card import read_card
from ..model.folder import CARD
from ..reading import open_film, read_film
from ..settings import settings
from .pixels import film_bytes
from .worklist import Film

__all__ = ["ask_for", "film_message", "predictor", "predictor_of", "radiograph_and_reading"]

_RETRY = 1.0  # seconds until a full queue is asked again

_MESSAGES: WeakKeyDictionary[Radiograph, bytes] = WeakKeyDictionary()


def predictor() -> Predictor:
    """Return the process' one predictor for the model of the settings; raises ModelUnusable."""
    return _predictor(settings().model, settings().engine)


def predictor_of(weights_sha256: str) -> Predictor | None:
    """Return the predictor of the model that has these weights; None where none is here, or it cannot be used."""
    for path in list_models() if weights_sha256 else ():
        try:
            if read_card(path / CARD).weights_sha256 == weights_sha256:
                return _predictor(path.name, settings().engine)
        except CxrError:
            # the page Model says why
            continue
    return None


@st.cache_resource(show_spinner="Checking and loading the model")
def _predictor(model: str, engine: str) -> Predictor:
    loaded = shared_predictor(model, engine)
    # the page's libraries are there by now, and no film yet
    settle()
    return loaded


def ask_for(film: Film, predictor: Predictor) -> Ticket[tuple[Radiograph, Reading]]:
    """Ask the desk to read a film that has its bytes; to decode it only, where its reading is there.

    The answer is an InputRefused where the bytes are no readable image. Raises Busy where the queue is full.
    """
    options = {
        "sha256": film.digest,
        "decoder": decoder_apart(),
        "read_anyway": film.read_anyway,
        "quarter_turns": film.quarter_turns,
        "mirrored": film.mirrored,
        "voi_scale": film.voi_scale,
    }
    if film.status == "waiting":
        work = partial(read_film, film.data, predictor, **options)
    else:
        work = partial(_opened, film.data, film.reading, options)
    return shared_desk().ask(st.session_state.setdefault("reader", uuid4().hex), work)


def _opened(data: bytes, reading: Reading, options: dict) -> tuple[Radiograph, Reading]:
    return open_film(data, **options), reading


def radiograph_and_reading(film: Film, predictor: Predictor) -> tuple[Radiograph, Reading]:
    """Read a film in its turn, however long that takes; raises InputRefused where the bytes are no readable image."""
    while True:
        try:
            return ask_for(film, predictor).result()
        except Busy:
            time.sleep(_RETRY)


def film_message(radiograph: Radiograph, alt: str) -> bytes:
    """Return the film packed for the viewer; ``alt`` follows from the film."""
    if radiograph not in _MESSAGES:
        _MESSAGES[radiograph] = film_bytes(radiograph, alt=alt)
    return _MESSAGES[radiograph]
