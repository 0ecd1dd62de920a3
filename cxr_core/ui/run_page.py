"""What the pages of a run share: which run, against whom, which label; and what is computed of it once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import streamlit as st

from ..displays import Outcome, outcomes_of, run_report
from ..evaluation import ANY_FINDING, RunSummary, summary_of
from ..evaluation.summary import times_words
from ..labels import display_name
from ..model.folder import card_of
from ..report.model_card import model_card_markdown
from ..store import Predictions, RunRecord, RunStore, StoredRun
from .audited import about_run, audited
from .chrome import banner, html
from .summaries import summary_with_time_left

__all__ = ["RunOnPage", "chosen_label", "chosen_of", "chosen_run", "computed", "heading", "other_run"]

_KEPT = 6
"""Runs whose predictions and numbers stay in memory; one of 112,120 films holds some 60 MB."""


@dataclass(frozen=True, eq=False)
class RunOnPage:
    """A run and what its pages start from.

    Attributes:
        stored: the run.
        predictions: of the run.
        summary: its numbers against the chosen reference.
        outcomes: each class that the reference says anything of, any finding last.
    """

    stored: StoredRun
    predictions: Predictions
    summary: RunSummary
    outcomes: dict[str, Outcome]

    @property
    def record(self) -> RunRecord:
        """Of the run."""
        return self.stored.record

    @property
    def thresholds(self) -> dict[str, float]:
        """Operating point that the run keeps, on the scale of the score, of the labels that have one."""
        return self.record.thresholds

    @property
    def key(self) -> tuple[str, str, str]:
        """Names run, content and reference: what anything computed of it is kept under."""
        return self.record.id, self.record.predictions_sha256, self.summary.reference


def chosen_run() -> RunOnPage:
    """Draw the choice of a run and of a reference; stop the page with words where there is no run.

    Raises CxrError where the store or the run cannot be read.
    """
    runs = {run.record.id: run for run in _store().list()}
    if not runs:
        _no_run()
    with st.container(horizontal=True, vertical_alignment="bottom", key="run-choice"):
        run = st.selectbox(
            "Run", list(runs), format_func=lambda i: run_words(runs[i].record), key="run", persist_state="session",
            width=520,
        )  # fmt: skip
        stored = runs[run]
        about_run(run)
        reference = st.selectbox(
            "Reference: who says what the films show", stored.record.references, key=f"reference-{run}",
            persist_state="session", width=330,
        )  # fmt: skip
    return _on_page(stored, reference)


def other_run(first: RunOnPage) -> StoredRun | None:
    """Draw the choice of a second run; None where there is no other."""
    runs = {run.record.id: run for run in _store().list() if run.record.id != first.record.id}
    if not runs:
        return None
    run = st.selectbox(
        "Against", list(runs), format_func=lambda i: run_words(runs[i].record), key="other-run",
        persist_state="session", width=520,
    )  # fmt: skip
    return runs[run]


def chosen_label(run: RunOnPage) -> Outcome:
    """Draw the choice of a class, the commonest first and any finding last; returns it."""
    labels = sorted(run.outcomes, key=lambda label: (label == ANY_FINDING, -int(run.outcomes[label].truth.sum())))
    films = {label: int(run.outcomes[label].truth.sum()) for label in labels}
    return run.outcomes[chosen_of("Label (films that show it)", films, "label", run)]


def chosen_of(words: str, films: dict[str, int], name: str, run: RunOnPage) -> str:
    """Draw the choice of one label of a run, each with its films; the choice goes along to other runs and pages.

    Streamlit keeps on the screen the words of an option that was chosen, and so the number of another run's films: so
    each run and reference has a widget of its own, and what was chosen is kept here.
    """
    labels, before = list(films), st.session_state.get(name)
    label = st.selectbox(
        words, labels, index=labels.index(before) if before in labels else 0,
        format_func=lambda one: f"{display_name(one)} ({films[one]:,})",
        key=f"{name}-{run.record.id}-{run.summary.reference}", width=300,
    )  # fmt: skip
    st.session_state[name] = label
    return label


def computed(run: RunOnPage, name: str, make: Callable[[], object], *more: object):
    """Return what ``make`` gives, computed once for a run, a name and what else it depends on."""
    return _computed(run.key, name, more, make)


def heading(run: RunOnPage, title: str) -> None:
    """Write the page's title, what the run is, and what must be known before anything else."""
    record = run.record
    before = (
        f"; these films were evaluated {times_words(record.evaluated_before)} before" if record.evaluated_before else ""
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        html(
            '<div class="sr-head"><h2>{title}</h2><span>{words}</span></div>',
            title=title,
            words=f"{record.model_id}, weights {record.model_sha256[:12] or 'not known'}; {record.films:,} films of "
            f"{record.patients:,} patients; {', '.join(record.data)}, {record.part}; {record.created[:10]}{before}",
        )
        take = st.popover("Take the run along", type="tertiary", icon=":material/download:", key="run-take")
    with take:
        _take_along(run)
    if record.seen_in_training:
        banner("Images possibly seen in training.", "These numbers say nothing of films that the model has not seen.")


def _take_along(run: RunOnPage) -> None:
    model = run.record.model_sha256
    for words, name, suffix, mime, make in (
        ("Report, HTML", "run-report", "html", "text/html", lambda: run_report(run.predictions, run.summary)),
        (
            "Model card, Markdown",
            "model-card",
            "md",
            "text/markdown",
            lambda: model_card_markdown(card_of(model), run.summary),
        ),
    ):
        st.download_button(
            words,
            audited(make, name, model=model, required=True),
            f"second-read-{run.record.id}.{suffix}",
            mime,
            on_click="ignore",
            width="stretch",
            key=f"take-{name}",
        )


def run_words(record: RunRecord) -> str:
    """Return a run as a choice offers it."""
    return f"{record.name}: {record.model_id}, {record.films:,} films ({record.part}), {record.created[:10]}"


@st.cache_resource(show_spinner=False)
def _store() -> RunStore:
    return RunStore()


def _on_page(stored: StoredRun, reference: str) -> RunOnPage:
    key, found = (stored.record.id, stored.record.predictions_sha256, reference), _found()
    summary = None if key in found else summary_with_time_left(stored, reference)
    found.add(key)
    return _loaded(*key, stored, summary)


@st.cache_resource(show_spinner=False)
def _found() -> set[tuple[str, str, str]]:
    """Return of which runs, content and reference this process has the numbers, or has them in its keeping place."""
    return set()


@st.cache_resource(max_entries=_KEPT, show_spinner="Opening the run")
def _loaded(run: str, sha256: str, reference: str, _stored: StoredRun, _summary: RunSummary | None) -> RunOnPage:
    predictions = _stored.predictions()
    return RunOnPage(
        _stored,
        predictions,
        _summary or summary_of(_stored, reference),
        outcomes_of(predictions, reference),
    )


@st.cache_resource(max_entries=300, show_spinner="Computing; this is kept", show_time=True)
def _computed(key: tuple[str, str, str], name: str, more: tuple, _make: Callable[[], object]):
    return _make()


def _no_run() -> None:
    st.html(
        '<div class="sr-lead"><h1>No evaluation run yet</h1><p>A run is a model on films whose labels are known. '
        "Make one, or bring in predictions that were made elsewhere:</p></div>"
    )
    st.code(
        "python -m cxr_core evaluate --images FOLDER --table TABLE.csv\n"
        "python -m cxr_core runs import SCORES.csv --name NAME",
        language="bash",
    )
    html('<div class="sr-small">{words}</div>', words=escape("It is listed here as soon as it is stored."))
    st.stop()
