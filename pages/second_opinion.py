"""A film in, findings and maps out."""

from cxr_core.ui.guard import guard

guard(__file__)

import streamlit as st  # noqa: E402

from cxr_core.errors import CxrError  # noqa: E402
from cxr_core.ui import second_opinion as screen  # noqa: E402
from cxr_core.ui.chrome import stop_with  # noqa: E402
from cxr_core.ui.reads import read_chosen, read_waiting  # noqa: E402
from cxr_core.ui.served import served  # noqa: E402
from cxr_core.ui.worklist import worklist  # noqa: E402

films = worklist()
try:
    model = served()
except CxrError as error:
    stop_with(error)

film = read_chosen(films, model, meanwhile=lambda: screen.chute(films, model))
screen.chute(films, model)
if film is not None:
    left, right = st.columns([2.05, 1], gap="medium")
    with left:
        screen.picture(film, films, model)
    with right:
        screen.opinion(film, films, model)
    read_waiting(films, model)
