"""Second Read: the entry. Page settings, who asks, the frame, the page; everything else lies below."""

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
