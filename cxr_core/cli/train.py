"""``train``: tables and images to a model folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..duration import duration
from ..errors import PathUnusable
from ..imaging import EXPOSURES
from ..model.card import ModelCard
from ..private_files import make_tree_private, private_folder
from .calibrate import check_sampling
from .inputs import write
from .progress import LINE_SECONDS
from .tables import COLUMNS_HELP, LISTS_HELP, MAP_LABEL_HELP, chosen_split, pairs, test_sets

__all__ = ["train"]

WORK = Path("runs/train")


def train(
    images: Annotated[
        list[Path],
        typer.Option(metavar="DIR", help="Folder of images, PNG, JPEG or DICOM; may be given several times."),
    ],
    table: Annotated[
        list[Path], typer.Option(metavar="CSV", help="Table of the films; once for each folder, in their order.")
    ],
    out: Annotated[Path, typer.Option(metavar="model_weights/ID", help="Model folder to write; its name is the id.")],
    columns: Annotated[list[str] | None, typer.Option(metavar="nih|FIELD=COLUMN,...", help=COLUMNS_HELP)] = None,
    map_label: Annotated[list[str] | None, typer.Option(metavar="FROM=TO", help=MAP_LABEL_HELP)] = None,
    test_images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Films of test patients, only measured on.")
    ] = None,
    test_table: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="Their table: NIH's, or experts' majority labels.")
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="embedded|official|FILE", help="Which patients train, validate, test.")
    ] = "embedded",
    lists: Annotated[Path | None, typer.Option(metavar="DIR", help=LISTS_HELP)] = None,
    measure_test: Annotated[
        bool, typer.Option("--measure-test", help="Measure the finished model on the tables' test films, once.")
    ] = False,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Leave out near-duplicates of later parts' films, not refuse.")
    ] = False,
    epochs: Annotated[float, typer.Option(min=0.0, help="Passes over the training films.")] = 10,
    size: Annotated[int, typer.Option(min=32, help="Side of the network's input, pixels; a multiple of 32.")] = 320,
    stages: Annotated[
        str | None, typer.Option(metavar="SIZExEPOCHS,...", help="Growing sizes instead of --size and --epochs.")
    ] = None,
    head_epochs: Annotated[
        float, typer.Option(min=0.0, help="Passes before that in which the last layer alone is trained.")
    ] = 0,
    detail: Annotated[int | None, typer.Option(help="Finest detail of the films, as a side in pixels.")] = None,
    exposure: Annotated[str, typer.Option(metavar="|".join(EXPOSURES), help="Grey of the network's input.")] = "none",
    batch: Annotated[int, typer.Option(min=1, help="Films a step, of all GPUs together.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of the first stage.")] = 1e-3,
    loss: Annotated[str, typer.Option(metavar="weighted|plain", help="With the paper's class weights?")] = "weighted",
    init: Annotated[str, typer.Option(metavar="imagenet|FILE|random", help="Starting weights.")] = "imagenet",
    augment: Annotated[
        str, typer.Option(metavar="none|mild|mild-flip|flip|strong", help="Augmentation policy; only flip mirrors.")
    ] = "mild",
    patience: Annotated[
        int, typer.Option(min=0, help="End a stage after so many epochs without a better validation AUC; 0: never.")
    ] = 0,
    average: Annotated[
        float, typer.Option(help="Keep a moving average of the weights with this decay, such as 0.999; 0: none.")
    ] = 0,
    validation_films: Annotated[
        int, typer.Option(min=1, help="Most films that are looked at after each epoch.")
    ] = 1000,
    precision: Annotated[
        str, typer.Option(metavar="float32|mixed_float16|mixed_bfloat16", help="Of the computation; weights: float32.")
    ] = "float32",
    calibrate_on: Annotated[
        list[str] | None,
        typer.Option(metavar="FOLDER", help="Set thresholds and curves on validation films of this folder; all."),
    ] = None,
    sampling: Annotated[
        str, typer.Option(metavar="consecutive|enriched|unknown", help="How these films were come by.")
    ] = "unknown",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    gpus: Annotated[int, typer.Option(min=1, help="GPUs of this machine; with none, its processor.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="Who decode films; one for each processor.")] = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="Decode in processes, not threads: for compressed DICOM.")
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same bits each time on a GPU too; slower.")
    ] = False,
    checkpoint_steps: Annotated[
        int | None, typer.Option(min=1, help="A checkpoint after so many steps; every two minutes anyway.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    version: Annotated[str, typer.Option(help="Of the model, for its card.")] = "1",
) -> None:
    """Train DenseNet121 on NIH's table, or any other, and write a model folder with its card.

    Neither patients nor near-duplicate pictures cross the split: tables in which they do are refused.
    Checkpoints are kept in runs/train/ID, so a training that was cut goes on with --resume. Example:

      python -m cxr_core train --images nih/images --table nih/Data_Entry_2017.csv --out model_weights/mine
    """
    # now, and not after hours
    if (problem := audit.problem()) is not None:
        raise problem
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow takes seconds to import: only this command needs it
    from ..training.plan import Plan, Stage, parse_stages
    from ..training.recipe import Machine, Recipe, Watcher, train_model

    whole = parse_stages(stages) if stages else (Stage(size, epochs),)
    head = (Stage(whole[0].size, head_epochs, head=True),) if head_epochs else ()
    plan = Plan(
        stages=head + whole,
        detail=detail,
        exposure=exposure,
        batch_size=batch,
        learning_rate=learning_rate,
        policy=augment,
        seed=seed,
        validation_films=validation_films,
        loss=loss,
        patience=patience,
        average=average,
        precision=precision,
    )
    films = pairs(images, table, columns, map_label)
    recipe = Recipe(
        id=out.resolve().name,
        films=films,
        split=chosen_split(split, films, lists or table[0].parent),
        plan=plan,
        tests=test_sets(test_images, test_table),
        initialisation=init,
        version=version,
        calibrate_on=tuple(calibrate_on or ()),
        sampling=check_sampling(sampling),
        drop_duplicates=drop_duplicates,
        measure_test=measure_test,
    )
    work = WORK / recipe.id
    _private(work)
    if not resume:
        write(work / "split.csv", recipe.split.text().encode())
    teller = _Teller(len(plan.stages))
    try:
        card = train_model(
            recipe,
            out,
            work,
            resume=resume,
            watcher=Watcher(step=teller.step, scored=teller.scored, compared=teller.compared),
            machine=Machine(gpus, workers, processes, deterministic, checkpoint_steps),
        )
    finally:
        # TensorFlow writes its own; nobody else could come to them meanwhile, since the folder is closed
        make_tree_private(work)
    audit.note(asked_by(), "training", "resumed" if resume else "", model=card.weights_sha256)
    print(f"{out}: trained on {card.training.films:,} films; see: python -m cxr_core models show {out}")
    _tell_means(card)


def _private(work: Path) -> None:
    """Make the folder of a training, closed to all but its owner: its split and its log name patients and images."""
    try:
        make_tree_private(private_folder(work))
    except OSError as error:
        raise PathUnusable(f"Training folder {work}: cannot be made.") from error


def _tell_means(card: ModelCard) -> None:
    for table in card.metrics:
        if table.mean is not None and table.mean.value is not None:
            between = f" ({table.mean.low:.3f} to {table.mean.high:.3f})" if table.mean.low is not None else ""
            print(
                f"mean AUC on {table.number_of_films:,} {table.films} ({table.name}): {table.mean.value:.3f}{between}"
            )


class _Teller:
    """Tells how far a training is: a line that is written over on a terminal, one in a while elsewhere."""

    def __init__(self, stages: int) -> None:
        self._stages, self._terminal, self._told = stages, sys.stderr.isatty(), 0.0

    def step(self, progress) -> None:
        stage = f"stage {progress.stage + 1} of {self._stages}"
        self._tell(
            f"{stage}, step {progress.step:,} of {progress.steps:,}, loss {progress.loss:.4f}, "
            f"{duration(progress.seconds_left)} left"
        )

    def scored(self, name: str, done: int, films: int) -> None:
        self._tell(f"measuring, {name}: {done:,} of {films:,}", last=done == films)

    def compared(self, done: int, films: int) -> None:
        self._tell(f"looking for near-duplicates: {done:,} of {films:,} films", last=done == films)

    def _tell(self, line: str, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._told < (0.5 if self._terminal else LINE_SECONDS):
            return
        self._told = now
        print(
            f"\r{line}\033[K" if self._terminal else line,
            end="\n" if last or not self._terminal else "",
            file=sys.stderr,
        )
