"""Weights of others to a model folder that opens, reads, and was checked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from ..errors import PathUnusable
from ..model import ModelCard, write_card
from ..model.card import Imported
from ..model.folder import CARD, GRAPH, GRAPH_WEIGHTS, WEIGHTS, file_sha256, write_sums
from ..model.normalisation import NORMALISATIONS, Normalisation
from ..model.presets import Preset
from ..model.published import OUTPUTS, Published
from ..model.weights import Weights
from .export import save_network
from .from_keras import network_from_keras
from .from_torch import network_from_torch
from .imported_card import Blank, file_card, published_card
from .self_check import check_engines

__all__ = ["STEPS", "Report", "import_keras", "import_published", "import_torch"]

STEPS = ("Building the network", "Writing the graph", "Comparing the engines")

Report = Callable[[str], None]
"""Told which of :data:`STEPS` begins."""


@dataclass(frozen=True)
class _Making:
    network: keras.Model
    size: int
    card: Callable[[Blank], ModelCard]


def import_published(
    published: Published, weights: Weights, imported: Imported, folder: Path, *, report: Report = lambda step: None
) -> ModelCard:
    """Make a model folder of weights of torchxrayvision.

    Args:
        published: what they are.
        weights: content of their file.
        imported: goes on the card.
        folder: to be made; its name is the model's id.
        report: told which step begins.

    Raises:
        WeightsRefused: the arrays are not those of this network.
        ModelUnusable: the two engines do not agree; nothing is left behind.
        PathUnusable: the folder is there already, or cannot be written.
    """
    _check_free(folder)
    report(STEPS[0])
    network = network_from_torch(weights, OUTPUTS, published.labels)
    same = published.sha256 is not None and weights.sha256 == published.sha256
    return _finish(
        _Making(network, 224, lambda blank: published_card(published, imported, blank, same_file=same)), folder, report
    )


def import_torch(
    weights: Weights,
    labels: tuple[str, ...],
    size: int,
    normalisation: Normalisation,
    imported: Imported,
    folder: Path,
    *,
    preset: Preset | None = None,
    report: Report = lambda step: None,
) -> ModelCard:
    """Make a model folder of a torch file of DenseNet121; see :mod:`..model.weights.layouts`.

    Args:
        weights: content of the file.
        labels: what its outputs are for, in their order.
        size: side of the input, pixels; a multiple of 32.
        normalisation: what its authors did to grey values.
        imported: goes on the card.
        folder: to be made; its name is the model's id.
        preset: the repository that it is of, where one was named.
        report: told which step begins.

    Raises as :func:`import_published`.
    """
    _check_free(folder)
    report(STEPS[0])
    network = network_from_torch(weights, labels, labels, normalisation)
    return _finish(
        _Making(
            network, size, lambda blank: file_card("torch", labels, size, normalisation, imported, blank, preset=preset)
        ),
        folder,
        report,
    )


def import_keras(
    file: Path,
    labels: tuple[str, ...],
    size: int,
    imported: Imported,
    folder: Path,
    *,
    normalisation: Normalisation = NORMALISATIONS["imagenet"],
    report: Report = lambda step: None,
) -> ModelCard:
    """Make a model folder of a Keras weights file; see :func:`.from_keras.network_from_keras`.

    Args:
        file: HDF5 or .keras, as Keras writes it.
        labels: what its outputs are for, in their order.
        size: side of the input, pixels; a multiple of 32.
        imported: goes on the card.
        folder: to be made; its name is the model's id.
        normalisation: what its authors did to grey values.
        report: told which step begins.

    Raises as :func:`import_published`.
    """
    _check_free(folder)
    report(STEPS[0])
    network = network_from_keras(file, len(labels), normalisation)
    return _finish(
        _Making(network, size, lambda blank: file_card("Keras", labels, size, normalisation, imported, blank)),
        folder,
        report,
    )


def _check_free(folder: Path) -> None:
    if folder.exists():
        raise PathUnusable(f"Model folder {folder}: is there already. Give another --out, or remove it first.")


def _finish(making: _Making, folder: Path, report: Report) -> ModelCard:
    """Write and check beside the place where the folder will be, then move it there: a cut leaves nothing half."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=".import-", dir=folder.parent))
    except OSError as error:
        raise PathUnusable(f"Model folder {folder}: cannot be written.") from error
    try:
        made = workshop / folder.name
        report(STEPS[1])
        save_network(making.network, making.size, made)
        files = {name: file_sha256(made / name) for name in (WEIGHTS, GRAPH, GRAPH_WEIGHTS)}
        card = making.card(Blank(folder.name, making.network, files[WEIGHTS], files))
        write_card(card, made / CARD)
        write_sums(made)
        report(STEPS[2])
        check = check_engines(str(made))
        card = replace(
            card,
            imported=replace(card.imported, self_check=check.words),
            limits=(*card.limits, *([check.note] if check.note else [])),
        )
        write_card(card, made / CARD)
        write_sums(made)
        made.rename(folder)
    except OSError as error:
        raise PathUnusable(f"Model folder {folder}: cannot be written.") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return card
