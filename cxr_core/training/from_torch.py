"""torch's DenseNet121, as our own network.

The two frameworks differ in three things: the order of a kernel's axes; the names; and the epsilon of batch
normalisation, 1e-5 in torch and 1.001e-5 in Keras' DenseNet121. The difference of the epsilons goes into the
variance, else channels that are nearly dead would be scaled otherwise.
"""

from __future__ import annotations

import re

import keras
import numpy as np

from ..errors import WeightsRefused
from ..model.network import LOGITS_LAYER, build_network
from ..model.normalisation import NORMALISATIONS, Normalisation
from ..model.weights import Weights
from ..model.weights.layouts import KNOWN_LAYOUTS, DenseNetArrays, densenet_arrays

__all__ = ["TORCH_EPSILON", "network_from_torch"]

TORCH_EPSILON = 1e-5
"""torch's default, where the file does not say."""

_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def network_from_torch(
    weights: Weights,
    outputs: tuple[str, ...],
    labels: tuple[str, ...],
    normalisation: Normalisation = NORMALISATIONS["torchxrayvision"],
) -> keras.Model:
    """Return our network with the weights of a torch file.

    Args:
        weights: of DenseNet121 in one of the layouts of :mod:`..model.weights.layouts`.
        outputs: what each of the file's outputs is for.
        labels: those to keep, in their order; the others are dropped.
        normalisation: what the authors did to grey values first.

    Returns:
        A network from displayed grey in [0, 1], any size, to ``len(labels)`` logits. It normalises grey
        first, and gives it to each channel where the file's network has three.

    Raises:
        WeightsRefused: an array is missing, unknown, not finite, or of another shape.
    """
    found = densenet_arrays(weights)
    arrays = _Arrays(found)
    head, bias = arrays.take("classifier.weight"), arrays.take("classifier.bias")
    if found.outputs != len(outputs):
        raise WeightsRefused(
            f"The file's last layer has {found.outputs} outputs; {len(outputs)} belong to these labels. Give the "
            "labels of its outputs, or the file that belongs to the source."
        )
    scale, offset = normalisation.scaling(found.channels)
    network = build_network(len(labels), scale=scale, offset=offset, each_image=normalisation.each_image)
    kept = [outputs.index(label) for label in labels]
    for layer in network.layers:
        if not layer.weights:
            continue
        if layer.name == LOGITS_LAYER:
            values = [head[kept].T, bias[kept]]
        elif isinstance(layer, keras.layers.BatchNormalization):
            values = arrays.norm(torch_name(layer.name), layer.epsilon)
        else:
            values = [np.transpose(arrays.take(f"{torch_name(layer.name)}.weight", 4), (2, 3, 1, 0))]
        for value, variable in zip(values, layer.weights, strict=True):
            if value.shape != tuple(variable.shape):
                raise WeightsRefused(
                    f"The file's {torch_name(layer.name)} has the shape {value.shape}, DenseNet121 needs "
                    f"{tuple(variable.shape)}. {KNOWN_LAYOUTS}"
                )
        layer.set_weights(values)
    arrays.check_nothing_left()
    return network


def torch_name(layer: str) -> str:
    """Return torch's name of one of Keras' layers: ``conv3_block2_1_conv`` is ``denseblock2.denselayer2.conv1``."""
    fixed = {
        "conv1_conv": "conv0",
        "conv1_bn": "norm0",
        "bn": "norm5",
        **{f"pool{n + 1}_bn": f"transition{n}.norm" for n in (1, 2, 3)},
        **{f"pool{n + 1}_conv": f"transition{n}.conv" for n in (1, 2, 3)},
    }
    if layer == LOGITS_LAYER:
        return "classifier"
    if layer in fixed:
        return f"features.{fixed[layer]}"
    found = re.fullmatch(r"conv(\d)_block(\d+)_([012])_(bn|conv)", layer)
    if found is None:
        raise ValueError(f"no layer of DenseNet121: {layer}")
    block, number, step, kind = int(found[1]) - 1, found[2], int(found[3]), found[4]
    part = f"norm{step + 1}" if kind == "bn" else f"conv{step}"
    return f"features.denseblock{block}.denselayer{number}.{part}"


class _Arrays:
    """The file's arrays; each is taken once."""

    def __init__(self, found: DenseNetArrays) -> None:
        self._left = dict(found.arrays)
        self._numbers = found.numbers

    def take(self, name: str, axes: int | None = None) -> np.ndarray:
        if name not in self._left:
            raise WeightsRefused(f"The file has no {name}: it is not DenseNet121. {KNOWN_LAYOUTS}")
        array = self._left.pop(name)
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise WeightsRefused(f"The file's {name} holds values that are no finite numbers. Get the file again.")
        if axes is not None and array.ndim != axes:
            raise WeightsRefused(f"The file's {name} has {array.ndim} axes where {axes} belong.")
        return array.astype(np.float64)

    def norm(self, name: str, epsilon: float) -> list[np.ndarray]:
        """Return scale, shift, mean, and the variance that with Keras' ``epsilon`` does what torch does."""
        gamma, beta, mean, variance = (self.take(f"{name}.{part}") for part in _NORM_PARTS)
        if (variance < 0).any():
            raise WeightsRefused(f"The file's {name} has a negative variance. Get the file again.")
        return [gamma, beta, mean, variance + (self._numbers.get(f"{name}.eps", TORCH_EPSILON) - epsilon)]

    def check_nothing_left(self) -> None:
        if self._left:
            raise WeightsRefused(
                f"The file has {len(self._left)} arrays that DenseNet121 does not, {min(self._left)[:80]} among them. "
                f"{KNOWN_LAYOUTS}"
            )
