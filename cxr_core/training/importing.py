"""Weights of others to a model folder that opens, reads, and was checked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from ..errors import ModelUnusable, PathUnusable
from ..imaging import Preparation, phantom, prepare
from ..model import ModelCard, open_model, write_card
from ..model.card import Imported
from ..model.engines import open_engine
from ..model.folder import CARD, GRAPH, GRAPH_WEIGHTS, WEIGHTS, file_sha256, write_sums
from ..model.published import OUTPUTS, Published
from ..model.weights import Weights
from .export import save_network
from .from_keras import network_from_keras
from .from_torch import network_from_torch
from .imported_card import Blank, keras_card, published_card

__all__ = ["STEPS", "TOLERANCE", "Report", "import_keras", "import_published"]

TOLERANCE = 1e-4
"""The engines may differ by this times max(1, |logit|)."""

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


def import_keras(
    file: Path,
    labels: tuple[str, ...],
    size: int,
    imported: Imported,
    folder: Path,
    *,
    report: Report = lambda step: None,
) -> ModelCard:
    """Make a model folder of a Keras weights file; see :func:`.from_keras.network_from_keras`.

    Args:
        file: HDF5, as Keras writes it.
        labels: what its outputs are for, in their order.
        size: side of the input, pixels; a multiple of 32.
        imported: goes on the card.
        folder: to be made; its name is the model's id.
        report: told which step begins.

    Raises as :func:`import_published`.
    """
    _check_free(folder)
    report(STEPS[0])
    network = network_from_keras(file, len(labels))
    return _finish(_Making(network, size, lambda blank: keras_card(labels, size, imported, blank)), folder, report)


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
        check_engines(made)
        made.rename(folder)
    except OSError as error:
        raise PathUnusable(f"Model folder {folder}: cannot be written.") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return card


def check_engines(folder: Path) -> float:
    """Open a folder with both engines and compare them on made-up films.

    Returns the largest difference of a logit, as a share of max(1, |logit|). Raises ModelUnusable where
    it is over :data:`TOLERANCE`, or where a logit is not finite.
    """
    opened = open_model(str(folder))
    films = _films(opened.card.input.size)
    reference = open_engine(opened, "tensorflow").infer(films).logits
    served = open_engine(opened, "openvino").infer(films).logits
    apart = np.abs(served - reference) / np.maximum(1, np.abs(reference))
    if not np.isfinite(apart).all():
        raise ModelUnusable(
            f"Model {folder.name}: its scores are no numbers. The weights are broken; nothing was kept."
        )
    worst = float(apart.max())
    if worst > TOLERANCE:
        raise ModelUnusable(
            f"Model {folder.name}: TensorFlow and OpenVINO differ by {worst:.1g}, at most {TOLERANCE:g} is accepted. "
            "Nothing was kept; please report it."
        )
    return worst


def _films(size: int) -> np.ndarray:
    """Return (8, size, size, 1) float32: phantoms as they are, turned and pale, blocks of grey, black and white."""
    rng = np.random.default_rng(0)
    film, _ = prepare((phantom(512, 512) / 4095).astype(np.float32), Preparation(size))
    blocks = [np.kron(rng.random((n, n)), np.ones((-(-size // n),) * 2))[:size, :size, None] for n in (5, 16)]
    flat = [np.zeros_like(film), np.ones_like(film)]
    return np.stack([film, film[::-1], 1 - film, 0.5 + film / 4, *blocks, *flat]).astype(np.float32)
