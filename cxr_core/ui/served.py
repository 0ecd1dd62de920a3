"""The model that serves, and the line of the audit trail that says which one it is."""

from __future__ import annotations

import streamlit as st

from ..access import SERVER, audit
from ..model import Predictor
from .loaders import predictor

__all__ = ["served"]


def served() -> Predictor:
    """Return the predictor of the model that serves; its first use since the app was started stands in the trail.

    Raises ModelUnusable.
    """
    model = predictor()
    _noted(model.card.weights_sha256, model.engine.name)
    return model


@st.cache_resource(show_spinner=False)
def _noted(weights_sha256: str, engine: str) -> bool:
    """Say once in a process that these weights serve; without a trail films are read all the same."""
    return audit.note(SERVER, "serving", engine, model=weights_sha256)
