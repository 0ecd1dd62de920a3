"""Shared parts of the pages of an evaluation run: choice of run, reference standard and label; address; heading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import streamlit as st

from ..errors import CxrError
from ..evaluation import ANY_FINDING
from ..evaluation.outcomes import Outcome
from ..evaluation.run_context import evaluated_before
from ..labels import display_name
from ..model.folder import card_of
from ..report.model_card import model_card_markdown
from ..store import RunRecord, StoredRun
from .addresses import addressed, say_if_unknown, write_address
from .chrome import banners, empty_state, page_heading, page_top, refusal, small, stop_with
from .downloads import download_button, set_page_run
from .open_runs import RunOnPage, run_on_page, run_store

__all__ = ["is_comparable", "open_run", "select_label", "select_other_run", "select_with_counts"]

_CHOSEN = "run-chosen"
"""In the session state once the visitor has chosen a run, which every page then shows."""

_NOT_OF_RUN = "that this run does not have"

_SEEN = "The model was trained on images of this data set: these results do not show how it performs elsewhere."
_IN_SAMPLE = (
    "Thresholds and calibration curves were set on images of these patients, so figures at the operating point and of "
    "calibration are optimistic. "
)
_CROSS_VALIDATED = "Cross-validated figures come first."
_NOT_CROSS_VALIDATED = "The model card has no cross-validated figures of just these images."


def open_run(
    title: str,
    suits: Callable[[StoredRun], bool] = lambda run: True,
    *,
    comparable: bool = False,
    numbers: bool = True,
) -> RunOnPage:
    """Draw the heading and the choice of a run and a reference standard; stop the page if there is no readable run.

    Args:
        title: of the page.
        suits: whether a run has what the page shows; until the visitor chooses a run, the first that suits is shown.
        comparable: whether a run suits only if another one has its images and labels.
        numbers: whether the page shows numbers of the run's summary, which take long to compute the first time.
    """
    # before the run is open, which may take a while
    top, head = page_top(title)
    try:
        run = _select_run(suits, comparable=comparable, numbers=numbers)
    except CxrError as error:
        stop_with(error)
    st.set_page_config(page_title=f"{run.record.name} · {title} · Second Read")
    with head:
        page_heading(title, _facts(run.record))
    with top:
        _export_menu(run)
    _remarks(run)
    return run


def _select_run(suits: Callable[[StoredRun], bool], *, comparable: bool, numbers: bool) -> RunOnPage:
    runs = {run.record.id: run for run in run_store().list()}
    if not runs:
        _no_run()
    if (wanted := addressed("run")) is not None:
        if wanted not in runs:
            _unknown_run()
        st.session_state["run"], st.session_state[_CHOSEN] = wanted, True
    if not st.session_state.get(_CHOSEN) or st.session_state.get("run") not in runs:
        data = Counter(_data_and_labels(run.record) for run in runs.values())
        suitable = (
            name
            for name, run in runs.items()
            if suits(run) and (not comparable or data[_data_and_labels(run.record)] > 1)
        )
        st.session_state["run"] = next(suitable, next(iter(runs)))
    with st.container(horizontal=True, vertical_alignment="bottom", key="run-choice"):
        run = _run_box("Run", runs, "run", on_change=_note_choice)
        stored = runs[run]
        set_page_run(run)
        reference, wanted = _reference_box(stored.record)
    say_if_unknown(f"reference standard {_NOT_OF_RUN}", wanted, stored.record.references, reference)
    write_address(run=run, reference=reference)
    return run_on_page(stored, reference, numbers=numbers)


def _unknown_run() -> NoReturn:
    refusal("No such evaluation run", ("The address names a run that is not stored here, or no longer.",))
    st.button("Show another run", type="primary", on_click=st.query_params.clear)
    st.stop()


def _reference_box(record: RunRecord) -> tuple[str, str | None]:
    """Return the chosen reference standard, and the one that the address asks for."""
    key, wanted = f"reference-{record.id}", addressed("reference")
    if wanted in record.references:
        st.session_state[key] = wanted
    chosen = st.selectbox("Reference standard", record.references, key=key, persist_state="session", width=330)
    return chosen, wanted


def select_other_run(first: RunOnPage) -> StoredRun | None:
    """Draw the choice of a second run, those on the same images and labels first; None if there is no other."""
    others = [run for run in run_store().list() if run.record.id != first.record.id]
    others.sort(key=lambda run: _distance(run.record, first.record))
    runs = {run.record.id: run for run in others}
    if not runs:
        return None
    # a choice for each first run: another run has other images in common
    key, wanted = f"other-run-{first.record.id}", addressed("other")
    if wanted in runs:
        st.session_state[key] = wanted
    other = _run_box("Compare with", runs, key)
    say_if_unknown("run to compare with that is not stored here", wanted, runs, runs[other].record.name)
    write_address(other=other)
    return runs[other]


def is_comparable(run: RunOnPage, other: StoredRun) -> bool:
    """Return whether two runs have the same images, reference standards and labels."""
    return _data_and_labels(run.record) == _data_and_labels(other.record)


def _data_and_labels(record: RunRecord) -> tuple[str, frozenset[str]]:
    return record.data_sha256, frozenset(record.labels)


def _distance(record: RunRecord, other: RunRecord) -> int:
    """Return 0 for a run of another model on the same images and labels, and more the less they have in common."""
    same_images, same_labels = record.data_sha256 == other.data_sha256, set(record.labels) == set(other.labels)
    same_model = record.model_sha256 == other.model_sha256
    return 4 * (not same_images) + 2 * (not same_labels) + same_model


def _run_box(title: str, runs: dict[str, StoredRun], key: str, on_change: Callable[[], None] | None = None) -> str:
    return st.selectbox(
        title, list(runs), format_func=lambda i: _run_title(runs[i].record), key=key, on_change=on_change,
        persist_state="session", width=640,
    )  # fmt: skip


def _note_choice() -> None:
    st.session_state[_CHOSEN] = True


def _run_title(record: RunRecord) -> str:
    return f"{record.name}: {record.model}, {record.images:,} images ({record.part}), {record.created[:10]}"


def select_label(run: RunOnPage) -> Outcome:
    """Draw the choice of a label, the most frequent first and "any finding" last; return its outcome."""
    labels = sorted(run.outcomes, key=lambda label: (label == ANY_FINDING, -int(run.outcomes[label].truth.sum())))
    images = {label: int(run.outcomes[label].truth.sum()) for label in labels}
    return run.outcomes[select_with_counts("Label (positive images)", images, "label", run)]


def select_with_counts(title: str, images: dict[str, int], name: str, run: RunOnPage) -> str:
    """Draw the choice of a label with the number of images of each; the choice is kept across runs and pages.

    In the address it is ``label`` on every page; ``name`` is that of the kept choice.

    Streamlit keeps the text of a chosen option on the screen, and with it the number of images of another run. Each run
    and reference standard therefore has its own widget, and the choice is kept in the session state.
    """
    labels, key, index = list(images), f"{name}-{run.record.id}-{run.context.reference}", 0
    if (wanted := addressed("label")) in labels:
        st.session_state[key] = wanted
    elif (previous := st.session_state.get(name)) in labels:
        index = labels.index(previous)
    label = st.selectbox(
        title, labels, index=index, format_func=lambda option: f"{display_name(option)} ({images[option]:,})",
        key=key, width=300,
    )  # fmt: skip
    st.session_state[name] = label
    say_if_unknown(f"label {_NOT_OF_RUN}", wanted, labels, display_name(label))
    write_address(label=label)
    return label


def _facts(record: RunRecord) -> str:
    before = f"; {evaluated_before(record)}" if record.evaluated_before else ""
    return (
        f"{record.model}, weights {record.model_sha256[:12] or 'unknown'}; {record.images:,} images of "
        f"{record.patients:,} patients; {', '.join(record.data)}, {record.part}; {record.created[:10]}{before}"
    )


def _export_menu(run: RunOnPage) -> None:
    record = run.record
    with st.popover("Export run", type="tertiary", icon=":material/download:", key="run-export"):
        model, stem = record.model_sha256, f"second-read-{record.id}"
        download_button(
            "Report, HTML", lambda: _report(run), "run-report", f"{stem}.html", "text/html",
            model=model, required=True,
        )  # fmt: skip
        download_button(
            "Model card, Markdown", lambda: model_card_markdown(card_of(model), run.summary), "model-card",
            f"{stem}.md", "text/markdown", model=model, required=True,
        )  # fmt: skip


def _report(run: RunOnPage) -> str:
    # matplotlib and Plotly, which a page does without until the numbers are there
    from ..displays import run_report

    return run_report(run.predictions, run.summary)


def _remarks(run: RunOnPage) -> None:
    """Write what limits the figures of the run."""
    record, remarks = run.record, {}
    if record.selection:
        small(f"{record.selection[:1].upper()}{record.selection[1:]}.")
    if record.seen_in_training:
        remarks["Images possibly seen in training."] = _SEEN
    if run.context.in_sample:
        cross_validated = _CROSS_VALIDATED if run.context.cross_validation else _NOT_CROSS_VALIDATED
        remarks["In-sample."] = _IN_SAMPLE + cross_validated
    banners(remarks)


def _no_run() -> NoReturn:
    empty_state(
        "No evaluation run yet",
        "An evaluation run holds the predictions of a model on images with known labels. Make one, or import "
        "predictions that were made elsewhere. It is listed here as soon as it is stored:",
    )
    st.code(
        "python -m cxr_core evaluate --images FOLDER --table TABLE.csv\n"
        "python -m cxr_core runs import SCORES.csv --name NAME",
        language="bash",
    )
    st.stop()
