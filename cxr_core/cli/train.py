"""``train``: tables and images to a model folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ..duration import duration
from ..errors import WrongArguments
from .calibrate import check_sampling
from .progress import LINE_SECONDS
from .split import pairs

__all__ = ["train"]

WORK = Path("runs/train")


def train(
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; may be given several times.")],
    table: Annotated[
        list[Path], typer.Option(metavar="CSV", help="NIH's table; once for each folder, in their order.")
    ],
    out: Annotated[Path, typer.Option(metavar="model_weights/ID", help="Model folder to write; its name is the id.")],
    test_images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Films of test patients, only measured on.")
    ] = None,
    test_table: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="Their table: NIH's, or experts' majority labels.")
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="embedded|FILE", help="Which patients train, validate, test.")
    ] = "embedded",
    epochs: Annotated[float, typer.Option(min=0.0, help="Passes over the training films.")] = 10,
    size: Annotated[int, typer.Option(min=32, help="Side of the network's input, pixels; a multiple of 32.")] = 320,
    stages: Annotated[
        str | None, typer.Option(metavar="SIZExEPOCHS,...", help="Growing sizes instead of --size and --epochs.")
    ] = None,
    detail: Annotated[int | None, typer.Option(help="Finest detail of the films, as a side in pixels.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Films a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of the first stage.")] = 1e-3,
    init: Annotated[str, typer.Option(metavar="imagenet|FILE|random", help="Starting weights.")] = "imagenet",
    augment: Annotated[str, typer.Option(metavar="none|mild|mild-flip", help="Augmentation policy.")] = "mild",
    calibrate_on: Annotated[
        list[str] | None,
        typer.Option(metavar="FOLDER", help="Set thresholds and curves on validation films of this folder; all."),
    ] = None,
    sampling: Annotated[
        str, typer.Option(metavar="consecutive|enriched|unknown", help="How these films were come by.")
    ] = "unknown",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    version: Annotated[str, typer.Option(help="Of the model, for its card.")] = "1",
) -> None:
    """Train DenseNet121 on NIH's table format and write a model folder with its card.

    Patients never cross the split: a table that does so is refused. Checkpoints are kept in
    runs/train/ID, so a training that was cut goes on with --resume. Example:

      python -m cxr_core train --images nih/images --table nih/Data_Entry_2017.csv --out model_weights/mine
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow takes seconds to import: only this command needs it
    from ..training.augment import POLICIES
    from ..training.fit import Plan, Stage, parse_stages
    from ..training.recipe import Recipe, Watcher, train_model
    from ..training.splits import EMBEDDED_SPLIT, read_split

    if augment not in POLICIES:
        raise WrongArguments(f"Augmentation {augment!r}: accepted are {', '.join(POLICIES)}.")
    plan = Plan(
        stages=parse_stages(stages) if stages else (Stage(size, epochs),),
        detail=detail,
        batch_size=batch,
        learning_rate=learning_rate,
        policy=augment,
        seed=seed,
    )
    tests = {}
    if test_images or test_table:
        for folder, csv in zip(test_images or [], test_table or [], strict=False):
            tests[folder.parent.name if folder.name == "images" else folder.name] = pairs([folder], [csv])
        if len(test_images or []) != len(test_table or []):
            raise WrongArguments("Give one --test-table for each --test-images.")
    recipe = Recipe(
        id=out.resolve().name,
        films=pairs(images, table),
        split=read_split(EMBEDDED_SPLIT if split == "embedded" else Path(split)),
        plan=plan,
        tests=tests,
        initialisation=init,
        version=version,
        calibrate_on=tuple(calibrate_on or ()),
        sampling=check_sampling(sampling),
    )
    teller = _Teller(len(plan.stages))
    card = train_model(
        recipe, out, WORK / recipe.id, resume=resume, watcher=Watcher(step=teller.step, scored=teller.scored)
    )
    print(f"{out}: trained on {card.training.films:,} films; see: python -m cxr_core models show {out}")


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
