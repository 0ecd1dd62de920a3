"""What is loaded or computed once: the model per process, a film and its message per session.

Keys are digests, never arrays: Streamlit hashes only a sample of a large array, and two films that
differ in a few pixels would share an answer. What is not a key has a leading underscore.
"""

from __future__ import annotations

import streamlit as st

from ..errors import CxrError
from ..imaging import PREPARATION_VERSION, Radiograph, decoder_apart
from ..model import Predictor, Reading, list_models, reassessed, shared_predictor
from ..model.card import read_card
from ..model.folder import CARD
from ..reading import read_film
from ..settings import settings
from .pixels import film_bytes
from .worklist import Film

__all__ = ["film_message", "predictor", "predictor_of", "radiograph_and_reading"]

_KEPT = 3  # decoded films per session; one of 2048 x 2048 holds some 35 MB


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
    return shared_predictor(model, engine)


def radiograph_and_reading(
    film: Film,
    predictor: Predictor,
    operating_point: str = "default",
    prevalence: dict[str, float] | None = None,
) -> tuple[Radiograph, Reading]:
    """Read a film, or return what was read before from the same bytes by the same model.

    Another operating point or assumed prevalence does not run the network again.

    Raises InputRefused where the bytes are no readable image.
    """
    radiograph, reading = _read(
        film.digest,
        predictor.card.id,
        predictor.card.weights_sha256,
        predictor.engine.name,
        PREPARATION_VERSION,
        film.read_anyway,
        film.quarter_turns,
        film.data,
        predictor,
    )
    return radiograph, reassessed(reading, predictor.card, operating_point, prevalence)


@st.cache_resource(scope="session", max_entries=_KEPT, show_spinner=False)
def _read(
    digest: str,
    model_id: str,
    model_sha256: str,
    engine: str,
    preparation: int,
    read_anyway: str | None,
    quarter_turns: int,
    _data: bytes,
    _predictor: Predictor,
) -> tuple[Radiograph, Reading]:
    radiograph, reading = read_film(
        _data,
        _predictor,
        sha256=digest,
        decoder=decoder_apart(),
        read_anyway=read_anyway,
        quarter_turns=quarter_turns,
    )
    # shared between reruns without a copy, so nobody may write into it
    reading.class_maps.setflags(write=False)
    return radiograph, reading


def film_message(radiograph: Radiograph, alt: str) -> bytes:
    """Return the film packed for the viewer."""
    return _message(radiograph.sha256, radiograph.transforms, alt, radiograph)


@st.cache_resource(scope="session", max_entries=_KEPT, show_spinner=False)
def _message(digest: str, transforms: tuple[str, ...], alt: str, _radiograph: Radiograph) -> bytes:
    return film_bytes(_radiograph, alt=alt)
