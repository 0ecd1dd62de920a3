"""The record of an evaluation run, beside its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["RunRecord", "with_current_names"]


@dataclass(frozen=True)
class RunRecord:
    """One evaluation of one model on one set of images.

    Attributes:
        id: of the run, and name of its folder: letters, digits, hyphens.
        name: for display.
        created: UTC, ISO 8601 to the second.
        model_id: of the card, or the name given at an import.
        model_sha256: of ``model.keras``; empty for imported predictions.
        model_version: of the card; empty for imported predictions and for runs of version 0.1.0.
        engine: that ran the model; ``imported`` for imported predictions.
        data: names of the data sets, such as ``nih_128``.
        data_sha256: fingerprint of the images and their labels; see :func:`.predictions.fingerprint`.
        split: name of the split, or ``none``.
        split_sha256: of the split file, or empty.
        part: ``train``, ``validation`` or ``test``.
        images, patients: their numbers.
        labels: of the model, in the order of its outputs.
        references: names of the reference standards; figures use the first by default.
        evaluated_before: how often images of the same fingerprint were evaluated before, by any model.
        seen_in_training: True where the card lists the data set as training data, whatever part of its split the images
            are of.
        predictions_sha256: of the Parquet file.
        operating_point: name of the card's operating point whose thresholds are stored; empty for none.
        thresholds: of the score, by label, at that operating point.
        localisation_sha256: of the Parquet file with the localisation of the heat maps; empty without boxes.
        versions: of the program and its libraries.
        selection: which images were scored, where that is not all of the part; empty otherwise and in earlier runs.
        in_sample: whether thresholds and calibration curves were set on images of the run's patients; None for runs of
            versions that did not record it, and for imported predictions.
        image_names_kept: whether the predictions hold the images' names, not keyed digests of them.
    """

    id: str
    name: str
    created: str
    model_id: str
    model_sha256: str
    engine: str
    data: tuple[str, ...]
    data_sha256: str
    split: str
    split_sha256: str
    part: str
    images: int
    patients: int
    labels: tuple[str, ...]
    references: tuple[str, ...]
    evaluated_before: int = 0
    seen_in_training: bool = False
    predictions_sha256: str = ""
    operating_point: str = ""
    thresholds: dict[str, float] = field(default_factory=dict)
    localisation_sha256: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    image_names_kept: bool = True
    selection: str = ""
    in_sample: bool | None = None
    model_version: str = ""

    @property
    def model(self) -> str:
        """The model's id, with its version where the run states it."""
        return f"{self.model_id} version {self.model_version}" if self.model_version else self.model_id


def with_current_names(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a stored record's fields under their current names; version 0.1.0 wrote ``films`` for images."""
    return {"images" if name == "films" else name: value for name, value in fields.items()}
