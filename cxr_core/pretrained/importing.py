"""Import of published weights: convert, write a model folder with its card, compare the engines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras

from ..errors import PathUnusable
from ..files import file_sha256
from ..imaging import InputExposure
from ..model import ModelCard, write_card
from ..model.card import Imported
from ..model.folder import CARD, GRAPH, GRAPH_WEIGHTS, WEIGHTS, write_sums
from ..model.network import save_network
from .catalogue import OUTPUTS, PublishedWeights
from .from_keras import network_from_keras
from .from_torch import network_from_torch
from .imported_card import NewModel, file_card, published_card, with_exposure
from .preprocessing import NORMALISATIONS, Normalisation, Preset
from .self_check import check_engines
from .weights import Weights

__all__ = ["STEPS", "Report", "import_keras", "import_published", "import_torch"]

STEPS = ("Building the network", "Writing the graph", "Comparing the engines")

Report = Callable[[str], None]
"""Called with each of :data:`STEPS` as it begins."""


def import_published(
    published: PublishedWeights,
    weights: Weights,
    imported: Imported,
    folder: Path,
    *,
    exposure: InputExposure = "none",
    report: Report = lambda step: None,
) -> ModelCard:
    """Make a model folder of weights published by torchxrayvision.

    Args:
        published: entry of the catalogue.
        weights: content of the file.
        imported: origin of the file, for the card.
        folder: to be made; its name is the model's id.
        exposure: of the input; ``none`` is the authors' own.
        report: called as each step begins.

    Raises:
        WeightsRefused: the arrays are not those of this network.
        ModelUnusable: the two engines do not agree; no folder is left behind.
        PathUnusable: the folder exists already, or cannot be written.
    """
    _check_free(folder)
    report(STEPS[0])
    network = network_from_torch(weights, OUTPUTS, published.labels)
    verified = published.sha256 is not None and weights.sha256 == published.sha256
    return _write(
        network,
        224,
        lambda model: published_card(published, imported, model, verified=verified),
        folder,
        exposure,
        report,
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
    exposure: InputExposure = "none",
    report: Report = lambda step: None,
) -> ModelCard:
    """Make a model folder of a torch file of DenseNet121; see :mod:`.weights.layouts`.

    Args:
        weights: content of the file.
        labels: of its outputs, in their order.
        size: side of the input, pixels; a multiple of 32.
        normalisation: of its authors' training.
        imported: origin of the file, for the card.
        folder: to be made; its name is the model's id.
        preset: the repository that it is from, where one was named.
        exposure: of the input; ``none`` is the authors' own.
        report: called as each step begins.

    Raises as :func:`import_published`.
    """
    _check_free(folder)
    report(STEPS[0])
    network = network_from_torch(weights, labels, labels, normalisation)
    return _write(
        network,
        size,
        lambda model: file_card("torch", labels, size, normalisation, imported, model, preset=preset),
        folder,
        exposure,
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
    exposure: InputExposure = "none",
    report: Report = lambda step: None,
) -> ModelCard:
    """Make a model folder of a Keras weights file; see :func:`.from_keras.network_from_keras`.

    Args:
        file: HDF5 or .keras.
        labels: of its outputs, in their order.
        size: side of the input, pixels; a multiple of 32.
        imported: origin of the file, for the card.
        folder: to be made; its name is the model's id.
        normalisation: of its authors' training.
        exposure: of the input; ``none`` is the authors' own.
        report: called as each step begins.

    Raises as :func:`import_published`.
    """
    _check_free(folder)
    report(STEPS[0])
    network = network_from_keras(file, len(labels), normalisation)
    return _write(
        network,
        size,
        lambda model: file_card("Keras", labels, size, normalisation, imported, model),
        folder,
        exposure,
        report,
    )


def _check_free(folder: Path) -> None:
    if folder.exists():
        raise PathUnusable(f"Model folder {folder}: exists already. Give another --out, or remove it first.")


def _write(
    network: keras.Model,
    size: int,
    make_card: Callable[[NewModel], ModelCard],
    folder: Path,
    exposure: InputExposure,
    report: Report,
) -> ModelCard:
    """Write and check the folder under a temporary name beside its place, then rename it: no half folder is left."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".import-", dir=folder.parent))
    except OSError as error:
        raise PathUnusable(f"Model folder {folder}: cannot be written.") from error
    try:
        unchecked = temporary / folder.name
        report(STEPS[1])
        save_network(network, size, unchecked)
        files = {name: file_sha256(unchecked / name) for name in (WEIGHTS, GRAPH, GRAPH_WEIGHTS)}
        card = with_exposure(make_card(NewModel(folder.name, network, files[WEIGHTS], files)), exposure)
        write_card(card, unchecked / CARD)
        write_sums(unchecked)
        report(STEPS[2])
        check = check_engines(str(unchecked))
        card = replace(
            card,
            imported=card.imported and replace(card.imported, self_check=check.description),
            limits=(*card.limits, *([check.note] if check.note else [])),
        )
        write_card(card, unchecked / CARD)
        write_sums(unchecked)
        unchecked.rename(folder)
    except OSError as error:
        raise PathUnusable(f"Model folder {folder}: cannot be written.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return card
