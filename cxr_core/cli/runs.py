"""``runs``: list, show, prepare, compare, export and import evaluation runs, and rebuild their database."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..errors import CxrError, WrongArguments
from ..evaluation import RunComparison, RunSummary, summary_of
from ..evaluation.comparison import comparison_of
from ..evaluation.export import export_run
from ..evaluation.external_predictions import read_external_predictions
from ..evaluation.run_context import evaluated_before
from ..files import is_kept, make_tree_private
from ..formatting import duration, format_estimate, format_p_value
from ..labels import NOTICE, display_name
from ..model.folder import card_of
from ..report.model_card import model_card_markdown
from ..settings import folder_notes
from ..store import RunStore, StoredRun
from .output import write
from .progress import ProgressBar, progress_callback
from .run_formatting import format_summary

__all__ = ["app", "with_progress"]

REFUSED = 3
"""Exit status where runs could not be added to the database."""

app = typer.Typer(
    help="List evaluation runs, show or prepare one, compare two, export or import one, rebuild their database.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

Run = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or the beginning of it.")]
Reference = Annotated[str | None, typer.Option(metavar="NAME", help="Reference standard (default: the run's first).")]


@app.command("list")
def list_() -> None:
    """Print each run: id, date, model, images, and how often the same images were evaluated before."""
    store = RunStore()
    runs, unknown = store.list(), store.unknown()
    for sentence in folder_notes():
        typer.echo(sentence, err=True)
    if not runs:
        print("There are no runs yet: create one with `evaluate`, or import predictions with `runs import`.")
    for run in runs:
        record = run.record
        before = f"; {evaluated_before(record).lower()}" if record.evaluated_before else ""
        images = f"{record.images:,} images of {record.patients:,} patients"
        missing_files = "" if run.is_there() else "; its files are missing"
        print(f"{record.id}  {record.created[:10]}  {record.model}  {record.part}: {images}{before}{missing_files}")
    if unknown:
        names = ", ".join(folder.name for folder in unknown)
        are = "1 run is" if len(unknown) == 1 else f"{len(unknown)} runs are"
        typer.echo(
            f"{are} in the folder of runs but not in the database: {names}. "
            "`python -m cxr_core runs rebuild` adds those that are complete.",
            err=True,
        )


@app.command()
def rebuild() -> int:
    """Add runs that are in the folder of runs but not in the database.

    For a database that was deleted, is older than the runs, or is damaged: a damaged SQLite file is renamed, and a
    new one made. Runs whose files were changed since they were stored are named and left out; exit status 3 then.
    """
    from ..store.rebuild import rebuild as rebuild_store

    with ExitStack() as stack:
        rebuilt = rebuild_store(progress_callback(stack, "Runs added"))
    audit.note(acting_user(), "rebuild", f"{len(rebuilt.added)} runs added")
    if rebuilt.aside is not None:
        print(f"The damaged database was renamed to {rebuilt.aside}")
    for run in rebuilt.added:
        print(f"{run.record.id}: added")
    for _, reason in rebuilt.refused:
        typer.echo(f"Error: {reason}", err=True)
    if not rebuilt.added and not rebuilt.refused:
        print("Every run in the folder of runs is in the database.")
    return REFUSED if rebuilt.refused else 0


@app.command()
def show(run: Run, reference: Reference = None) -> None:
    """Print a run's metrics with intervals and counts: discrimination, calibration, operating point, subgroups."""
    print(format_summary(with_progress(RunStore().get(run), reference)))


@app.command()
def compare(
    run: Run,
    other: Run,
    reference: Reference = None,
    view: Annotated[str, typer.Option(metavar="PA|AP", help="Images of one view (default: all).")] = "",
) -> None:
    """Print the AUC of two runs on the same images, and the differences with paired intervals."""
    store = RunStore()
    comparison = _compared(store.get(run), store.get(other), reference, view)
    print(NOTICE)
    print(
        f"{comparison.one.id} ({comparison.one.model}) minus {comparison.two.id} ({comparison.two.model}): AUC on the "
        f"same {comparison.images:,} images{f' of view {view}' if view else ''} ({comparison.reference})"
    )
    if comparison.labels_in_mean:
        mean = comparison.mean
        print(
            f"  {f'Mean of {len(comparison.labels_in_mean)} labels':<28}{format_estimate(mean.first)} minus "
            f"{format_estimate(mean.second)}: {format_estimate(mean.difference, signed=True)}"
        )
    for label, model in comparison.differences.items():
        p_value = "" if model.adjusted_p_value is None else f"; Holm's p {format_p_value(model.adjusted_p_value)}"
        difference = format_estimate(model.difference, signed=True, counts=model.difference)
        one, two = (format_estimate(auc) for auc in comparison.aucs[label])
        aucs = "" if model.difference.value is None else f"{one} minus {two}: "
        print(f"  {display_name(label):<28}{aucs}{difference}{p_value}")
    for note in comparison.notes:
        print(f"note: {note}")


@app.command()
def prepare(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or the beginning of it.")] = "",
    other: Annotated[
        str, typer.Option("--compare", metavar="OTHER", help="Also compare with this run, as the page Compare does.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="All runs, with all their reference standards.")] = False,
) -> int:
    """Compute a run's metrics ahead, by all its reference standards, so that the pages of the app find them.

    They are stored in the folder of runs and computed again only for another version of the program. A run that cannot
    be read is named, and the others are computed; exit status 3 then.
    """
    if everything == bool(run):
        raise WrongArguments("Give a run, or --all.")
    if everything and other:
        raise WrongArguments("--compare: only with a run, since not every run has images of the other.")
    store = RunStore()
    second = store.get(other) if other else None
    refused = 0
    for stored in store.list() if everything else (store.get(run),):
        start = time.monotonic()
        try:
            for reference in stored.record.references:
                with_progress(stored, reference)
                if second is not None:
                    _compared(stored, second, reference)
        except CxrError as error:
            if not everything:
                raise
            refused += 1
            typer.echo(f"Error: {error}", err=True)
        else:
            print(f"{stored.record.id}: ready, {duration(time.monotonic() - start)}")
    return REFUSED if refused else 0


def _compared(one: StoredRun, two: StoredRun, reference: str | None, view: str = "") -> RunComparison:
    """Return the comparison of two runs, with a progress bar while it is computed."""
    with ExitStack() as stack:
        return comparison_of(one, two, reference, view, progress_callback(stack, "Comparing"))


@app.command()
def export(run: Run, out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")]) -> None:
    """Write a run's predictions and numbers as CSV and JSON, a report of it as HTML, and a model card."""
    from ..displays import run_report

    stored = RunStore().get(run)
    # before anything is written: an export that is not in the trail must not happen
    audit.record(acting_user(), "export", "run", run=stored.record.id, model=stored.record.model_sha256)
    summaries = [with_progress(stored, reference) for reference in stored.record.references]
    paths = [*export_run(stored, summaries, out)]
    card = card_of(stored.record.model_sha256)
    with ProgressBar("Drawing", len(summaries)) as progress:
        for number, summary in enumerate(summaries):
            # one file per reference standard
            suffix = "" if not number else f"-{number + 1}"
            for name, text in (
                (f"report{suffix}.html", run_report(stored.predictions(), summary)),
                (f"model-card{suffix}.md", model_card_markdown(card, summary)),
            ):
                write(out / name, text.encode())
                paths.append(out / name)
            progress.update(number + 1)
    if is_kept(out):
        make_tree_private(out)
    for path in paths:
        print(path)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet of scores and labels.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the run.")],
    model: Annotated[str, typer.Option(metavar="NAME", help="Name of the model.")] = "external model",
    part: Annotated[
        str, typer.Option(metavar="train|validation|test|all", help="Subset of a split that the images are.")
    ] = "test",
    keep_image_names: Annotated[
        bool,
        typer.Option("--keep-image-names", help="Store image names as they are, not as keyed digests."),
    ] = False,
) -> None:
    """Store the predictions of another program as a run.

    The table has one row per image: the columns `image` and `patient`; for each label a column `score: LABEL` from
    0 to 1 and a column `truth: LABEL` of 0, 1 or nothing; and, where known, `age`, `sex`, `view`, and
    `truth: Any finding`, whether the image is abnormal at all. Patients and image names are stored as keyed digests.
    """
    store = RunStore()
    predictions, record = read_external_predictions(
        file, name=name, model=model, part=part, folder=store.folder, keep_image_names=keep_image_names
    )
    run = store.add(record, predictions)
    audit.note(acting_user(), "evaluation", "imported", run=run.record.id)
    print(format_summary(with_progress(run)))


def with_progress(run: StoredRun, reference: str | None = None) -> RunSummary:
    """Return the metrics of a run, with a progress bar while they are computed."""
    with ExitStack() as stack:
        return summary_of(run, reference, progress_callback(stack, "Computing metrics"))
