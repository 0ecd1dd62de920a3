"""Model folder of a trained network: export, scoring, evaluation, calibration, and the card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..calibration.card_calibration import auc_table, calibrate_card
from ..calibration.sample import CalibrationSource, ScoredImages
from ..datasets.batches import batches, epoch_order, load_image
from ..datasets.summary import summarise_images
from ..datasets.table import ImageTable
from ..files import file_sha256
from ..imaging import Preparation
from ..metrics import BootstrapOptions
from ..model import ModelCard, open_model, write_card
from ..model.card import Familiarity
from ..model.familiarity import FAMILIARITY, fit_reference, save_reference
from ..model.folder import CARD, GRAPH, GRAPH_WEIGHTS, WEIGHTS, write_sums
from ..model.network import save_network
from ..model.predictor import open_engine
from ..model.training_record import TrainingRecord
from .recipe import Callbacks, Recipe
from .trained_card import trained_card

__all__ = ["add_familiarity", "score_images", "write_model"]

FAMILIARITY_IMAGES = 2000
"""Largest number of training and of validation images that define familiarity."""

FAMILIARITY_PERCENTILE = 99


def write_model(
    recipe: Recipe,
    network: keras.Model,
    images: Mapping[str, ImageTable],
    record: TrainingRecord,
    folder: Path,
    callbacks: Callbacks,
) -> ModelCard:
    """Write a trained network, evaluated and calibrated, into an empty folder; raises OSError.

    Args:
        recipe: of the training.
        network: trained.
        images: by subset.
        record: of the training, without a summary of its data.
        folder: exists and is empty.
        callbacks: called with the progress.
    """
    exported = save_network(network, recipe.plan.stages[-1].size, folder)
    tests = {**recipe.tests, **({"test": images["test"]} if recipe.measure_test else {})}
    summary = summarise_images({**images, **tests})
    files = {name: file_sha256(folder / name) for name in (WEIGHTS, GRAPH, GRAPH_WEIGHTS)}
    card = trained_card(recipe, replace(record, summary=summary), summary, int(network.count_params()), files)
    preparation = card.input.preparation()

    def score(table: ImageTable, name: str) -> ScoredImages:
        def report(done: int, count: int) -> None:
            callbacks.scored(name, done, count)

        return score_images(exported, card.labels, table, preparation, report=report)

    validation = score(images["validation"], "validation")
    metrics = [auc_table(validation, "validation", "images of validation patients")]
    metrics += [auc_table(score(table, name), name, "images of test patients") for name, table in tests.items()]
    card = calibrate_card(
        replace(card, metrics=tuple(metrics)),
        *_calibration_images(recipe, validation),
        options=BootstrapOptions(seed=recipe.plan.seed),
        report=callbacks.scored,
    )
    write_card(card, folder / CARD)
    write_sums(folder)
    return add_familiarity(
        folder,
        images["train"],
        images["validation"],
        seed=recipe.plan.seed,
        report=lambda done, count: callbacks.scored("familiarity", done, count),
    )


def _calibration_images(recipe: Recipe, validation: ScoredImages) -> tuple[ScoredImages, CalibrationSource]:
    """Return the validation images that thresholds and curves are fitted on, and where they come from."""
    if recipe.calibrate_on:
        validation = validation.select(np.isin(validation.images.sources, recipe.calibrate_on))
    return validation, CalibrationSource(
        "images of validation patients", recipe.sampling, recipe.split.name, recipe.split.sha256
    )


def score_images(
    network: keras.Model,
    labels: tuple[str, ...],
    images: ImageTable,
    preparation: Preparation,
    *,
    batch_size: int = 32,
    report: Callable[[int, int], None] = lambda done, images: None,
) -> ScoredImages:
    """Run a network on images.

    Args:
        network: with the outputs ``features`` and ``logits``, from :func:`cxr_core.model.network.save_network`.
        labels: of the logits, in order.
        images: to score, in this order.
        preparation: of the model.
        batch_size: images at a time.
        report: called after every batch with the number of scored images and their total.
    """
    kernel = tf.constant(network.get_layer("logits").get_weights()[0])

    def forward(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        answer = network(x, training=False)
        features = answer["features"]
        cells = tf.cast(tf.shape(features)[1] * tf.shape(features)[2], tf.float32)
        return answer["logits"], tf.reduce_max(tf.einsum("nhwk,kc->nhwc", features, kernel) / cells, axis=(1, 2))

    compiled = tf.function(forward, reduce_retracing=True)
    logits, largest = [], []
    for x, _ in batches(images, preparation, batch_size):
        batch_logits, batch_largest = compiled(x)
        logits.append(batch_logits.numpy())
        largest.append(batch_largest.numpy())
        report(min(len(logits) * batch_size, len(images)), len(images))
    return ScoredImages(labels, images, np.concatenate(logits).astype(np.float64), np.concatenate(largest))


def add_familiarity(
    folder: Path,
    train: ImageTable,
    validation: ImageTable,
    *,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, images: None,
) -> ModelCard:
    """Write ``familiarity.npz`` into a model folder, and its threshold into the card.

    Args:
        folder: a complete model folder.
        train: images that the model was trained on; at most :data:`FAMILIARITY_IMAGES` of them are used.
        validation: images of other patients: the threshold is the percentile of their distances.
        seed: chooses among the images.
        report: called with the images done and their number.

    Raises:
        OSError: the folder cannot be written.
    """
    opened = open_model(str(folder))
    engine, preparation = open_engine(opened, "openvino"), opened.card.input.preparation()
    train, validation = (
        table.select(epoch_order(len(table), seed, 0)[:FAMILIARITY_IMAGES]) for table in (train, validation)
    )

    def pooled(images: ImageTable, before: int) -> np.ndarray:
        rows = []
        for path in images.paths:
            inference = engine.infer(load_image(path, preparation)[None])
            rows.append(inference.features[0].mean(axis=(0, 1)))
            report(before + len(rows), len(train) + len(validation))
        return np.stack(rows)

    reference = fit_reference(pooled(train, 0), opened.card.weights_sha256)
    distances = reference.distance(pooled(validation, len(train)))
    save_reference(reference, folder / FAMILIARITY)
    card = replace(
        opened.card,
        familiarity=Familiarity(
            threshold=float(np.percentile(distances, FAMILIARITY_PERCENTILE)),
            rule=f"{FAMILIARITY_PERCENTILE}th percentile of the distances of images of validation patients",
            reference_images=len(train),
            validation_images=len(validation),
            validation_patients=len(np.unique(validation.patients)),
        ),
        files=opened.card.files | {FAMILIARITY: file_sha256(folder / FAMILIARITY)},
    )
    write_card(card, folder / CARD)
    write_sums(folder)
    return card
