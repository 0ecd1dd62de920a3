"""The upload panel of the page "Second opinion", where images are added; no other page gives way to a dropped file.

Files do not go through Streamlit's uploader, but by our own route (:mod:`.server.worklist_routes`). The panel is also
where the browser learns the token of its tab, and where it tells the script which image is on the screen.
"""

from __future__ import annotations

import streamlit as st

from ..imaging import ACCEPTED_FORMATS, phantom_dicom
from ..model import ModelCard, Predictor
from ..settings import settings
from .chrome import asset, html, small, store_script
from .file_intake import add_files
from .guard import page_file
from .reading_messages import worklist_body
from .reading_progress import worklist_reader
from .server.page_sessions import open_page_session, worklist_path
from .server.worklist_changes import set_removed
from .visitor import is_local_only
from .worklist import Worklist

__all__ = ["keep_page_on_drop", "upload_panel"]

PHANTOM_NAME = "Synthetic phantom (no patient)"

_SCRIPT = store_script("file_sending.js", "drops.js", "upload.js")

# registered at import: registering the name again would replace the component under a mounted one
_UPLOAD = st.components.v2.component(
    "second_read_upload", html=asset("upload.html"), css=asset("upload.css"), js=_SCRIPT
)
_DROPS = st.components.v2.component("second_read_drops", js=_SCRIPT)


def keep_page_on_drop() -> None:
    """On a page where no images are added: a file that is dropped there does not replace it.

    A note leads to the page where it is added, and it is added there.
    """
    with st.container(key="drop-note"):
        small("To add the files, open:")
        st.page_link(page_file("second_opinion"), label="Second opinion")
        _DROPS(key="drops", data={"mode": "none"})


def upload_panel(images: Worklist, model: Predictor) -> None:
    """Draw the buttons that add images; without any image, with an introduction."""
    if images.images:
        _upload(images, model, mode="bar")
        return
    _introduction(model.card)
    with st.container(key="welcome"):
        _upload(images, model, mode="welcome")
        st.button(
            "Try an example: synthetic phantom",
            icon=":material/science:",
            on_click=_add_phantom,
            args=(images,),
        )
        if removed := images.shared.restorable():
            count = len(removed)
            st.button(
                f"Undo: bring {count} removed image{'s' if count > 1 else ''} back",
                icon=":material/undo:",
                on_click=set_removed,
                args=(images, frozenset(), frozenset(removed)),
                key="undo-removal",
            )


def _introduction(card: ModelCard) -> None:
    html(
        '<div class="sr-lead"><h1>A second opinion on a chest X-ray</h1>'
        "<p>Drop a frontal chest radiograph of an adult: {formats}. For each of {count} "
        "findings you see a score beside its threshold, a heat map of where the model looked, and warnings about the "
        "image. Images are sent to {where} and nowhere else.</p></div>",
        where="this machine" if is_local_only() else "this server",
        count=len(card.labels),
        formats=ACCEPTED_FORMATS,
    )


def _add_phantom(images: Worklist) -> None:
    add_files(images, [(PHANTOM_NAME, _phantom())])


@st.cache_data(show_spinner=False)
def _phantom() -> bytes:
    return phantom_dicom()


def _upload(images: Worklist, model: Predictor, *, mode: str) -> None:
    """Draw the buttons, and hand the browser its token."""
    session = open_page_session(worklist_reader(images, model), images=images)

    def on_shown() -> None:
        # the component is gone where the reader went to another page meanwhile
        upload = st.session_state.get("upload")
        if upload is not None and upload.shown:
            images.choose(upload.shown)

    _UPLOAD(
        key="upload",
        data={
            "mode": mode,
            "token": session.token,
            "path": worklist_path(),
            "chosen": images.chosen,
            "version": worklist_body(images)[1],
            # by another process of the app as well
            "stored": images.keeper is not None,
            "accepted": f"{ACCEPTED_FORMATS}, recognised by content; a ZIP of a study is unpacked. "
            f"At most {settings().max_file_mb} MB per file.",
        },
        on_shown_change=on_shown,
    )
