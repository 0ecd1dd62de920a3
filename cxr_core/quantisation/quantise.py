"""A model folder to the same model at INT8: graph, thresholds, calibration, and the difference to float32."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..calibration.card_calibration import RESAMPLES, calibrate_card, check_unseen
from ..calibration.sample import CalibrationSource
from ..datasets.table import ImageTable
from ..errors import PathUnusable, TrainingRefused
from ..files import cannot_write, write_all
from ..metrics import BootstrapOptions
from ..model import ModelCard, ModelFolder, open_engine, open_model
from ..model.card import Familiarity, card_json
from ..model.familiarity import FAMILIARITY, load_reference
from ..model.folder import CARD, INT8_GRAPH, INT8_WEIGHTS, SUMS, sums_file
from ..model.int8 import Int8, PrecisionDifference
from ..model.int8_formatting import describe_int8
from ..model.precision import INT8_ENGINE, at_int8, check_processor, fit_sha256, place_for_int8
from .difference import measure_difference
from .graph import quantise_graph
from .paired_scores import PairedScores, load_readable, score_both

__all__ = ["RANGE_IMAGES", "Quantised", "compare_precisions", "quantise"]

RANGE_IMAGES = 300
"""Images from which the ranges of activations are taken, as is NNCF's own default."""

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Quantised:
    """The card of the INT8 graph, the folder that it was written to, and how many images could not be read."""

    card: ModelCard
    folder: Path
    unreadable: int


def quantise(
    model: str,
    images: ImageTable,
    source: CalibrationSource,
    *,
    range_images: int = RANGE_IMAGES,
    seed: int = 0,
    report: Report = lambda stage, done, total: None,
) -> Quantised:
    """Make the INT8 graph of a model, fit thresholds and calibration for it, and measure it beside float32.

    The model's own files do not change. A graph of before is replaced.

    Args:
        model: id of a model, or a path to its folder.
        images: of patients that the model was not trained on; all are used to fit and to compare.
        source: where they come from.
        range_images: how many of them, drawn at random, give the ranges of activations.
        seed: of the draw, of folds and of resamples.
        report: called with the name of the stage, how much of it is done, and how much there is.

    Raises:
        ModelUnusable: the folder is not whole, or the processor has no instructions for INT8.
        TrainingRefused: no image could be read, or the images may be those that the model was trained on.
        WrongArguments: NNCF is not installed.
        PathUnusable: the graph cannot be written.
    """
    folder = open_model(model)
    check_processor()
    check_unseen(folder.card, images, source)
    place = place_for_int8(folder)
    _check_writable(place)
    with tempfile.TemporaryDirectory(prefix="second-read-int8-") as temporary:
        made = Path(temporary)
        arrays, patients = _range_images(folder.card, images, range_images, seed)
        report("quantising", 0, 1)
        method = quantise_graph(folder.graph, arrays, made)
        report("quantising", 1, 1)
        contents = {name: (made / name).read_bytes() for name in (INT8_GRAPH, INT8_WEIGHTS)}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
        draft = ModelFolder(folder.path, replace(folder.card, files=digests), made)
        scores = _score(folder, draft, images, report)
        fitted = _fitted_card(folder.card, scores, source, digests, seed, report)
    options = BootstrapOptions(RESAMPLES, seed)
    report("comparing with float32", 0, 1)
    difference = measure_difference(folder.card, fitted, scores, source, fitted_here=True, options=options)
    report("comparing with float32", 1, 1)
    fit = fit_sha256(folder.card)
    int8 = Int8(digests[INT8_GRAPH], digests[INT8_WEIGHTS], fit, method, len(arrays), patients, difference)
    card = replace(fitted, int8=int8, limits=(*fitted.limits, describe_int8(difference)))
    contents[CARD] = card_json(card)
    _write(place, contents | {SUMS: sums_file(digests | {CARD: hashlib.sha256(contents[CARD]).hexdigest()})})
    return Quantised(card, place, len(images) - len(scores.int8.images))


def compare_precisions(
    model: str,
    images: ImageTable,
    source: CalibrationSource,
    *,
    seed: int = 0,
    report: Report = lambda stage, done, total: None,
) -> PrecisionDifference:
    """Return how far the INT8 graph of a model is from float32 on other images; nothing is written.

    Args:
        model, images, source, seed, report: as for :func:`quantise`.

    Raises:
        ModelUnusable: the model has no INT8 graph, or the processor has no instructions for it.
        TrainingRefused: no image could be read, or the images may be those that the model was trained on.
    """
    folder = open_model(model)
    check_unseen(folder.card, images, source)
    quantised = at_int8(folder)
    scores = _score(folder, quantised, images, report)
    options = BootstrapOptions(RESAMPLES, seed)
    return measure_difference(folder.card, quantised.card, scores, source, fitted_here=False, options=options)


def _score(folder: ModelFolder, quantised: ModelFolder, images: ImageTable, report: Report) -> PairedScores:
    card = folder.card
    reference = None if card.familiarity is None else load_reference(folder.path / FAMILIARITY, card.weights_sha256)
    scores = score_both(
        card.labels,
        images,
        card.input.preparation(),
        open_engine(folder, "openvino", throughput=True),
        open_engine(quantised, INT8_ENGINE, throughput=True),
        reference,
        report=lambda done, total: report("reading at both precisions", done, total),
    )
    if not len(scores.int8.images):
        raise TrainingRefused("No image of the table could be read: nothing to compare.")
    return scores


def _range_images(card: ModelCard, images: ImageTable, count: int, seed: int) -> tuple[list[np.ndarray], int]:
    """Return the inputs of ``count`` images drawn at random, of those that can be read, and their patients."""
    arrays: list[np.ndarray] = []
    patients = set()
    for row in np.random.default_rng(seed).permutation(len(images)).tolist():
        if len(arrays) == count:
            break
        image = load_readable(images.paths[row], card.input.preparation())
        if image is not None:
            arrays.append(image)
            patients.add(images.patients[row])
    if not arrays:
        raise TrainingRefused("No image of the table could be read: nothing to take the ranges of activations from.")
    return arrays, len(patients)


def _fitted_card(
    card: ModelCard,
    scores: PairedScores,
    source: CalibrationSource,
    digests: dict[str, str],
    seed: int,
    report: Report,
) -> ModelCard:
    """Return the card with all that is fitted for the INT8 graph, and without what was counted at float32."""
    # curves are bound to the constants of the graph; thresholds of float32, published ones too, are not those of INT8
    bare = replace(card, weights_sha256=digests[INT8_WEIGHTS], operating_points={})
    fitted = calibrate_card(bare, scores.int8, source, options=BootstrapOptions(RESAMPLES, seed), report=report)
    return replace(
        fitted,
        weights_sha256=card.weights_sha256,
        familiarity=_familiarity(card.familiarity, scores),
        flag_rates=(),
        files=digests,
    )


def _familiarity(familiarity: Familiarity | None, scores: PairedScores) -> Familiarity | None:
    """Return the limit beyond which the same proportion of these images lies as at float32."""
    if familiarity is None or scores.distances_float32 is None or scores.distances is None:
        return None
    within = float(np.mean(scores.distances_float32 <= familiarity.threshold))
    return replace(
        familiarity,
        threshold=float(np.quantile(scores.distances, within)),
        rule=f"distance within which the same proportion of validation images lies as at float32 ({familiarity.rule})",
        validation_images=len(scores.int8.images),
        validation_patients=len(np.unique(scores.int8.images.patients)),
    )


def _check_writable(place: Path) -> None:
    """Raise PathUnusable, before minutes of work, where the graph could not be written."""
    above = next(folder for folder in (place, *place.parents) if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise PathUnusable(f"INT8 graph: {above} cannot be written to. Get write permission, or copy the model folder.")


def _write(place: Path, contents: dict[str, bytes]) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_all({place / name: data for name, data in contents.items()})
    except OSError as error:
        raise cannot_write("INT8 graph", error) from error
