"""What is measured on validation patients and written on the card: curves, thresholds, anchors, AUC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from ..imaging import Preparation
from ..labels import LABELS
from ..metrics import BOOTSTRAP_FROM, auc_with_interval
from ..model.calibration import Calibration
from ..model.card import Counts, MetricTable, ModelCard
from .curves import fit_calibration
from .dataset import batches
from .operating_points import operating_points
from .sample import Origin, counts_of, metric_of, sample_of
from .table import FilmTable

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

__all__ = [
    "ANCHOR_RULE",
    "MIN_PATIENTS_FOR_AUC",
    "Scored",
    "auc_table",
    "calibrated",
    "count_labels",
    "map_anchors",
    "score_films",
]

MIN_PATIENTS_FOR_AUC = 10
RESAMPLES = 2000
INTERVAL = (
    f"95 %; percentiles of {RESAMPLES} bootstrap resamples of patients for labels with {BOOTSTRAP_FROM} positive and "
    f"{BOOTSTRAP_FROM} negative patients or more, clustered by patient on the logit scale for others"
)
ANCHOR_PERCENTILE = 99
ANCHOR_RULE = f"{ANCHOR_PERCENTILE}th percentile of the largest cell over validation films, logit units"
_ABOUT_OUTPUTS = "Its outputs are"


@dataclass(frozen=True)
class Scored:
    """A network's answers on a table of films.

    Attributes:
        films: n rows.
        logits: (n, classes) float64.
        largest_cell: (n, classes) float32, the largest cell of each class map, logit units.
    """

    films: FilmTable
    logits: np.ndarray
    largest_cell: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """(n, classes) float64, sigmoid of the logits."""
        return expit(self.logits)

    def select(self, keep: np.ndarray) -> Scored:
        """Return the films of a boolean mask."""
        return Scored(self.films.select(keep), self.logits[keep], self.largest_cell[keep])


def score_films(
    both: keras.Model,
    films: FilmTable,
    preparation: Preparation,
    *,
    batch_size: int = 32,
    report: Callable[[int, int], None] = lambda done, films: None,
) -> Scored:
    """Run the films forward.

    Args:
        both: with the outputs ``features`` and ``logits``, from :func:`.export.save_network`.
        films: what to score; their order is kept.
        preparation: the model's.
        batch_size: films at a time.
        report: called after every batch with the films done and their number.
    """
    # only a training has TensorFlow at hand; the rest of this module serves models that are trained already
    import tensorflow as tf

    kernel = tf.constant(both.get_layer("logits").get_weights()[0])

    @tf.function(reduce_retracing=True)
    def forward(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        answer = both(x, training=False)
        features = answer["features"]
        cells = tf.cast(tf.shape(features)[1] * tf.shape(features)[2], tf.float32)
        return answer["logits"], tf.reduce_max(tf.einsum("nhwk,kc->nhwc", features, kernel) / cells, axis=(1, 2))

    logits, largest = [], []
    for x, _ in batches(films, preparation, batch_size):
        some_logits, some_largest = forward(x)
        logits.append(some_logits.numpy())
        largest.append(some_largest.numpy())
        report(min(len(logits) * batch_size, len(films)), len(films))
    return Scored(films, np.concatenate(logits).astype(np.float64), np.concatenate(largest))


def count_labels(films: FilmTable) -> dict[str, Counts]:
    """Return positive and negative films and patients of every label."""
    return {label: counts_of(films.labels[:, c], films.patients) for c, label in enumerate(LABELS)}


def map_anchors(scored: Scored, labels: Sequence[str] = LABELS) -> dict[str, float]:
    """Return per label the cell value that is drawn in full colour; see :data:`ANCHOR_RULE`."""
    values = np.percentile(np.maximum(scored.largest_cell, 0), ANCHOR_PERCENTILE, axis=0)
    # a label that nothing ever speaks for still needs a scale that is not zero
    return {label: float(max(value, 1e-6)) for label, value in zip(labels, values, strict=True)}


def auc_table(scored: Scored, name: str, description: str, seed: int = 0) -> MetricTable:
    """Return the AUC of every label; null, with the counts, where there are too few patients."""
    films = scored.films
    estimates = auc_with_interval(
        films.labels,
        scored.scores,
        films.patients,
        resamples=RESAMPLES,
        seed=seed,
        min_patients=MIN_PATIENTS_FOR_AUC,
    )
    return MetricTable(
        name=name,
        metric="AUC",
        films=description,
        reference=", ".join(sorted(set(films.references.tolist()))),
        number_of_films=len(films),
        number_of_patients=len(np.unique(films.patients)),
        interval=INTERVAL,
        per_label={
            label: metric_of(estimate, films.labels[:, c], films.patients)
            for c, (label, estimate) in enumerate(zip(LABELS, estimates, strict=True))
        },
    )


def calibrated(
    card: ModelCard,
    scored: Scored,
    origin: Origin,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    report: Callable[[str, int, int], None] = lambda what, done, number: None,
) -> ModelCard:
    """Return a card with curves, operating points and map anchors that were made on the films given.

    Operating points of the card whose names are not among :data:`.operating_points.RULES` are kept.

    Args:
        card: names the labels and the weights that scored the films.
        scored: films of patients that the model was not trained on; the logits in the card's order.
        origin: where they come from.
        resamples, seed: of the intervals; the seed also deals the folds.
        report: called with what is being made, how much of it is done, and how much there is.
    """
    sample = sample_of(card.labels, scored.films, scored.logits)
    points = operating_points(
        sample,
        f"{origin.films} ({', '.join(sample.sources)})",
        resamples=resamples,
        seed=seed,
        report=lambda *done: report("operating points", *done),
    )
    curves = fit_calibration(
        sample,
        origin,
        card.weights_sha256,
        resamples=resamples,
        seed=seed,
        report=lambda *done: report("curves", *done),
    )
    return replace(
        card,
        calibration=curves,
        operating_points=points | {k: p for k, p in card.operating_points.items() if k not in points},
        map_anchors=map_anchors(scored, card.labels),
        map_anchor_rule=ANCHOR_RULE,
        limits=(*(limit for limit in card.limits if not limit.startswith(_ABOUT_OUTPUTS)), _limit(curves)),
    )


def _limit(calibration: Calibration) -> str:
    films = f"{calibration.number_of_films:,} {calibration.films} ({', '.join(calibration.sources)})"
    if calibration.sampling == "consecutive":
        return (
            f"{_ABOUT_OUTPUTS} calibrated on {films}, taken as they came, against {calibration.reference}: where "
            "patients, films or the reading of them differ, its probabilities are off."
        )
    how = "were picked" if calibration.sampling == "enriched" else "may have been picked"
    return (
        f"{_ABOUT_OUTPUTS} scores, not probabilities: the {films} that it was calibrated on {how}, not taken as "
        "they came. Probabilities are shown only where a prevalence is assumed."
    )
