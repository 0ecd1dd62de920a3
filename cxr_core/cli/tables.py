"""Options that describe the tables of a training or an evaluation, and the tables and splits they give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..datasets.columns import ColumnMap, parse_columns
from ..datasets.splits import EMBEDDED_SPLIT, Split, official_split, read_names, read_split
from ..datasets.table import ImageTable, read_table
from ..errors import PathUnusable, WrongArguments
from ..labels import parse_labels

__all__ = [
    "OFFICIAL_VALIDATION",
    "Columns",
    "HeldOutSplit",
    "Labels",
    "Lists",
    "MapLabel",
    "Tables",
    "TestImages",
    "TestTables",
    "choose_split",
    "column_maps",
    "embedded_or_file",
    "held_out_images",
    "read_official_split",
    "read_tables",
    "read_test_sets",
]

OFFICIAL_VALIDATION = 0.1
"""Proportion of validation patients among the patients of NIH's train list."""

Tables = Annotated[
    list[Path], typer.Option(metavar="CSV", help="Table of images; one per folder, in the order of the folders.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="nih|FIELD=COLUMN,...",
        help="Columns of a table: image=,patient= and labels= (or one column per label, with 0 and 1; Hernia=- where "
        "no image shows it), and age=,sex=,view=. Once for all tables, or once per table; 'nih' is NIH's own layout.",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="All labels that the tables state. Default: NIH's fourteen, or the labels that have a column.",
    ),
]
MapLabel = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM=TO", help="A value of the column labels=, and its label, 'No Finding', or - to ignore it."
    ),
]
Lists = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of NIH's train_val_list.txt and test_list.txt, or both gzipped; default: the table's.",
    ),
]
HeldOutSplit = Annotated[
    str,
    typer.Option(
        metavar="embedded|FILE|none",
        help="Split whose validation patients are used; none uses every image, of patients new to the model.",
    ),
]
TestImages = Annotated[
    list[Path] | None, typer.Option(metavar="DIR", help="Images of test patients, never trained on.")
]
TestTables = Annotated[
    list[Path] | None, typer.Option(metavar="CSV", help="Their table: NIH's, or experts' majority labels.")
]


def column_maps(
    tables: int, columns: Sequence[str] | None, map_label: Sequence[str] | None, labels: str | None
) -> tuple[list[ColumnMap | None], tuple[str, ...] | None]:
    """Return the column map of each table, None for the layouts of NIH and the experts, and the labels stated.

    Args:
        tables: their number.
        columns, map_label, labels: of the options.

    Raises:
        WrongArguments: with the first problem.
    """
    columns = list(columns or ["nih"])
    if len(columns) not in (1, tables):
        raise WrongArguments(f"{len(columns)} times --columns and {tables} tables: give it once, or once per table.")
    names = None if labels is None else parse_labels(labels)
    maps = [None if text == "nih" else parse_columns(text, map_label or (), names) for text in columns]
    if map_label and not any(maps):
        raise WrongArguments("--map-label goes with --columns: NIH's own labels need no map.")
    return maps * tables if len(maps) == 1 else maps, names


def read_tables(
    images: Sequence[Path] | None,
    tables: Sequence[Path],
    columns: Sequence[str] | None = None,
    map_label: Sequence[str] | None = None,
    labels: str | None = None,
) -> ImageTable:
    """Return the images of all tables, each with its folder of images; without any folders every row."""
    if images and len(images) != len(tables):
        raise WrongArguments(f"{len(images)} folders of images and {len(tables)} tables: give one table per folder.")
    maps, names = column_maps(len(tables), columns, map_label, labels)
    folders: Sequence[Path | None] = images or [None] * len(tables)
    return ImageTable.join(
        [read_table(table, folder, known, names) for table, folder, known in zip(tables, folders, maps, strict=True)]
    )


def read_test_sets(images: Sequence[Path] | None, tables: Sequence[Path] | None) -> dict[str, ImageTable]:
    """Return the test sets by the name of their folder."""
    images, tables = images or [], tables or []
    if len(images) != len(tables):
        raise WrongArguments("Give one --test-table for each --test-images.")
    return {
        folder.parent.name if folder.name == "images" else folder.name: read_tables([folder], [csv])
        for folder, csv in zip(images, tables, strict=True)
    }


def read_official_split(
    images: ImageTable, lists: Path, validation_fraction: float = OFFICIAL_VALIDATION, seed: int = 0
) -> Split:
    """Return NIH's own split of the images, by the lists of a folder."""
    names = [read_names(_list_file(lists, name)) for name in ("train_val_list.txt", "test_list.txt")]
    return official_split(
        images.names, images.patients, images.positive, *names, validation_fraction=validation_fraction, seed=seed
    )


def choose_split(name: str, images: ImageTable, lists: Path) -> Split:
    """Return the split that ``--split embedded|official|FILE`` means."""
    return read_official_split(images, lists) if name == "official" else embedded_or_file(name)


def embedded_or_file(name: str) -> Split:
    """Return the split that ``--split embedded|FILE`` means."""
    return read_split(EMBEDDED_SPLIT if name == "embedded" else Path(name))


def held_out_images(images: ImageTable, split: str) -> tuple[ImageTable, Split | None]:
    """Return the images that a model was not trained on, by :data:`HeldOutSplit`, and the split, None without one.

    Raises:
        WrongArguments: the split has no validation patient among them.
    """
    if split == "none":
        return images, None
    chosen = embedded_or_file(split)
    validation = images.select(chosen.subset_of(images.patients) == "validation")
    if not len(validation):
        raise WrongArguments(f"Split {chosen.name}: no image of the table is of a validation patient.")
    return validation, chosen


def _list_file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise PathUnusable(
        f"Official split: {folder / name} is missing (plain or gzipped). Name the folder of NIH's lists with --lists."
    )
