"""``calibrate``: fit the calibration curves and operating points of an existing model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, get_args

import typer

from ..access import acting_user, audit
from ..calibration.card_calibration import recalibrate
from ..calibration.sample import CalibrationSource
from ..errors import WrongArguments
from ..labels import display_name
from ..model import open_model
from ..model.calibration import Sampling
from ..model.formatting import describe_calibration, describe_curve
from ..model.precision import int8_folder
from ..model.rate_formatting import describe_operating_point
from .progress import ProgressBar
from .tables import Columns, HeldOutSplit, Labels, MapLabel, Tables, held_out_images, read_tables

__all__ = ["SamplingName", "Stages", "calibrate", "check_sampling"]

SamplingName = Annotated[
    str,
    typer.Option(
        metavar="consecutive|enriched|unknown",
        help="How the images were sampled. Only consecutive images give probabilities without an assumption.",
    ),
]


def check_sampling(sampling: str) -> Sampling:
    """Return a sampling scheme that a card may state; raises WrongArguments for another."""
    accepted: dict[str, Sampling] = {name: name for name in get_args(Sampling)}
    if sampling not in accepted:
        raise WrongArguments(f"Sampling {sampling!r}: accepted are {', '.join(accepted)}.")
    return accepted[sampling]


def calibrate(
    model: Annotated[str, typer.Option(metavar="DIR|ID", help="Model folder; its card is updated.")],
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; may be given several times.")],
    table: Tables,
    columns: Columns = None,
    labels: Labels = None,
    map_label: MapLabel = None,
    split: HeldOutSplit = "embedded",
    sampling: SamplingName = "unknown",
    seed: Annotated[int, typer.Option(help="Random seed of folds and resamples.")] = 0,
) -> None:
    """Fit a model's calibration, operating points and map anchors on images that it was not trained on.

    The weights are not changed; card.json and SHA256SUMS are rewritten. An INT8 graph of the model is refused until
    models quantise has made it again. Images that cannot be read are left out and
    counted. Example:

      python -m cxr_core calibrate --model second-read-mini --images nih/images --table nih/Data_Entry_2017.csv
      --sampling consecutive
    """
    if (problem := audit.problem()) is not None:
        raise problem
    checked = check_sampling(sampling)
    rows, chosen = held_out_images(read_tables(images, table, columns, map_label, labels), split)
    if chosen is None:
        source = CalibrationSource("images of patients new to the model", checked)
    else:
        source = CalibrationSource("images of validation patients", checked, chosen.name, chosen.sha256)
    with Stages() as stages:
        result = recalibrate(model, rows, source, seed=seed, report=stages.report)
    card = result.card
    audit.note(acting_user(), "model-change", "calibrate", model=card.weights_sha256)
    print(f"{model}: {describe_calibration(card)}.")
    if int8_folder(open_model(model)) is not None:
        print(
            "Its INT8 graph was made with the former thresholds, and is refused from now on. Make it again, with the "
            f"same further options: {_quantise_again(model, images, table)}"
        )
    if result.unreadable:
        print(f"{result.unreadable} images could not be read and were left out.")
    for label, curve in (card.calibration.per_label if card.calibration else {}).items():
        print(f"  {display_name(label):<28}{describe_curve(curve)}")
    for name, point in card.operating_points.items():
        print(f"  {name}: {describe_operating_point(point)}")


def _quantise_again(model: str, images: list[Path], tables: list[Path]) -> str:
    """Return the command that makes the INT8 graph of a model on the images of its calibration."""
    given = [*(f"--images={path}" for path in images), *(f"--table={path}" for path in tables)]
    return shlex.join(["python", "-m", "cxr_core", "models", "quantise", model, *given])


class Stages:
    """One progress bar after another, as one stage of a computation follows another."""

    def __init__(self) -> None:
        self._name = ""
        self._bar: ProgressBar | None = None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def report(self, name: str, done: int, total: int) -> None:
        """Show how much of a stage is done; a new name begins the next bar."""
        if name != self._name or self._bar is None:
            self.__exit__()
            self._name, self._bar = name, ProgressBar(name.capitalize(), total).__enter__()
        self._bar.update(done)
