"""Names under which DenseNet121's arrays are saved, translated to torchvision's.

The network is always that of torchvision (``features.conv0.weight`` to ``classifier.bias``). What differs is a prefix
(``module.`` of several devices, ``densenet121.`` of the CheXNet repositories, ``model.`` of Lightning), the names of
torch before 1.0 (``denselayer1.norm.1.weight``), and what the last layer is called (``classifier.0`` before a
Sigmoid, which has no arrays). timm's and torchxrayvision's names are torchvision's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ...errors import WeightsRefused
from .files import Weights

__all__ = ["KNOWN_LAYOUTS", "DenseNetArrays", "densenet_arrays"]

KNOWN_LAYOUTS = (
    "Known layouts: DenseNet121 of torchxrayvision, torchvision or timm with one last layer, as a whole module, a "
    "state dict, a checkpoint (arnoweng, zoogzog, thtang, jrzech) or safetensors, under any prefix such as module. or "
    "model.; and keras.applications.DenseNet121, as keras:FILE."
)

STEM = "features.conv0.weight"
_IGNORED = ("num_batches_tracked", "op_threshs")
_HEAD = re.compile(r"(?:classifier|fc|head|linear)(?:\.(?:\d+|fc|classifier))*")
_CHANNELS = 1024


@dataclass(frozen=True)
class DenseNetArrays:
    """A file's arrays under torchvision's names.

    Attributes:
        arrays: ``features.*``, ``classifier.weight`` (outputs, 1024) and ``classifier.bias``.
        numbers: numeric attributes of a whole module by the same names, such as ``features.norm0.eps``.
        layout: description of the names in the file.
        outputs: number of outputs of the last layer.
        channels: of the input, 1 or 3.
    """

    arrays: dict[str, np.ndarray]
    numbers: dict[str, float]
    layout: str
    outputs: int
    channels: int


def densenet_arrays(weights: Weights) -> DenseNetArrays:
    """Return a file's arrays under torchvision's names.

    Raises WeightsRefused where the file is no DenseNet with one last layer on 1,024 channels. Whether the body is that
    of DenseNet121 is checked array by array where a network is filled, see :func:`..from_torch.network_from_torch`.
    """
    names = {
        name: _modern_name(name)
        for name in (*weights.arrays, *weights.numbers)
        if name.rpartition(".")[2] not in _IGNORED
    }
    stems = [new for old, new in names.items() if old in weights.arrays and new.endswith(STEM)]
    if len(stems) != 1:
        how_many = "no" if not stems else f"{len(stems)} times a"
        raise WeightsRefused(f"The file has {how_many} {STEM}: its layout is not known. {KNOWN_LAYOUTS}")
    prefix = stems[0].removesuffix(STEM)
    body = f"{prefix}features."
    arrays: dict[str, np.ndarray] = {}
    others: dict[str, np.ndarray] = {}
    for old, array in weights.arrays.items():
        if old in names:
            into = arrays if names[old].startswith(body) else others
            if names[old].removeprefix(prefix) in into:
                raise WeightsRefused(
                    f"The file has {names[old][:80]} twice, under an old and a new name. {KNOWN_LAYOUTS}"
                )
            into[names[old].removeprefix(prefix)] = array
    head = _head(others)
    arrays["classifier.weight"], arrays["classifier.bias"] = others[f"{head}.weight"], others[f"{head}.bias"]
    stem, last = arrays[STEM], arrays["classifier.weight"]
    if stem.ndim != 4 or stem.shape[1] not in (1, 3):
        raise WeightsRefused(
            f"The file's {STEM} has the shape {stem.shape}: an input with one or three channels is needed. "
            f"{KNOWN_LAYOUTS}"
        )
    numbers = {
        names[old].removeprefix(prefix): number
        for old, number in weights.numbers.items()
        if old in names and names[old].startswith(body)
    }
    old_names = any(old in weights.arrays and old != new for old, new in names.items())
    layout = f"DenseNet, prefix {prefix[:60] or 'none'}, last layer {head[:60]}" + (
        ", names of torch before 1.0" if old_names else ""
    )
    return DenseNetArrays(arrays, numbers, layout, int(last.shape[0]), int(stem.shape[1]))


def _modern_name(name: str) -> str:
    """Return a name as torchvision has written it since torch 1.0: ``norm.1`` is ``norm1``."""
    return re.sub(r"(\.denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", name)


def _head(rest: dict[str, np.ndarray]) -> str:
    """Return the name of the last layer, the only one after the pooling."""
    layers = sorted({name.rpartition(".")[0] for name in rest})
    if not layers:
        raise WeightsRefused(f"The file has no last layer, only the body of a DenseNet. {KNOWN_LAYOUTS}")
    (head, *more) = layers
    if more or set(rest) != {f"{head}.weight", f"{head}.bias"} or not _HEAD.fullmatch(head):
        raise WeightsRefused(
            f"The file has {', '.join(layers)[:120]} beside its features: one last layer, such as classifier with "
            f"weight and bias, is needed. {KNOWN_LAYOUTS}"
        )
    weight, bias = rest[f"{head}.weight"], rest[f"{head}.bias"]
    if weight.ndim != 2 or weight.shape[1] != _CHANNELS or bias.shape != weight.shape[:1]:
        raise WeightsRefused(
            f"The file's last layer has the shapes {weight.shape} and {bias.shape}: (outputs, {_CHANNELS}) and "
            f"(outputs,) are needed. {KNOWN_LAYOUTS}"
        )
    return head
