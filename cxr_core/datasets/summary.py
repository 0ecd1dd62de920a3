"""Summaries of tables for the model card: counts of images, patients, labels, ages, sexes, views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..errors import TrainingRefused
from ..estimate import Counts
from ..labels import MAX_AGE
from ..metrics import count_cases
from ..model import ModelCard, open_model
from ..model.folder import keep_card
from ..model.training_record import AGE_EDGES, AgeCounts, DataSummary, PartSummary, SharedPatients
from .splits import Split
from .table import ImageTable

__all__ = ["describe_model", "summarise_images"]


def summarise_images(subsets: Mapping[str, ImageTable], tables: Mapping[str, str] | None = None) -> DataSummary:
    """Count images, patients, labels, label co-occurrence, ages, sexes, views; and the patients in two subsets.

    Args:
        subsets: images of each subset; one without images is omitted.
        tables: SHA-256 of each table's file by its name, where it is known.
    """
    filled = {name: images for name, images in subsets.items() if len(images)}
    # as text: one table may have numbers for patients, and another names
    patients = {name: set(images.patients.astype(str).tolist()) for name, images in filled.items()}
    return DataSummary(
        parts={name: _summarise(images, len(patients[name])) for name, images in filled.items()},
        shared=tuple(
            SharedPatients(one, other, len(patients[one] & patients[other])) for one, other in combinations(filled, 2)
        ),
        tables=dict(tables or {}),
    )


def _summarise(images: ImageTable, patients: int) -> PartSummary:
    positive = images.positive.astype(np.int64)
    labels_of_image = positive.sum(axis=1)
    return PartSummary(
        images=len(images),
        patients=patients,
        without_findings=int((labels_of_image == 0).sum()),
        per_label=count_labels(images),
        alone=tuple(positive[labels_of_image == 1].sum(axis=0).tolist()),
        together=tuple(tuple(row) for row in (positive.T @ positive).tolist()),
        ages=_ages(images.ages),
        sexes=_count_values(images.sexes),
        views=_count_values(images.views),
    )


def _ages(ages: np.ndarray) -> AgeCounts:
    images, _ = np.histogram(ages[~np.isnan(ages)], AGE_EDGES)
    return AgeCounts(tuple(images.tolist()), int((ages > MAX_AGE).sum()), int(np.isnan(ages).sum()))


def _count_values(values: np.ndarray) -> dict[str, int]:
    names, images = np.unique(values, return_counts=True)
    return dict(zip(names.tolist(), images.tolist(), strict=True))


def describe_model(model: str, summary: DataSummary, split: Split) -> ModelCard:
    """Add a summary to a model's card, if it is of the images that the card says the model was trained on.

    Args:
        model: id of a model, or a path to its folder; ``card.json`` and ``SHA256SUMS`` are written there.
        summary: of the tables.
        split: of the images.

    Raises:
        ModelUnusable: the folder is not whole.
        TrainingRefused: the card was made with another split, or of other images: by their number, their patients or
            the counts of a label.
        PathUnusable: the folder cannot be written.
    """
    folder = open_model(model)
    _check(folder.card, summary, split)
    card = replace(folder.card, training=replace(folder.card.training, summary=summary))
    keep_card(folder, card)
    return card


def _check(card: ModelCard, summary: DataSummary, split: Split) -> None:
    training = card.training
    if training.split_sha256 is None:
        raise TrainingRefused(f"Model {card.id}: its training images are unknown, so they cannot be counted.")
    if split.sha256 != training.split_sha256:
        raise TrainingRefused(
            f"Model {card.id} was trained with the split {training.split} (SHA-256 {training.split_sha256[:12]}), "
            f"and {split.name} ({split.sha256[:12]}) was given. Give that split."
        )
    stated = {
        "train": (training.images, training.patients),
        "validation": (training.validation_images, training.validation_patients),
    }
    for name, (images, patients) in stated.items():
        subset = summary.parts.get(name)
        counted = (0, 0) if subset is None else (subset.images, subset.patients)
        if counted != (images, patients):
            raise TrainingRefused(
                f"Model {card.id}: its card states {images:,} {name} images of {patients:,} patients, the tables have "
                f"{counted[0]:,} of {counted[1]:,}. Give the tables, and the folders of images, that it was trained on."
            )
    for name, counts in card.counts.items():
        subset = summary.parts.get(name)
        per_label = counts if subset is None else subset.per_label
        differing = [label for label in counts if per_label.get(label) != counts[label]]
        if differing:
            raise TrainingRefused(
                f"Model {card.id}: the counts of {differing[0]} in the subset {name} differ from its card. "
                "Give the tables that it was trained on."
            )


def count_labels(images: ImageTable) -> dict[str, Counts]:
    """Return positive and negative images and patients of every label."""
    return {label: count_cases(images.positive[:, c], images.patients) for c, label in enumerate(images.labels)}
