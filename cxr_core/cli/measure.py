"""``models measure``: what runs say of a model, into its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..errors import WrongArguments
from ..evaluation.measured import measured_card
from ..model import open_model
from ..model.folder import keep_card
from ..store import RunStore
from ..training.splits import EMBEDDED_SPLIT, read_split
from .tables import pairs

__all__ = ["measure"]


def measure(
    model: Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")],
    run: Annotated[list[str], typer.Option(metavar="RUN", help="A run of it; the first one leads. Several times.")],
    table: Annotated[
        list[Path] | None,
        typer.Option(metavar="CSV", help="NIH's table: training patients for a model of age, sex and view alone."),
    ] = None,
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Folder of images, one a table; without any every row.")
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="embedded|FILE", help="Whose training patients those are.")
    ] = "embedded",
) -> None:
    """Write into a model's card what its runs say: AUC by each reference, readers, AUC by view.

    With tables, also by how much the AUC is larger than that of a model which sees age, sex and view alone. The
    weights stay as they are; card.json and SHA256SUMS are written anew. Example:

      python -m cxr_core models measure second-read-mini --run experts --run validation --table Data_Entry_2017.csv
    """
    if (problem := audit.problem()) is not None:
        raise problem
    folder = open_model(model)
    store = RunStore()
    training = None
    if table:
        films = pairs(images, table)
        parts = read_split(EMBEDDED_SPLIT if split == "embedded" else Path(split))
        training = films.select(parts.part_of(films.patients) == "train")
        if not len(training):
            raise WrongArguments(f"Split {parts.name}: no film of the tables is of a training patient.")
    card = measured_card(folder.card, [store.get(one) for one in run], training)
    keep_card(folder, card)
    audit.note(asked_by(), "model-change", "measure", model=card.weights_sha256)
    for measured in card.metrics:
        known = sum(metric.value is not None for metric in measured.per_label.values())
        print(f"{measured.name}, {measured.reference}: {measured.metric} of {known} labels")
