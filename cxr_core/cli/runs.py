"""``runs``: what was evaluated, and the numbers of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..evaluation import RunSummary, summarise
from ..evaluation.export import export_run
from ..evaluation.outside import read_outside
from ..evaluation.summary import times_words
from ..labels import NOTICE, display_name
from ..metrics import Estimate
from ..store import RunStore

__all__ = ["app", "summary_words"]

app = typer.Typer(help="List evaluation runs, show one, compare two, export one.", no_args_is_help=True)

Run = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or the beginning of it.")]
Reference = Annotated[str | None, typer.Option(metavar="NAME", help="Who says what the films show.")]


@app.command("list")
def list_() -> None:
    """Print each run: id, date, model, films, and how often the same films were evaluated before."""
    for run in RunStore().list():
        record = run.record
        before = f", evaluated {times_words(record.evaluated_before)} before" if record.evaluated_before else ""
        films = f"{record.films:,} films of {record.patients:,} patients"
        print(f"{record.id}  {record.created[:10]}  {record.model_id}  {record.part}: {films}{before}")


@app.command()
def show(run: Run, reference: Reference = None) -> None:
    """Print a run's AUC with intervals and counts."""
    stored = RunStore().get(run)
    print(summary_words(summarise(stored.record, stored.predictions(), reference)))


@app.command()
def compare(run: Run, other: Run, reference: Reference = None) -> None:
    """Print the differences of two runs on the same films, with paired intervals."""
    from ..evaluation.comparison import compare_runs

    store = RunStore()
    found = compare_runs(store.get(run), store.get(other), reference)
    print(NOTICE)
    print(f"{found.one.id} less {found.two.id}: AUC on the same {found.films:,} films ({found.reference})")
    for label, model in found.differences.items():
        p_value = "" if model.adjusted_p_value is None else f"; Holm's p {model.adjusted_p_value:.3f}"
        print(f"  {display_name(label):<20}{estimate_words(model.difference, signed=True)}{p_value}")
    for note in found.notes:
        print(f"note: {note}")


@app.command()
def export(run: Run, out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")]) -> None:
    """Write a run's predictions and numbers as CSV and JSON."""
    stored = RunStore().get(run)
    for path in export_run(stored, out):
        print(path)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet of scores and labels.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What the run is called.")],
    model: Annotated[str, typer.Option(metavar="NAME", help="What the model is called.")] = "a model from elsewhere",
    part: Annotated[str, typer.Option(metavar="train|validation|test|all", help="Part of a split.")] = "test",
) -> None:
    """Keep predictions that were made elsewhere as a run.

    The table has one row a film: the columns `image` and `patient`; for each label a column `score: LABEL` in
    0 to 1 and a column `truth: LABEL` of 0, 1 or nothing; and, where known, `age`, `sex`, `view`, and
    `truth: Any finding`, whether the film is abnormal at all. Patients are kept as keyed digests.
    """
    store = RunStore()
    predictions, record = read_outside(file, name=name, model=model, part=part, folder=store.folder)
    run = store.add(record, predictions)
    print(summary_words(summarise(run.record, predictions)))


def summary_words(summary: RunSummary) -> str:
    """Return a run's numbers for a person at a terminal."""
    record = summary.record
    lines = [
        f"{record.name} ({record.id})",
        NOTICE,
        f"Model {record.model_id}; {record.films:,} films of {record.patients:,} patients "
        f"({', '.join(record.data)}, {record.part}); reference: {summary.reference}",
        *(f"note: {note}" for note in summary.notes),
        "AUC (95 % interval by patients):",
        *(f"  {display_name(label):<20}{estimate_words(estimate)}" for label, estimate in summary.auc.items()),
    ]
    if summary.mean_auc is not None:
        lines.append(f"  {'Mean of the labels':<20}{summary.mean_auc:.3f}")
    return "\n".join(lines)


def estimate_words(estimate: Estimate, *, signed: bool = False) -> str:
    """Return a number with its interval and counts, or why there is none."""
    counts = f"{estimate.positive_patients} positive, {estimate.negative_patients} negative patients"
    if estimate.value is None:
        reason = estimate.reason or "not known"
        return reason if "patients" in reason else f"{reason}; {counts}"
    sign = "+" if signed else ""
    if estimate.low is None:
        return f"{estimate.value:{sign}.3f} (no interval: {estimate.reason}; {counts})"
    return f"{estimate.value:{sign}.3f} ({estimate.low:{sign}.3f} to {estimate.high:{sign}.3f}; {counts})"
