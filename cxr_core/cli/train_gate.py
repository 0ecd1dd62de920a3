"""``train-gate``: teach the gate what a frontal chest film looks like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..training.splits import EMBEDDED_SPLIT, read_split
from .tables import pairs

__all__ = ["train_gate"]

ADULT_YEARS = 18


def train_gate(
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of frontal films.")],
    table: Annotated[list[Path], typer.Option(metavar="CSV", help="NIH's table of a folder's films.")],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Weights and thresholds to write.")],
    split: Annotated[
        str, typer.Option(metavar="embedded|FILE", help="Which patients train and validate.")
    ] = "embedded",
    without: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="Leave out the patients of this table: measured on later.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 1,
) -> None:
    """Train the gate's eye on films of adults and write its weights and thresholds."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import pandas as pd

    # TensorFlow takes seconds to import: only this command needs it
    from ..training.look import fit_look

    films = pairs(images, table)
    held = {patient for csv in without or [] for patient in pd.read_csv(csv)["Patient ID"].tolist()}
    films = films.select((films.ages >= ADULT_YEARS) & ~np.isin(films.patients, sorted(held)))
    parts = read_split(EMBEDDED_SPLIT if split == "embedded" else Path(split)).part_of(films.patients)
    train, validation = films.select(parts == "train"), films.select(parts == "validation")
    result = fit_look(train, validation, out, seed=seed)
    print(f"trained on {len(train):,} films of {len(np.unique(train.patients)):,} patients; thresholds set on")
    print(f"{len(validation):,} films of {len(np.unique(validation.patients)):,} other patients: ", end="")
    print(", ".join(f"{name} {value:.4f}" for name, value in result.items()))
