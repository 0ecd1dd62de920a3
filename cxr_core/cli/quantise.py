"""``models quantise`` and ``models precision``: the INT8 graph of a model, and its difference to float32."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..calibration.sample import CalibrationSource
from ..datasets.table import ImageTable
from ..model import open_model
from ..model.int8_formatting import format_difference, format_int8
from ..quantisation.quantise import RANGE_IMAGES
from ..quantisation.quantise import compare_precisions as compare
from ..quantisation.quantise import quantise as make
from .calibrate import SamplingName, Stages, check_sampling
from .tables import Columns, HeldOutSplit, Labels, MapLabel, Tables, held_out_images, read_tables

__all__ = ["precision", "quantise"]

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")]
Images = Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; may be given several times.")]


def quantise(
    model: Id,
    images: Images,
    table: Tables,
    columns: Columns = None,
    labels: Labels = None,
    map_label: MapLabel = None,
    split: HeldOutSplit = "embedded",
    sampling: SamplingName = "unknown",
    ranges: Annotated[
        int, typer.Option(min=1, metavar="N", help="Images drawn at random for the ranges of the 8-bit integers.")
    ] = RANGE_IMAGES,
    seed: Annotated[int, typer.Option(help="Random seed of the draw, of folds and of resamples.")] = 0,
) -> None:
    """Make the INT8 graph of a model, for predict --precision int8, on images that it was not trained on.

    Operating points, calibration and map anchors are fitted for it, and its difference to float32 is measured on
    the same images and printed by models show. The model's own files do not change. Needs NNCF
    (requirements-int8.txt) and a processor that gains from INT8. Example:

      python -m cxr_core models quantise second-read-mini --images nih/images --table nih/Data_Entry_2017.csv
      --sampling consecutive
    """
    if (problem := audit.problem()) is not None:
        raise problem
    checked = check_sampling(sampling)
    rows, source = _held_out(images, table, columns, map_label, labels, split)
    with Stages() as stages:
        result = make(
            model,
            rows,
            CalibrationSource(source.images, checked, source.split, source.split_sha256),
            range_images=ranges,
            seed=seed,
            report=stages.report,
        )
    audit.note(acting_user(), "model-change", "quantise", model=result.card.weights_sha256)
    if result.unreadable:
        print(f"{result.unreadable} images could not be read and are excluded.")
    print("\n".join(format_int8(result.card.int8)))
    print(f"Written to {result.folder}")


def precision(
    model: Id,
    images: Images,
    table: Tables,
    columns: Columns = None,
    labels: Labels = None,
    map_label: MapLabel = None,
    split: HeldOutSplit = "none",
    seed: Annotated[int, typer.Option(help="Random seed of resamples.")] = 0,
) -> None:
    """Compare a model's INT8 graph with float32 on images that neither was trained on: AUC, states, heat maps.

    Nothing is written. Example:

      python -m cxr_core models precision second-read-mini --images experts/images --table experts/majority.csv
    """
    open_model(model)
    rows, source = _held_out(images, table, columns, map_label, labels, split)
    with Stages() as stages:
        difference = compare(model, rows, source, seed=seed, report=stages.report)
    print("\n".join(format_difference(difference)))


def _held_out(
    images: list[Path],
    table: list[Path],
    columns: list[str] | None,
    map_label: list[str] | None,
    labels: str | None,
    split: str,
) -> tuple[ImageTable, CalibrationSource]:
    rows, chosen = held_out_images(read_tables(images, table, columns, map_label, labels), split)
    if chosen is None:
        return rows, CalibrationSource("images of patients new to the model")
    return rows, CalibrationSource("images of validation patients", split=chosen.name, split_sha256=chosen.sha256)
