"""Complete the card of a model that is there already with a summary of its data."""

from __future__ import annotations

from dataclasses import replace

from ..errors import TrainingRefused
from ..model import ModelCard, open_model
from ..model.data_summary import DataSummary
from ..model.folder import keep_card
from .splits import Split

__all__ = ["describe_model"]


def describe_model(model: str, summary: DataSummary, split: Split) -> ModelCard:
    """Write a summary into a model's card, where it is of the films that the card says it was trained on.

    Args:
        model: id of a model, or a path to its folder; ``card.json`` and ``SHA256SUMS`` are written there.
        summary: of the tables.
        split: that parted them.

    Raises:
        ModelUnusable: the folder is not whole.
        TrainingRefused: the card was made with another split, or of other films: by their number, their patients or
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
        raise TrainingRefused(f"Model {card.id}: its authors' training films are not known, so nothing can be counted.")
    if split.sha256 != training.split_sha256:
        raise TrainingRefused(
            f"Model {card.id} was trained with the split {training.split} (SHA-256 {training.split_sha256[:12]}), "
            f"and {split.name} ({split.sha256[:12]}) was given. Give that split."
        )
    said = {
        "train": (training.films, training.patients),
        "validation": (training.validation_films, training.validation_patients),
    }
    for name, (films, patients) in said.items():
        part = summary.parts.get(name)
        found = (0, 0) if part is None else (part.films, part.patients)
        if found != (films, patients):
            raise TrainingRefused(
                f"Model {card.id}: its card says {films:,} {name} films of {patients:,} patients, the tables have "
                f"{found[0]:,} of {found[1]:,}. Give the tables, and the folders of images, that it was trained on."
            )
    for name, counts in card.counts.items():
        part = summary.parts.get(name)
        other = [] if part is None else [label for label in counts if part.per_label.get(label) != counts[label]]
        if other:
            raise TrainingRefused(
                f"Model {card.id}: the tables count {other[0]} in the part {name} otherwise than its card. "
                "Give the tables that it was trained on."
            )
