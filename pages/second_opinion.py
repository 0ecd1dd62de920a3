"""The page "Second opinion": an image in, findings and heat maps out."""

from cxr_core.ui.guard import guard

guard(__file__)

import streamlit as st  # noqa: E402

from cxr_core.errors import CxrError  # noqa: E402
from cxr_core.ui.chrome import html, stop_with  # noqa: E402
from cxr_core.ui.pacs_store import is_pacs_set_up  # noqa: E402
from cxr_core.ui.reading_progress import read_chosen, read_waiting  # noqa: E402
from cxr_core.ui.second_opinion import actions_panel, findings_panel, image_panel  # noqa: E402
from cxr_core.ui.serving_model import serving_predictor  # noqa: E402
from cxr_core.ui.stability import check_stability  # noqa: E402
from cxr_core.ui.upload_panel import upload_panel  # noqa: E402
from cxr_core.ui.worklist_strip import worklist_strip  # noqa: E402
from cxr_core.ui.worklists import older_images, restore_worklist, worklist  # noqa: E402

images = worklist()
try:
    model = serving_predictor()
except CxrError as error:
    stop_with(error)

restore_worklist(images, model.card)
# emptied at once when there are images, and not only at the end of the run
introduction = st.empty()
if images.images:
    columns = st.columns([1, 3.6, 1.9], gap="small")
    # each has a key, by which page.css sets its width
    strip, centre, panel = (
        column.container(key=key)
        for column, key in zip(columns, ("cockpit-worklist", "cockpit-image", "cockpit-findings"), strict=True)
    )
    with strip:
        html('<h1 class="sr-unseen">Second opinion</h1>')
        upload_panel(images, model)
        worklist_strip(images)
        older_images(images)
    with centre:
        image_panel()
    with panel:
        findings_panel(images, model)
        image = read_chosen(images, model)
        progress = actions_panel(image, images, model) if image is not None else None
    with strip:
        read_waiting(images, model)
    if progress is not None:
        check_stability(images, model, progress)
else:
    with introduction.container():
        upload_panel(images, model)
        if is_pacs_set_up():
            with st.container(key="received"):
                worklist_strip(images)
