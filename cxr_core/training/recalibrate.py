"""Calibrate a model folder that is there already: its weights stay, what was measured with them is made anew."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..errors import InputRefused, TrainingRefused
from ..model import ModelCard, ModelFolder, class_maps, open_model
from ..model.engines import Engine, open_engine
from ..model.folder import keep_card
from .calibrate import Scored, calibrated
from .dataset import load_film
from .sample import Origin
from .table import FilmTable

__all__ = ["Recalibrated", "recalibrate", "score_with_engine"]

_GROUP = 16


@dataclass(frozen=True)
class Recalibrated:
    """The new card, and how many films could not be read."""

    card: ModelCard
    unreadable: int


def recalibrate(
    model: str,
    films: FilmTable,
    origin: Origin,
    *,
    seed: int = 0,
    report: Callable[[str, int, int], None] = lambda what, done, number: None,
) -> Recalibrated:
    """Score films with the engine that serves and write curves, operating points and anchors into the card.

    Args:
        model: id of a model, or a path to its folder; ``card.json`` and ``SHA256SUMS`` are written there.
        films: of patients that the model was not trained on.
        origin: where they come from.
        seed: of folds and resamples.
        report: called with what is being done, how much of it is done, and how much there is.

    Raises:
        ModelUnusable: the folder is not whole.
        TrainingRefused: no film could be read, or the films may be those that the model was trained on.
        PathUnusable: the folder cannot be written.
    """
    folder = open_model(model)
    _check_unseen(folder.card, films, origin)
    scored = score_with_engine(folder, open_engine(folder, "openvino"), films, report=report)
    if not len(scored.films):
        raise TrainingRefused("No film of the table could be read: nothing to calibrate on.")
    card = calibrated(folder.card, scored, origin, seed=seed, report=report)
    keep_card(folder, card)
    return Recalibrated(card, len(films) - len(scored.films))


def score_with_engine(
    folder: ModelFolder,
    engine: Engine,
    films: FilmTable,
    *,
    report: Callable[[str, int, int], None] = lambda what, done, number: None,
) -> Scored:
    """Run films forward; those that cannot be read are left out, so that one does not end a long run."""
    preparation = folder.card.input.preparation()
    logits, largest, kept = [], [], np.zeros(len(films), dtype=bool)

    def load(row: int) -> np.ndarray | None:
        try:
            return load_film(films.paths[row], preparation)
        except (InputRefused, OSError):
            return None

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(films), _GROUP):
            rows = range(start, min(start + _GROUP, len(films)))
            loaded = {row: film for row, film in zip(rows, pool.map(load, rows), strict=True) if film is not None}
            kept[list(loaded)] = True
            if loaded:
                answer = engine.infer(np.stack(list(loaded.values())))
                logits.append(answer.logits)
                largest.extend(class_maps(features, engine.head).max(axis=(1, 2)) for features in answer.features)
            report("scoring", rows.stop, len(films))
    labels = len(folder.card.labels)
    return Scored(
        films.select(kept),
        np.concatenate(logits).astype(np.float64) if logits else np.zeros((0, labels)),
        np.stack(largest) if largest else np.zeros((0, labels), np.float32),
    )


def _check_unseen(card: ModelCard, films: FilmTable, origin: Origin) -> None:
    """Refuse films that the model may have learned from: of its data sets, parted by another split or by none."""
    shared = sorted(set(films.sources.tolist()) & set(card.training.datasets))
    if shared and origin.split_sha256 != card.training.split_sha256:
        raise TrainingRefused(
            f"Model {card.id} was trained on films of {shared[0]}, parted by the split {card.training.split} "
            f"(SHA-256 {card.training.split_sha256[:12]}), and another split or none was given. Calibrated on films "
            "that it has learned from, it would be too sure of itself. Give that split."
        )
