"""Small changes of the image: its reading under each, after the answer is on the screen, and the rates of the card."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html import escape
from uuid import uuid4

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ..errors import Busy
from ..formatting import format_estimate
from ..imaging import SMALL_CHANGES, Radiograph, SmallChange
from ..labels import display_name
from ..model import ModelCard, Predictor, Reading
from ..model.model_input import changed_input
from ..model.stability import describe_changes, describe_stability, format_images, format_rate
from ..reading_queue import shared_queue
from .chrome import heading, html, small, table
from .worklist import Worklist, WorklistImage

__all__ = ["check_stability", "stability_note", "stability_section"]

_WAIT_SECONDS = 0.5


def check_stability(images: Worklist, predictor: Predictor, place: DeltaGenerator) -> None:
    """Read the chosen image again under each small change, with progress, and rerun the page to show the marks.

    Called last in a script run, when everything is drawn and no image waits. Each change is a background job of the
    reading queue, which gives way to every image that comes. A reader who does something else interrupts the script at
    its next call of Streamlit; what is done by then is kept with the reading, and the rest follows when the image is
    on the screen again.

    Args:
        images: the worklist.
        predictor: of the model that read.
        place: an empty element, for the progress.
    """
    context = get_script_run_ctx()
    if context is not None and context.has_dialog_opened:
        # the rerun at the end would close it; closing it starts the next run
        return
    image, read_any = images.image(), False
    while image is not None and (changes := _remaining(image)):
        done = len(SMALL_CHANGES) - len(changes)

        def progress(done: int = done) -> None:
            text = '<div class="sr-small" role="status">Small changes of the image: {done} of {all} read</div>'
            with place:
                html(text, done=done, all=len(SMALL_CHANGES))

        progress()
        _read_changed(image, images, predictor, changes[0], progress)
        read_any = True
    if read_any:
        st.rerun()


def _remaining(image: WorklistImage) -> tuple[SmallChange, ...]:
    if image.reading is None or image.radiograph is None or image.status != "read" or image.stability_error:
        return ()
    return image.reading.unchecked_changes()


def _read_changed(
    image: WorklistImage, images: Worklist, predictor: Predictor, change: SmallChange, progress: Callable[[], None]
) -> None:
    """Wait for one change in the queue and store its findings; while the queue is full, for a moment."""
    if image.reading is None or image.radiograph is None:
        return
    # a copy: its display, a float32 of every pixel, is not kept with the image
    work = partial(_read, image.reading, replace(image.radiograph), predictor, change)
    try:
        job = shared_queue().ask(st.session_state.setdefault("reader", uuid4().hex), work, background=True)
    except Busy:
        time.sleep(_WAIT_SECONDS)
        return
    try:
        while not job.wait(_WAIT_SECONDS):
            # its call of Streamlit is where an interrupted script ends
            progress()
    finally:
        job.cancel()
    try:
        images.set_changes(image, job.result(), predictor.card)
    except Exception as error:
        # it concerns this check alone; its message may quote the file, so only its type is shown
        image.stability_error = type(error).__name__


def _read(reading: Reading, radiograph: Radiograph, predictor: Predictor, change: SmallChange) -> Reading:
    changed = changed_input(radiograph.display, change, predictor.card.input.preparation())
    return predictor.read_changed(reading, changed)


def stability_note(image: WorklistImage, card: ModelCard) -> None:
    """Draw what small changes of the image change, or why that is not known; nothing while it is being read."""
    reading = image.reading
    if reading is None or not reading.findings:
        return
    if reading.unchecked_changes():
        if image.stability_error:
            small(f"Small changes of the image could not be read ({image.stability_error}). Please report it.")
        elif image.radiograph is None:
            small("Small changes of the image were not read, because the image is unloaded.")
        return
    names = {finding.label: reading.changes_of_state(finding.label) for finding in reading.ranked()}
    evaluated = {label: changes for label, changes in names.items() if changes is not None}
    changing = {label: changes for label, changes in evaluated.items() if changes}
    count = f"{len(changing) or 'none'} of {len(evaluated)}"
    with st.expander(f"Small changes of the image: the state of {count} evaluated findings changes"):
        if changing:
            rows = [(escape(display_name(label)), escape(describe_changes(c))) for label, c in changing.items()]
            table(("finding", "state changes under"), rows)
        tried = describe_changes([change.name for change in SMALL_CHANGES])
        small(f"The image was read again as another export might give it: {tried}.")
        small(describe_stability(card.stability))


def stability_section(card: ModelCard) -> None:
    """Draw the rates of the card on the page "Model"."""
    heading("Stability under small changes of the image")
    small(describe_stability(card.stability))
    stability = card.stability
    if stability is None:
        return
    small(f"Operating point {stability.operating_point}. Interval: {stability.interval}.")
    rows = [
        (
            escape(describe_changes([name])),
            format_rate(rates.any_label),
            format_images(rates.any_label),
            format_estimate(rates.logit_difference),
            format_estimate(rates.logit_shift, signed=True),
        )
        for name, rates in stability.per_change.items()
    ]
    together = stability.together.any_label
    rows.append(("any of them", format_rate(together), format_images(together), "", ""))
    headings = ("small change", "a state changes (95 % CI)", "images", "logits, mean absolute change", "mean change")
    table(headings, rows, numbers=4)
    with st.expander("By label"):
        columns = {"any of them": stability.together, **stability.per_change}
        table(
            ("label", *(describe_changes([name]) for name in columns)),
            [
                (escape(display_name(label)), *(format_rate(rates.per_label[label]) for rates in columns.values()))
                for label in stability.thresholds
            ],
            numbers=len(columns),
        )
