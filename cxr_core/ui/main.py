"""The script that runs for every tab: page settings, who asks, the frame, the page; everything else lies beside it."""

import streamlit as st

from cxr_core.ui.chrome import frame
from cxr_core.ui.guard import admit, enter
from cxr_core.ui.visitor import visitor

st.set_page_config(page_title="Second Read", page_icon="cxr_core/ui/assets/logo.svg", layout="wide")
someone = visitor()
page = enter(someone)
frame(someone)
admit(someone, page)
page.run()
