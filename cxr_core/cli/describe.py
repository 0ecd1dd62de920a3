"""``describe``: what films a model was made from, or a table holds, in numbers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..errors import WrongArguments
from ..gunzip import read_unpacked
from ..model.data_summary import WHOLE, DataSummary, summary_json
from ..training.describe import describe_model
from ..training.splits import PARTS
from ..training.summary import summarise_films
from .inputs import write
from .tables import COLUMNS_HELP, LISTS_HELP, MAP_LABEL_HELP, chosen_split, pairs, test_sets

__all__ = ["describe"]


def describe(
    table: Annotated[list[Path], typer.Option(metavar="CSV", help="Table of films; may be given several times.")],
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Only rows with an image here; once for each table.")
    ] = None,
    columns: Annotated[list[str] | None, typer.Option(metavar="nih|FIELD=COLUMN,...", help=COLUMNS_HELP)] = None,
    map_label: Annotated[list[str] | None, typer.Option(metavar="FROM=TO", help=MAP_LABEL_HELP)] = None,
    test_images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Films of test patients, counted as a part of their own.")
    ] = None,
    test_table: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="Their table: NIH's, or experts' majority labels.")
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="embedded|official|FILE|none", help="Parts to count; with none all films as one.")
    ] = "embedded",
    lists: Annotated[Path | None, typer.Option(metavar="DIR", help=LISTS_HELP)] = None,
    model: Annotated[
        str | None, typer.Option(metavar="DIR|ID", help="Model folder whose card is completed with the numbers.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the numbers here, as JSON.")] = None,
) -> None:
    """Count films, patients, labels, labels that go together, ages, sexes and views, and patients of two parts.

    With --model the numbers complete the card of a model that was trained before cards held them: its tables and
    split are asked for, and refused where they are not those of the card. Examples:

      python -m cxr_core describe --model second-read-mini --images nih/images --table nih/Data_Entry_2017.csv

      python -m cxr_core describe --table nih/Data_Entry_2017_v2020.csv --split none --out nih.json
    """
    if (model is None) == (out is None):
        raise WrongArguments("Give --model, whose card is completed, or --out, where the numbers are written.")
    if model is not None and (problem := audit.problem()) is not None:
        raise problem
    films, tests = pairs(images, table, columns, map_label), test_sets(test_images, test_table)
    tables = dict(_digest(path) for path in (*table, *(test_table or ())))
    if split == "none":
        if model is not None:
            raise WrongArguments("--split none goes with --out: a card keeps the parts that its model was trained on.")
        summary = summarise_films({WHOLE: films} | tests, tables)
    else:
        chosen = chosen_split(split, films, lists or table[0].parent)
        of = chosen.part_of(films.patients)
        summary = summarise_films({part: films.select(of == part) for part in PARTS} | tests, tables)
        if model is not None:
            card = describe_model(model, summary, chosen)
            audit.note(asked_by(), "model-change", "describe", model=card.weights_sha256)
    if out is not None:
        write(out, summary_json(summary))
    _tell(summary)


def _digest(path: Path) -> tuple[str, str]:
    """Return a table's name and SHA-256, both without the packing; the table was read before, so it can be."""
    data, path = read_unpacked(path), path.with_suffix("") if path.suffix == ".gz" else path
    # two folders may each hold a table of the same name
    return (f"{path.parent.name}/{path.name}", hashlib.sha256(data).hexdigest())


def _tell(summary: DataSummary) -> None:
    for name, part in summary.parts.items():
        beyond = f", {part.ages.beyond} with an age beyond 120" if part.ages.beyond else ""
        print(f"{name}: {part.films:,} films of {part.patients:,} patients{beyond}")
    for pair in summary.shared:
        print(f"{pair.one} and {pair.other}: {pair.patients:,} patients in both")
