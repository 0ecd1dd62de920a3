"""The measured fields of a model card: AUC, calibration curves, operating points, map anchors.

:func:`recalibrate` fits them again for an existing model folder, whose weights stay.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..datasets.batches import load_image
from ..datasets.table import ImageTable
from ..errors import InputRefused, TrainingRefused
from ..estimate import Estimate
from ..metrics import BOOTSTRAP_MIN_PATIENTS, BootstrapOptions, auc_per_class, count_cases, mean_auc
from ..metrics.bootstrap import DEFAULTS
from ..model import ModelFolder, class_maps, open_model
from ..model.calibration import Calibration, discrimination_not_shown
from ..model.card import MetricTable, ModelCard
from ..model.engines import Engine
from ..model.folder import keep_card
from ..model.predictor import open_engine
from .curves import fit_calibration
from .operating_points import operating_points
from .sample import CalibrationSet, CalibrationSource, ScoredImages

__all__ = [
    "ANCHOR_RULE",
    "MIN_PATIENTS_FOR_AUC",
    "RESAMPLES",
    "Recalibrated",
    "auc_table",
    "calibrate_card",
    "check_unseen",
    "map_anchors",
    "mean_auc_metric",
    "recalibrate",
    "score_with_engine",
]


MIN_PATIENTS_FOR_AUC = 10
RESAMPLES = 2000
INTERVAL = (
    f"95 %; percentiles of {RESAMPLES} bootstrap resamples of patients for labels with {BOOTSTRAP_MIN_PATIENTS} "
    f"positive and {BOOTSTRAP_MIN_PATIENTS} negative patients or more, clustered by patient on the logit scale for "
    "others"
)
ANCHOR_PERCENTILE = 99
ANCHOR_RULE = (
    f"{ANCHOR_PERCENTILE}th percentile over validation images of the largest contribution of one cell to the score "
    "(logit)"
)
_ABOUT_OUTPUTS = "Its outputs are"


def map_anchors(scored: ScoredImages) -> dict[str, float]:
    """Return per label the cell value that is drawn in full colour; see :data:`ANCHOR_RULE`."""
    values = np.percentile(np.maximum(scored.largest_cell, 0), ANCHOR_PERCENTILE, axis=0)
    # a label whose cells are never positive still needs a scale that is not zero
    return {label: float(max(value, 1e-6)) for label, value in zip(scored.labels, values, strict=True)}


def auc_table(scored: ScoredImages, name: str, description: str, seed: int = 0) -> MetricTable:
    """Return the AUC of every label that the images' table states, and their mean.

    An AUC is null, with its counts, where there are fewer than :data:`MIN_PATIENTS_FOR_AUC` positive or negative
    patients.
    """
    labels = tuple(label for label in scored.labels if label in scored.images.labels)
    images = scored.images.with_labels(labels)
    scores = scored.scores[:, [scored.labels.index(label) for label in labels]]
    options = BootstrapOptions(RESAMPLES, seed, min_patients=MIN_PATIENTS_FOR_AUC)
    estimates = auc_per_class(images.positive, scores, images.patients, options)
    return MetricTable(
        name=name,
        metric="AUC",
        images=description,
        reference=", ".join(sorted(set(images.references.tolist()))),
        number_of_images=len(images),
        number_of_patients=len(np.unique(images.patients)),
        interval=INTERVAL,
        per_label=dict(zip(labels, estimates, strict=True)),
        mean=mean_auc_metric(images.positive, scores, images.patients, options),
    )


def mean_auc_metric(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], patients: np.ndarray, options: BootstrapOptions
) -> Estimate:
    """Return the unweighted mean of the AUCs of the labels that have enough patients, with an interval.

    It is comparable only between models measured on the same images and the same labels. All labels see the
    same resamples of patients.

    Args:
        positive, scores: (n, labels).
        patients: (n,).
        options: of the bootstrap; ``min_patients`` positive and negative patients are needed per label.

    Returns:
        Estimate; its counts are of images with any of those labels and images with none. ``reason`` says how
        many labels it is the mean of, where that is not all of them.
    """
    mean = mean_auc(positive, scores, patients, options, micro=False)
    counts = count_cases(np.asarray(positive, dtype=bool)[:, list(mean.classes)].any(axis=1), patients)
    if not mean.classes:
        return Estimate.missing(f"no label with {options.min_patients} positive and negative patients", counts)
    reason = mean.macro.reason
    if mean.excluded:
        subset = f"mean of {len(mean.classes)} of {positive.shape[1]} labels"
        reason = subset if reason is None else f"{subset}; {reason}"
    return replace(mean.macro, counts=counts, reason=reason)


def calibrate_card(
    card: ModelCard,
    scored: ScoredImages,
    source: CalibrationSource,
    *,
    options: BootstrapOptions = DEFAULTS,
    report: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> ModelCard:
    """Return a card with curves, operating points and map anchors that were fitted on the images given.

    The curves come first, with the AUC of each label: one that was not shown to discriminate has no threshold, and so
    does not count among the labels above.

    Operating points of the card whose names are not among :data:`.operating_points.RULES` are kept. The rates of its
    stability are dropped, since they were counted at other thresholds.

    Args:
        card: of the weights that scored the images.
        scored: images of patients that the model was not trained on; labels in the card's order.
        source: where they come from.
        options: of the intervals; the seed also assigns the folds.
        report: called with the name of what is being fitted, how much of it is done, and how much there is.
    """
    sample = CalibrationSet.of(scored)
    curves = fit_calibration(
        sample,
        source,
        card.weights_sha256,
        options=options,
        report=lambda done, total: report("curves", done, total),
    )
    reasons = {label: discrimination_not_shown(curve) for label, curve in curves.per_label.items()}
    not_shown = {label: reason for label, reason in reasons.items() if reason is not None}
    points = operating_points(
        sample,
        f"{source.images} ({', '.join(sample.sources)})",
        not_shown=not_shown,
        options=options,
        report=lambda done, total: report("operating points", done, total),
    )
    return replace(
        card,
        calibration=curves,
        operating_points=points | {k: p for k, p in card.operating_points.items() if k not in points},
        map_anchors=map_anchors(scored),
        map_anchor_rule=ANCHOR_RULE,
        # counted at other thresholds
        stability=None,
        limits=(*(limit for limit in card.limits if not limit.startswith(_ABOUT_OUTPUTS)), _limit(curves)),
    )


def _limit(calibration: Calibration) -> str:
    images = f"{calibration.number_of_images:,} {calibration.images} ({', '.join(calibration.sources)})"
    if calibration.sampling == "consecutive":
        return (
            f"{_ABOUT_OUTPUTS} calibrated on {images}, taken consecutively, against {calibration.reference}: where "
            "patients, images or the reference standard differ, its probabilities may be miscalibrated."
        )
    how = "an enriched sample" if calibration.sampling == "enriched" else "sampled in an unknown way"
    return (
        f"{_ABOUT_OUTPUTS} scores, not probabilities: it was calibrated on {images}, {how}. Probabilities are shown "
        "only where a prevalence is assumed."
    )


_GROUP = 16


@dataclass(frozen=True)
class Recalibrated:
    """The new card, and how many images could not be read."""

    card: ModelCard
    unreadable: int


def recalibrate(
    model: str,
    images: ImageTable,
    source: CalibrationSource,
    *,
    seed: int = 0,
    report: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Recalibrated:
    """Score images with the engine that serves and write curves, operating points and anchors into the card.

    Args:
        model: id of a model, or a path to its folder; ``card.json`` and ``SHA256SUMS`` are written there.
        images: of patients that the model was not trained on.
        source: where they come from.
        seed: of folds and resamples.
        report: called with the name of the stage, how much of it is done, and how much there is.

    Raises:
        ModelUnusable: the folder is not whole.
        TrainingRefused: no image could be read, or the images may be those that the model was trained on.
        PathUnusable: the folder cannot be written.
    """
    folder = open_model(model)
    check_unseen(folder.card, images, source)
    scored = score_with_engine(folder, open_engine(folder, "openvino"), images, report=report)
    if not len(scored.images):
        raise TrainingRefused("No image of the table could be read: nothing to calibrate on.")
    card = calibrate_card(folder.card, scored, source, options=BootstrapOptions(RESAMPLES, seed), report=report)
    keep_card(folder, card)
    return Recalibrated(card, len(images) - len(scored.images))


def score_with_engine(
    folder: ModelFolder,
    engine: Engine,
    images: ImageTable,
    *,
    report: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> ScoredImages:
    """Score images with an engine; those that cannot be read are left out, so that one does not end a long run."""
    preparation = folder.card.input.preparation()
    logits: list[np.ndarray] = []
    largest: list[np.ndarray] = []
    readable = np.zeros(len(images), dtype=bool)

    def load(row: int) -> np.ndarray | None:
        try:
            return load_image(images.paths[row], preparation)
        except (InputRefused, OSError):
            return None

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(images), _GROUP):
            rows = range(start, min(start + _GROUP, len(images)))
            loaded = {row: image for row, image in zip(rows, pool.map(load, rows), strict=True) if image is not None}
            readable[list(loaded)] = True
            if loaded:
                answer = engine.infer(np.stack(list(loaded.values())))
                logits.append(answer.logits)
                largest.extend(class_maps(features, engine.head).max(axis=(1, 2)) for features in answer.features)
            report("scoring", rows.stop, len(images))
    labels = folder.card.labels
    return ScoredImages(
        labels,
        images.select(readable),
        np.concatenate(logits).astype(np.float64) if logits else np.zeros((0, len(labels))),
        np.stack(largest) if largest else np.zeros((0, len(labels)), np.float32),
    )


def check_unseen(card: ModelCard, images: ImageTable, source: CalibrationSource) -> None:
    """Refuse images of the model's training data sets, unless its own split says which it was not trained on.

    Raises:
        TrainingRefused: they may have trained the model.
    """
    shared = sorted(set(images.sources.tolist()) & set(card.training.datasets))
    if shared and source.split_sha256 != card.training.split_sha256:
        trained_with = (card.training.split_sha256 or "")[:12]
        raise TrainingRefused(
            f"Model {card.id} was trained on images of {shared[0]}, with the split {card.training.split} "
            f"(SHA-256 {trained_with}), and another split or none was given. Calibrated on images "
            "that it has learned from, it would be too sure of itself. Give that split."
        )
