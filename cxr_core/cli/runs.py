"""``runs``: what was evaluated, and the numbers of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..evaluation import RunSummary, summary_of
from ..evaluation.export import export_run
from ..evaluation.outside import read_outside
from ..evaluation.summary import times_words
from ..labels import NOTICE, display_name
from ..model.folder import card_of
from ..private_files import is_kept, make_tree_private
from ..report.model_card import model_card_markdown
from ..store import RunStore, StoredRun
from .inputs import write
from .progress import Steps, telling
from .run_words import estimate_words, summary_words

__all__ = ["app", "with_progress"]

REFUSED = 3
"""Exit status where runs could not be brought back."""

app = typer.Typer(
    help="List evaluation runs, show one, compare two, export or import one, rebuild their database.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

Run = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or the beginning of it.")]
Reference = Annotated[str | None, typer.Option(metavar="NAME", help="Who says what the films show.")]


@app.command("list")
def list_() -> None:
    """Print each run: id, date, model, films, and how often the same films were evaluated before."""
    store = RunStore()
    runs, unknown = store.list(), store.unknown()
    if not runs:
        print("No run is kept yet: `evaluate` makes one, `runs import` brings one.")
    for run in runs:
        record = run.record
        before = f", evaluated {times_words(record.evaluated_before)} before" if record.evaluated_before else ""
        films = f"{record.films:,} films of {record.patients:,} patients"
        gone = "" if run.is_there() else "; its files are missing"
        print(f"{record.id}  {record.created[:10]}  {record.model_id}  {record.part}: {films}{before}{gone}")
    if unknown:
        names = ", ".join(folder.name for folder in unknown)
        lie = "1 run lies" if len(unknown) == 1 else f"{len(unknown)} runs lie"
        typer.echo(
            f"{lie} in the folder of runs that the database does not know: {names}. "
            "`python -m cxr_core runs rebuild` brings back what is whole.",
            err=True,
        )


@app.command()
def rebuild() -> int:
    """Bring back runs that lie in the folder of runs and that the database does not know.

    For a database that was deleted, is older than the runs, or is damaged: a damaged SQLite file is put aside, and a
    new one made. Runs whose files were changed since they were stored are named and left out; exit status 3 then.
    """
    from ..store.rebuild import rebuild as rebuild_store

    with ExitStack() as stack:
        found = rebuild_store(telling(stack, "Runs brought back"))
    audit.note(asked_by(), "rebuild", f"{len(found.added)} runs brought back")
    if found.aside is not None:
        print(f"The damaged database was put aside: {found.aside}")
    for run in found.added:
        print(f"{run.record.id}: brought back")
    for _, reason in found.refused:
        typer.echo(f"Error: {reason}", err=True)
    if not found.added and not found.refused:
        print("Every run in the folder of runs is known.")
    return REFUSED if found.refused else 0


@app.command()
def show(run: Run, reference: Reference = None) -> None:
    """Print a run's numbers with intervals and counts: ranking, probabilities, operating point, groups."""
    print(summary_words(with_progress(RunStore().get(run), reference)))


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
        print(f"  {display_name(label):<28}{estimate_words(model.difference, signed=True)}{p_value}")
    for note in found.notes:
        print(f"note: {note}")


@app.command()
def export(run: Run, out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")]) -> None:
    """Write a run's predictions and numbers as CSV and JSON, a report of it as HTML, and a model card."""
    from ..displays import run_report

    stored = RunStore().get(run)
    # first, since what is not in the trail must not leave
    audit.record(asked_by(), "export", "run", run=stored.record.id, model=stored.record.model_sha256)
    summaries = [with_progress(stored, reference) for reference in stored.record.references]
    paths = [*export_run(stored, summaries, out)]
    card = card_of(stored.record.model_sha256)
    with Steps("Drawing", len(summaries)) as steps:
        for number, summary in enumerate(summaries):
            # one file a reference: numbers of two do not belong on one page
            kind = "" if not number else f"-{number + 1}"
            for name, made in (
                (f"report{kind}.html", run_report(stored.predictions(), summary)),
                (f"model-card{kind}.md", model_card_markdown(card, summary)),
            ):
                write(out / name, made.encode())
                paths.append(out / name)
            steps.done(number + 1)
    if is_kept(out):
        make_tree_private(out)
    for path in paths:
        print(path)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet of scores and labels.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What the run is called.")],
    model: Annotated[str, typer.Option(metavar="NAME", help="What the model is called.")] = "a model from elsewhere",
    part: Annotated[str, typer.Option(metavar="train|validation|test|all", help="Part of a split.")] = "test",
    keep_image_names: Annotated[
        bool,
        typer.Option("--keep-image-names", help="Keep the images' names as they are, and not as keyed digests."),
    ] = False,
) -> None:
    """Keep predictions that were made elsewhere as a run.

    The table has one row a film: the columns `image` and `patient`; for each label a column `score: LABEL` in
    0 to 1 and a column `truth: LABEL` of 0, 1 or nothing; and, where known, `age`, `sex`, `view`, and
    `truth: Any finding`, whether the film is abnormal at all. Patients and image names are kept as keyed digests.
    """
    store = RunStore()
    predictions, made = read_outside(
        file, name=name, model=model, part=part, folder=store.folder, keep_image_names=keep_image_names
    )
    run = store.add(made, predictions)
    audit.note(asked_by(), "evaluation", "imported", run=run.record.id)
    print(summary_words(with_progress(run)))


def with_progress(run: StoredRun, reference: str | None = None) -> RunSummary:
    """Return the numbers of a run, telling how far they are where that takes time."""
    with ExitStack() as stack:
        return summary_of(run, reference, telling(stack, "Numbers of the run"))
