"""Reading the images of the worklist, with progress on the page.

A Streamlit script is interrupted at its next call of Streamlit when the reader does something else or leaves. A wait is
therefore a loop of short waits with one Streamlit call in each. The jobs go on meanwhile (:mod:`.reading_jobs`); once
no tab of the person is connected they leave the queue.
"""

from __future__ import annotations

import time
from uuid import uuid4

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ..imaging import Radiograph
from ..model import Predictor, Reading
from . import reading_jobs
from .chrome import time_left
from .reading_jobs import WorklistReader
from .worklist import Worklist, WorklistImage
from .worklists import worklist_owner

__all__ = ["read_chosen", "read_to_end", "read_waiting", "worklist_reader"]

QUIET_SECONDS = 1.0
"""The first wait for an image, within which most are read."""

POLL_SECONDS = 1.0
"""Interval between calls of Streamlit while a script waits; a result is taken at once. Each call costs a message."""


def worklist_reader(images: Worklist, predictor: Predictor) -> WorklistReader:
    """Return what reads the images of the worklist, one for all tabs of the person."""
    reader = st.session_state["worklist_reader"] = worklist_owner().reader(images, predictor)
    return reader


def read_chosen(images: Worklist, predictor: Predictor) -> WorklistImage | None:
    """Read the chosen image, or decode it again if it was unloaded, and return it; None for an empty worklist.

    How long it still waits is in the summary beside the image, which the browser's store keeps up to date.
    """
    image, reader = images.image(), worklist_reader(images, predictor)
    if image is None or reader.wait(image, QUIET_SECONDS):
        return image
    place = st.empty()
    while True:
        _stop_here(place)
        if reader.wait(image, POLL_SECONDS):
            st.rerun()


def _stop_here(place: DeltaGenerator) -> None:
    """Make the one call of Streamlit at which a script that waits can be stopped."""
    place.empty()


def read_waiting(images: Worklist, predictor: Predictor) -> None:
    """Wait with a progress bar until all images are read, once the chosen image is on the screen."""
    reader = worklist_reader(images, predictor)
    start, count = time.monotonic(), len(images.waiting())
    if not count:
        return
    bar = st.progress(0.0)
    while waiting := images.waiting():
        reader.begin()
        # more may be added meanwhile
        count = max(count, len(waiting))
        done = count - len(waiting)
        text = f"Reading image {done + 1} of {count}{time_left(start, done, count)}"
        bar.progress(done / count, text + reader.queue_text())
        reader.wait_for_any(len(waiting), POLL_SECONDS)
    st.rerun()


def read_to_end(image: WorklistImage, predictor: Predictor) -> tuple[Radiograph, Reading]:
    """Read an image and wait for the result, however long it takes; raises InputRefused for unreadable bytes."""
    return reading_jobs.read_to_end(image, predictor, _queue_name())


def _queue_name() -> str:
    name: str = st.session_state.setdefault("reader", uuid4().hex)
    return name
