"""Options that say what the tables of a training are, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import PathUnusable, WrongArguments
from ..training.columns import parse_columns
from ..training.splits import EMBEDDED_SPLIT, Split, official_split, read_names, read_split
from ..training.table import FilmTable, read_table

__all__ = [
    "COLUMNS_HELP",
    "LISTS_HELP",
    "MAP_LABEL_HELP",
    "OFFICIAL_VALIDATION",
    "chosen_split",
    "official",
    "pairs",
    "test_sets",
]

COLUMNS_HELP = (
    "What the columns of a table are: image=,patient= and labels= (or one for each of the 14 labels, with 0 and 1; "
    "Hernia=- where no film shows it), and age=,sex=,view=. Once for all tables or once for each; 'nih' is NIH's own."
)
MAP_LABEL_HELP = "What a label of such a table is here: one of the 14, 'No Finding', or - to leave it out."
LISTS_HELP = "Folder of NIH's train_val_list.txt and test_list.txt, gzip too; that of the first table by default."

OFFICIAL_VALIDATION = 0.1
"""Share of the patients of NIH's train list that validate."""


def pairs(
    images: Sequence[Path] | None,
    tables: Sequence[Path],
    columns: Sequence[str] | None = None,
    map_label: Sequence[str] | None = None,
) -> FilmTable:
    """Return the films of all tables, each with its folder of images; without any folders every row."""
    if images and len(images) != len(tables):
        raise WrongArguments(f"{len(images)} folders of images and {len(tables)} tables: give one table a folder.")
    columns = list(columns or ["nih"])
    if len(columns) not in (1, len(tables)):
        raise WrongArguments(f"{len(columns)} times --columns and {len(tables)} tables: give it once, or for each.")
    columns = columns * len(tables) if len(columns) == 1 else columns
    maps = [None if text == "nih" else parse_columns(text, map_label or ()) for text in columns]
    if map_label and not any(maps):
        raise WrongArguments("--map-label goes with --columns: NIH's own labels need no map.")
    folders = images or [None] * len(tables)
    return FilmTable.join(
        [read_table(table, folder, known) for table, folder, known in zip(tables, folders, maps, strict=True)]
    )


def test_sets(images: Sequence[Path] | None, tables: Sequence[Path] | None) -> dict[str, FilmTable]:
    """Return sets of films that are only measured on, by the name of their folder."""
    images, tables = images or [], tables or []
    if len(images) != len(tables):
        raise WrongArguments("Give one --test-table for each --test-images.")
    return {
        folder.parent.name if folder.name == "images" else folder.name: pairs([folder], [csv])
        for folder, csv in zip(images, tables, strict=True)
    }


def official(films: FilmTable, lists: Path, validation_share: float = OFFICIAL_VALIDATION, seed: int = 0) -> Split:
    """Return NIH's own split of the films, by the lists of a folder."""
    found = [_list(lists, name) for name in ("train_val_list.txt", "test_list.txt")]
    names = [read_names(path) for path in found]
    return official_split(
        films.names, films.patients, films.labels, *names, validation_share=validation_share, seed=seed
    )


def chosen_split(words: str, films: FilmTable, lists: Path) -> Split:
    """Return the split that ``--split embedded|official|FILE`` means."""
    if words == "official":
        return official(films, lists)
    return read_split(EMBEDDED_SPLIT if words == "embedded" else Path(words))


def _list(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise PathUnusable(
        f"Official split: {folder / name} is missing (gzip too). Say with --lists where NIH's lists are."
    )
