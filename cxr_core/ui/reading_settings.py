"""The settings under which images are read: operating point and local prevalence, with what follows from them."""

from __future__ import annotations

import streamlit as st

from ..labels import display_name
from ..model import ModelCard, OperatingPoint
from ..model.formatting import describe_evaluation, describe_scale, format_prevalence
from ..model.rate_formatting import (
    describe_flagged,
    describe_group_rates,
    describe_limit,
    describe_operating_point,
    describe_sensitivity,
    describe_view_rate,
)
from .chrome import html, small
from .worklist import Worklist

__all__ = ["reading_settings"]


def reading_settings(card: ModelCard, images: Worklist) -> None:
    """Draw the choice of operating point and prevalence; the false-alarm rate is always visible."""
    left, right = st.columns([1.15, 1], vertical_alignment="bottom")
    names = list(card.offered_points)
    # that of the readings: another tab may have changed it
    st.session_state["operating-point"] = images.operating_point if images.operating_point in names else names[0]
    left.selectbox(
        "Operating point",
        names,
        key="operating-point",
        help="The rule by which thresholds were set. The model card describes each operating point, also those that "
        "flag more than half of the images without findings, which are not offered here.",
        on_change=lambda: images.apply_settings(card, st.session_state["operating-point"], images.prevalence),
    )
    is_calibrated = bool(_calibrated_prevalence(card))
    title = "Local prevalence" + (": set" if images.prevalence else "")
    if right.button(
        title,
        icon=":material/tune:",
        width="stretch",
        disabled=not is_calibrated,
        help="Set how common each finding is among your images. Probabilities are adjusted to this assumption."
        if is_calibrated
        else "This model is not calibrated, so there are no probabilities to adjust.",
    ):
        _prevalence_dialog(card, images)
    html(
        '<div class="sr-small sr-settings"><div>{flagged}</div><details><summary>All rates of this operating point'
        '</summary>{rates}</details><div class="{kind}">{meaning}</div></div>',
        flagged=_describe_flagged(card, images),
        rates=_describe_rates(card.operating_point(images.operating_point)),
        kind="sr-assumed" if images.prevalence else "",
        meaning=describe_scale(card, images.prevalence),
    )


def _describe_flagged(card: ModelCard, images: Worklist) -> str:
    """Return the limit and sensitivity of the operating point, and what it flags in the view of the chosen image."""
    image, point = images.image(), card.operating_point(images.operating_point)
    in_view = "" if image is None or image.reading is None else describe_view_rate(image.reading.flagged)
    sentences = (describe_limit(point), describe_sensitivity(point), in_view or describe_flagged(point))
    return " ".join(filter(None, (*sentences, describe_evaluation(card))))


def _describe_rates(point: OperatingPoint) -> str:
    return " ".join((describe_operating_point(point), *(f"{line}." for line in describe_group_rates(point))))


def _calibrated_prevalence(card: ModelCard) -> dict[str, float]:
    """Return the prevalence in the calibration images of each calibrated label, in the card's order."""
    curves = {} if card.calibration is None else card.calibration.calibrated
    prevalence = ((label, curves[label].prevalence) for label in card.labels if label in curves)
    return {label: value for label, value in prevalence if value is not None}


@st.dialog("Local prevalence", width="medium", on_dismiss="rerun")
def _prevalence_dialog(card: ModelCard, images: Worklist) -> None:
    small(
        "Of 100 images like those you read, how many show the finding? Probabilities, intervals and thresholds are "
        "shifted, in log-odds, by the difference from the calibration images. This is an assumption: it applies to "
        "this session and is written into every exported file. Leave a field empty to assume nothing."
    )
    with st.form("prevalence", border=False):
        for number, (label, calibrated) in enumerate(_calibrated_prevalence(card).items()):
            if number % 2 == 0:
                columns = st.columns(2)
            assumed = (images.prevalence or {}).get(label)
            columns[number % 2].number_input(
                f"{display_name(label)}, % of images",
                value=None if assumed is None else 100 * assumed,
                min_value=0.01,
                max_value=99.99,
                step=0.1,
                format="%.2f",
                placeholder=f"{100 * calibrated:.1f} in the calibration images",
                key=f"prevalence-{label}",
            )
        left, right = st.columns(2)
        applied = left.form_submit_button(
            "Apply", type="primary", width="stretch", on_click=_apply_prevalence, args=(card, images)
        )
        cleared = right.form_submit_button(
            "Clear", width="stretch", on_click=images.apply_settings, args=(card, images.operating_point, None)
        )
    if applied or cleared:
        # closes the dialog
        st.rerun()
    if images.prevalence:
        small(f"Assumed now: {format_prevalence(images.prevalence)}.")


def _apply_prevalence(card: ModelCard, images: Worklist) -> None:
    fields = {label: st.session_state.get(f"prevalence-{label}") for label in _calibrated_prevalence(card)}
    prevalence = {label: percent / 100 for label, percent in fields.items() if percent is not None}
    images.apply_settings(card, images.operating_point, prevalence or None)
