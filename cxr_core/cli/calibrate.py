"""``calibrate``: films of other patients to curves and operating points of a model that is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from ..access import asked_by, audit
from ..errors import TrainingRefused, WrongArguments
from ..labels import display_name
from ..model.calibration import Sampling
from ..model.words import calibration_words, curve_words, flagged_words
from ..training.recalibrate import recalibrate
from ..training.sample import Origin
from ..training.splits import EMBEDDED_SPLIT, read_split
from .progress import Steps
from .split import pairs

__all__ = ["calibrate", "check_sampling"]


def check_sampling(sampling: str) -> Sampling:
    """Return a way of sampling that the card knows; raises WrongArguments for another."""
    known = get_args(Sampling)
    if sampling not in known:
        raise WrongArguments(f"Sampling {sampling!r}: accepted are {', '.join(known)}.")
    return sampling


def calibrate(
    model: Annotated[str, typer.Option(metavar="DIR|ID", help="Model folder; its card is written anew.")],
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; may be given several times.")],
    table: Annotated[
        list[Path], typer.Option(metavar="CSV", help="NIH's table; once for each folder, in their order.")
    ],
    split: Annotated[
        str,
        typer.Option(
            metavar="embedded|FILE|none",
            help="Its validation patients are taken; with none every film of the table, of patients new to the model.",
        ),
    ] = "embedded",
    sampling: Annotated[
        str,
        typer.Option(
            metavar="consecutive|enriched|unknown",
            help="How the films were come by. Only consecutive ones give a probability as it is.",
        ),
    ] = "unknown",
    seed: Annotated[int, typer.Option(help="Of folds and resamples.")] = 0,
) -> None:
    """Set a model's calibration, operating points and map anchors on films that it was not trained on.

    The weights stay as they are; card.json and SHA256SUMS are written anew. Films that cannot be read are left
    out and counted. Example:

      python -m cxr_core calibrate --model second-read-mini --images nih/images --table nih/Data_Entry_2017.csv
      --sampling consecutive
    """
    if (problem := audit.problem()) is not None:
        raise problem
    films, how = pairs(images, table), check_sampling(sampling)
    if split == "none":
        origin = Origin("films of patients new to the model", how)
    else:
        parts = read_split(EMBEDDED_SPLIT if split == "embedded" else Path(split))
        films = films.select(parts.part_of(films.patients) == "validation")
        origin = Origin("films of validation patients", how, parts.name, parts.sha256)
        if not len(films):
            raise TrainingRefused(f"Split {parts.name}: no film of the table is of a validation patient.")
    with _Parts() as parts_done:
        done = recalibrate(model, films, origin, seed=seed, report=parts_done.report)
    card, calibration = done.card, done.card.calibration
    audit.note(asked_by(), "model-change", "calibrate", model=card.weights_sha256)
    print(f"{model}: {calibration_words(card)}.")
    if done.unreadable:
        print(f"{done.unreadable} films could not be read and were left out.")
    for label, curve in calibration.per_label.items():
        print(f"  {display_name(label):<28}{curve_words(curve)}")
    for name, point in card.operating_points.items():
        print(f"  {name}: {flagged_words(point)}")


class _Parts:
    """One bar after another, each with its time left: scoring, then operating points, then curves."""

    def __init__(self) -> None:
        self._what, self._steps = "", None

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._steps is not None:
            self._steps.__exit__(None, None, None)

    def report(self, what: str, done: int, number: int) -> None:
        if what != self._what:
            self.__exit__()
            self._what, self._steps = what, Steps(what.capitalize(), number).__enter__()
        self._steps.done(done)
