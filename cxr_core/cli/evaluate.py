"""``evaluate``: a model on films, kept as a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..access import asked_by, audit
from ..errors import WrongArguments
from ..evaluation import evaluate as score_films
from ..evaluation import gather_films
from ..evaluation.boxes import read_boxes
from ..evaluation.identity import new_record, possibly_seen, run_id
from ..evaluation.image_names import digest_key, without_names
from ..model import shared_predictor
from ..store import RunStore
from .progress import Steps
from .run_words import summary_words
from .runs import with_progress
from .tables import LISTS_HELP, chosen_split

__all__ = ["evaluate"]


def evaluate(
    images: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of images; may be given several times.")],
    table: Annotated[
        list[Path], typer.Option(metavar="CSV", help="Its table: NIH's, or experts' majority labels; one a folder.")
    ],
    model: Annotated[str | None, typer.Option(metavar="ID", help="Model to evaluate.")] = None,
    engine: Annotated[str | None, typer.Option(metavar="openvino|tensorflow", help="Engine to run it on.")] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="embedded|official|FILE", help="Split, where only a part of the films is meant."),
    ] = None,
    lists: Annotated[Path | None, typer.Option(metavar="DIR", help=LISTS_HELP)] = None,
    part: Annotated[str, typer.Option(metavar="train|validation|test|all", help="Part of the split.")] = "all",
    reference: Annotated[
        list[str] | None, typer.Option(metavar="NAME=CSV", help="Another who says what the same films show.")
    ] = None,
    readers: Annotated[Path | None, typer.Option(metavar="CSV", help="Single readers' answers.")] = None,
    facts: Annotated[
        list[Path] | None, typer.Option(metavar="CSV", help="NIH's table, for age, sex and view of the films.")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Boxes in NIH's layout, to see where the maps point.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What the run is called.")] = None,
    keep_patients: Annotated[
        bool, typer.Option("--keep-patients", help="Keep patients' numbers as they are: for public data only.")
    ] = False,
    keep_image_names: Annotated[
        bool,
        typer.Option("--keep-image-names", help="Keep the images' names as they are, and not as keyed digests."),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an evaluation that was interrupted.")] = False,
) -> None:
    """Score films, keep every prediction as a run, and print its numbers.

    A run that was interrupted goes on with --resume and the same options, and ends as one that was not. Example:

      python -m cxr_core evaluate --images nih/images --table nih/Data_Entry_2017.csv --split embedded --part test
    """
    if len(images) != len(table):
        raise WrongArguments(f"{len(images)} folders of images and {len(table)} tables: give one table a folder.")
    store = RunStore()
    predictor = shared_predictor(model, engine, throughput=True)
    key = digest_key(store.folder)
    films = gather_films(
        images,
        table,
        more_references=[_pair(text) for text in reference or []],
        readers=readers,
        facts=facts or (),
        key=None if keep_patients else key,
    )
    chosen = None
    if split is not None:
        chosen = chosen_split(split, films.table, lists or table[0].parent)
        films = films.select(_of_part(chosen.part_of(films.table.patients), part))
    elif part != "all":
        raise WrongArguments(f"Part {part!r}: give the --split that it is a part of.")
    drawn = None if boxes is None else read_boxes(boxes)
    name = name or f"{predictor.card.id} on {', '.join(sorted(set(films.table.sources.tolist())))} {part}"
    work = store.folder / f"{run_id(name)}.scoring"
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    if drawn is not None and not set(drawn) & set(films.table.names.tolist()):
        raise WrongArguments(f"Boxes {boxes}: none is of a film that is evaluated. Give the boxes of these films.")
    with Steps("Scoring films", len(films.table)) as steps:
        predictions, unreadable, localisation = score_films(
            predictor, films, work, resume=resume, report=lambda done, _: steps.done(done), boxes=drawn
        )
        if unreadable:
            steps.say(f"{unreadable} files could not be read and are left out.")
    card = predictor.card
    record = new_record(
        predictions,
        name=name,
        model_id=card.id,
        model_sha256=card.weights_sha256,
        engine=predictor.engine.name,
        split=chosen.name if chosen else "none",
        split_sha256=chosen.sha256 if chosen else "",
        part=part,
        seen_in_training=possibly_seen(films.table.sources.tolist(), card),
        point=card.operating_points.get("default"),
        image_names_kept=keep_image_names,
    )
    if not keep_image_names:
        predictions, localisation = without_names(predictions, localisation, key)
    run = store.add(record, predictions, localisation)
    audit.note(asked_by(), "evaluation", run=run.record.id, model=card.weights_sha256)
    shutil.rmtree(work, ignore_errors=True)
    print(summary_words(with_progress(run)))


def _of_part(parts: np.ndarray, part: str) -> np.ndarray:
    keep = np.ones(len(parts), dtype=bool) if part == "all" else parts == part
    if not keep.any():
        raise WrongArguments(f"Part {part!r}: no film of the tables is in it. Accepted: train, validation, test, all.")
    return keep


def _pair(text: str) -> tuple[str, Path]:
    name, sign, csv = text.partition("=")
    if not sign or not name or not csv:
        raise WrongArguments(f"--reference {text!r}: write NAME=CSV.")
    return name, Path(csv)
