"""Measure what a model finds familiar, on films that it has seen and films that it has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..model import ModelCard, open_model, write_card
from ..model.card import Familiarity
from ..model.engines import open_engine
from ..model.familiarity import FAMILIARITY, fit_reference, save_reference
from ..model.folder import CARD, file_sha256, write_sums
from .dataset import epoch_order, load_film
from .table import FilmTable

__all__ = ["add_familiarity"]

MOST_FILMS = 2000
PERCENTILE = 99


def add_familiarity(
    folder: Path,
    train: FilmTable,
    validation: FilmTable,
    *,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, films: None,
) -> ModelCard:
    """Write ``familiarity.npz`` into a model folder, and its threshold into the card.

    Args:
        folder: a whole model folder.
        train: films that the model was trained on; at most :data:`MOST_FILMS` of them are used.
        validation: films of other patients: the threshold is the percentile of their distances.
        seed: chooses among the films.
        report: called with the films done and their number.

    Raises:
        OSError: the folder cannot be written.
    """
    opened = open_model(str(folder))
    engine, preparation = open_engine(opened, "openvino"), opened.card.input.preparation()
    known, held = (table.select(epoch_order(len(table), seed, 0)[:MOST_FILMS]) for table in (train, validation))

    def pooled(films: FilmTable, before: int) -> np.ndarray:
        rows = []
        for path in films.paths:
            inference = engine.infer(load_film(path, preparation)[None])
            rows.append(inference.features[0].mean(axis=(0, 1)))
            report(before + len(rows), len(known) + len(held))
        return np.stack(rows)

    reference = fit_reference(pooled(known, 0), opened.card.weights_sha256)
    distances = reference.distance(pooled(held, len(known)))
    save_reference(reference, folder / FAMILIARITY)
    card = replace(
        opened.card,
        familiarity=Familiarity(
            threshold=float(np.percentile(distances, PERCENTILE)),
            rule=f"{PERCENTILE}th percentile of the distances of films of validation patients",
            reference_films=len(known),
            validation_films=len(held),
            validation_patients=len(np.unique(held.patients)),
        ),
        files=opened.card.files | {FAMILIARITY: file_sha256(folder / FAMILIARITY)},
    )
    write_card(card, folder / CARD)
    write_sums(folder)
    return card
