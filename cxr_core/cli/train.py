"""``train`` and ``train-gate``: train a model, or the gate's view classifier, on tables and images."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import numpy as np
import typer

from ..access import acting_user, audit
from ..errors import PathUnusable
from ..files import make_tree_private, private_folder
from ..formatting import duration, format_estimate
from ..imaging import EXPOSURES, InputExposure
from ..model.card import ModelCard
from ..settings import settings
from . import tables
from .calibrate import check_sampling
from .output import write
from .progress import LINE_SECONDS

if TYPE_CHECKING:
    from ..training.plan import Progress, Stage

__all__ = [
    "train",
    "train_gate",
]


# data
Images = Annotated[
    list[Path], typer.Option(metavar="DIR", help="Folder of images, PNG, JPEG or DICOM; may be given several times.")
]
Out = Annotated[Path, typer.Option(metavar="FOLDER/ID", help="Model folder to write; its name is the id.")]
SplitName = Annotated[
    str, typer.Option(metavar="embedded|official|FILE", help="Split of patients into train, validation and test.")
]
MeasureTest = Annotated[
    bool, typer.Option("--measure-test", help="Evaluate the finished model on the tables' test images, once.")
]
DropDuplicates = Annotated[
    bool, typer.Option("--drop-duplicates", help="Leave out near-duplicates that cross the split instead of refusing.")
]
CalibrateOn = Annotated[
    list[str] | None,
    typer.Option(metavar="FOLDER", help="Fit thresholds and curves on validation images of this folder; default: all."),
]
SamplingName = Annotated[
    str, typer.Option(metavar="consecutive|enriched|unknown", help="How these images were sampled.")
]
# plan
Epochs = Annotated[float, typer.Option(min=0.0, help="Passes over the training images.")]
Size = Annotated[int, typer.Option(min=32, help="Side of the network's input, pixels; a multiple of 32.")]
Stages = Annotated[
    str | None, typer.Option(metavar="SIZExEPOCHS,...", help="Growing sizes instead of --size and --epochs.")
]
HeadEpochs = Annotated[float, typer.Option(min=0.0, help="Passes before that in which only the last layer is trained.")]
Detail = Annotated[int | None, typer.Option(help="Finest detail of the images, as a side in pixels.")]
Exposure = Annotated[str, typer.Option(metavar="|".join(EXPOSURES), help="Exposure normalisation of the input.")]
Batch = Annotated[int, typer.Option(min=1, help="Images per step, of all GPUs together.")]
LearningRate = Annotated[float, typer.Option(min=0.0, help="Peak learning rate of the first stage.")]
Loss = Annotated[
    str, typer.Option(metavar="weighted|plain", help="Cross-entropy with the paper's class weights, or without.")
]
Init = Annotated[str, typer.Option(metavar="imagenet|FILE|random", help="Starting weights.")]
Augment = Annotated[
    str,
    typer.Option(
        metavar="none|mild|mild-flip|flip|strong", help="Augmentation policy; only those named flip mirror images."
    ),
]
Patience = Annotated[
    int, typer.Option(min=0, help="End a stage after this many epochs without a better validation AUC; 0: never.")
]
Average = Annotated[
    float, typer.Option(help="Use a moving average of the weights with this decay, such as 0.999; 0: none.")
]
ValidationImages = Annotated[int, typer.Option(min=1, help="Most validation images scored after each epoch.")]
Precision = Annotated[
    str,
    typer.Option(
        metavar="float32|mixed_float16|mixed_bfloat16", help="Precision of computation; weights stay float32."
    ),
]
Seed = Annotated[int, typer.Option(help="Random seed.")]
# hardware
Gpus = Annotated[int, typer.Option(min=1, help="GPUs of this machine; the CPU where it has none.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Decoding threads or processes; default: one per CPU.")]
Processes = Annotated[bool, typer.Option("--processes", help="Decode in processes, not threads: for compressed DICOM.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Identical weights at each repetition, on a GPU too; slower.")
]
CheckpointSteps = Annotated[
    int | None, typer.Option(min=1, help="Write a checkpoint every this many steps, besides every two minutes.")
]


def train(
    images: Images,
    table: tables.Tables,
    out: Out,
    columns: tables.Columns = None,
    labels: tables.Labels = None,
    map_label: tables.MapLabel = None,
    test_images: tables.TestImages = None,
    test_table: tables.TestTables = None,
    split: SplitName = "embedded",
    lists: tables.Lists = None,
    measure_test: MeasureTest = False,
    drop_duplicates: DropDuplicates = False,
    epochs: Epochs = 10,
    size: Size = 320,
    stages: Stages = None,
    head_epochs: HeadEpochs = 0,
    detail: Detail = None,
    exposure: Exposure = "none",
    batch: Batch = 32,
    learning_rate: LearningRate = 1e-3,
    loss: Loss = "weighted",
    init: Init = "imagenet",
    augment: Augment = "mild",
    patience: Patience = 0,
    average: Average = 0,
    validation_images: ValidationImages = 1000,
    precision: Precision = "float32",
    calibrate_on: CalibrateOn = None,
    sampling: SamplingName = "unknown",
    seed: Seed = 0,
    gpus: Gpus = 1,
    workers: Workers = None,
    processes: Processes = False,
    deterministic: Deterministic = False,
    checkpoint_steps: CheckpointSteps = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")] = False,
    version: Annotated[str, typer.Option(help="Version of the model, for its card.")] = "1",
) -> None:
    """Train DenseNet121 on NIH's table, or any other, and write a model folder with its card.

    The model has the labels of the tables. Tables in which patients or near-duplicate images cross the split are
    refused. Checkpoints are written to runs/train/ID of SECOND_READ_HOME: --resume continues an interrupted training.
    Example:

      python -m cxr_core train --images nih/images --table nih/Data_Entry_2017.csv --out models/mine
    """
    # checked now, not after hours of training
    if (problem := audit.problem()) is not None:
        raise problem
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow takes seconds to import: only this command needs it
    from ..training.plan import Plan
    from ..training.recipe import Callbacks, Hardware, Recipe
    from ..training.train import train_model

    plan = Plan(
        stages=_stages(stages, size, epochs, head_epochs),
        detail=detail,
        exposure=cast(InputExposure, exposure),  # the plan refuses any other value
        batch_size=batch,
        learning_rate=learning_rate,
        policy=augment,
        seed=seed,
        validation_images=validation_images,
        loss=loss,
        patience=patience,
        average=average,
        precision=precision,
    )
    rows = tables.read_tables(images, table, columns, map_label, labels)
    recipe = Recipe(
        id=out.resolve().name,
        images=rows,
        split=tables.choose_split(split, rows, lists or table[0].parent),
        plan=plan,
        tests=tables.read_test_sets(test_images, test_table),
        initialisation=init,
        version=version,
        calibrate_on=tuple(calibrate_on or ()),
        sampling=check_sampling(sampling),
        drop_duplicates=drop_duplicates,
        measure_test=measure_test,
    )
    work = _work_folder(recipe.id, resume)
    _private(work)
    if not resume:
        write(work / "split.csv", recipe.split.text().encode())
    progress = _ProgressLine(len(plan.stages))
    callbacks = Callbacks(step=progress.step, scored=progress.scored, compared=progress.compared)
    hardware = Hardware(gpus, workers, processes, deterministic, checkpoint_steps)
    try:
        card = train_model(recipe, out, work, resume=resume, callbacks=callbacks, hardware=hardware)
    finally:
        # TensorFlow writes its own files; nobody else could open them meanwhile, since the folder is closed
        make_tree_private(work)
    audit.note(acting_user(), "training", "resumed" if resume else "", model=card.weights_sha256)
    print(f"{out}: trained on {card.training.images:,} images; see: python -m cxr_core models show {out}")
    _print_means(card)


def _stages(stages: str | None, size: int, epochs: float, head_epochs: float) -> tuple[Stage, ...]:
    from ..training.plan import Stage, parse_stages

    growing = parse_stages(stages) if stages else (Stage(size, epochs),)
    return (*((Stage(growing[0].size, head_epochs, head=True),) if head_epochs else ()), *growing)


def _work_folder(model: str, resume: bool) -> Path:
    """Return the folder of a training's checkpoints; to resume, also the one where version 0.1.0 put them."""
    folder, earlier = settings().runs / "train" / model, Path("runs/train") / model
    return earlier if resume and earlier.is_dir() and not folder.is_dir() else folder


def _private(work: Path) -> None:
    """Make the folder of a training, readable by its owner only: its split and log name patients and images."""
    try:
        make_tree_private(private_folder(work))
    except OSError as error:
        raise PathUnusable(f"Training folder {work}: cannot be made.") from error


def _print_means(card: ModelCard) -> None:
    for table in card.metrics:
        if table.mean is not None and table.mean.value is not None:
            images = f"{table.number_of_images:,} {table.images} ({table.name})"
            print(f"mean AUC on {images}: {format_estimate(table.mean)}")


class _ProgressLine:
    """Prints the progress of a training: one line that is overwritten on a terminal, a line now and then elsewhere."""

    def __init__(self, stages: int) -> None:
        self._stages, self._terminal, self._last = stages, sys.stderr.isatty(), 0.0

    def step(self, progress: Progress) -> None:
        stage = f"stage {progress.stage + 1} of {self._stages}"
        self._print(
            f"{stage}, step {progress.step:,} of {progress.steps:,}, loss {progress.loss:.4f}, "
            f"{duration(progress.seconds_left)} left"
        )

    def scored(self, name: str, done: int, total: int) -> None:
        self._print(f"scoring, {name}: {done:,} of {total:,}", last=done == total)

    def compared(self, done: int, images: int) -> None:
        self._print(f"searching for near-duplicates: {done:,} of {images:,} images", last=done == images)

    def _print(self, line: str, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._last < (0.5 if self._terminal else LINE_SECONDS):
            return
        self._last = now
        print(
            f"\r{line}\033[K" if self._terminal else line,
            end="\n" if last or not self._terminal else "",
            file=sys.stderr,
        )


ADULT_YEARS = 18
GatePart = Literal["view", "geometry", "tone"]


def train_gate(
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of frontal images.")],
    table: Annotated[list[Path], typer.Option(metavar="CSV", help="NIH's table of the images; one per folder.")],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Weights and thresholds to write.")],
    split: Annotated[
        str, typer.Option(metavar="embedded|FILE", help="Split into training and validation patients.")
    ] = "embedded",
    without: Annotated[
        list[Path] | None,
        typer.Option(metavar="CSV", help="Table whose patients are left out, for a later evaluation."),
    ] = None,
    part: Annotated[
        GatePart, typer.Option(help="What is trained: the view classifier, or what notices altered geometry or grey.")
    ] = "view",
    seed: Annotated[int, typer.Option(help="Random seed.")] = 1,
) -> None:
    """Train a part of the gate on frontal images of adults and write its weights and thresholds."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import pandas as pd

    # TensorFlow takes seconds to import: only this command needs it
    from ..training.gate_alterations import fit_geometry, fit_tone, original_ratios
    from ..training.gate_training import fit_view_classifier

    rows = tables.read_tables(images, table)
    excluded = {patient for csv in without or [] for patient in pd.read_csv(csv)["Patient ID"].tolist()}
    rows = rows.select((rows.ages >= ADULT_YEARS) & ~np.isin(rows.patients, sorted(excluded)))
    subsets = tables.embedded_or_file(split).subset_of(rows.patients)
    train, validation = rows.select(subsets == "train"), rows.select(subsets == "validation")
    if part != "view":
        if part == "geometry":
            result = fit_geometry(train, original_ratios(table, train.names), out, seed=seed)
        else:
            result = fit_tone(train, out, seed=seed)
        patients = len(np.unique(train.patients))
        print(
            f"fitted on four fifths of {patients:,} patients with {len(train):,} images; bounds set on the others: ",
            end="",
        )
        print(", ".join(f"{name} {value:.4f}" for name, value in result.items()))
        return
    result = fit_view_classifier(train, validation, out, seed=seed)
    print(f"trained on {len(train):,} images of {len(np.unique(train.patients)):,} patients; thresholds set on")
    print(f"{len(validation):,} images of {len(np.unique(validation.patients)):,} other patients: ", end="")
    print(", ".join(f"{name} {value:.4f}" for name, value in result.items()))
