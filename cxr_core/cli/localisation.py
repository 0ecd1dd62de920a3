"""``models localisation``: where the heat maps point, from runs with boxes or masks, into the model's card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..evaluation.card_localisation import localisation_tables
from ..formatting import format_estimate, format_p_value
from ..labels import display_name
from ..model import open_model
from ..model.folder import keep_card
from ..model.localisation import ALL_BOXES, LocalisationTable, MapMeasure, format_boxed_images
from ..store import RunStore

__all__ = ["format_localisation", "localisation"]


def localisation(
    model: Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")],
    run: Annotated[
        list[str], typer.Option(metavar="RUN", help="Run with boxes or masks, or the beginning of its id; repeatable.")
    ],
) -> None:
    """Write into a model's card where its heat maps point: hit rate and overlap by label, beside two baselines.

    The runs are of images that the model was not trained on, made with evaluate ... --boxes or --masks. The weights
    stay as they are; card.json and SHA256SUMS are rewritten. Example:

      python -m cxr_core models localisation second-read-mini --run chestx-det --run nih-boxes --run rsna
    """
    if (problem := audit.problem()) is not None:
        raise problem
    folder, store = open_model(model), RunStore()
    tables = localisation_tables(folder.card, [store.get(one) for one in run])
    keep_card(folder, replace(folder.card, localisation=tables))
    audit.note(acting_user(), "model-change", "localisation", model=folder.card.weights_sha256)
    print("\n".join(format_localisation(tables)))


def format_localisation(tables: Sequence[LocalisationTable]) -> list[str]:
    """Return the tables of a card as lines of text."""
    if not tables:
        return ["Where the heat maps point: not measured"]
    lines = ["Where the heat maps point"]
    for table in tables:
        lines += [
            f"{table.source}: {table.description}; {table.number_of_images:,} {table.images} "
            f"({table.number_of_patients:,} patients; {', '.join(table.data)})",
        ]
        for label, row in table.per_label.items():
            images = format_boxed_images(label, row.images)
            counts = f"{images}{' of image and label' * (label == ALL_BOXES) or ' images'}"
            counts += f", {row.patients:,} patients, {row.boxes:,} boxes"
            lines.append(f"  {display_name(label)}: {counts}")
            lines.append(f"    hit rate {_measure(row.hit_rate, percent=True)}")
            lines.append(f"    mIoU {_measure(row.mean_overlap, percent=False)}")
            if row.inside is not None:
                lines.append(f"    proportion of the map inside {_measure(row.inside, percent=True)}")
    return [*lines, f"interval: {tables[0].interval}"]


def _measure(measure: MapMeasure, *, percent: bool) -> str:
    return "; ".join(_parts(measure, percent))


def _parts(measure: MapMeasure, percent: bool) -> Iterator[str]:
    yield format_estimate(measure.value, percent=percent)
    if measure.value.value is None:
        return
    for name, result in measure.baselines.items():
        difference = format_estimate(result.difference, percent=percent, signed=True)
        value = format_estimate(result.value, percent=percent)
        yield f"{name} {value}, difference {difference}, p {format_p_value(result.p_value)}"
