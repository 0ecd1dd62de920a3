"""Second Read: the application. ``streamlit run app.py`` starts it; every tab runs ``cxr_core/ui/main.py``."""

from pathlib import Path

import streamlit as st

import cxr_core
from cxr_core.ui.server import lifespan, middleware, prepare, reading_routes, stow_routes

prepare()
# Streamlit reads this file to find what it serves: a call of st.App that is named app
app = st.App(
    Path(cxr_core.__file__).with_name("ui") / "main.py",
    routes=[*reading_routes(), *stow_routes()],
    middleware=middleware(),
    lifespan=lifespan,
)
