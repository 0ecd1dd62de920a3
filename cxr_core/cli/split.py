"""``split``: decide once, by patient, who trains, who validates, who tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..errors import WrongArguments
from ..training.splits import PARTS, Split, make_folds, make_split
from ..training.table import FilmTable
from .inputs import write
from .tables import COLUMNS_HELP, LISTS_HELP, MAP_LABEL_HELP, OFFICIAL_VALIDATION, official, pairs

__all__ = ["split"]

VALIDATION = 0.3


def split(
    table: Annotated[list[Path], typer.Option(metavar="CSV", help="Table of films; may be given several times.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Split file to write; with --folds one for each fold.")],
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Only rows with an image here; once for each table.")
    ] = None,
    columns: Annotated[list[str] | None, typer.Option(metavar="FIELD=COLUMN,...", help=COLUMNS_HELP)] = None,
    map_label: Annotated[list[str] | None, typer.Option(metavar="FROM=TO", help=MAP_LABEL_HELP)] = None,
    test_table: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="Patients of this table are test, whatever else.")
    ] = None,
    test_images: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Images of a test table.")] = None,
    is_official: Annotated[
        bool, typer.Option("--official", help="NIH's own split: test is its test list, the rest is dealt.")
    ] = False,
    lists: Annotated[Path | None, typer.Option(metavar="DIR", help=LISTS_HELP)] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="So many splits; each patient validates in one of them.")
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help=f"Of the patients that are not test; {VALIDATION:g}, with --official {OFFICIAL_VALIDATION:g}.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Orders the patients before they are dealt.")] = 0,
) -> None:
    """Split patients into train, validation and test, so that rare labels are spread evenly.

    Every film of a patient is in one part. Examples:

      python -m cxr_core split --table nih/Data_Entry_2017.csv --official --out official.csv

      python -m cxr_core split --table mine.csv --columns image=file,patient=mrn,labels=findings --folds 5 --out f.csv
    """
    if is_official and (folds or test_table):
        raise WrongArguments("--official has its own test films, and one split: leave out --folds and --test-table.")
    films = pairs(images, table, columns, map_label)
    if is_official:
        share = OFFICIAL_VALIDATION if validation_share is None else validation_share
        results = {out: official(films, lists or table[0].parent, share, seed)}
    else:
        held = np.array([], dtype=np.int64)
        if test_table:
            held = np.unique(pairs(test_images, test_table).patients)
        if folds:
            made = make_folds(films.patients, films.labels, held, folds, seed=seed)
            results = {out.with_name(f"{out.stem}-{n}-of-{folds}{out.suffix}"): s for n, s in enumerate(made, 1)}
        else:
            share = VALIDATION if validation_share is None else validation_share
            results = {out: make_split(films.patients, films.labels, held, validation_share=share, seed=seed)}
    for path, result in results.items():
        write(path, result.text().encode())
        if len(results) > 1:
            print(f"{path}:")
        _tell(result, films)


def _tell(result: Split, films: FilmTable) -> None:
    patients = Counter(result.parts.values())
    parts = Counter(result.part_of(films.patients).tolist())
    for part in PARTS:
        print(f"{part}: {patients[part]:,} patients, {parts[part]:,} films of the tables")
