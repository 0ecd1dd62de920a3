"""Scoring of an evaluation set; resumable, because predictions are stored in chunks."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..archive import ImagePipeline, InputFile, OutputChunks, Refusal, default_workers
from ..files import is_kept
from ..imaging import Placement
from ..model import Finding, ModelCard, ModelInput, Predictor
from ..model.engines import class_maps
from ..model.findings import make_findings
from ..store import Localisation, Predictions, ReaderAnswers
from .box_sources import SOURCES
from .box_tables import Boxes, BoxTable
from .boxes import THRESHOLDS, average_evaluations, evaluate_maps
from .dataset import EvaluationSet

__all__ = ["CHUNK", "Evaluated", "evaluate"]

CHUNK = 64
"""Images scored between two writes, which is the maximum that an interruption loses."""

FEW = 100
"""For fewer images no worker processes are started, because the start would take longer than the scoring."""

TABLE = "scores"
MAPS = "looks"
"""Column of the map evaluations; earlier versions wrote it under this name."""

CURVES = ("overlap", "centre_overlap", "marked")
PROPORTIONS = ("inside", "area")
NUMBERS = pa.list_(pa.float64())
MAP_EVALUATION = pa.struct(
    [
        ("label", pa.string()),
        ("boxes", pa.list_(NUMBERS)),
        ("strongest", NUMBERS),
        ("hit", pa.bool_()),
        ("centre", pa.bool_()),
        *((name, NUMBERS) for name in CURVES),
        *((name, pa.float64()) for name in PROPORTIONS),
        ("cells", pa.list_(NUMBERS)),
        ("on_grid", pa.list_(NUMBERS)),
    ]
)
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("sha256", pa.string()),
        ("quality", pa.string()),
        ("scores", NUMBERS),
        ("probabilities", NUMBERS),
        (MAPS, pa.list_(MAP_EVALUATION)),
    ]
)
UNREADABLE = "unreadable"
Answers = TypeVar("Answers", np.int8, np.bool_)


class Evaluated(NamedTuple):
    """Result of an evaluation.

    Attributes:
        predictions: of the images that could be read.
        unreadable: number of images that could not be read and are excluded.
        localisation: map evaluations against boxes; None without boxes.
    """

    predictions: Predictions
    unreadable: int
    localisation: Localisation | None


def evaluate(
    predictor: Predictor,
    images: EvaluationSet,
    work: Path,
    *,
    resume: bool = False,
    report: Callable[[int, int], None] = lambda done, images: None,
    boxes: BoxTable | None = None,
) -> Evaluated:
    """Score images.

    Images that the gate refuses are scored as well, and its decision is stored, so that a run covers all images.
    Scores equal those of ``predict`` for the same file.

    Args:
        predictor: the model.
        images: images to score; predictions have the same order.
        work: folder of the chunks.
        resume: do not score again the images that are stored in ``work``.
        report: called with the number of scored images and of all images.
        boxes: of :func:`.box_tables.read_boxes`, for the evaluation of the maps; or None.

    Raises:
        WrongArguments: with ``resume``, the work folder is that of another model or of other images.
        PathUnusable: the work folder cannot be written.
    """
    if not resume:
        shutil.rmtree(work / TABLE, ignore_errors=True)
    plan = {
        "model": predictor.card.weights_sha256,
        "card": predictor.folder.card_digest,
        "engine": predictor.engine.name,
        "images": hashlib.sha256("\n".join(images.table.names.tolist()).encode()).hexdigest(),
        "boxes": hashlib.sha256(repr(boxes).encode()).hexdigest(),
        "maps": "2",
    }
    count = len(images.table)
    with OutputChunks(work, {TABLE: SCHEMA}, plan, resume=resume, images=CHUNK, private=is_kept(work)) as parts:
        scored_rows = {row["row"] for row in parts.distinct(TABLE, ["row"])}
        remaining = [
            (row, InputFile(path, Path(path.name)))
            for row, path in enumerate(images.table.paths)
            if row not in scored_rows
        ]
        workers = 0 if len(remaining) < FEW else default_workers()
        options = {"read_anyway": "it is evaluated", "other_windows": False}
        answer = partial(_score, maps=boxes is not None)
        with ImagePipeline(predictor, workers=workers, **options) as pipeline:
            for number, (row, scored) in enumerate(pipeline.run(remaining, answer), start=count - len(remaining) + 1):
                image_boxes = {} if boxes is None else boxes.of(str(images.table.names[row]))
                parts.put(TABLE, [{"row": row, **_columns(scored, predictor.card, image_boxes)}])
                report(number, count)
        parts.write()
        return _evaluated(parts.table(TABLE).sort_by("row"), images, predictor.card.labels, boxes)


@dataclass(frozen=True)
class _Scored:
    sha256: str
    quality: str
    findings: tuple[Finding, ...]
    placement: Placement | None
    maps: NDArray[np.float32] | None


def _score(image: ModelInput, predictor: Predictor, *, maps: bool) -> _Scored:
    inference = predictor.infer(image)
    findings = make_findings(predictor.card, inference.logits[0], predictor.card.operating_point())
    maps_of_classes = class_maps(inference.features[0], predictor.engine.head) if maps else None
    return _Scored(image.sha256, image.quality.status, findings, image.placement, maps_of_classes)


def _columns(scored: _Scored | Refusal, card: ModelCard, boxes: Boxes) -> dict[str, object]:
    """Return the columns of an image without its row number; ``boxes`` by label."""
    if isinstance(scored, Refusal):
        missing = [np.nan] * len(card.labels)
        return {"sha256": "", "quality": UNREADABLE, "scores": missing, "probabilities": missing, MAPS: []}
    evaluations = []
    if boxes and scored.maps is not None and scored.placement is not None:
        maps = dict(zip(card.labels, scored.maps, strict=True))
        evaluations = evaluate_maps(maps, card.map_anchors, boxes, scored.placement)
    return {
        "sha256": scored.sha256,
        "quality": scored.quality,
        "scores": [finding.score for finding in scored.findings],
        "probabilities": [np.nan if f.probability is None else f.probability for f in scored.findings],
        MAPS: [
            {
                "label": one.label,
                "boxes": one.boxes.tolist(),
                "strongest": one.strongest.tolist(),
                "hit": bool(one.evaluation.hit),
                "centre": bool(one.evaluation.centre_hit),
                **{name: np.asarray(getattr(one.evaluation, name), float).tolist() for name in CURVES},
                **{name: getattr(one.evaluation, name) for name in PROPORTIONS},
                "cells": one.cells.tolist(),
                "on_grid": one.on_grid.tolist(),
            }
            for one in evaluations
        ],
    }


def _evaluated(rows: pa.Table, images: EvaluationSet, labels: tuple[str, ...], boxes: BoxTable | None) -> Evaluated:
    """Return the result from a table with one row per image, in the order of the images."""
    quality = np.array(rows["quality"].to_pylist(), dtype="U10")
    readable = quality != UNREADABLE
    table = images.table.select(readable)
    # a reference standard may have only some of the labels of the model
    column = {label: c for c, label in enumerate(images.labels)}
    columns = np.array([column.get(label, -1) for label in labels])

    def of_labels(answers: NDArray[Answers], missing: int) -> NDArray[Answers]:
        """Return the answers of the readable images to the model's labels; ``missing`` for a label without any."""
        chosen = answers[readable][..., np.maximum(columns, 0)]
        return np.where(columns >= 0, chosen, missing).astype(answers.dtype)

    def numbers(name: str) -> NDArray[np.float64]:
        values = np.array(rows[name].to_pylist(), dtype=np.float64).reshape(len(readable), len(labels))
        return np.asarray(values[readable])

    readers = images.readers
    if readers is not None:
        any_finding = None if readers.any_finding is None else readers.any_finding[readable]
        readers = ReaderAnswers(readers.readers, of_labels(readers.answers, 0), any_finding)
    predictions = Predictions(
        images=table.names,
        sha256=np.array(rows["sha256"].to_pylist(), dtype="U64")[readable],
        patients=images.patients[readable],
        labels=np.array(labels),
        scores=numbers("scores"),
        probabilities=numbers("probabilities"),
        references={name: of_labels(truth, -1) for name, truth in images.references.items()},
        ages=table.ages,
        sexes=table.sexes,
        views=table.views,
        sources=table.sources,
        quality=quality[readable],
        readers=readers,
        any_finding={name: truth[readable] for name, truth in images.any_finding.items()},
    )
    localisation = None if boxes is None else _localisation(rows, images, boxes.source)
    return Evaluated(predictions, int((~readable).sum()), localisation)


def _localisation(table: pa.Table, images: EvaluationSet, source: str) -> Localisation:
    """Return the map evaluations, in the order of the images."""
    by_image = [*zip(table["row"].to_pylist(), table[MAPS].to_pylist(), strict=True)]
    maps = [evaluation for _, evaluations in by_image for evaluation in evaluations]
    rows = np.array([row for row, evaluations in by_image for _ in evaluations], dtype=np.intp)
    patients, labels = images.patients[rows], np.array([row["label"] for row in maps], dtype="U60")
    boxes = [np.array(row["boxes"], dtype=np.float64).reshape(-1, 4) for row in maps]
    if SOURCES[source].masks:
        boxes = [np.concatenate([b[:, :2].min(axis=0), b[:, 2:].max(axis=0)])[None] for b in boxes]

    def column(name: str, width: int) -> NDArray[np.float64]:
        return np.array([row[name] for row in maps], dtype=np.float64).reshape(len(maps), width)

    curves = {name: column(name, len(THRESHOLDS)) for name in CURVES}
    average_hits, average_inside = np.full((2, len(maps)), np.nan)
    average_overlap = np.full((len(maps), len(THRESHOLDS)), np.nan)
    for label in sorted(set(labels.tolist())):
        same = np.flatnonzero(labels == label)
        cells = np.array([maps[m]["cells"] for m in same], dtype=np.float64)
        on_grid = [np.array(maps[m]["on_grid"], dtype=np.float64) for m in same]
        averages = average_evaluations(cells, on_grid, curves["marked"][same], patients[same])
        for m, average in zip(same.tolist(), averages, strict=True):
            if average is not None:
                average_hits[m], average_inside[m] = average.hit, average.inside
                average_overlap[m] = average.overlap
    return Localisation(
        images=images.table.names[rows],
        patients=patients,
        labels=labels,
        boxes=tuple(boxes),
        strongest=column("strongest", 2),
        hits=np.array([row["hit"] for row in maps], dtype=bool),
        centre_hits=np.array([row["centre"] for row in maps], dtype=bool),
        thresholds=np.array(THRESHOLDS),
        **curves,
        source=source,
        average_hits=average_hits,
        average_overlap=average_overlap,
        inside=column("inside", 1)[:, 0],
        average_inside=average_inside,
        area=column("area", 1)[:, 0],
    )
