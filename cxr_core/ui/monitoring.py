"""The page "Monitoring": stored reads of a model over time beside its validation images, and alarms for a change."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Literal, NamedTuple, cast

import pandas as pd
import streamlit as st

from ..access import Role
from ..displays import AlarmDisplay, ControlChartDisplay, DistributionDisplay, ScoreChartsDisplay
from ..displays.monitoring import LIMITS, describe_episode, series_value
from ..errors import CxrError, WrongArguments
from ..formatting import format_p_value
from ..labels import NOTICE
from ..metrics import ChangeOptions
from ..model import ModelCard
from ..model.card import read_card
from ..model.folder import CARD, card_of, find_model
from ..monitoring import MonitoringReport, Watch, monitoring_report, validation_run
from ..settings import settings
from ..store import StoredRun
from ..store.read_history import hidden_images
from ..store.reads import ReadStore
from ..table_files import frame_csv
from .chart import show_display
from .chrome import banner, empty_state, heading, html, page_heading, page_top, small, stop_with, table
from .downloads import download_button
from .open_runs import run_store
from .read_statistics import Period, choose, choose_period, compute, open_store, tiles
from .server.browser_cookie import reader_name

__all__ = ["monitoring_page"]

_NO_READ = "Images that are read on the page Second opinion are counted here as soon as they are stored."
_CHARTS = ("reads", "refused", "warning", "flagged", "unfamiliar", "distance", "seconds", "view: AP", "sex: M")
_MOST_EPISODES = 4
_PER_ROW = 3


class _Choice(NamedTuple):
    """What is shown: run to compare with, length of a period, and period."""

    run: StoredRun
    by: Literal["day", "week"]
    period: Period


def monitoring_page() -> None:
    """Draw the page; stop it where nothing is stored."""
    top, head = page_top("Monitoring")
    try:
        store, models = open_store("No reads yet", _NO_READ)
        chosen, card = _choices(store, models)
        viewer = reader_name() or ""
        hidden = hidden_images(store, viewer)
        statistics = compute(
            store,
            "Comparing reads with the validation images",
            lambda report: monitoring_report(
                store, chosen.run, None if card is None else card.familiarity, by=chosen.by, since=chosen.period.since,
                until=chosen.period.until, viewer=viewer, report=report,
            ),
            # one result for all from whom nothing is hidden
            "monitoring", chosen.run.record.id, chosen.by, chosen.period, (viewer, hidden) if hidden else None,
        )  # fmt: skip
    except CxrError as error:
        stop_with(error)
    excluded = _excluded(statistics.hidden)
    if statistics.watch is None:
        empty_state("No reads in this selection", f"Choose another period or model. {_NO_READ} {excluded}", level=2)
        return
    with head:
        page_heading("Monitoring", _facts(statistics))
    with top, st.popover("Download", type="tertiary", icon=":material/download:", key="monitoring-all"):
        _downloads(statistics, chosen.run.record.model_sha256)
    _alarms(statistics.watch, statistics.clusters.one)
    _summary(statistics)
    if excluded:
        small(excluded)
    _charts(statistics, chosen.by)
    _categories(statistics)


def _excluded(hidden: int) -> str:
    """Return how many images are excluded and until when; empty for none."""
    if not hidden:
        return ""
    return (
        f"{hidden:,} image{' is' if hidden == 1 else 's are'} excluded until you have asked for "
        f"{'its' if hidden == 1 else 'their'} findings (Read first)."
    )


def _choices(store: ReadStore, models: dict[str, str]) -> tuple[_Choice, ModelCard | None]:
    """Draw the choices; return them, and the model's card where it is installed."""
    titles = {sha256[:12]: f"{name}, weights {sha256[:8]}" for sha256, name in models.items()}
    serving = _serving()
    if serving in titles:
        titles = {serving: titles[serving]} | titles
    with st.container(horizontal=True, vertical_alignment="bottom", key="monitoring-choice"):
        period = choose_period(store)
        model = choose("Model", "model", titles, width=300)
        by = cast(Literal["day", "week"], choose("Control charts by", "by", {"week": "Week", "day": "Day"}, width=160))
    weights = next(sha256 for sha256 in models if sha256[:12] == model)
    try:
        run = validation_run(run_store(), weights)
    except WrongArguments:
        empty_state(
            "Nothing to compare these reads with",
            "There is no evaluation run of this model on validation patients. Make one with the command evaluate, or "
            "choose another model.",
            level=2,
        )
        st.stop()
    return _Choice(run, by, period), card_of(weights)


def _serving() -> str:
    try:
        return read_card(find_model(settings().model) / CARD).weights_sha256[:12]
    except CxrError:
        return ""


def _facts(statistics: MonitoringReport) -> str:
    first, last = statistics.reads["time"].min(), statistics.reads["time"].max()
    reference = f"compared with {statistics.reference.name}, {statistics.reference.patients:,} patients"
    return f"{len(statistics.reads):,} images, {first:%Y-%m-%d} to {last:%Y-%m-%d} (UTC); {reference}"


def _downloads(statistics: MonitoringReport, model: str) -> None:
    for title, name, frame in (
        (
            "Control charts, CSV",
            "periods",
            statistics.periods.assign(period=statistics.periods["period"].astype(str).str[:10]),
        ),
        ("Distributions, CSV", "distributions", statistics.distributions),
        ("Views and sexes, CSV", "mixes", statistics.mixes),
        ("Reasons and devices, CSV", "categories", statistics.categories),
    ):
        download_button(
            title, partial(_csv, frame, statistics.clusters.unit), f"monitoring-{name}-csv", f"monitoring-{name}.csv",
            "text/csv", model=model, required=True, role=Role.REVIEWER,
        )  # fmt: skip


def _csv(frame: pd.DataFrame, unit: str) -> str:
    stated = frame.assign(clustered_by=unit)
    stated.insert(0, "notice", NOTICE)
    return frame_csv(stated)


def _alarms(watched: Watch, cluster: str) -> None:
    """Write one line for each change, the last one first."""
    episodes = watched.episodes()[::-1]
    for episode in episodes[:_MOST_EPISODES]:
        what, _, rest = describe_episode(episode).partition(": ")
        banner(f"{rest}.", f"{what}.")
    rate = f"At most one alarm in {ChangeOptions().reads_per_false_alarm:,.0f} reads is false, on average."
    if len(episodes) > _MOST_EPISODES:
        rate = f"{len(episodes) - _MOST_EPISODES} earlier ones are below. {rate}"
    if not episodes:
        rate = f"No alarm in {len(watched.rows):,} reads that count, one of each {cluster} in 30 days. {rate}"
    small(f"{rate} An alarm says that reads differ from the validation images, not that the model became worse.")


def _summary(statistics: MonitoringReport) -> None:
    reads = statistics.reads
    quality, seconds = reads["quality"], reads["seconds"].dropna()
    flagged = reads["flagged"].dropna()
    facts = [
        ("Images", f"{len(reads):,}", f"{reads['patient'].nunique():,} {statistics.clusters.unit}"),
        ("Refused", *_part(int((quality == "refused").sum()), len(reads))),
        ("With a warning", *_part(int((quality == "warning").sum()), len(reads))),
        ("Flagged", *_part(int(flagged.sum()), len(flagged))),
        ("Unlike the training images", *_part(int(reads["unfamiliar"].sum()), int(reads["unfamiliar"].notna().sum()))),
    ]
    if len(seconds):
        lower, median, upper = seconds.quantile([0.25, 0.5, 0.75])
        facts.append(("Time to answer", f"{median:.1f} s", f"quartiles {lower:.1f} to {upper:.1f} s"))
    else:
        facts.append(("Time to answer", "–", "not stored for these reads"))
    tiles(facts)


def _part(number: int, among: int) -> tuple[str, str]:
    return (f"{number / among:.1%}", f"{number:,} of {among:,}") if among else ("–", "not known for these reads")


def _charts(statistics: MonitoringReport, by: Literal["day", "week"]) -> None:
    known = set(statistics.periods["series"])
    heading("Control charts")
    small(LIMITS)
    rest = [
        name
        for name in dict.fromkeys(statistics.periods["series"])
        if name.startswith(("refused: ", "warning: ", "device: "))
    ]
    _grid(statistics, [name for name in _CHARTS if name in known], by)
    show_display(ScoreChartsDisplay(statistics.periods, by), "scores")
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        show_display(DistributionDisplay(statistics.distributions), "distributions")
    with right:
        if statistics.watch is not None:
            show_display(AlarmDisplay(statistics.watch, ChangeOptions().reads_per_false_alarm), "alarms")
        _mixes(statistics)
    if rest:
        heading("Reasons and devices")
        small("No validation image has these, so each limit is from the other periods of this site.")
        _grid(statistics, rest, by)


def _grid(statistics: MonitoringReport, names: list[str], by: Literal["day", "week"]) -> None:
    for start in range(0, len(names), _PER_ROW):
        for column, name in zip(st.columns(_PER_ROW, gap="medium"), names[start : start + _PER_ROW], strict=False):
            with column:
                key = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
                show_display(ControlChartDisplay.of(statistics.periods, name, by), f"chart-{key}")


def _mixes(statistics: MonitoringReport) -> None:
    rows = [
        (
            escape(f"{row.characteristic}: {row.category}"),
            f"{row.patients:,}",
            f"{row.patients_of_reference:,}",
            escape(format_p_value(None if pd.isna(row.p_value) else row.p_value)),
        )
        for row in statistics.mixes.itertuples()
    ]
    if rows:
        html(
            '<div class="sr-small"><b>{title}</b></div>',
            title=f"Views and sexes, one image of each {statistics.clusters.one}",
        )
        with st.container(key="sr-fit-mixes"):
            table(("category", statistics.clusters.unit, "validation", "p"), rows, numbers=3)


def _categories(statistics: MonitoringReport) -> None:
    """Write how often each reason and each device occurred, in three tables."""
    kinds = ("refused", "warning", "device")
    titles = ("Refused, by reason", "Warnings, by reason", "Devices")
    without = ("No image was refused.", "No image has a warning.", _no_device())
    for column, kind, title, nothing in zip(st.columns(3, gap="large"), kinds, titles, without, strict=True):
        rows = statistics.categories[statistics.categories["kind"] == kind]
        with column:
            html('<div class="sr-small"><b>{title}</b></div>', title=title)
            if rows.empty:
                small(nothing)
                continue
            table(
                ("device" if kind == "device" else "reason", "images", "first and last"),
                [
                    (
                        escape(row.category),
                        f"{row.reads:,} ({series_value(row.proportion, 'flagged')})",
                        f"{row.first} to {row.last}",
                    )
                    for row in rows.itertuples()
                ],
                numbers=2,
            )


def _no_device() -> str:
    if settings().identity == "store":
        return "No file names its device."
    return (
        "Not known: manufacturer and model of the device are stored with identity alone (SECOND_READ_IDENTITY=store)."
    )
