"""Under what terms a reading stands: the operating point, the prevalence that somebody assumes, and what
both mean. The share of films without findings that is flagged is always in sight."""

from __future__ import annotations

import streamlit as st

from ..labels import display_name
from ..model import ModelCard
from ..model.words import flagged_words, prevalence_words, probability_words
from .chrome import html
from .worklist import Worklist

__all__ = ["terms"]


def terms(card: ModelCard, films: Worklist) -> None:
    """Draw the choice of operating point and prevalence, and in words what follows from them."""
    left, right = st.columns([1.15, 1], vertical_alignment="bottom")
    names = list(card.operating_points)
    left.selectbox(
        "Operating point",
        names,
        index=names.index(films.operating_point) if films.operating_point in names else 0,
        key="operating-point",
        help="What the thresholds were set for. Each is described on the model's page.",
        on_change=lambda: films.stand_under(card, st.session_state["operating-point"], films.prevalence),
    )
    labels = _calibrated(card)
    words = "Local prevalence" + (": set" if films.prevalence else "")
    if right.button(
        words,
        icon=":material/tune:",
        width="stretch",
        disabled=not labels,
        help="How common each finding is among your films. Probabilities are shifted to it, which is an assumption."
        if labels
        else "This model is not calibrated: there is no probability that could be shifted.",
    ):
        _ask(card, films)
    html(
        '<div class="sr-small sr-terms"><div>{flagged}</div><div class="{kind}">{meaning}</div></div>',
        flagged=flagged_words(card.operating_point(films.operating_point)),
        kind="sr-assumed" if films.prevalence else "",
        meaning=probability_words(card, films.prevalence),
    )


def _calibrated(card: ModelCard) -> list[str]:
    if card.calibration is None:
        return []
    return [label for label in card.labels if card.calibration.per_label[label].method is not None]


@st.dialog("Local prevalence", width="medium")
def _ask(card: ModelCard, films: Worklist) -> None:
    """Ask how common each label is; empty fields assume nothing."""
    html(
        '<div class="sr-small">Of 100 films like the ones you read, how many show the finding? Log-odds of '
        "probabilities, intervals and thresholds move by the difference to the calibration films. This is an "
        "assumption; it is kept for this session and written into every file. An empty field assumes nothing.</div>"
    )
    with st.form("prevalence", border=False):
        for number, label in enumerate(_calibrated(card)):
            if number % 2 == 0:
                columns = st.columns(2)
            among = 100 * card.calibration.per_label[label].prevalence
            columns[number % 2].number_input(
                f"{display_name(label)}, % of films",
                value=None if not films.prevalence or label not in films.prevalence else 100 * films.prevalence[label],
                min_value=0.01,
                max_value=99.99,
                step=0.1,
                format="%.2f",
                placeholder=f"{among:.1f} among the calibration films",
                key=f"prevalence-{label}",
            )
        take, drop = st.columns(2)
        taken = take.form_submit_button(
            "Assume these", type="primary", width="stretch", on_click=_assume, args=(card, films)
        )
        dropped = drop.form_submit_button(
            "Assume nothing",
            width="stretch",
            on_click=films.stand_under,
            args=(card, films.operating_point, None),
        )
    if taken or dropped:
        # closes the dialog
        st.rerun()
    if films.prevalence:
        html('<div class="sr-small">Assumed now: {words}.</div>', words=prevalence_words(films.prevalence))


def _assume(card: ModelCard, films: Worklist) -> None:
    fields = {label: st.session_state.get(f"prevalence-{label}") for label in _calibrated(card)}
    given = {label: percent / 100 for label, percent in fields.items() if percent is not None}
    films.stand_under(card, films.operating_point, given or None)
