"""``models``: what models there are, what is known of one, and whether its files are whole."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import CxrError, ModelUnusable
from ..labels import NOTICE, display_name
from ..model import ModelCard, list_models, open_model
from ..model.card import Metric, read_card
from ..model.folder import CARD, find_model

__all__ = ["app"]

app = typer.Typer(help="List models, show a model's card, verify a model's files.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")]


@app.command("list")
def list_() -> None:
    """Print each model's id, version, size of input and number of training films."""
    found = list_models()
    if not found:
        raise ModelUnusable("There is no model. Train one: python -m cxr_core train --help")
    for folder in found:
        try:
            card = read_card(folder / CARD)
        except ModelUnusable as error:
            print(f"{folder.name}  unusable: {error}")
            continue
        kind = "demonstration" if card.demonstration else "model"
        films = f"{card.training.films:,} training films"
        print(f"{folder.name}  version {card.version}  {kind}  {card.input.size} x {card.input.size}  {films}")


@app.command()
def show(
    model: Id,
    json: Annotated[bool, typer.Option("--json", help="Print card.json itself.")] = False,
) -> None:
    """Print a model's card."""
    path = find_model(model) / CARD
    card = read_card(path)
    print(path.read_text(encoding="utf-8").rstrip() if json else _words(card))


@app.command()
def verify(
    model: Annotated[str | None, typer.Argument(metavar="[ID]", help="One model; all by default.")] = None,
) -> int:
    """Check every file of a model against SHA256SUMS and the card; exit status 4 where one was changed."""
    status = 0
    for name in [model] if model else [str(path) for path in list_models()]:
        try:
            folder = open_model(name)
        except CxrError as error:
            typer.echo(f"Error: {error}", err=True)
            status = error.exit_status
        else:
            print(f"{folder.card.id}: every file is as it was made")
    return status


def _words(card: ModelCard) -> str:
    training, architecture = card.training, card.architecture
    lines = [
        f"{card.title} ({card.id}, version {card.version})",
        NOTICE,
        f"Network: {architecture.name}, {architecture.parameters:,} parameters, from {architecture.initialisation}"
        + ("" if architecture.transfer_learned else " (not transfer-learned)"),
        f"Input: {card.input.size} x {card.input.size}, {card.input.fit}, "
        f"detail of {card.input.detail or card.input.size} pixels a side",
        f"Training: {training.films:,} films of {training.patients:,} patients of {', '.join(training.datasets)}; "
        f"split {training.split}; stages {training.stages}; augmentation {training.augmentation}",
    ]
    for table in card.metrics:
        lines += ["", f"{table.metric} on {table.number_of_films:,} {table.films} ({table.name}; {table.reference})"]
        lines.append(f"interval: {table.interval}")
        lines += [f"  {display_name(label):<20}{_metric(metric)}" for label, metric in table.per_label.items()]
        lines += [f"  {'Mean':<20}{_metric(table.mean)}"] if table.mean is not None else []
    for name, point in card.operating_points.items():
        lines += ["", f"Operating point {name}: {point.rule}, on {point.films}"]
        for label, threshold in point.thresholds.items():
            value = f"not evaluated: {threshold.reason}" if threshold.value is None else f"{threshold.value:.3f}"
            lines.append(f"  {display_name(label):<20}{value}")
        if point.flagged_without_findings is not None:
            lines.append(f"  films without findings with any label above: {_metric(point.flagged_without_findings)}")
    known = card.familiarity
    told = "not measured" if known is None else f"unlike its films from distance {known.threshold:.2f} on: {known.rule}"
    lines += ["", f"Familiarity: {told}"]
    lines += ["", "Limits:", *(f"  {limit}" for limit in card.limits)]
    lines += ["", f"Licence: {card.licence}", f"model.keras SHA-256: {card.weights_sha256}"]
    return "\n".join(lines)


def _metric(metric: Metric) -> str:
    counts = f"{metric.counts.positive_patients} positive, {metric.counts.negative_patients} negative patients"
    if metric.value is None:
        return metric.reason or f"not known; {counts}"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f} (no interval: {metric.reason}; {counts})"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}; {counts})"
