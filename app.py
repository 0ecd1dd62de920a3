"""Second Read: the entry. Page settings, the frame, the pages; everything else lies below."""

import streamlit as st

from cxr_core.ui.chrome import frame
from cxr_core.ui.guard import enter

st.set_page_config(page_title="Second Read", page_icon="cxr_core/ui/assets/logo.svg", layout="wide")
page = enter()
frame()
page.run()
