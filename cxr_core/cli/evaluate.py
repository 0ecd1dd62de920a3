"""``evaluate``: score a data set with a model and store the predictions as a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, cast, get_args

import numpy as np
import typer

from ..access import acting_user, audit
from ..errors import WrongArguments
from ..evaluation import evaluate as score_images
from ..evaluation import gather_images
from ..evaluation.box_tables import BoxTable, Region, read_boxes, read_masks
from ..evaluation.images import digest_key, with_digests
from ..evaluation.run_record import new_record, possibly_seen, run_id
from ..labels import LABELS
from ..model import shared_predictor
from ..model.precision import engine_at
from ..store import RunStore
from .progress import ProgressBar
from .run_formatting import format_summary
from .runs import with_progress
from .tables import Columns, Labels, Lists, MapLabel, choose_split, column_maps

__all__ = ["evaluate"]

WITH_BOXES = "only images with boxes or masks: rates and AUC are not those of a hospital"
HELD_OUT = "held-out"
"""The patients who are not training patients."""


def evaluate(
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; may be given several times.")],
    table: Annotated[
        list[Path],
        typer.Option(
            metavar="CSV",
            help="Table of a folder's images, one per folder: NIH's or the experts' layout, or any with --columns.",
        ),
    ],
    columns: Columns = None,
    labels: Labels = None,
    map_label: MapLabel = None,
    model: Annotated[str | None, typer.Option(metavar="ID", help="Model to evaluate.")] = None,
    engine: Annotated[str | None, typer.Option(metavar="openvino|tensorflow", help="Engine to run it on.")] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="embedded|official|FILE", help="Split of the patients, to evaluate one subset of it."),
    ] = None,
    lists: Lists = None,
    part: Annotated[
        str,
        typer.Option(
            metavar="train|validation|test|held-out|all", help="Subset of the split; held-out is all but train."
        ),
    ] = "all",
    reference_name: Annotated[
        str,
        typer.Option(metavar="NAME", help="Name of the tables' reference standard (default: by their layout)."),
    ] = "",
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=CSV",
            help="A further reference standard for these images: NIH's or the experts' layout, or that of --columns.",
        ),
    ] = None,
    readers: Annotated[Path | None, typer.Option(metavar="CSV", help="Answers of individual readers.")] = None,
    facts: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="NIH's table, for the age, sex and view of each image.")
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Bounding boxes in the layout of NIH, ChestX-Det or RSNA, to evaluate the heat maps."
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Masks instead of boxes: folders heart, left_lung and right_lung of images.",
        ),
    ] = None,
    region: Annotated[
        str,
        typer.Option(
            metavar="heart|chest",
            help="Region of the masks: enlarged hearts, for Cardiomegaly, or lungs and heart, for every label.",
        ),
    ] = "heart",
    boxed_only: Annotated[
        bool,
        typer.Option("--boxed-only", help="Score only images with boxes or masks, a name in several folders once."),
    ] = False,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the run.")] = None,
    keep_patients: Annotated[
        bool, typer.Option("--keep-patients", help="Store patient identifiers as they are: for public data only.")
    ] = False,
    keep_image_names: Annotated[
        bool,
        typer.Option("--keep-image-names", help="Store image names as they are, not as keyed digests."),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted evaluation.")] = False,
) -> None:
    """Score images, store every prediction as a run, and print its metrics.

    With --resume and the same options, an interrupted evaluation continues, with the same result. Example:

      python -m cxr_core evaluate --images nih/images --table nih/Data_Entry_2017.csv --split embedded --part test
    """
    if len(images) != len(table):
        raise WrongArguments(f"{len(images)} folders of images and {len(table)} tables: give one table per folder.")
    store = RunStore()
    predictor = shared_predictor(model, engine_at("float32", engine), throughput=True)
    key = digest_key(store.folder)
    maps, names = column_maps(len(table), columns, map_label, labels)
    rows = gather_images(
        images,
        table,
        more_references=[_parse_reference(text) for text in reference or []],
        readers=readers,
        facts=facts or (),
        key=None if keep_patients else key,
        columns=maps,
        labels=names,
        reference=reference_name,
    )
    patient_split = None
    if split is not None:
        patient_split = choose_split(split, rows.table, lists or table[0].parent)
        rows = rows.select(_in_part(patient_split.subset_of(rows.table.patients), part))
    elif part != "all":
        raise WrongArguments(f"--part {part!r}: give the --split that it belongs to.")
    box_table = _read_boxes(boxes, masks, region, [*LABELS, *rows.labels, *predictor.card.labels])
    if boxed_only:
        if box_table is None:
            raise WrongArguments("--boxed-only: give the --boxes or --masks.")
        rows = rows.select(_once_with_boxes(rows.table.names, box_table))
    name = name or f"{predictor.card.id} on {', '.join(sorted(set(rows.table.sources.tolist())))} {part}"
    work = store.folder / f"{run_id(name)}.scoring"
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    if box_table is not None and not any(box_table.of(image) for image in rows.table.names.tolist()):
        raise WrongArguments(
            f"Boxes {boxes or masks}: none belongs to an evaluated image. Give the boxes of these images."
        )
    with ProgressBar("Scoring images", len(rows.table)) as progress:
        predictions, unreadable, localisation = score_images(
            predictor, rows, work, resume=resume, report=lambda done, _: progress.update(done), boxes=box_table
        )
        if box_table is not None and box_table.left_out:
            left_out = ", ".join(f"{number} of {finding}" for finding, number in box_table.left_out.items())
            progress.message(f"Boxes {boxes}: {left_out} are left out, since no label is compared with them.")
        if unreadable:
            progress.message(f"{unreadable} files could not be read and are left out.")
    card = predictor.card
    record = new_record(
        predictions,
        name=name,
        model_id=card.id,
        model_sha256=card.weights_sha256,
        engine=predictor.engine.name,
        split=patient_split.name if patient_split else "none",
        split_sha256=patient_split.sha256 if patient_split else "",
        part=part,
        seen_in_training=possibly_seen(rows.table.sources.tolist(), card),
        card=card,
        image_names_kept=keep_image_names,
        selection=WITH_BOXES if boxed_only else "",
    )
    if not keep_image_names:
        predictions, localisation = with_digests(predictions, localisation, key)
    run = store.add(record, predictions, localisation)
    audit.note(acting_user(), "evaluation", run=run.record.id, model=card.weights_sha256)
    shutil.rmtree(work, ignore_errors=True)
    print(format_summary(with_progress(run)))


def _read_boxes(boxes: Path | None, masks: Path | None, region: str, labels: list[str]) -> BoxTable | None:
    if boxes is not None and masks is not None:
        raise WrongArguments("--boxes and --masks: a run has one of them.")
    if boxes is not None:
        return read_boxes(boxes, dict.fromkeys(labels))
    if masks is None:
        return None
    if region not in get_args(Region):
        raise WrongArguments(f"--region {region!r}: accepted are {', '.join(get_args(Region))}.")
    return read_masks(masks, cast(Region, region), dict.fromkeys(labels))


def _once_with_boxes(names: np.ndarray, boxes: BoxTable) -> np.ndarray:
    """Return (n,) bool: the images with boxes, of each name, whatever its ending, the first."""
    seen: set[str] = set()
    keep = np.zeros(len(names), dtype=bool)
    for row, name in enumerate(names.tolist()):
        stem = Path(name).stem
        keep[row] = bool(boxes.of(name)) and stem not in seen
        seen.add(stem)
    return keep


def _in_part(subsets: np.ndarray, part: str) -> np.ndarray:
    keep = np.ones(len(subsets), dtype=bool) if part == "all" else subsets == part
    if part == HELD_OUT:
        keep = subsets != "train"
    if not keep.any():
        raise WrongArguments(
            f"--part {part!r}: no image of the tables is in it. Accepted: train, validation, test, {HELD_OUT}, all."
        )
    return keep


def _parse_reference(text: str) -> tuple[str, Path]:
    name, sign, csv = text.partition("=")
    if not sign or not name or not csv:
        raise WrongArguments(f"--reference {text!r}: write NAME=CSV.")
    return name, Path(csv)
