"""``split`` and ``describe``: split patients into train, validation and test, and summarise a table or training set."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..access import acting_user, audit
from ..datasets.splits import SUBSETS, Split, make_folds, make_split
from ..datasets.summary import describe_model, summarise_images
from ..datasets.table import ImageTable
from ..errors import WrongArguments
from ..labels import MAX_AGE
from ..model.training_record import WHOLE, DataSummary, summary_json
from ..table_files import read_unpacked
from . import tables
from .output import write

__all__ = [
    "describe",
    "split",
]


VALIDATION = 0.3

Images = Annotated[
    list[Path] | None, typer.Option(metavar="DIR", help="Only rows with an image in this folder; once per table.")
]


def split(
    table: tables.Tables,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Split file to write; with --folds one per fold.")],
    images: Images = None,
    columns: tables.Columns = None,
    labels: tables.Labels = None,
    map_label: tables.MapLabel = None,
    test_table: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="Table whose patients are the test subset.")
    ] = None,
    test_images: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Images of a test table.")] = None,
    is_official: Annotated[
        bool,
        typer.Option("--official", help="NIH's own split: its test list is the test subset, its train list is split."),
    ] = False,
    lists: tables.Lists = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Number of folds for cross-validation; each patient is validation in one.")
    ] = None,
    validation_fraction: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help=f"Proportion of validation patients among those not in test; default {VALIDATION:g}, with --official "
            f"{tables.OFFICIAL_VALIDATION:g}.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Split patients into train, validation and test, so that rare labels are spread evenly.

    All images of a patient are in one subset. Examples:

      python -m cxr_core split --table nih/Data_Entry_2017.csv --official --out official.csv

      python -m cxr_core split --table mine.csv --columns image=file,patient=mrn,labels=findings --folds 5 --out f.csv
    """
    if is_official and (folds or test_table):
        raise WrongArguments("--official has its own test subset, and one split: leave out --folds and --test-table.")
    rows = tables.read_tables(images, table, columns, map_label, labels)
    if is_official:
        validation = tables.OFFICIAL_VALIDATION if validation_fraction is None else validation_fraction
        results = {out: tables.read_official_split(rows, lists or table[0].parent, validation, seed)}
    else:
        test = np.array([], dtype=np.int64)
        if test_table:
            test = np.unique(tables.read_tables(test_images, test_table).patients)
        if folds:
            splits = make_folds(rows.patients, rows.positive, test, folds, seed=seed)
            results = {out.with_name(f"{out.stem}-{n}-of-{folds}{out.suffix}"): s for n, s in enumerate(splits, 1)}
        else:
            validation = VALIDATION if validation_fraction is None else validation_fraction
            results = {out: make_split(rows.patients, rows.positive, test, validation_fraction=validation, seed=seed)}
    for path, result in results.items():
        write(path, result.text().encode())
        if len(results) > 1:
            print(f"{path}:")
        _print_counts(result, rows)


def _print_counts(result: Split, images: ImageTable) -> None:
    patients = Counter(result.subsets.values())
    counts = Counter(result.subset_of(images.patients).tolist())
    for subset in SUBSETS:
        print(f"{subset}: {patients[subset]:,} patients, {counts[subset]:,} images of the tables")


def describe(
    table: tables.Tables,
    images: Images = None,
    columns: tables.Columns = None,
    labels: tables.Labels = None,
    map_label: tables.MapLabel = None,
    test_images: tables.TestImages = None,
    test_table: tables.TestTables = None,
    split: Annotated[
        str,
        typer.Option(
            metavar="embedded|official|FILE|none",
            help="Split whose subsets are counted; none counts all images as one.",
        ),
    ] = "embedded",
    lists: tables.Lists = None,
    model: Annotated[
        str | None, typer.Option(metavar="DIR|ID", help="Model folder; the counts are added to its card.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON file to write the counts to.")] = None,
) -> None:
    """Count images, patients, labels, label co-occurrence, ages, sexes and views, and patients in two subsets.

    With --model the counts are added to the card of a model that was trained before cards held them; tables or a
    split other than those of its training are refused. Examples:

      python -m cxr_core describe --model second-read-mini --images nih/images --table nih/Data_Entry_2017.csv

      python -m cxr_core describe --table nih/Data_Entry_2017_v2020.csv --split none --out nih.json
    """
    if (model is None) == (out is None):
        raise WrongArguments("Give either --model, to add the counts to its card, or --out, to write them to a file.")
    if model is not None and (problem := audit.problem()) is not None:
        raise problem
    rows = tables.read_tables(images, table, columns, map_label, labels)
    tests = tables.read_test_sets(test_images, test_table)
    digests = dict(_digest(path) for path in (*table, *(test_table or ())))
    if split == "none":
        if model is not None:
            raise WrongArguments("--split none goes with --out: a model's card states the subsets of its training.")
        summary = summarise_images({WHOLE: rows} | tests, digests)
    else:
        patient_split = tables.choose_split(split, rows, lists or table[0].parent)
        subsets = patient_split.subset_of(rows.patients)
        summary = summarise_images({name: rows.select(subsets == name) for name in SUBSETS} | tests, digests)
        if model is not None:
            card = describe_model(model, summary, patient_split)
            audit.note(acting_user(), "model-change", "describe", model=card.weights_sha256)
    if out is not None:
        write(out, summary_json(summary))
    _print_summary(summary)


def _digest(path: Path) -> tuple[str, str]:
    """Return the name and SHA-256 of a table, as unpacked if it is gzipped."""
    data, path = read_unpacked(path), path.with_suffix("") if path.suffix == ".gz" else path
    # two folders may each hold a table of the same name
    return (f"{path.parent.name}/{path.name}", hashlib.sha256(data).hexdigest())


def _print_summary(summary: DataSummary) -> None:
    for name, subset in summary.parts.items():
        beyond = f", {subset.ages.beyond} with an age beyond {MAX_AGE}" if subset.ages.beyond else ""
        print(f"{name}: {subset.images:,} images of {subset.patients:,} patients{beyond}")
    for pair in summary.shared:
        print(f"{pair.one} and {pair.other}: {pair.patients:,} patients in both")
