"""``split``: decide once, by patient, who trains, who validates, who tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..errors import WrongArguments
from ..training.splits import PARTS, make_split
from ..training.table import FilmTable, read_table
from .inputs import write

__all__ = ["split"]


def split(
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; give it once a table.")],
    table: Annotated[list[Path], typer.Option(metavar="CSV", help="NIH's table of a folder's images.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Split file to write.")],
    test_table: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="Patients of this table are test, whatever else.")
    ] = None,
    test_images: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Images of a test table.")] = None,
    validation_share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of the patients that are not test.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Orders the patients before they are dealt.")] = 0,
) -> None:
    """Split patients into train, validation and test, so that rare labels are spread evenly."""
    films = pairs(images, table)
    tests = pairs(test_images or [], test_table or []) if test_table else None
    held = np.unique(tests.patients) if tests is not None else np.array([], dtype=np.int64)
    result = make_split(films.patients, films.labels, held, validation_share=validation_share, seed=seed)
    write(out, result.text().encode())
    patients = Counter(result.parts.values())
    parts = Counter(result.part_of(films.patients).tolist())
    for part in PARTS:
        print(f"{part}: {patients[part]:,} patients, {parts[part]:,} films of the tables")


def pairs(images: list[Path], tables: list[Path]) -> FilmTable:
    """Return the films of all tables, each with its folder of images."""
    if len(images) != len(tables):
        raise WrongArguments(f"{len(images)} folders of images and {len(tables)} tables: give one table a folder.")
    return FilmTable.join([read_table(table, folder) for table, folder in zip(tables, images, strict=True)])
