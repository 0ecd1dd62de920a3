"""Network to the files of a model folder: Keras' own, and the graph that serves."""

from __future__ import annotations

from pathlib import Path

import keras

from ..errors import PathUnusable
from ..model.folder import GRAPH, WEIGHTS
from ..model.network import FEATURES_LAYER, LOGITS_LAYER, rebuilt

__all__ = ["save_network"]


def save_network(network: keras.Model, size: int, folder: Path) -> keras.Model:
    """Write ``model.keras`` and ``openvino/model.xml`` with ``model.bin``.

    Args:
        network: trained, of any input size.
        size: side of the input that the files are for.
        folder: the model folder; made where it is missing.

    Returns:
        The network with the fixed size and two outputs, ``features`` and ``logits``: what the graph
        computes.
    """
    fixed = rebuilt(network, size)
    # a dict, or the outputs lose their names in the graph
    outputs = {
        "features": fixed.get_layer(FEATURES_LAYER).output,
        "logits": fixed.get_layer(LOGITS_LAYER).output,
    }
    both = keras.Model(fixed.input, outputs)
    try:
        (folder / GRAPH).parent.mkdir(parents=True, exist_ok=True)
        fixed.save(folder / WEIGHTS)
        both.export(str(folder / GRAPH), format="openvino", verbose=False)
    except (OSError, RuntimeError) as error:
        # HDF5 and OpenVINO say it with a RuntimeError
        raise PathUnusable(f"Model folder {folder.name}: cannot be written; is there room on the disk?") from error
    return both
