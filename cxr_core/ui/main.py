"""The script that every tab runs: page settings, sign-in, frame, and the page that was asked for."""

from pathlib import Path

import streamlit as st

from cxr_core.ui.chrome import frame
from cxr_core.ui.guard import admit, register_pages
from cxr_core.ui.upload_panel import keep_page_on_drop
from cxr_core.ui.visitor import visitor

logo = Path(__file__).with_name("assets") / "logo.svg"
st.set_page_config(page_title="Second Read", page_icon=str(logo), layout="wide")
person = visitor()
page = register_pages(person)
frame(person)
admit(person, page)
# the url_path of the front page, which takes files, is empty
if page.url_path:
    keep_page_on_drop()
page.run()
