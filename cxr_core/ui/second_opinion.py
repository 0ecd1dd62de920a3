"""The page "Second opinion": worklist, the chosen image, and its findings, side by side."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ..access import audit
from ..errors import CxrError
from ..imaging import Pose, Radiograph, describe_exposure
from ..model import ModelCard, Predictor, Reading
from ..model.formatting import describe_import
from .chrome import banner, bullets, describe_demonstration, html
from .findings import findings_list
from .guard import page_file
from .history_scope import copy_address, stored_study_of
from .image_downloads import image_downloads
from .opinions import read_first_switch, reveal
from .reading_messages import image_content
from .reading_settings import reading_settings
from .stability import stability_note
from .study_header import study_header
from .viewer import image_viewer
from .visitor import visitor
from .worklist import Worklist
from .worklist_image import WorklistImage

__all__ = ["actions_panel", "findings_panel", "image_panel"]

MIRROR = Pose(mirrored=True)


def image_panel() -> None:
    """Draw whose image it is and the image in the viewer; both follow the browser's store."""
    study_header()
    image_viewer()


def findings_panel(images: Worklist, model: Predictor) -> None:
    """Draw what is known of the model, then summary, warnings and findings, which follow the browser's store."""

    def choose(digest: str, label: str) -> None:
        if digest in images.images:
            images.images[digest].label = label

    card = model.card
    with st.container(key="model-banner"):
        if card.demonstration:
            banner("Demonstration model.", describe_demonstration(card))
        elif card.imported is not None:
            banner("Imported model, not verified." if card.unverified else "Imported model.", describe_import(card))
    image = images.image()
    findings_list(None if image is None else image_content(image, images, card), choose)


def actions_panel(image: WorklistImage, images: Worklist, model: Predictor) -> DeltaGenerator:
    """Draw corrections, settings and downloads of an image, the limits of the model, and what small changes change.

    Returns:
        An empty element at the end, for the progress of :func:`.stability.check_stability`.
    """
    card = model.card
    # the browser makes it inert until its last element, and the list above it, are of the image on the screen
    with st.container(key="of-image"):
        _actions(image, images, card)
        if study := stored_study_of(image.digest):
            copy_address(study=study)
        with st.expander("What the model does not look for"):
            bullets(card.not_looked_for)
            st.page_link(page_file("model"), label="Model card")
        if image.radiograph is not None:
            _image_processing(image.radiograph, card)
        # below all that can be clicked: the progress and then the note come while the reader points at it
        with st.container():
            _small_changes(image, images, card)
        progress = st.empty()
        end = '<span class="sr-of-image" data-id="{digest}" data-status="{status}"></span>'
        html(end, digest=image.digest, status=image.status)
    return progress


def _actions(image: WorklistImage, images: Worklist, card: ModelCard) -> None:
    """Draw what the reader can do about one image: corrections, reading it anyway, settings and downloads."""
    reading = image.reading
    # also while it is read again, of the reading of before
    hidden = images.is_hidden(image)
    if reading is not None and image.has_file and image.status != "unreadable":
        _corrections(image, reading)
        if not reading.findings:
            _override(image, card)
    if hidden and image.status == "read":
        # the key S is the panel's: it must act on the image on the screen, which may be ahead of this script run
        st.button("Show findings (S)", type="primary", on_click=_show, args=(images, image), width="stretch")
        if problem := st.session_state.pop("reveal_problem", ""):
            banner("Findings not shown.", problem)
    read_first_switch(images)
    if reading is None or not reading.findings:
        return
    reading_settings(card, images)
    if not hidden and image.radiograph is not None:
        image_downloads(image, reading, card, images)


def _small_changes(image: WorklistImage, images: Worklist, card: ModelCard) -> None:
    if not images.is_hidden(image):
        stability_note(image, card)


def _show(images: Worklist, image: WorklistImage) -> None:
    try:
        reveal(images, image)
    except CxrError as error:
        st.session_state["reveal_problem"] = str(error)


def _image_processing(radiograph: Radiograph, card: ModelCard) -> None:
    with st.expander("Image processing"):
        fit = "whole image, padded with black" if card.input.fit == "pad" else "centre square"
        bullets(
            (
                *radiograph.transforms,
                f"model input: {card.input.size} × {card.input.size}, {fit}",
                describe_exposure(card.input.exposure),
                "Window and level in the viewer do not change the reading.",
            )
        )
        if radiograph.header:
            bullets(tuple(f"{keyword}: {value}" for keyword, value in radiograph.header.items()), "DICOM header")


def _corrections(image: WorklistImage, reading: Reading) -> None:
    """Offer corrections of the image that are only presumed right; none is applied unasked."""
    quality = reading.quality
    if quality.pose:
        pose = quality.pose
        rotation = f"rotate {90 * pose.quarter_turns}° clockwise" if pose.quarter_turns else ""
        steps = " and ".join(filter(None, ("mirror" if pose.mirrored else "", rotation)))
        _correction(f"Correct orientation and read again: {steps}", ":material/flip:", _apply_pose, image, pose)
    elif quality.turned and not reading.findings:
        degrees = quality.turned
        title = f"Rotate {degrees}° clockwise and read"
        _correction(title, ":material/rotate_right:", _rotate, image, degrees // 90, primary=True)
    elif image.mirrored:
        _correction("Undo mirroring and read again", ":material/undo:", _apply_pose, image, MIRROR)
    elif quality.looks_mirrored:
        _correction("Show it the right way round and read again: mirror", ":material/flip:", _apply_pose, image, MIRROR)
    if quality.scalable:
        title = "Scale the VOI LUT to its own maximum and read again"
        _correction(title, ":material/exposure:", _scale_to_data, image)


def _correction(title: str, icon: str, apply: Callable[..., None], *arguments: object, primary: bool = False) -> None:
    st.button(
        title,
        icon=icon,
        type="primary" if primary else "secondary",
        on_click=apply,
        args=arguments,
        width="stretch",
    )


def _apply_pose(image: WorklistImage, pose: Pose) -> None:
    image.mirrored ^= pose.mirrored
    if pose.mirrored:
        # mirroring before a rotation reverses its direction
        image.quarter_turns = -image.quarter_turns % 4
    _rotate(image, pose.quarter_turns)


def _rotate(image: WorklistImage, quarter_turns: int) -> None:
    image.quarter_turns = (image.quarter_turns + quarter_turns) % 4
    image.requeue()


def _scale_to_data(image: WorklistImage) -> None:
    image.voi_scale = "data"
    image.requeue()


def _override(image: WorklistImage, card: ModelCard) -> None:
    with st.form(f"override-{image.digest[:12]}"):
        reason = st.text_input("Reason to read this image anyway (stored with the reading)", max_chars=200)
        if st.form_submit_button("Read anyway"):
            if reason.strip():
                image.read_anyway = reason.strip()
                image.requeue()
                audit.note(visitor(), "override", images=[image.digest], model=card.weights_sha256)
                st.rerun()
            st.warning("Enter a reason.")
