"""The record of a new run: what it is called, what made it, and what must be said of it."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from ..errors import WrongArguments
from ..model import ModelCard, OperatingPoint
from ..model.findings import usable_threshold
from ..store import Predictions, RunRecord
from ..store.predictions import fingerprint

__all__ = ["new_record", "possibly_seen", "run_id"]

NIH = "chestxray14"

_PACKAGES = ("openvino", "tensorflow-cpu", "tensorflow", "numpy", "scipy", "pillow", "pydicom")


def run_id(name: str) -> str:
    """Return a run's id from what a person calls it: small letters, digits and hyphens."""
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    if not made:
        raise WrongArguments(f"Run name {name!r}: letters or digits are needed.")
    return made


def possibly_seen(data: Iterable[str], card: ModelCard) -> bool:
    """Return whether the card lists one of the data sets as training data, whatever the split.

    A part that was held out of the same data set says nothing of another hospital, and an imported model's
    split is not known to us.
    """
    known = {_plain(name) for name in card.training.datasets}
    # imported models name the whole of a data set, our own the parts of it that they learned from
    whole_nih = any(NIH in name for name in known)
    return any(_plain(name) in known or (whole_nih and _plain(name).startswith("nih")) for name in data)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def new_record(
    predictions: Predictions,
    *,
    name: str,
    model_id: str,
    model_sha256: str = "",
    engine: str = "imported",
    split: str = "none",
    split_sha256: str = "",
    part: str = "all",
    seen_in_training: bool = False,
    point: OperatingPoint | None = None,
    image_names_kept: bool = True,
) -> RunRecord:
    """Return the record of predictions that were just made.

    ``predictions`` have the names of the images, whether they are kept or not: so the fingerprint of the same images is
    the same.
    """
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except ModuleNotFoundError:
            continue
    return RunRecord(
        id=run_id(name),
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model_id=model_id,
        model_sha256=model_sha256,
        engine=engine,
        data=tuple(sorted(set(predictions.sources.tolist()))),
        data_sha256=fingerprint(predictions),
        split=split,
        split_sha256=split_sha256,
        part=part,
        films=len(predictions),
        patients=len(np.unique(predictions.patients)),
        labels=tuple(predictions.labels.tolist()),
        references=tuple(predictions.references),
        seen_in_training=seen_in_training,
        operating_point=point.name if point else "",
        thresholds=_thresholds(point) if point else {},
        versions={"python": platform.python_version()} | found,
        image_names_kept=image_names_kept,
    )


def _thresholds(point: OperatingPoint) -> dict[str, float]:
    """Return the thresholds that readings use: those that enough patients stand behind."""
    usable = {label: usable_threshold(point, label) for label in point.thresholds}
    return {label: value for label, value in usable.items() if value is not None}
