"""A model on films: every prediction, kept as it comes, so that an interrupted evaluation goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputRefused, PathUnusable, WrongArguments
from ..imaging import Radiograph, read_radiograph
from ..model import Predictor
from ..model.findings import find
from ..model.predictor import class_maps
from ..store import Localisation, Predictions, ReaderAnswers
from .boxes import THRESHOLDS, Boxes, look_at_boxes
from .films import Films

__all__ = ["CHUNK", "Evaluated", "evaluate"]

CHUNK = 64
"""Films that are scored between two writes: what an interruption may cost."""

_AHEAD = 8


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
        work: gets one file for every :data:`CHUNK` films. With ``resume`` those that are there are not scored
            again.
        resume: go on.
        report: called with the films done and their number.
        boxes: of :func:`.boxes.read_boxes`; with them it is kept where the maps point.

    Raises:
        WrongArguments: with ``resume``, the work folder is of another model or of other films.
        PathUnusable: the work folder cannot be written.
    """
    plan = {
        "model": predictor.card.weights_sha256,
        "card": hashlib.sha256((predictor.folder.path / "card.json").read_bytes()).hexdigest(),
        "engine": predictor.engine.name,
        "films": hashlib.sha256("\n".join(films.table.names.tolist()).encode()).hexdigest(),
        "boxes": hashlib.sha256(repr(boxes).encode()).hexdigest(),
    }
    _begin(work, plan, resume)
    count = len(films.table)
    starts = range(0, count, CHUNK)
    with ThreadPoolExecutor(2) as threads:
        for start in starts:
            path = work / f"chunk-{start:07d}.npz"
            if not path.is_file():
                part = slice(start, start + CHUNK)
                of_films = [(boxes or {}).get(name, {}) for name in films.table.names[part].tolist()]
                _write(path, _scored(predictor, list(films.table.paths[part]), of_films, threads))
            report(min(start + CHUNK, count), count)
    return _gathered(work, starts, films, predictor.card.labels, boxes is not None)


def _begin(work: Path, plan: dict[str, str], resume: bool) -> None:
    path = work / "plan.json"
    try:
        work.mkdir(parents=True, exist_ok=True)
        if resume and path.is_file():
            before = json.loads(path.read_text())
            if before != plan:
                changed = ", ".join(key for key in plan if before.get(key) != plan[key])
                raise WrongArguments(f"The evaluation to go on with is another one: {changed} differ. Start it anew.")
            return
        for old in work.glob("chunk-*"):
            old.unlink()
        path.write_text(json.dumps(plan))
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Work folder {work.name}: cannot be written or read.") from error


def _read_ahead(paths: list[Path], threads: ThreadPoolExecutor) -> Iterator[Radiograph | None]:
    """Yield each film, or None where its file is refused, decoded ahead of whoever asks."""

    def read(path: Path) -> Radiograph | None:
        try:
            film = read_radiograph(path.read_bytes())
            film.display, film.quality  # noqa: B018 - computed here, beside the network
        except (InputRefused, OSError):
            return None
        return film

    waiting: list[Future[Radiograph | None]] = [threads.submit(read, path) for path in paths[:_AHEAD]]
    for number in range(len(paths)):
        film = waiting.pop(0).result()
        if number + _AHEAD < len(paths):
            waiting.append(threads.submit(read, paths[number + _AHEAD]))
        yield film


def _scored(
    predictor: Predictor, paths: list[Path], boxes: list[Mapping], threads: ThreadPoolExecutor
) -> dict[str, np.ndarray]:
    card = predictor.card
    classes = len(card.labels)
    looks = []
    scores = np.full((len(paths), classes), np.nan)
    probabilities = np.full((len(paths), classes), np.nan)
    sha256 = np.full(len(paths), "", dtype="U64")
    quality = np.full(len(paths), "unreadable", dtype="U10")
    for row, film in enumerate(_read_ahead(paths, threads)):
        if film is None:
            continue
        inference, placement = predictor.infer(film)
        findings = find(card, inference.logits[0], card.operating_point())
        scores[row] = [finding.score for finding in findings]
        probabilities[row] = [np.nan if f.probability is None else f.probability for f in findings]
        sha256[row], quality[row] = film.sha256, film.quality.status
        if boxes[row]:
            maps = dict(zip(card.labels, class_maps(inference.features[0], predictor.engine.head), strict=True))
            looks += [(row, *look) for look in look_at_boxes(maps, card.map_anchors, boxes[row], placement)]
    films = {"scores": scores, "probabilities": probabilities, "sha256": sha256, "quality": quality}
    return films | _of_looks(looks)


def _of_looks(looks: list[tuple]) -> dict[str, np.ndarray]:
    """Return looks at boxes as arrays: m looks at boxes of all."""
    by_threshold = (len(looks), len(THRESHOLDS))
    return {
        "look_row": np.array([row for row, *_ in looks], dtype=np.intp),
        "look_label": np.array([label for _, label, *_ in looks], dtype="U60"),
        "look_boxes": np.array([len(drawn) for _, _, drawn, *_ in looks], dtype=np.intp),
        "boxes": np.concatenate([np.zeros((0, 4)), *(drawn for _, _, drawn, *_ in looks)]),
        "strongest": np.array([at for *_, at, _ in looks], dtype=np.float64).reshape(-1, 2),
        "hit": np.array([look.hit for *_, look in looks], dtype=bool),
        "centre": np.array([look.centre for *_, look in looks], dtype=bool),
        **{
            name: np.array([getattr(look, name) for *_, look in looks], dtype=np.float64).reshape(by_threshold)
            for name in ("overlap", "centre_overlap", "marked")
        },
    }


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)
        part.replace(path)
    except OSError as error:
        raise PathUnusable(f"Work folder {path.parent.name}: cannot be written.") from error


def _gathered(work: Path, starts: range, films: Films, labels: tuple[str, ...], boxed: bool) -> Evaluated:
    chunks = [dict(np.load(work / f"chunk-{start:07d}.npz")) for start in starts]
    for start, chunk in zip(starts, chunks, strict=True):
        chunk["look_row"] += start
    found = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    kept = found["quality"] != "unreadable"
    table = films.table.select(kept)
    # a model's labels, of which a reference may know some and not others
    column = {label: c for c, label in enumerate(films.labels)}
    known = np.array([column.get(label, -1) for label in labels])

    def of_labels(said: np.ndarray, missing: int) -> np.ndarray:
        chosen = said[kept][..., np.maximum(known, 0)]
        return np.where(known >= 0, chosen, missing).astype(said.dtype)

    readers = films.readers
    if readers is not None:
        own = None if readers.any_finding is None else readers.any_finding[kept]
        readers = ReaderAnswers(readers.readers, of_labels(readers.answers, 0), own)
    predictions = Predictions(
        images=table.names,
        sha256=found["sha256"][kept],
        patients=films.patients[kept],
        labels=np.array(labels),
        scores=found["scores"][kept],
        probabilities=found["probabilities"][kept],
        references={name: of_labels(said, -1) for name, said in films.references.items()},
        ages=table.ages,
        sexes=table.sexes,
        views=table.views,
        sources=table.sources,
        quality=found["quality"][kept],
        readers=readers,
        any_finding={name: said[kept] for name, said in films.any_finding.items()},
    )
    localisation = None
    if boxed:
        rows = found["look_row"]
        localisation = Localisation(
            images=films.table.names[rows],
            patients=films.patients[rows],
            labels=found["look_label"],
            boxes=tuple(np.split(found["boxes"], np.cumsum(found["look_boxes"])[:-1]) if len(rows) else ()),
            strongest=found["strongest"],
            hits=found["hit"],
            centre_hits=found["centre"],
            thresholds=np.array(THRESHOLDS),
            **{name: found[name] for name in ("overlap", "centre_overlap", "marked")},
        )
    return Evaluated(predictions, int((~kept).sum()), localisation)
