"""The predictors of the app: the model that serves, and the models of stored runs; each is loaded once per process."""

from __future__ import annotations

import streamlit as st

from ..access import SERVER, audit
from ..errors import CxrError
from ..imaging import shared_decoder
from ..model import Predictor, list_models, shared_predictor
from ..model.card import read_card
from ..model.folder import CARD
from ..process_resources import settle
from ..settings import settings

__all__ = ["predictor_with_weights", "serving_predictor"]


def serving_predictor() -> Predictor:
    """Return the predictor of the model in the settings; its first use since the start is an audit event.

    Raises ModelUnusable.
    """
    predictor = _predictor(settings().model, settings().engine)
    _record_serving(predictor.card.weights_sha256, predictor.engine.name)
    return predictor


def predictor_with_weights(weights_sha256: str) -> Predictor | None:
    """Return the predictor of the installed model with these weights; None if there is none or it cannot be used."""
    for path in list_models() if weights_sha256 else ():
        try:
            if read_card(path / CARD).weights_sha256 == weights_sha256:
                return _predictor(path.name, settings().engine)
        except CxrError:
            # the page "Model" reports the error
            continue
    return None


@st.cache_resource(show_spinner="Checking and loading the model")
def _predictor(model: str, engine: str) -> Predictor:
    predictor = shared_predictor(model, engine)
    # all libraries of the page are loaded by now, and no image yet
    settle()
    # the first picture or compressed frame would wait for it
    shared_decoder().start()
    return predictor


@st.cache_resource(show_spinner=False)
def _record_serving(weights_sha256: str, engine: str) -> bool:
    """Record once per process which weights serve; images are read even if the audit trail cannot be written."""
    return audit.note(SERVER, "serving", engine, model=weights_sha256)
