"""``reads concordance`` and ``reads monitor``: stored opinions beside the model, and stored reads over time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import pandas as pd
import typer

from ..displays.monitoring import describe_episode, series_title, series_value
from ..errors import PathUnusable, WrongArguments
from ..formatting import format_estimate, format_p_value
from ..labels import NOTICE, display_name
from ..metrics import ChangeOptions, Concordance, ReadingTime, Uncertain
from ..model.card import read_card
from ..model.folder import CARD, find_model
from ..monitoring import (
    MonitoringReport,
    Watch,
    concordance_report,
    monitoring_report,
    read_reference,
    validation_run,
)
from ..monitoring.agreement import ACCURACY, GROUPINGS, NUMBERS
from ..monitoring.periods import MEAN
from ..monitoring.small_numbers import LEAST, WITHHELD
from ..settings import settings
from ..store import RunStore
from ..store.reads import ReadStore
from ..table_files import frame_csv, read_unpacked

__all__ = ["concordance_", "monitor", "reference_file"]

Since = Annotated[str, typer.Option(metavar="TIME", help="Leave out earlier reads, such as 2026-11-24 (UTC).")]
Until = Annotated[str, typer.Option(metavar="TIME", help="Leave out reads of this time and later ones.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print a table as CSV.")]

_PERIODS = ("day", "week")


def concordance_(
    by: Annotated[str, typer.Option(metavar="|".join(GROUPINGS), help="What the groups are.")] = "label",
    since: Since = "",
    until: Until = "",
    uncertain: Annotated[
        str, typer.Option(metavar="|".join(get_args(Uncertain)), help="How uncertain opinions count.")
    ] = "excluded",
    reference: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="CSV of a reference standard with the columns image, label, present."),
    ] = None,
    as_csv: AsCsv = False,
) -> None:
    """Print how readers and model agree, how opinions changed once the findings were shown, and how accurate they were.

    Of first opinions, given before the findings were shown, on images whose findings were shown since. The image of
    the reference standard is its SHA-256 or its accession number, where identity is stored; present is 1 or 0.
    """
    if by not in GROUPINGS or uncertain not in get_args(Uncertain):
        accepted = f"--by {', '.join(GROUPINGS)}; --uncertain {', '.join(get_args(Uncertain))}"
        raise WrongArguments(f"Accepted are {accepted}.")
    known = None if reference is None else reference_file(reference)
    with closing(ReadStore()) as store:
        found = concordance_report(
            store,
            by,
            since=since,
            until=until,
            uncertain=cast(Uncertain, uncertain),
            reference=known,
        )
    if as_csv:
        print(frame_csv(found.table()), end="")
        return
    print(NOTICE)
    print(f"Uncertain opinions: {uncertain}. Intervals of 95 % by {found.clusters.one}. Agreement is not correctness.")
    if found.excluded:
        print(found.excluded)
    for name, group in found.groups.items():
        title = display_name(name) if by == "label" else name
        few = f"fewer than {LEAST} {found.clusters.unit}, or {WITHHELD}"
        counts = few if group.opinions is None else f"{group.opinions} opinions, {group.patients} {found.clusters.unit}"
        print(f"{title}: {counts}")
        for number in (*NUMBERS, *ACCURACY):
            print("".join(f"  {line}\n" for line in _lines(number, group)), end="")
        if name in found.times:
            print(f"  {_time(found.times[name])}")
    if not found.groups:
        print("There are no opinions on evaluated findings.")


def _lines(number: str, group: Concordance) -> list[str]:
    value, title = getattr(group, number), number.replace("_", " ")
    if value is None:
        return []
    if number in ACCURACY:
        before, after = (format_estimate(rate, percent=True) for rate in (value.before, value.after))
        difference = format_estimate(value.difference, percent=True, signed=True)
        return [f"{title:<12}{before} before, {after} after; {difference}, p {format_p_value(value.p_value)}"]
    beside = {"model_only": group.disagreement_p, "away": group.change_p}
    test = f"; p {format_p_value(beside[number])}" if number in beside else ""
    return [f"{title:<12}{format_estimate(value, percent=number != 'kappa')}{test}"]


def _time(time: ReadingTime) -> str:
    if time.quartiles is None:
        return f"time per read {time.reason}"
    lower, median, upper = time.quartiles
    return f"time per read median {median:.0f} s, quartiles {lower:.0f} to {upper:.0f} s; {time.reads} reads"


def reference_file(path: Path) -> dict[tuple[str, str], bool]:
    """Return the reference standard in a file, as :func:`.monitoring.read_reference`; raises PathUnusable as well."""
    try:
        data = read_unpacked(path)
    except (OSError, EOFError) as error:
        raise PathUnusable(f"Table {path}: it cannot be read.") from error
    return read_reference(data, f"Table {path}")


def monitor(
    model: Annotated[str, typer.Option(metavar="ID", help="Reads by this model; by default the one that serves.")] = "",
    run: Annotated[
        str, typer.Option(metavar="RUN", help="Run on validation patients, by default the newest of the model.")
    ] = "",
    by: Annotated[str, typer.Option(metavar="|".join(_PERIODS), help="Length of a period.")] = "week",
    since: Since = "",
    until: Until = "",
    as_csv: AsCsv = False,
) -> None:
    """Print reads, refusals and flags over time with their control limits, and alarms for a change of the reads.

    The reads are compared with the model's validation images. One false alarm in 10,000 reads at most, on average, over
    all series; an alarm does not say that the model became worse.
    """
    if by not in _PERIODS:
        raise WrongArguments(f"--by: {', '.join(_PERIODS)} are accepted.")
    card = read_card(find_model(model or settings().model) / CARD)
    with closing(RunStore()) as runs:
        stored = validation_run(runs, card.weights_sha256, run)
    with closing(ReadStore()) as store:
        length = cast(Literal["day", "week"], by)
        found = monitoring_report(store, stored, card.familiarity, by=length, since=since, until=until)
    if as_csv:
        table = found.periods.assign(period=found.periods["period"].astype(str).str[:10])
        table = table.assign(clustered_by=found.clusters.unit)
        table.insert(0, "notice", NOTICE)
        print(frame_csv(table), end="")
        return
    print(NOTICE)
    patients = found.reference.patients
    print(f"{len(found.reads)} images, compared with {found.reference.name}: {patients} patients.")
    _print_periods(found.periods)
    if found.watch is not None:
        _print_distributions(found)
        _print_alarms(found.watch, found.clusters.one)


def _print_periods(periods: pd.DataFrame) -> None:
    """Print each period; means of numbers only where they are outside their limits."""
    for row in periods[~periods["series"].str.startswith(MEAN) | periods["outside"]].itertuples():
        low, high, value = (series_value(number, row.series) for number in (row.low, row.high, row.value))
        limits = "" if pd.isna(row.low) or pd.isna(row.high) else f", limits {low} to {high}"
        outside = "; outside" if row.outside else ""
        print(f"{row.period:%Y-%m-%d}  {row.series:<12}{value:>8} of {row.reads} images{limits}{outside}")


def _print_distributions(found: MonitoringReport) -> None:
    """Print how far each number and each mix of categories lies from the reference, all periods together."""
    for row in found.distributions.itertuples():
        known = not pd.isna(row.limit)
        index = f"{row.stability_index:.3f}, limit {row.limit:.3f}" if known else "too few"
        outside = "; outside" if known and row.stability_index > row.limit else ""
        print(f"{row.series.replace('_', ' ')}: stability index {index} ({row.reads} {found.clusters.unit}){outside}")
    for name, rows in found.mixes.groupby("characteristic"):
        counts = ", ".join(f"{row.category} {row.patients}" for row in rows.itertuples())
        p_value = rows["p_value"].iloc[0]
        print(f"{name}: {counts}; p {format_p_value(None if pd.isna(p_value) else p_value)}")
    for row in found.categories.itertuples():
        print(f"{series_title(f'{row.kind}: {row.category}')}: {row.reads} images, {row.first} to {row.last}")


def _print_alarms(watched: Watch, cluster: str) -> None:
    level = f"statistic now {watched.level[-1]:.0%} of its limit"
    print(f"Reads that count, one of each {cluster} in 30 days: {len(watched.rows)}; {level}.")
    for episode in watched.episodes():
        print(describe_episode(episode))
    if not watched.alarms:
        print(f"No alarm. At most one is false in {ChangeOptions().reads_per_false_alarm:,.0f} reads, on average.")
