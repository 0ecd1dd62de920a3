"""In-sample runs: on the images that thresholds and calibration curves were set on; and the cross-validated figures.

On such a run the calibration slope is 1 and the proportion of images flagged is what the rule aims at, whatever the
model is worth. The card has the same figures cross-validated, each image judged by what was set on other patients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..model import ModelCard
from ..model.calibration import Curve
from ..model.card import OperatingPoint
from ..model.findings import usable_threshold
from ..store import RunRecord

__all__ = ["IN_SAMPLE_NOTE", "CrossValidation", "cross_validation", "is_in_sample", "usable_thresholds"]

IN_SAMPLE_NOTE = "thresholds and calibration curves were set on images of these patients (in-sample)"
"""Note of a run on the images, or the patients, that the card was calibrated on."""


@dataclass(frozen=True)
class CrossValidation:
    """Figures of a model card that are cross-validated on the images of an in-sample run.

    Attributes:
        point: the run's operating point.
        curves: of each label of the card.
    """

    point: OperatingPoint
    curves: dict[str, Curve]


def is_in_sample(record: RunRecord, card: ModelCard | None) -> bool:
    """Return whether thresholds and calibration curves of the card were set on images of the run's patients.

    Patients are compared by split and part where both state the same split, and else by the names of the data sets.
    A run that was made by a version which did not record it is compared with the present card.
    """
    if record.in_sample is not None:
        return record.in_sample
    calibration = None if card is None or card.weights_sha256 != record.model_sha256 else card.calibration
    if calibration is None:
        return False
    if record.split_sha256 and record.split_sha256 == calibration.split_sha256 and record.part != "all":
        return record.part in ("validation", "held-out")
    return not set(record.data).isdisjoint(calibration.sources)


def cross_validation(record: RunRecord, reference: str, card: ModelCard | None) -> CrossValidation | None:
    """Return the cross-validated figures that belong to a run; None where the card has none of just these images.

    They belong to it if the run is in-sample, on as many images and patients and with the same thresholds and reference
    standard as the card.
    """
    calibration = None if card is None or card.weights_sha256 != record.model_sha256 else card.calibration
    if card is None or calibration is None or not is_in_sample(record, card):
        return None
    point = card.operating_points.get(record.operating_point)
    same_images = (record.images, record.patients) == (calibration.number_of_images, calibration.number_of_patients)
    if point is None or not point.held_out or not same_images or reference != calibration.reference:
        return None
    thresholds = usable_thresholds(card, point)
    if thresholds.keys() != record.thresholds.keys() or not all(
        math.isclose(value, record.thresholds[label]) for label, value in thresholds.items()
    ):
        return None
    return CrossValidation(point, dict(calibration.per_label))


def usable_thresholds(card: ModelCard, point: OperatingPoint) -> dict[str, float]:
    """Return the thresholds that readings use at an operating point: those of the labels that are evaluated."""
    usable = {label: usable_threshold(card, point, label) for label in point.thresholds}
    return {label: value for label, value in usable.items() if value is not None}
