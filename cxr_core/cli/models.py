"""``models``: list models, show a card, fill in a reporting sheet, verify files, import weights, add results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..errors import CxrError, ModelUnusable, WrongArguments
from ..estimate import Estimate
from ..evaluation.card_metrics import measured_card
from ..formatting import format_estimate, format_probability
from ..imaging import describe_exposure
from ..labels import NOTICE, display_name
from ..model import ModelCard, ModelFolder, OperatingPoint, list_models, open_model
from ..model.card import read_card
from ..model.findings import why_not_evaluated
from ..model.folder import CARD, find_model, keep_card
from ..model.formatting import describe_calibration, describe_curve, describe_evaluation
from ..model.int8_formatting import format_int8
from ..model.precision import checked_int8_card, int8_card, int8_folder, is_outdated
from ..model.rate_formatting import (
    describe_group_rates,
    describe_measured_images,
    describe_measured_rates,
    describe_operating_point,
)
from ..settings import folder_notes
from ..store import RunStore
from .import_model import import_model
from .localisation import format_localisation, localisation
from .output import write
from .quantise import precision, quantise
from .stability import format_stability, stability
from .tables import Columns, Labels, MapLabel, embedded_or_file, read_tables

__all__ = [
    "app",
    "measure",
]


app = typer.Typer(
    help="List models, show a model card, fill in a reporting sheet, verify a model's files, import published weights, "
    "add evaluation results, make an INT8 graph.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("import")(import_model)
app.command()(stability)
app.command()(localisation)
app.command()(quantise)
app.command()(precision)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")]


@app.command("list")
def list_() -> None:
    """Print each model's id, version, input size, and training images or source."""
    folders = list_models()
    if not folders:
        raise ModelUnusable(
            "There is no model. Train or import one; see python -m cxr_core train --help and models import --help."
        )
    for sentence in folder_notes():
        typer.echo(sentence, err=True)
    for folder in folders:
        try:
            card = read_card(folder / CARD)
        except ModelUnusable as error:
            print(f"{folder.name}  unusable: {error}")
            continue
        kind = "demonstration" if card.demonstration else "model"
        images = (
            "training images not stated"
            if card.training.images is None
            else f"{card.training.images:,} training images"
        )
        if card.imported is not None:
            doubt = ", not verified by hash" if card.unverified else ""
            images = f"imported from {card.imported.source}, {len(card.labels)} labels{doubt}"
        print(f"{folder.name}  version {card.version}  {kind}  {card.input.size} x {card.input.size}  {images}")


@app.command()
def show(
    model: Id,
    json: Annotated[bool, typer.Option("--json", help="Print card.json itself.")] = False,
) -> None:
    """Print a model's card."""
    path = find_model(model) / CARD
    card = read_card(path)
    if json:
        print(path.read_text(encoding="utf-8").rstrip())
        return
    print("\n".join([_format_card(card), "", *_int8_lines(ModelFolder(path.parent, card))]))


def _int8_lines(folder: ModelFolder) -> list[str]:
    place = int8_folder(folder)
    if place is None:
        return format_int8(None)
    try:
        quantised = int8_card(folder.card.id, place)
    except ModelUnusable as error:
        # of another version; the model itself is shown all the same
        return [f"INT8: unusable. {error}"]
    return format_int8(quantised.int8, outdated=is_outdated(quantised, folder.card))


@app.command()
def sheet(
    model: Id,
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Run to fill it from, or the beginning of its id; may be repeated "
            "(default: all stored runs of these weights).",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="File to write; CSV where it ends in .csv.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of Markdown.")] = False,
) -> None:
    """Fill in the reporting checklists TRIPOD+AI and CLAIM 2024 from a model's card and runs, as Markdown or CSV.

    Each item is answered, in part, or "not done", "not reported" or "not applicable" with the reason. Then the width of
    the intervals that the counts of each evaluation allow, and the positive patients that a half-width of 0.05 needs.
    """
    from ..report.reporting_checklists import reporting_sheet, sheet_csv, sheet_markdown
    from ..report.reporting_evidence import Evidence, runs_of_model
    from .runs import with_progress

    card = read_card(find_model(model) / CARD)
    runs = runs_of_model(RunStore(), card, run or ())
    filled = reporting_sheet(Evidence.of_runs(card, runs, with_progress))
    text = sheet_csv(filled) if as_csv or (out and out.suffix.lower() == ".csv") else sheet_markdown(filled)
    if out is None:
        print(text, end="")
        return
    # first, since what is not in the trail must not leave
    audit.record(acting_user(), "export", "reporting-sheet", model=card.weights_sha256)
    write(out, text.encode())
    print(out)


@app.command()
def verify(
    model: Annotated[str | None, typer.Argument(metavar="[ID]", help="Id of one model (default: all).")] = None,
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
            print(f"{folder.card.id}: all files match SHA256SUMS and the card")
            status = _verify_int8(folder) or status
    return status


def _verify_int8(folder: ModelFolder) -> int:
    place = int8_folder(folder)
    if place is None:
        return 0
    try:
        checked_int8_card(folder, place)
    except CxrError as error:
        typer.echo(f"Error: {error}", err=True)
        return error.exit_status
    print(f"{folder.card.id} at INT8: all files match SHA256SUMS and the card")
    return 0


def _format_card(card: ModelCard) -> str:
    architecture = card.architecture
    start = "" if architecture.transfer_learned is not False else " (not transfer-learned)"
    lines = [
        f"{card.title} ({card.id}, version {card.version})",
        NOTICE,
        f"Network: {architecture.name}, {architecture.parameters:,} parameters, from "
        f"{architecture.initialisation}{start}",
        f"Input: {card.input.size} x {card.input.size}, {card.input.fit}, "
        f"detail of {card.input.detail or card.input.size} pixels a side; resampling {card.input.resampling}; "
        f"{card.input.scaling}; {describe_exposure(card.input.exposure)}",
        f"Training: {_format_training(card)}",
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
        images = table.images if table.number_of_images is None else f"{table.number_of_images:,} {table.images}"
        lines += ["", f"{table.metric} on {images} ({table.name}; {table.reference})"]
        lines.append(f"interval: {table.interval}")
        lines += [f"  {display_name(label):<28}{_format_metric(metric)}" for label, metric in table.per_label.items()]
        lines += [f"  {'Mean':<28}{_format_metric(table.mean)}"] if table.mean is not None else []
    if card.readers:
        lines += ["", "Single readers of the same images, each against the majority of the others"]
    for label, points in card.readers.items():
        lines.append(f"  {display_name(label)}")
        lines += [
            f"    {p.reader:<26}sensitivity {format_estimate(p.sensitivity, percent=True)}, "
            f"specificity {format_estimate(p.specificity, percent=True)}"
            for p in points
        ]
    for name, point in card.operating_points.items():
        lines += ["", f"Operating point {name}: {point.rule}, set on {point.images}"]
        lines += [f"cross-validated: {point.held_out}"] if point.held_out else []
        lines += [f"  {display_name(label):<28}{_format_threshold(card, point, label)}" for label in point.thresholds]
        sources = {threshold.source for threshold in point.thresholds.values() if threshold.source}
        lines += [f"  {source}" for source in sorted(sources)]
        lines.append(f"  {describe_operating_point(point)}")
        lines += [f"  {line}" for line in describe_group_rates(point)]
    for rates in card.flag_rates:
        lines += ["", describe_measured_images(rates), *(f"  {line}" for line in describe_measured_rates(rates))]
    if not_checked := describe_evaluation(card):
        lines += ["", not_checked]
    lines += ["", f"Calibration: {describe_calibration(card)}"]
    if card.calibration is not None:
        lines += [f"rule: {card.calibration.rule}", f"cross-validated: {card.calibration.held_out}"]
        curves = card.calibration.per_label.items()
        lines += [f"  {display_name(label):<28}{describe_curve(curve)}" for label, curve in curves]
    lines += ["", *format_stability(card.stability)]
    lines += ["", *format_localisation(card.localisation)]
    familiarity = "not measured"
    if card.familiarity is not None:
        familiarity = f"unlike the training images beyond distance {card.familiarity.threshold:.2f}: "
        familiarity += card.familiarity.rule
    lines += ["", f"Familiarity: {familiarity}"]
    lines += ["", "Limits:", *(f"  {limit}" for limit in card.limits)]
    lines += ["", f"Licence: {card.licence}", f"model.keras SHA-256: {card.weights_sha256}"]
    return "\n".join(lines)


def _format_training(card: ModelCard) -> str:
    training = card.training
    if training.images is None or training.patients is None:
        data = f"on {'; '.join(training.datasets)}" if training.datasets else "on images that are not stated"
        return f"{data}. Number of images and split were not published."
    return (
        f"{training.images:,} images of {training.patients:,} patients of {', '.join(training.datasets)}; "
        f"split {training.split}; stages {training.stages}; augmentation {training.augmentation}"
    )


def _format_threshold(card: ModelCard, point: OperatingPoint, label: str) -> str:
    threshold, reason = point.thresholds[label], why_not_evaluated(card, point, label)
    if threshold.value is None or reason is not None:
        return f"not evaluated: {reason}"
    text = format_probability(threshold.value)
    for name, rate in (("sensitivity", threshold.sensitivity), ("specificity", threshold.specificity)):
        text += f", {name} {format_estimate(rate, percent=True)}" if rate is not None else ""
    return text


def _format_metric(metric: Estimate) -> str:
    # published numbers come with two decimals and without counts
    return format_estimate(metric, decimals=2 if metric.counts is None else 3, counts=metric.counts)


@app.command()
def measure(
    model: Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or a path to its folder.")],
    run: Annotated[
        list[str], typer.Option(metavar="RUN", help="Evaluation run of the model; the first one's AUC is shown first.")
    ],
    table: Annotated[
        list[Path] | None,
        typer.Option(metavar="CSV", help="Table of training patients, to fit a model of age, sex and view."),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder of images, one per table; default: every row of the tables."),
    ] = None,
    columns: Columns = None,
    labels: Labels = None,
    map_label: MapLabel = None,
    split: Annotated[
        str, typer.Option(metavar="embedded|FILE", help="Split that names the training patients.")
    ] = "embedded",
) -> None:
    """Add the results of evaluation runs to a model's card: AUC by reference standard, readers, AUC by view.

    Of runs on images that set no threshold also the images without findings that are flagged, by view, sex and age.

    With tables, also the gain in AUC over a model of age, sex and view alone. The weights are not changed; card.json
    and SHA256SUMS are rewritten. Example:

      python -m cxr_core models measure second-read-mini --run experts --run validation --table Data_Entry_2017.csv
    """
    if (problem := audit.problem()) is not None:
        raise problem
    folder = open_model(model)
    store = RunStore()
    training = None
    if table:
        rows = read_tables(images, table, columns, map_label, labels)
        patient_split = embedded_or_file(split)
        training = rows.select(patient_split.subset_of(rows.patients) == "train")
        if not len(training):
            raise WrongArguments(f"Split {patient_split.name}: no image of the tables is of a training patient.")
    card = measured_card(folder.card, [store.get(one) for one in run], training)
    keep_card(folder, card)
    audit.note(acting_user(), "model-change", "measure", model=card.weights_sha256)
    for result in card.metrics:
        labels_with_value = sum(metric.value is not None for metric in result.per_label.values())
        print(f"{result.name}, {result.reference}: {result.metric} of {labels_with_value} labels")
