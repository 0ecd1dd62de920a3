"""``models``: what models there are, what is known of one, whether its files are whole, and new ones."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import CxrError, ModelUnusable
from ..imaging import exposure_words
from ..labels import NOTICE, display_name
from ..model import ModelCard, list_models, open_model
from ..model.card import Metric, Threshold, read_card
from ..model.folder import CARD, find_model
from ..model.words import calibration_words, curve_words, flagged_words, number_words, small_words
from .import_model import import_model
from .measure import measure

__all__ = ["app"]

app = typer.Typer(
    help="List models, show a model's card, verify a model's files, import weights of others, measure one.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("import")(import_model)
app.command()(measure)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")]


@app.command("list")
def list_() -> None:
    """Print each model's id, version, size of input, and training films or source."""
    found = list_models()
    if not found:
        raise ModelUnusable(
            "There is no model. Train or import one: python -m cxr_core train --help, models import --help"
        )
    for folder in found:
        try:
            card = read_card(folder / CARD)
        except ModelUnusable as error:
            print(f"{folder.name}  unusable: {error}")
            continue
        kind = "demonstration" if card.demonstration else "model"
        films = (
            "training films not stated" if card.training.films is None else f"{card.training.films:,} training films"
        )
        if card.imported is not None:
            doubt = ", not verified by hash" if card.unverified else ""
            films = f"imported from {card.imported.source}, {len(card.labels)} labels{doubt}"
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
    architecture = card.architecture
    start = "" if architecture.transfer_learned is not False else " (not transfer-learned)"
    lines = [
        f"{card.title} ({card.id}, version {card.version})",
        NOTICE,
        f"Network: {architecture.name}, {architecture.parameters:,} parameters, from "
        f"{architecture.initialisation}{start}",
        f"Input: {card.input.size} x {card.input.size}, {card.input.fit}, "
        f"detail of {card.input.detail or card.input.size} pixels a side; resampling {card.input.resampling}; "
        f"{card.input.scaling}; {exposure_words(card.input.exposure)}",
        f"Training: {_training(card)}",
    ]
    if card.imported is not None:
        origin = card.imported
        lines += [
            f"Imported: {origin.source}, {origin.file}",
            f"  SHA-256 {origin.sha256}, compared with {origin.checked}",
            *([f"  {origin.url}"] if origin.url else []),
            *([f"  {origin.self_check}"] if origin.self_check else []),
        ]
    for table in card.metrics:
        films = table.films if table.number_of_films is None else f"{table.number_of_films:,} {table.films}"
        lines += ["", f"{table.metric} on {films} ({table.name}; {table.reference})"]
        lines.append(f"interval: {table.interval}")
        lines += [f"  {display_name(label):<28}{_metric(metric)}" for label, metric in table.per_label.items()]
        lines += [f"  {'Mean':<28}{_metric(table.mean)}"] if table.mean is not None else []
    if card.readers:
        lines += ["", "Single readers of the same films, each against the majority of the others"]
    for label, points in card.readers.items():
        lines.append(f"  {display_name(label)}")
        lines += [
            f"    {p.reader:<26}sensitivity {_metric(p.sensitivity)}, specificity {_share(p.specificity)}"
            for p in points
        ]
    for name, point in card.operating_points.items():
        lines += ["", f"Operating point {name}: {point.rule}, set on {point.films}"]
        lines += [f"held out: {point.held_out}"] if point.held_out else []
        lines += [
            f"  {display_name(label):<28}{_threshold(threshold)}" for label, threshold in point.thresholds.items()
        ]
        sources = {threshold.source for threshold in point.thresholds.values() if threshold.source}
        lines += [f"  {source}" for source in sorted(sources)]
        lines.append(f"  {flagged_words(point)}")
    lines += ["", f"Calibration: {calibration_words(card)}"]
    if card.calibration is not None:
        lines += [f"rule: {card.calibration.rule}", f"held out: {card.calibration.held_out}"]
        curves = card.calibration.per_label.items()
        lines += [f"  {display_name(label):<28}{curve_words(curve)}" for label, curve in curves]
    known = card.familiarity
    told = "not measured" if known is None else f"unlike its films from distance {known.threshold:.2f} on: {known.rule}"
    lines += ["", f"Familiarity: {told}"]
    lines += ["", "Limits:", *(f"  {limit}" for limit in card.limits)]
    lines += ["", f"Licence: {card.licence}", f"model.keras SHA-256: {card.weights_sha256}"]
    return "\n".join(lines)


def _training(card: ModelCard) -> str:
    training = card.training
    if training.films is None or training.patients is None:
        known = f"on {'; '.join(training.datasets)}" if training.datasets else "on films that are not stated"
        return f"{known}. How many films, and how they were split, was not published."
    return (
        f"{training.films:,} films of {training.patients:,} patients of {', '.join(training.datasets)}; "
        f"split {training.split}; stages {training.stages}; augmentation {training.augmentation}"
    )


def _threshold(threshold: Threshold) -> str:
    if threshold.value is None:
        return f"not evaluated: {threshold.reason}"
    words = small_words(threshold.value)
    for name, share in (("sensitivity", threshold.sensitivity), ("specificity", threshold.specificity)):
        words += f", {name} {number_words(share)}" if share is not None else ""
    return words


def _share(metric: Metric) -> str:
    """Return a number whose counts stand beside another already."""
    if metric.value is None or metric.low is None or metric.high is None:
        return _metric(metric)
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def _metric(metric: Metric) -> str:
    if metric.counts is None:
        return "not known" if metric.value is None else f"{metric.value:.2f}"
    counts = f"{metric.counts.positive_patients} positive, {metric.counts.negative_patients} negative patients"
    if metric.value is None:
        return metric.reason or f"not known; {counts}"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f} (no interval: {metric.reason}; {counts})"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}; {counts})"
