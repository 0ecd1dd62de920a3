"""A stored read for the viewer: its image and maps by the routes of the reading page, without touching the worklist.

The read has a worklist of one image and a page session of its own, so that the tab's worklist, its uploads and what the
browser knows of it go on as they are. Nothing is read again: the image is decoded, as it was read then. Once the read
is deleted, it leaves the memory of the tab too.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast
from weakref import WeakKeyDictionary

import streamlit as st

from ..errors import CxrError
from ..model import ModelCard, Predictor, Reading
from ..model.predictor import names_findings
from ..store.read_history import ReadChoice, matching_reads
from ..store.read_record import StoredRead
from ..studies import StudyHeader
from .chrome import asset, store_script
from .history_scope import read_store
from .reading_jobs import WorklistReader
from .reading_messages import worklist_body
from .server.page_sessions import HISTORY, open_page_session, worklist_path
from .session_cleanup import at_every_poll
from .viewer import VIEWER_SCRIPTS, pixels_version
from .worklist import Worklist, WorklistImage

__all__ = ["OpenedRead", "open_read", "release_deleted", "stored_findings", "stored_reader", "stored_viewer"]


def _script(*names: str) -> str:
    """Return scripts of the reading page that share a store of their own in the browser."""
    shared = "window.secondRead ??="
    text = store_script(*names)
    if shared not in text:
        raise ValueError("store.js has another name for what the components share")
    return text.replace(shared, "window.secondReadHistory ??=")


# registered at import: registering a name again would replace the component under a mounted one
_VIEWER = st.components.v2.component(
    "second_read_history_viewer", html=asset("viewer.html"), css=asset("viewer.css"), js=_script(*VIEWER_SCRIPTS)
)
_FINDINGS = st.components.v2.component(
    "second_read_history_findings",
    html='<div class="stored"></div>',
    css=asset("history_findings.css"),
    js=_script("history_findings.js"),
)


RELEASE_SECONDS = 10.0
"""A read that was deleted is in the memory of a tab that shows it for at most so long, and a second."""

_OPENED: WeakKeyDictionary[WorklistReader, str] = WeakKeyDictionary()
"""What decodes the images of opened reads, and the id of each read."""

_CHECKED = [0.0]


@dataclass(frozen=True)
class _StoredCard:
    """What stands for the model that read the image: its card, and nothing that could read."""

    card: ModelCard | None


@dataclass(frozen=True, eq=False)
class OpenedRead:
    """A stored read that the browser may fetch.

    Attributes:
        image: with the reading as it is stored.
        images: the worklist that holds it alone.
        token: with which the routes answer.
        version: of what they answer.
    """

    image: WorklistImage
    images: Worklist
    token: str
    version: str


def open_read(
    stored: StoredRead, card: ModelCard | None, header: StudyHeader | None, name: str, *, hidden: bool
) -> OpenedRead:
    """Return a stored read for the components of this tab.

    Args:
        stored: the read.
        card: of the model that read it; None where it is not known, and then no maps are sent.
        header: study and patient, as far as the visitor may see them.
        name: of the file, for the visitor.
        hidden: whether the findings are hidden; then none leaves the server.
    """
    key = (stored.summary.id, hidden, len(stored.reading.under_changes), card is None)
    known: WorklistReader | None = st.session_state.get("history_reader")
    if known is None or not known.images.images or st.session_state.get("history_read") != key:
        # of another read of the same image nothing must stay in the browser
        st.session_state.pop(HISTORY, None)
        st.session_state["history_reader"] = stored_reader(stored, card, header, name, hidden=hidden)
        st.session_state["history_read"] = key
    reader: WorklistReader = st.session_state["history_reader"]
    images = reader.images
    session = open_page_session(reader, HISTORY)
    (image,) = images.images.values()
    return OpenedRead(image, images, session.token, worklist_body(images)[1])


def stored_reader(
    stored: StoredRead, card: ModelCard | None, header: StudyHeader | None, name: str, *, hidden: bool
) -> WorklistReader:
    """Return what decodes the image of a stored read; arguments as in :func:`open_read`."""
    summary, options, store = stored.summary, stored.options, read_store()
    image = WorklistImage(
        summary.image,
        name,
        header=header,
        data=None,
        load=lambda: store.load(summary.study, summary.image),
        read_anyway=options.read_anyway,
        quarter_turns=options.quarter_turns,
        mirrored=options.mirrored,
        voi_scale=options.voi_scale,
        revealed=not hidden,
        shape=(stored.reading.image.rows, stored.reading.image.columns),
        pixels_version=pixels_version(stored.reading.image),
    )
    image.set_reading(_without_findings_in_warnings(stored.reading) if hidden else stored.reading)
    if card is None:
        # shown without findings, which the page writes itself
        image.status = "refused"
    images = Worklist()
    images.images, images.chosen, images.read_first = {image.digest: image}, image.digest, hidden
    reader = WorklistReader(images, cast(Predictor, _StoredCard(card)))
    _OPENED[reader] = summary.id
    return reader


def _without_findings_in_warnings(reading: Reading) -> Reading:
    """Return a reading whose warnings name no finding, so that none is sent whatever the image's status is."""
    reasons = tuple(reason for reason in reading.quality.reasons if not names_findings(reason))
    return replace(reading, quality=replace(reading.quality, reasons=reasons))


@at_every_poll
def release_deleted() -> int:
    """Release the opened reads that were deleted, by whichever process; return their number."""
    opened, now = dict(_OPENED), time.monotonic()
    if not opened or now - _CHECKED[0] < RELEASE_SECONDS:
        return 0
    _CHECKED[0], released = now, 0
    for reader, read in opened.items():
        with suppress(CxrError):
            if not matching_reads(read_store(), ReadChoice(read=read)):
                reader.images.shared.take_all()
                del _OPENED[reader]
                released += 1
    return released


def stored_viewer() -> None:
    """Show the image of the read that :func:`stored_findings` was given."""
    _VIEWER(key="history-viewer")


def stored_findings(opened: OpenedRead, content: dict[str, object]) -> None:
    """Show the findings of a stored read; choosing one shows its heat map in the viewer."""
    follow = {
        "token": opened.token,
        "path": worklist_path(),
        "chosen": opened.image.digest,
        "version": opened.version,
    }
    _FINDINGS(key="history-findings", data={"follow": follow, "content": content})
