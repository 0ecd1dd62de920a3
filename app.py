"""Second Read: the application. ``streamlit run app.py`` starts it; every tab runs ``cxr_core/ui/main.py``."""

import streamlit as st

from cxr_core.ui.server import lifespan, middleware, prepare

prepare()
# Streamlit reads this file to find what it serves: a call of st.App that is named app
app = st.App("cxr_core/ui/main.py", middleware=middleware(), lifespan=lifespan)
