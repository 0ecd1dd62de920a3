"""A training from tables to a finished model folder, with its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..errors import TrainingRefused
from ..labels import CAVEATS, LABELS, NOT_LOOKED_FOR
from ..model.calibration import Sampling
from ..model.card import Architecture, InputSpec, MetricTable, ModelCard, TrainingRecord, write_card
from ..model.folder import CARD, GRAPH, GRAPH_WEIGHTS, WEIGHTS, file_sha256, making, write_sums
from ..model.network import FEATURES_LAYER, LOGITS_LAYER, build_network, initialise_from_file, initialise_from_imagenet
from .calibrate import (
    ANCHOR_RULE,
    MIN_PATIENTS_FOR_AUC,
    RESAMPLES,
    Scored,
    auc_table,
    calibrated,
    score_films,
)
from .checkpoint import check_resumable
from .decoding import decoders
from .export import save_network
from .familiarity import add_familiarity
from .fit import Progress, fit
from .mean_auc import mean_auc_metric
from .plan import Plan
from .preflight import check_patients, clear
from .record import training_record
from .sample import Origin
from .splits import PARTS, Split
from .steps import devices, precision
from .summary import summarise_films
from .table import MINED, FilmTable

__all__ = ["Machine", "Recipe", "Watcher", "train_model"]

CITATIONS = (
    "Wang et al., ChestX-ray8, CVPR 2017, doi 10.1109/CVPR.2017.369. Images: NIH Clinical Center, "
    "https://nihcc.app.box.com/v/ChestXray-NIHCC",
    "Majkowska et al., Radiology 2020, doi 10.1148/radiol.2019191293, and Nabulsi et al., Scientific Reports "
    "2021, arXiv 2010.11375: expert labels, for research and educational purposes only",
    "Huang et al., Densely Connected Convolutional Networks, CVPR 2017",
    "Prajwal M and Jalaja G, X-Ray Image Classifier Using DenseNet",
)


@dataclass(frozen=True)
class Recipe:
    """What a training starts from.

    Attributes:
        id: name of the model and of its folder.
        films: train and validation films, and any that the split calls test: those are left out.
        split: part of every patient.
        plan: stages, rates, augmentation, seed.
        tests: sets of test films by name, only measured on.
        initialisation: ``imagenet``, ``random``, or a path to a weights file.
        version: of the model.
        calibrate_on: sources of the validation films that thresholds and curves are set on; all, if empty.
        sampling: how these films were come by: ``consecutive``, ``enriched`` or ``unknown``.
        drop_duplicates: leave out copies of films of a later part, instead of refusing to train.
        measure_test: measure the finished model on the tables' own test films too.
    """

    id: str
    films: FilmTable
    split: Split
    plan: Plan
    tests: dict[str, FilmTable] = field(default_factory=dict)
    initialisation: str = "imagenet"
    version: str = "1"
    calibrate_on: tuple[str, ...] = ()
    sampling: Sampling = "unknown"
    drop_duplicates: bool = False
    measure_test: bool = False


@dataclass(frozen=True)
class Machine:
    """What a training runs on. It decides how fast a model comes about, not which.

    Attributes:
        gpus: how many of this machine's; 1 is TensorFlow's choice of one device, a processor too.
        workers: who decode films; None is one for each processor.
        processes: decode in processes instead of threads.
        deterministic: ask TensorFlow for the same bits each time, on a GPU too.
        checkpoint_steps: steps between two checkpoints, besides those by the clock and after each epoch.
    """

    gpus: int = 1
    workers: int | None = None
    processes: bool = False
    deterministic: bool = False
    checkpoint_steps: int | None = None


@dataclass(frozen=True)
class Watcher:
    """Who is told how far a training is."""

    step: Callable[[Progress], None] = lambda progress: None
    scored: Callable[[str, int, int], None] = lambda name, done, films: None
    compared: Callable[[int, int], None] = lambda done, films: None


def train_model(
    recipe: Recipe,
    folder: Path,
    work: Path,
    *,
    resume: bool = False,
    watcher: Watcher = Watcher(),
    machine: Machine = Machine(),
) -> ModelCard:
    """Train, measure, and write a model folder.

    Args:
        recipe: what to do.
        folder: the model folder to write.
        work: keeps checkpoint and log; with ``resume`` the training goes on from there.
        resume: go on. A training that was finished is measured and written again.
        watcher: told of progress.
        machine: what it runs on.

    Raises:
        TrainingRefused: a patient or a picture crosses the split, a film cannot be read, a part is empty,
            or a test film's patient is not a test patient.
        ModelUnusable: the starting weights cannot be had.
        PathUnusable: nothing to resume, or a folder cannot be written.
    """
    parts = check_patients(recipe.films, recipe.split, recipe.tests)
    _check_parts(recipe, parts)
    _check_calibration(recipe, recipe.films.select(parts == "validation"))
    if resume:
        check_resumable(work)
    if machine.deterministic:
        tf.config.experimental.enable_op_determinism()
    strategy = devices(machine.gpus)
    network = _start(recipe, resume, strategy)
    with decoders(machine.workers, processes=machine.processes) as pool:
        clearance = clear(
            recipe.films,
            parts,
            recipe.tests,
            work,
            pool,
            drop_duplicates=recipe.drop_duplicates,
            report=watcher.compared,
        )
        _check_parts(recipe, clearance.parts)
        of = {part: recipe.films.select(clearance.parts == part) for part in PARTS}
        history = fit(
            network,
            of["train"],
            of["validation"],
            recipe.plan,
            work,
            resume=resume,
            checkpoint_steps=machine.checkpoint_steps,
            report=watcher.step,
            origin=_origin(recipe),
            strategy=strategy,
            pool=pool,
        )

    record = training_record(recipe.plan, recipe.split, of, history, clearance.words)
    with making(folder) as made:
        return _write_model(recipe, network, of, record, made, watcher)


def _write_model(
    recipe: Recipe,
    network: keras.Model,
    of: dict[str, FilmTable],
    record: TrainingRecord,
    folder: Path,
    watcher: Watcher,
) -> ModelCard:
    """Write a trained network, measured and calibrated, into an empty folder; raises OSError."""
    size = recipe.plan.stages[-1].size
    spec = InputSpec(size=size, fit=recipe.plan.fit, detail=recipe.plan.detail, exposure=recipe.plan.exposure)
    both = save_network(network, size, folder)

    def score(table: FilmTable, name: str):
        return score_films(
            both, table, spec.preparation(), report=lambda done, count: watcher.scored(name, done, count)
        )

    validation = score(of["validation"], "validation")
    what = "films of validation patients"
    metrics = [_auc_table(validation, "validation", what)]
    tests = recipe.tests | ({"test": of["test"]} if recipe.measure_test else {})
    for name, table in tests.items():
        metrics.append(_auc_table(score(table, name), name, "films of test patients"))
    summary = summarise_films({part: of[part] for part in PARTS} | tests)
    record = replace(record, summary=summary)
    card = ModelCard(
        id=recipe.id,
        version=recipe.version,
        title="DenseNet121 on ChestX-ray14",
        demonstration=True,
        labels=LABELS,
        input=spec,
        architecture=Architecture(
            name="DenseNet121, global average pooling, 14 logits",
            features_layer=FEATURES_LAYER,
            head=LOGITS_LAYER,
            parameters=int(network.count_params()),
            initialisation=_initialisation_name(recipe.initialisation),
            transfer_learned=recipe.initialisation != "random",
        ),
        training=record,
        counts={name: part.per_label for name, part in summary.parts.items()},
        weights_sha256=file_sha256(folder / WEIGHTS),
        operating_points={},
        map_anchors={},
        map_anchor_rule=ANCHOR_RULE,
        metrics=tuple(metrics),
        limits=_limits(recipe, record, spec),
        not_looked_for=NOT_LOOKED_FOR,
        caveats=dict(CAVEATS),
        licence="Weights: for research and education, as the labels that measured them. Code: Apache-2.0.",
        citations=CITATIONS,
        files={name: file_sha256(folder / name) for name in (WEIGHTS, GRAPH, GRAPH_WEIGHTS)},
    )
    card = calibrated(card, *_to_calibrate(recipe, validation), seed=recipe.plan.seed, report=watcher.scored)
    write_card(card, folder / CARD)
    write_sums(folder)
    return add_familiarity(
        folder,
        of["train"],
        of["validation"],
        seed=recipe.plan.seed,
        report=lambda done, count: watcher.scored("familiarity", done, count),
    )


def _check_parts(recipe: Recipe, parts: np.ndarray) -> None:
    for part in ("train", "validation", *(["test"] if recipe.measure_test else [])):
        if part not in parts:
            raise TrainingRefused(f"Split {recipe.split.name}: no film of the table is in the part {part}.")


def _check_calibration(recipe: Recipe, validation: FilmTable) -> None:
    missing = [source for source in recipe.calibrate_on if source not in validation.sources]
    if missing:
        raise TrainingRefused(
            f"To calibrate on {missing[0]}: no validation film comes from it. "
            f"There are: {', '.join(sorted(set(validation.sources.tolist())))}."
        )


def _to_calibrate(recipe: Recipe, validation: Scored) -> tuple[Scored, Origin]:
    """Return the validation films that thresholds and curves are set on, and where they come from."""
    if recipe.calibrate_on:
        validation = validation.select(np.isin(validation.films.sources, recipe.calibrate_on))
    return validation, Origin("films of validation patients", recipe.sampling, recipe.split.name, recipe.split.sha256)


def _auc_table(scored: Scored, name: str, films: str) -> MetricTable:
    of = scored.films
    table = auc_table(scored, name, films)
    mean = mean_auc_metric(
        of.labels, scored.scores, of.patients, min_patients=MIN_PATIENTS_FOR_AUC, resamples=RESAMPLES
    )
    return replace(table, mean=mean)


def _start(recipe: Recipe, resume: bool, strategy: tf.distribute.Strategy) -> keras.Model:
    keras.utils.set_random_seed(recipe.plan.seed)
    with strategy.scope(), precision(recipe.plan.precision):
        network = build_network(len(LABELS))
    if resume or recipe.initialisation == "random":
        return network
    if recipe.initialisation == "imagenet":
        initialise_from_imagenet(network)
    else:
        initialise_from_file(network, Path(recipe.initialisation))
    return network


def _origin(recipe: Recipe) -> dict[str, str]:
    """Return what a checkpoint's weights come from, beside plan and films."""
    start = recipe.initialisation
    if start not in ("random", "imagenet"):
        start = f"{Path(start).name} {file_sha256(Path(start))}" if Path(start).is_file() else start
    return {"initialisation": start, "split_sha256": recipe.split.sha256}


def _initialisation_name(initialisation: str) -> str:
    named = {"random": "random weights", "imagenet": "ImageNet weights of Keras"}
    return named.get(initialisation, f"local weights file {Path(initialisation).name}")


def _limits(recipe: Recipe, record: TrainingRecord, spec: InputSpec) -> tuple[str, ...]:
    detail = spec.detail or spec.size
    start = "" if recipe.initialisation != "random" else " from random weights, not transfer-learned"
    return (
        f"A demonstration: trained on {record.films:,} films of {record.patients:,} patients{start}. "
        "It shows that every part works on real X-rays; it is not a clinical model.",
        f"It sees {detail} x {detail} pixels of detail: small nodules and thin lines are lost before it looks.",
        "Its labels were mined from reports by NIH and are noisy."
        if set(recipe.films.references.tolist()) == {MINED}
        else "Its labels are those of the tables it was trained on, as they stand there.",
        "All films come from one hospital. Nothing is known of another hospital's films.",
        "Frontal films of adults only; a lateral film, a child's film or another body part is not its subject.",
    )
