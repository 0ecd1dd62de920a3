"""A model on films: every prediction, kept as it comes, so that an interrupted evaluation goes on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ..archive import FilmPipeline, InputFile, Parts, Refusal, default_workers
from ..imaging import Placement
from ..model import Finding, ModelCard, Predictor, PreparedFilm
from ..model.findings import find
from ..model.predictor import class_maps
from ..private_files import is_kept
from ..store import Localisation, Predictions, ReaderAnswers
from .boxes import THRESHOLDS, Boxes, look_at_boxes
from .films import Films

__all__ = ["CHUNK", "Evaluated", "evaluate"]

CHUNK = 64
"""Films that are scored between two writes: what an interruption may cost."""

FEW = 100
"""So few films are prepared in this process: others would take longer to start."""

TABLE = "scores"
LOOK_CURVES = ("overlap", "centre_overlap", "marked")
NUMBERS = pa.list_(pa.float64())
LOOK = pa.struct(
    [
        ("label", pa.string()),
        ("boxes", pa.list_(NUMBERS)),
        ("strongest", NUMBERS),
        ("hit", pa.bool_()),
        ("centre", pa.bool_()),
        *((name, NUMBERS) for name in LOOK_CURVES),
    ]
)
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("sha256", pa.string()),
        ("quality", pa.string()),
        ("scores", NUMBERS),
        ("probabilities", NUMBERS),
        ("looks", pa.list_(LOOK)),
    ]
)
UNREADABLE = "unreadable"


class Evaluated(NamedTuple):
    """What came of an evaluation.

    Attributes:
        predictions: of the films that could be read.
        unreadable: how many could not; they are left out.
        localisation: where maps point beside boxes; None where no boxes were given.
    """

    predictions: Predictions
    unreadable: int
    localisation: Localisation | None


def evaluate(
    predictor: Predictor,
    films: Films,
    work: Path,
    *,
    resume: bool = False,
    report: Callable[[int, int], None] = lambda done, films: None,
    boxes: Boxes | None = None,
) -> Evaluated:
    """Score films.

    The gate is asked but not obeyed: a film that it refuses is scored, and its verdict kept, so that a run is
    of all films. A score is the one that ``predict`` gives for the same file.

    Args:
        predictor: the model.
        films: what is scored; their order is kept.
        work: gets one part for every :data:`CHUNK` films. With ``resume`` those that are there are not scored
            again.
        resume: go on.
        report: called with the films done and their number.
        boxes: of :func:`.boxes.read_boxes`; with them it is kept where the maps point.

    Raises:
        WrongArguments: with ``resume``, the work folder is of another model or of other films.
        PathUnusable: the work folder cannot be written.
    """
    if not resume:
        shutil.rmtree(work / TABLE, ignore_errors=True)
    plan = {
        "model": predictor.card.weights_sha256,
        "card": hashlib.sha256((predictor.folder.path / "card.json").read_bytes()).hexdigest(),
        "engine": predictor.engine.name,
        "films": hashlib.sha256("\n".join(films.table.names.tolist()).encode()).hexdigest(),
        "boxes": hashlib.sha256(repr(boxes).encode()).hexdigest(),
    }
    count = len(films.table)
    with Parts(work, {TABLE: SCHEMA}, plan, resume=resume, films=CHUNK, private=is_kept(work)) as parts:
        done = {row["row"] for row in parts.distinct(TABLE, ["row"])}
        left = [
            (row, InputFile(path, Path(path.name))) for row, path in enumerate(films.table.paths) if row not in done
        ]
        workers = 0 if len(left) < FEW else default_workers()
        options = {"read_anyway": "it is evaluated", "other_windows": False}
        answer = partial(_score, maps=boxes is not None)
        with FilmPipeline(predictor, workers=workers, **options) as pipeline:
            for number, (row, found) in enumerate(pipeline.run(left, answer), start=count - len(left) + 1):
                drawn = (boxes or {}).get(str(films.table.names[row]), {})
                parts.put(TABLE, [{"row": row, **_columns(found, predictor.card, drawn)}])
                report(number, count)
        parts.write()
        return _gathered(parts.table(TABLE).sort_by("row"), films, predictor.card.labels, boxes is not None)


@dataclass(frozen=True)
class _Scored:
    sha256: str
    quality: str
    findings: tuple[Finding, ...]
    placement: Placement
    maps: np.ndarray | None


def _score(film: PreparedFilm, predictor: Predictor, *, maps: bool) -> _Scored:
    inference = predictor.infer(film)
    findings = find(predictor.card, inference.logits[0], predictor.card.operating_point())
    of_classes = class_maps(inference.features[0], predictor.engine.head) if maps else None
    return _Scored(film.sha256, film.quality.status, findings, film.placement, of_classes)


def _columns(found: _Scored | Refusal, card: ModelCard, drawn: Mapping[str, np.ndarray]) -> dict[str, object]:
    """Return the row of a film, but for its number; ``drawn`` are its boxes, by label."""
    if isinstance(found, Refusal):
        nothing = [np.nan] * len(card.labels)
        return {"sha256": "", "quality": UNREADABLE, "scores": nothing, "probabilities": nothing, "looks": []}
    looks = []
    if drawn:
        maps = dict(zip(card.labels, found.maps, strict=True))
        looks = look_at_boxes(maps, card.map_anchors, drawn, found.placement)
    return {
        "sha256": found.sha256,
        "quality": found.quality,
        "scores": [finding.score for finding in found.findings],
        "probabilities": [np.nan if f.probability is None else f.probability for f in found.findings],
        "looks": [
            {
                "label": label,
                "boxes": boxes.tolist(),
                "strongest": strongest.tolist(),
                "hit": bool(look.hit),
                "centre": bool(look.centre),
                **{name: np.asarray(getattr(look, name), float).tolist() for name in LOOK_CURVES},
            }
            for label, boxes, strongest, look in looks
        ],
    }


def _gathered(found: pa.Table, films: Films, labels: tuple[str, ...], boxed: bool) -> Evaluated:
    """Return the predictions of a table with a row a film, in their order."""
    quality = np.array(found["quality"].to_pylist(), dtype="U10")
    kept = quality != UNREADABLE
    table = films.table.select(kept)
    # a model's labels, of which a reference may know some and not others
    column = {label: c for c, label in enumerate(films.labels)}
    known = np.array([column.get(label, -1) for label in labels])

    def of_labels(said: np.ndarray, missing: int) -> np.ndarray:
        chosen = said[kept][..., np.maximum(known, 0)]
        return np.where(known >= 0, chosen, missing).astype(said.dtype)

    def numbers(name: str) -> np.ndarray:
        return np.array(found[name].to_pylist(), dtype=np.float64).reshape(len(kept), len(labels))[kept]

    readers = films.readers
    if readers is not None:
        own = None if readers.any_finding is None else readers.any_finding[kept]
        readers = ReaderAnswers(readers.readers, of_labels(readers.answers, 0), own)
    predictions = Predictions(
        images=table.names,
        sha256=np.array(found["sha256"].to_pylist(), dtype="U64")[kept],
        patients=films.patients[kept],
        labels=np.array(labels),
        scores=numbers("scores"),
        probabilities=numbers("probabilities"),
        references={name: of_labels(said, -1) for name, said in films.references.items()},
        ages=table.ages,
        sexes=table.sexes,
        views=table.views,
        sources=table.sources,
        quality=quality[kept],
        readers=readers,
        any_finding={name: said[kept] for name, said in films.any_finding.items()},
    )
    localisation = _localisation(found, films) if boxed else None
    return Evaluated(predictions, int((~kept).sum()), localisation)


def _localisation(found: pa.Table, films: Films) -> Localisation:
    """Return where maps point beside boxes, in the order of the films."""
    by_row = zip(found["row"].to_pylist(), found["looks"].to_pylist(), strict=True)
    rows, looks = [], []
    for row, of_film in by_row:
        rows += [row] * len(of_film)
        looks += of_film

    def column(name: str, width: int) -> np.ndarray:
        return np.array([look[name] for look in looks], dtype=np.float64).reshape(len(looks), width)

    films_of = np.array(rows, dtype=np.intp)
    return Localisation(
        images=films.table.names[films_of],
        patients=films.patients[films_of],
        labels=np.array([look["label"] for look in looks], dtype="U60"),
        boxes=tuple(np.array(look["boxes"], dtype=np.float64).reshape(-1, 4) for look in looks),
        strongest=column("strongest", 2),
        hits=np.array([look["hit"] for look in looks], dtype=bool),
        centre_hits=np.array([look["centre"] for look in looks], dtype=bool),
        thresholds=np.array(THRESHOLDS),
        **{name: column(name, len(THRESHOLDS)) for name in LOOK_CURVES},
    )
