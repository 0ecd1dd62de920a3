"""The INT8 graph: post-training quantisation by NNCF, the compression framework of OpenVINO's makers.

NNCF runs the float32 graph on images, takes the range of every activation, and inserts the operations that turn weights
and activations into 8-bit integers (Jacob et al., *Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference*, CVPR 2018), with a correction of the bias that this adds.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino

from ..errors import WrongArguments
from ..model.folder import INT8_GRAPH

__all__ = ["quantise_graph"]


def quantise_graph(graph: Path, images: Sequence[np.ndarray], folder: Path) -> str:
    """Write ``model.xml`` and ``model.bin`` of an INT8 graph with the same two outputs; return how it was made.

    Pooling and the dense layer stay float32, so that the sum of a class map plus the bias still is the logit.

    Args:
        graph: the float32 graph, with outputs ``features`` and ``logits``.
        images: (size, size, 1) float32 in [0, 1] each; their activations give the ranges.
        folder: to write to; it exists.

    Raises:
        WrongArguments: NNCF is not installed.
    """
    try:
        # an extra: loaded only where it is asked for; its telemetry is off (cxr_core/libraries.py)
        import nncf
    except ImportError as error:
        raise WrongArguments("models quantise needs NNCF: pip install -r requirements-int8.txt") from error
    # its set_log_level also changes handlers that other programs have put there
    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = openvino.Core().read_model(graph)
    # it draws progress bars of its own on the standard output
    with contextlib.redirect_stdout(io.StringIO()):
        quantised = nncf.quantize(
            model,
            nncf.Dataset([image[None] for image in images]),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=_head(model)),
        )
    openvino.save_model(quantised, folder / INT8_GRAPH, compress_to_fp16=False)
    return f"post-training quantisation by NNCF {nncf.__version__}, preset performance; pooling and dense layer float32"


def _head(model: openvino.Model) -> list[str]:
    """Return the names of the operations that the logits need and the feature map does not: pooling and dense layer."""
    features, logits = (_needed(model.output(name).get_node()) for name in ("features", "logits"))
    return sorted(
        name for name, node in logits.items() if name not in features and node.get_type_name() not in _NO_OPERATIONS
    )


_NO_OPERATIONS = ("Constant", "Result")


def _needed(last: openvino.Node) -> dict[str, openvino.Node]:
    """Return an operation and all that it is computed from, by name."""
    operations: dict[str, openvino.Node] = {}
    waiting = [last]
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in operations:
            operations[node.get_friendly_name()] = node
            waiting += [value.get_node() for value in node.input_values()]
    return operations
