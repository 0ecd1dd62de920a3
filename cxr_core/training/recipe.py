"""A training from tables to a finished model folder, with its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from ..errors import PathUnusable, TrainingRefused
from ..labels import CAVEATS, LABELS, NOT_LOOKED_FOR
from ..model.calibration import Sampling
from ..model.card import Architecture, InputSpec, ModelCard, TrainingRecord, write_card
from ..model.familiarity import FAMILIARITY
from ..model.folder import CARD, GRAPH, GRAPH_WEIGHTS, WEIGHTS, file_sha256, write_sums
from ..model.network import (
    FEATURES_LAYER,
    LOGITS_LAYER,
    build_network,
    initialise_from_file,
    initialise_from_imagenet,
)
from .augment import POLICIES
from .calibrate import ANCHOR_RULE, Scored, auc_table, calibrated, count_labels, score_films
from .export import save_network
from .familiarity import add_familiarity
from .fit import Plan, Progress, fit
from .sample import Origin
from .splits import PARTS, Split, check_no_leak
from .table import FilmTable

__all__ = ["Recipe", "Watcher", "train_model"]

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


@dataclass(frozen=True)
class Watcher:
    """Who is told how far a training is."""

    step: Callable[[Progress], None] = lambda progress: None
    scored: Callable[[str, int, int], None] = lambda name, done, films: None


def train_model(
    recipe: Recipe, folder: Path, work: Path, *, resume: bool = False, watcher: Watcher = Watcher()
) -> ModelCard:
    """Train, measure, and write a model folder.

    Args:
        recipe: what to do.
        folder: the model folder to write.
        work: keeps checkpoint and log; with ``resume`` the training goes on from there.
        resume: go on. A training that was finished is measured and written again.
        watcher: told of progress.

    Raises:
        TrainingRefused: a patient crosses the split, a part is empty, or a test film's patient is
            not a test patient.
        ModelUnusable: the starting weights cannot be had.
        PathUnusable: nothing to resume, or a folder cannot be written.
    """
    films = recipe.films
    parts = recipe.split.part_of(films.patients)
    check_no_leak(films.patients, parts)
    _check_tests(recipe)
    of = {part: films.select(parts == part) for part in PARTS}
    for part in ("train", "validation"):
        if not len(of[part]):
            raise TrainingRefused(f"Split {recipe.split.name}: no film of the table is in the part {part}.")
    _check_calibration(recipe, of["validation"])
    network = _start(recipe, resume)
    history = fit(
        network,
        of["train"],
        of["validation"],
        recipe.plan,
        work,
        resume=resume,
        report=watcher.step,
        origin=_origin(recipe),
    )

    size = recipe.plan.stages[-1].size
    spec = InputSpec(size=size, fit=recipe.plan.fit, detail=recipe.plan.detail)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PathUnusable(f"Model folder {folder}: cannot be made.") from error
    both = save_network(network, size, folder)

    def score(table: FilmTable, name: str):
        return score_films(
            both, table, spec.preparation(), report=lambda done, count: watcher.scored(name, done, count)
        )

    validation = score(of["validation"], "validation")
    what = "films of validation patients"
    metrics = [auc_table(validation, "validation", what)]
    for name, table in recipe.tests.items():
        metrics.append(auc_table(score(table, name), name, "films of test patients"))
    record = _record(recipe, of, history)
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
        counts={part: count_labels(of[part]) for part in PARTS if len(of[part])}
        | {name: count_labels(table) for name, table in recipe.tests.items()},
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
    # a reference of an earlier training in this folder was made with other weights
    (folder / FAMILIARITY).unlink(missing_ok=True)
    write_card(card, folder / CARD)
    write_sums(folder)
    return add_familiarity(
        folder,
        of["train"],
        of["validation"],
        seed=recipe.plan.seed,
        report=lambda done, count: watcher.scored("familiarity", done, count),
    )


def _check_tests(recipe: Recipe) -> None:
    for name, table in recipe.tests.items():
        parts = recipe.split.part_of(table.patients)
        if (parts != "test").any():
            raise TrainingRefused(
                f"Test films {name}: {len(np.unique(table.patients[parts != 'test']))} of their patients are not "
                f"test patients of split {recipe.split.name}. Measured there, a model would be flattered."
            )


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


def _start(recipe: Recipe, resume: bool) -> keras.Model:
    keras.utils.set_random_seed(recipe.plan.seed)
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


def _record(recipe: Recipe, of: dict[str, FilmTable], history: list[dict[str, float]]) -> TrainingRecord:
    train, validation, plan = of["train"], of["validation"], recipe.plan
    return TrainingRecord(
        datasets=tuple(sorted(set(recipe.films.sources.tolist()))),
        films=len(train),
        patients=len(np.unique(train.patients)),
        validation_films=len(validation),
        validation_patients=len(np.unique(validation.patients)),
        split=recipe.split.name,
        split_sha256=recipe.split.sha256,
        stages=",".join(f"{stage.size}x{stage.epochs:g}" for stage in plan.stages),
        augmentation=plan.policy,
        horizontal_flip=POLICIES[plan.policy].flip,
        loss="cross-entropy from logits, w_pos = share of negatives, w_neg = share of positives, per class",
        seed=plan.seed,
        history=tuple(history),
    )


def _limits(recipe: Recipe, record: TrainingRecord, spec: InputSpec) -> tuple[str, ...]:
    detail = spec.detail or spec.size
    start = "" if recipe.initialisation != "random" else " from random weights, not transfer-learned"
    return (
        f"A demonstration: trained on {record.films:,} films of {record.patients:,} patients{start}. "
        "It shows that every part works on real X-rays; it is not a clinical model.",
        f"It sees {detail} x {detail} pixels of detail: small nodules and thin lines are lost before it looks.",
        "Its labels were mined from reports by NIH and are noisy.",
        "All films come from one hospital. Nothing is known of another hospital's films.",
        "Frontal films of adults only; a lateral film, a child's film or another body part is not its subject.",
    )
