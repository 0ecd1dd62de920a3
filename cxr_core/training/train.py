"""From tables of images to a model folder: checks, training, measurements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

from ..datasets.batches import decoders
from ..datasets.leakage import check_duplicates, check_patients
from ..datasets.splits import SUBSETS
from ..datasets.table import ImageTable
from ..model.card import ModelCard
from ..model.folder import making
from ..model.network import build_network, initialise_from_file, initialise_from_imagenet
from .checkpoint import check_resumable
from .fit import fit
from .model_folder import write_model
from .recipe import Callbacks, Hardware, Recipe
from .steps import devices, precision
from .trained_card import training_record

__all__ = ["train_model"]


def train_model(
    recipe: Recipe,
    folder: Path,
    work: Path,
    *,
    resume: bool = False,
    callbacks: Callbacks | None = None,
    hardware: Hardware | None = None,
) -> ModelCard:
    """Train, measure, and write a model folder.

    Args:
        recipe: what to do.
        folder: the model folder to write.
        work: keeps checkpoint and log; with ``resume`` the training continues from there.
        resume: continue. A training that was finished is measured and written again.
        callbacks: called with the progress.
        hardware: what it runs on.

    Raises:
        TrainingRefused: a patient or a near-duplicate image crosses the split, an image cannot be read, a subset is
            empty, or a test image's patient is not a test patient.
        ModelUnusable: the starting weights are not available.
        PathUnusable: nothing to resume, or a folder cannot be written.
    """
    callbacks, hardware = callbacks or Callbacks(), hardware or Hardware()
    subsets = check_patients(recipe.images, recipe.split, recipe.tests)
    recipe.check_subsets(subsets)
    recipe.check_calibration(recipe.images.select(subsets == "validation"))
    recipe.check_tests()
    if resume:
        check_resumable(work)
    if hardware.deterministic:
        tf.config.experimental.enable_op_determinism()
    strategy = devices(hardware.gpus)
    network = _initial_network(recipe, resume, strategy)
    with decoders(hardware.workers, processes=hardware.processes) as pool:
        duplicates = check_duplicates(
            recipe.images,
            subsets,
            recipe.tests,
            work,
            pool,
            drop_duplicates=recipe.drop_duplicates,
            report=callbacks.compared,
        )
        recipe.check_subsets(duplicates.subsets)
        images: Mapping[str, ImageTable] = {
            subset: recipe.images.select(duplicates.subsets == subset) for subset in SUBSETS
        }
        history = fit(
            network,
            images["train"],
            images["validation"],
            recipe.plan,
            work,
            resume=resume,
            checkpoint_steps=hardware.checkpoint_steps,
            report=callbacks.step,
            origin=recipe.origin(),
            strategy=strategy,
            pool=pool,
        )
    record = training_record(recipe.plan, recipe.split, images, history, duplicates.description)
    with making(folder) as made:
        return write_model(recipe, network, images, record, made, callbacks)


def _initial_network(recipe: Recipe, resume: bool, strategy: tf.distribute.Strategy) -> keras.Model:
    """Return a network with one output per label and the recipe's starting weights; resumed, with any."""
    keras.utils.set_random_seed(recipe.plan.seed)
    with strategy.scope(), precision(recipe.plan.precision):
        network = build_network(len(recipe.images.labels))
    if resume or recipe.initialisation == "random":
        return network
    if recipe.initialisation == "imagenet":
        initialise_from_imagenet(network)
    else:
        initialise_from_file(network, Path(recipe.initialisation))
    return network
