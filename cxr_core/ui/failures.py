"""The screen "Failures": the films of a run that the model got most wrong, class by class."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..displays import FailuresDisplay, Outcome
from ..model import Predictor
from ..model.findings import usable_threshold
from ..model.words import small_words
from .chart import show
from .chrome import html
from .failed_films import failed_films
from .loaders import predictor_of
from .run_page import RunOnPage, chosen_label
from .tables import table

__all__ = ["failures"]

_KINDS = (
    ("miss", "Misses", "positive films, the lowest score first"),
    ("false alarm", "False alarms", "negative films, the highest score first"),
)


def failures(run: RunOnPage) -> None:
    """Draw the worst films of a class: where they lie, as tables, and as pictures where the images are at hand."""
    model = predictor_of(run.record.model_sha256)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        outcome = chosen_label(run)
        threshold = _threshold(run, model, outcome)
        most = st.selectbox(
            "Films of each kind", [3, 6, 12], index=1, key="failures-most", persist_state="session", width=150
        )
        names_kept = run.record.image_names_kept
        names = st.toggle(
            "Names of files",
            key="failures-names",
            persist_state="session",
            disabled=not names_kept,
            help="A file's name may tell a patient."
            if names_kept
            else "This run keeps no file names: it was evaluated without --keep-image-names.",
        )
    display = FailuresDisplay.of(
        outcome,
        run.predictions,
        most=most,
        threshold=threshold,
        names=names,
        notes=run.summary.notes,
        names_kept=names_kept,
    )
    show(display, f"failures-{outcome.label}")
    if threshold is None:
        _small(f"No operating point of {outcome.name.lower()} is known for this run.")
    _small(
        "A miss is positive and a false alarm negative for the reference, which may itself be wrong: look before you "
        "blame the model. The worst films come first whether or not they are on the wrong side of the operating point."
    )
    for place, (kind, title, words) in zip(st.columns(2, gap="large"), _KINDS, strict=True):
        with place:
            html('<div class="sr-small"><b>{title}</b>: {words}</div>', title=title, words=words)
            _table(display, kind)
    failed_films(run, display, model)


def _threshold(run: RunOnPage, model: Predictor | None, outcome: Outcome) -> float | None:
    """Draw the choice of an operating point, and return its threshold; None where the class has none.

    Where the model is not here, the one that the run keeps is all there is.
    """
    points = {} if model is None else model.card.operating_points
    if not points:
        return run.thresholds.get(outcome.label)
    name = st.selectbox("Operating point", list(points), key="failures-point", persist_state="session", width=230)
    if outcome.label not in points[name].thresholds:
        return None
    return usable_threshold(points[name], outcome.label)


def _table(display: FailuresDisplay, kind: str) -> None:
    frame = display.table()
    frame = frame[frame["kind"] == kind]
    if frame.empty:
        _small("No film is positive." if kind == "miss" else "No film is negative.")
        return
    rows = []
    for film in frame.itertuples():
        side = f" ({film.called} {small_words(film.operating_point)})" if film.called else ""
        known = film.image if display.names else film.film or "not known"
        age = "" if film.age is None or film.age != film.age else f"{film.age:.0f}" + ("+" if film.age == 90 else "")
        cells = (str(film.rank), small_words(film.score) + side, age, film.sex, film.view, film.also, known)
        rows.append(tuple(escape(cell) for cell in cells))
    table(("", "score (operating point)", "age", "sex", "view", "shows too", "film"), rows, numbers=2)


def _small(words: str) -> None:
    html('<div class="sr-small">{words}</div>', words=words)
