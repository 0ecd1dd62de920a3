"""``models stability``: how often small changes of an image change a state, into the model's card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..errors import WrongArguments
from ..evaluation.stability import logits_under_changes, measure_stability, sample_images
from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import BootstrapOptions
from ..model import shared_predictor
from ..model.folder import keep_card
from ..model.stability import (
    ChangeRates,
    Stability,
    describe_changes,
    describe_stability,
    format_images,
    format_rate,
)
from .progress import ProgressBar
from .tables import Columns, HeldOutSplit, Labels, MapLabel, Tables, held_out_images, read_tables

__all__ = ["format_stability", "stability"]


def stability(
    model: Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")],
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; may be given several times.")],
    table: Tables,
    columns: Columns = None,
    labels: Labels = None,
    map_label: MapLabel = None,
    split: HeldOutSplit = "embedded",
    sample: Annotated[int, typer.Option(min=1, metavar="N", help="Images that are drawn at random.")] = 600,
    seed: Annotated[int, typer.Option(help="Random seed of sample and resamples.")] = 0,
) -> None:
    """Measure how often small changes of an image change a finding's state, and write it into the model's card.

    Each image is read as it is and as another export might give it: window, gamma, crop, rotation. The weights stay as
    they are; card.json and SHA256SUMS are rewritten. Example:

      python -m cxr_core models stability second-read-mini --images nih/images --table nih/Data_Entry_2017.csv
    """
    if (problem := audit.problem()) is not None:
        raise problem
    rows, chosen = held_out_images(read_tables(images, table, columns, map_label, labels), split)
    drawn = sample_images(rows, sample, seed)
    predictor = shared_predictor(model, throughput=True)
    with ProgressBar("Reading images under small changes", len(drawn)) as progress:
        scored = logits_under_changes(predictor, drawn, progress.update)
    if not len(scored.rows):
        raise WrongArguments("No image of the table could be read: nothing to measure.")
    measured = measure_stability(
        predictor.card,
        drawn,
        scored,
        description="images" if chosen is None else "images of validation patients",
        sampling=f"{len(drawn):,} drawn at random from {len(rows):,}" if len(drawn) < len(rows) else "all",
        split=chosen,
        options=BootstrapOptions(seed=seed),
    )
    keep_card(predictor.folder, replace(predictor.card, stability=measured))
    audit.note(acting_user(), "model-change", "stability", model=predictor.card.weights_sha256)
    print("\n".join(format_stability(measured)))


def format_stability(stability: Stability | None) -> list[str]:
    """Return the rates of a card as lines of text."""
    lines = [f"Stability: {describe_stability(stability)}"]
    if stability is None:
        return lines
    lines.append(f"operating point {stability.operating_point}; interval: {stability.interval}")
    for name, rates in stability.per_change.items():
        lines.append(
            f"  {describe_changes([name])}: a state changes on {_format_images(rates)}; logits change by "
            f"{format_estimate(rates.logit_difference)} on average, {format_estimate(rates.logit_shift, signed=True)} "
            "with their sign"
        )
    lines.append(f"  any of them: a state changes on {_format_images(stability.together)}")
    lines += [
        f"    {display_name(label):<26}{format_rate(rate)}" for label, rate in stability.together.per_label.items()
    ]
    return lines


def _format_images(rates: ChangeRates) -> str:
    return f"{format_rate(rates.any_label)}, {format_images(rates.any_label)} images"
