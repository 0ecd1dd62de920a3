"""The record of a new run: name, model, data and versions."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from ..errors import WrongArguments
from ..model import ModelCard
from ..store import Predictions, RunRecord
from ..store.predictions import fingerprint
from .in_sample import is_in_sample, usable_thresholds

__all__ = ["new_record", "possibly_seen", "run_id"]

NIH = "chestxray14"
DEFAULT_POINT = "default"

_PACKAGES = ("openvino", "tensorflow-cpu", "tensorflow", "numpy", "scipy", "pillow", "kornia-rs", "pydicom")


def run_id(name: str) -> str:
    """Return the id of a run, made from its name: lower-case letters, digits and hyphens."""
    identifier = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    if not identifier:
        raise WrongArguments(f"Run name {name!r}: letters or digits are needed.")
    return identifier


def possibly_seen(data: Iterable[str], card: ModelCard) -> bool:
    """Return whether the card lists one of the data sets as training data, regardless of the split.

    A subset held out of the same data set tells nothing about another hospital, and the split of an imported model is
    unknown.
    """
    trained_on = {_plain(name) for name in card.training.datasets}
    # imported models name the whole data set, models trained here the subsets that they were trained on
    all_of_nih = any(NIH in name for name in trained_on)
    return any(_plain(name) in trained_on or (all_of_nih and _plain(name).startswith("nih")) for name in data)


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
    card: ModelCard | None = None,
    image_names_kept: bool = True,
    selection: str = "",
) -> RunRecord:
    """Return the record of new predictions.

    ``predictions`` must have the names of the images even if the run will store digests, so that the fingerprint of
    the data is the same in both cases.
    """
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except ModuleNotFoundError:
            continue
    record = RunRecord(
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
        images=len(predictions),
        patients=len(np.unique(predictions.patients)),
        labels=tuple(predictions.labels.tolist()),
        references=tuple(predictions.references),
        seen_in_training=seen_in_training,
        operating_point=DEFAULT_POINT if card and DEFAULT_POINT in card.operating_points else "",
        thresholds=_thresholds(card) if card else {},
        versions=versions,
        image_names_kept=image_names_kept,
        selection=selection,
        model_version=card.version if card else "",
    )
    return record if card is None else replace(record, in_sample=is_in_sample(record, card))


def _thresholds(card: ModelCard) -> dict[str, float]:
    point = card.operating_points.get(DEFAULT_POINT)
    return {} if point is None else usable_thresholds(card, point)
