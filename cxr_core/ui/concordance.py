"""The page "Concordance": agreement of readers and model on stored opinions, changes after reveal, and accuracy."""

from __future__ import annotations

import hashlib
from html import escape
from typing import cast, get_args

import streamlit as st

from ..access import Role
from ..displays import AccuracyChangeDisplay, ConcordanceDisplay, Display, OpinionChangeDisplay, ReadingTimeDisplay
from ..errors import CxrError
from ..formatting import format_estimate
from ..metrics import Estimate, Uncertain
from ..monitoring import ConcordanceReport, concordance_report, read_reference
from ..monitoring.agreement import ALL as EVERY
from ..monitoring.agreement import GROUPINGS, Grouping
from ..monitoring.small_numbers import LEAST
from ..settings import settings
from ..store.reads import ReadStore
from ..table_files import frame_csv
from .chart import show_display
from .chrome import empty_state, page_heading, page_top, refusal, small, stop_with, table
from .downloads import download_button
from .read_statistics import ALL, choose, choose_period, compute, open_store, tiles

__all__ = ["concordance_page"]

_GROUPS = {"label": "Label", "reader": "Reader", "month": "Month"}
_UNCERTAIN = {"excluded": "Excluded", "present": "As present", "absent": "As absent"}
_NO_OPINION = (
    "Readers state an opinion of each finding on the page Second opinion, with Read first on; it is counted here as "
    "soon as it is stored."
)
_COLUMNS = (
    "A CSV table in UTF-8 with the columns image, label and present. image is the SHA-256 of the file or, where "
    "identity is stored, the accession number; label as the model names it, such as Pleural_Thickening; present is 1 "
    "or 0. Further columns are not used. The table is kept in memory until this page is left, and stored nowhere."
)


def concordance_page() -> None:
    """Draw the page; stop it where nothing is stored."""
    top, head = page_top("Concordance")
    try:
        store, models = open_store("No opinions yet", _NO_OPINION)
        statistics = _report(store, models)
    except CxrError as error:
        stop_with(error)
    if not statistics.groups:
        empty_state(
            "No opinions in this selection",
            f"{statistics.excluded} Choose another period or model. {_NO_OPINION}",
            level=2,
        )
        return
    with head:
        page_heading("Concordance", _facts(statistics))
    with top, st.popover("Download", type="tertiary", icon=":material/download:", key="concordance-all"):
        download_button(
            "All numbers, CSV", lambda: frame_csv(statistics.table()), "concordance-csv", "concordance.csv", "text/csv",
            required=True, role=Role.REVIEWER,
        )  # fmt: skip
    _summary(statistics)
    _figures(statistics)


def _report(store: ReadStore, models: dict[str, str]) -> ConcordanceReport:
    """Draw the choices and return what they lead to."""
    titles = {ALL: "All models"} | {sha256[:12]: f"{name}, weights {sha256[:8]}" for sha256, name in models.items()}
    with st.container(horizontal=True, vertical_alignment="bottom", key="concordance-choice"):
        period = choose_period(store)
        model = choose("Model", "model", titles, width=300)
        by = cast(Grouping, choose("By", "by", {name: _GROUPS[name] for name in GROUPINGS}, width=130))
        uncertain = cast(
            Uncertain,
            choose(
                "Uncertain opinions", "uncertain", {name: _UNCERTAIN[name] for name in get_args(Uncertain)}, width=170,
                help="How an uncertain opinion counts in agreement, kappa, disagreements and accuracy.",
            ),
        )  # fmt: skip
    reference, digest = _reference()
    weights = next((sha256 for sha256 in models if sha256[:12] == model), "")
    return compute(
        store,
        "Comparing opinions with the model",
        lambda report: concordance_report(
            store, by, since=period.since, until=period.until, model_sha256=weights, uncertain=uncertain,
            reference=reference, report=report,
        ),
        "concordance", by, period, weights, uncertain, digest,
    )  # fmt: skip


def _reference() -> tuple[dict[tuple[str, str], bool] | None, str]:
    """Draw the upload of a reference standard; return it, and its digest."""
    with st.expander("Compare with a reference standard", icon=":material/fact_check:"):
        small(_COLUMNS)
        file = st.file_uploader("Reference standard, CSV", type="csv", key="concordance-reference")
        if file is None:
            return None, ""
        if file.size > settings().max_file_mb * 10**6:
            refusal("The table was not read", (f"It has more than {settings().max_file_mb} MB.",))
            return None, ""
        data = file.getvalue()
        try:
            known = read_reference(data)
        except CxrError as error:
            refusal("The table was not read", (str(error),))
            return None, ""
        small(f"{len(known):,} entries of {len({image for image, _ in known}):,} images.")
        return known, hashlib.sha256(data).hexdigest()


def _facts(statistics: ConcordanceReport) -> str:
    everything, clusters = statistics.groups[EVERY], statistics.clusters
    readers = f"{statistics.readers} {'reader' if statistics.readers == 1 else 'readers'}"
    counts = f"Opinions on fewer than {LEAST} {clusters.unit}"
    if everything.opinions is not None:
        counts = f"{everything.opinions:,} opinions on {everything.patients:,} {clusters.unit}"
    return f"{counts} by {readers}; intervals of 95 % by {clusters.one}"


def _summary(statistics: ConcordanceReport) -> None:
    everything, time = statistics.groups[EVERY], statistics.times.get(EVERY)
    seconds = None if time is None else time.quartiles
    facts = [
        ("Agreement", *_split(everything.agreement, percent=True)),
        ("Kappa", *_split(everything.kappa)),
        ("Reader only", *_split(everything.reader_only, percent=True)),
        ("Model only", *_split(everything.model_only, percent=True)),
        ("Changed toward the model", *_split(everything.toward, percent=True)),
        ("Changed away from it", *_split(everything.away, percent=True)),
    ]
    if seconds is None:
        facts.append(("Time per read", "–", "unknown" if time is None else time.reason or ""))
    else:
        facts.append(("Time per read", f"{seconds[1]:.0f} s", f"quartiles {seconds[0]:.0f} to {seconds[2]:.0f} s"))
    tiles(facts)
    small(
        "First opinions, the last before the model was shown. Agreement is not correctness, and a change toward the "
        f"model is no improvement. {_clusters(statistics)}{_referenced(statistics)} {statistics.excluded}"
    )


def _clusters(statistics: ConcordanceReport) -> str:
    """Return what intervals are clustered by and why, and which numbers are withheld."""
    unit = statistics.clusters.unit
    unknown = {
        "patients": "",
        "studies": "Patients are not stored: intervals are by study, a study of several readers counted once, and too "
        "narrow where patients have several. ",
        "patients or studies": "Of some studies the patient is not stored: there intervals are by study. ",
    }[unit]
    return f'{unknown}Fewer than {LEAST} {unit} behind a number: "too few cases", and no count.'


def _referenced(statistics: ConcordanceReport) -> str:
    if statistics.referenced is None:
        return f" Opinions on fewer than {LEAST} {statistics.clusters.unit} have an entry in the reference standard."
    if statistics.referenced:
        return f" {statistics.referenced:,} opinions have an entry in the reference standard."
    return ""


def _split(estimate: Estimate, *, percent: bool = False) -> tuple[str, str]:
    """Return the number and its interval; a dash and the reason where there is none."""
    if estimate.value is None:
        return "–", estimate.reason or ""
    number, _, interval = format_estimate(estimate, percent=percent).partition(" (")
    return number, interval.removesuffix(")")


def _figures(statistics: ConcordanceReport) -> None:
    agreement = ConcordanceDisplay(statistics.by, statistics.groups, statistics.clusters)
    _beside(agreement, f"agreement-{statistics.by}")
    _beside(OpinionChangeDisplay(statistics.by, statistics.groups, statistics.clusters), f"changes-{statistics.by}")
    if statistics.referenced != 0:
        _beside(
            AccuracyChangeDisplay(statistics.by, statistics.groups, statistics.clusters), f"accuracy-{statistics.by}"
        )
    else:
        small("Accuracy: no opinion here has an entry in a reference standard. One can be compared with above.")
    _beside(ReadingTimeDisplay(statistics.by, statistics.times), f"time-{statistics.by}")
    if statistics.by == "reader" and settings().reader_names == "off":
        small("Readers have numbers, which stay the same. SECOND_READ_READER_NAMES=lead shows their names here.")


def _beside(display: Display, key: str) -> None:
    """Draw a display with its table beside it; on a narrow screen the table alone."""
    chart = display.chart()
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        show_display(display, key, chart)
    if chart.table_rows and any(panel.marks for panel in chart.panels):
        with right, st.container(key=f"sr-wide-{key}-table"):
            headings, *rows = chart.table_rows
            table(headings, [tuple(map(_cell, row)) for row in rows], numbers=len(headings) - 1)


def _cell(text: str) -> str:
    """Return a number with its interval below it, as HTML."""
    number, parenthesis, rest = text.partition(" (")
    return escape(number) + (f'<span class="q">{escape(rest.removesuffix(")"))}</span>' if parenthesis else "")
