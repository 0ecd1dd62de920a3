"""torch weights of DenseNet121, converted to the network of this package.

The two frameworks differ in the order of a kernel's axes, in names, and in the epsilon of batch normalisation, 1e-5 in
torch and 1.001e-5 in Keras' DenseNet121. The difference of the epsilons is added to the variance; else channels whose
variance is nearly 0 would be scaled differently.
"""

from __future__ import annotations

import re

import keras
import numpy as np

from ..errors import WeightsRefused
from ..model.network import LOGITS_LAYER, build_network
from .preprocessing import NORMALISATIONS, Normalisation
from .weights import Weights
from .weights.layouts import KNOWN_LAYOUTS, DenseNetArrays, densenet_arrays

__all__ = ["TORCH_EPSILON", "network_from_torch"]

TORCH_EPSILON = 1e-5
"""torch's default, for a file that does not state it."""

_NORM_ARRAYS = ("weight", "bias", "running_mean", "running_var")


def network_from_torch(
    weights: Weights,
    outputs: tuple[str, ...],
    labels: tuple[str, ...],
    normalisation: Normalisation = NORMALISATIONS["torchxrayvision"],
) -> keras.Model:
    """Return the network with the weights of a torch file.

    Args:
        weights: of DenseNet121 in one of the layouts of :mod:`.weights.layouts`.
        outputs: label of each output in the file.
        labels: those to take, in their order; the others are dropped.
        normalisation: of the authors' training.

    Returns:
        A network from displayed grey in [0, 1], any size, to ``len(labels)`` logits. It normalises grey first, and
        gives it to each channel where the file's network has three.

    Raises:
        WeightsRefused: an array is missing, unknown, not finite, or of another shape.
    """
    densenet = densenet_arrays(weights)
    arrays = _Arrays(densenet)
    head, bias = arrays.take("classifier.weight"), arrays.take("classifier.bias")
    if densenet.outputs != len(outputs):
        raise WeightsRefused(
            f"The file's last layer has {densenet.outputs} outputs; {len(outputs)} belong to these labels. Give the "
            "labels of its outputs, or the file that belongs to the source."
        )
    scale, offset = normalisation.scaling(densenet.channels)
    network = build_network(len(labels), scale=scale, offset=offset, per_image=normalisation.per_image)
    indices = [outputs.index(label) for label in labels]
    for layer in network.layers:
        if not layer.weights:
            continue
        if layer.name == LOGITS_LAYER:
            values = [head[indices].T, bias[indices]]
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
    arrays.check_all_taken()
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
    match = re.fullmatch(r"conv(\d)_block(\d+)_([012])_(bn|conv)", layer)
    if match is None:
        raise ValueError(f"no layer of DenseNet121: {layer}")
    block, number, step, kind = int(match[1]) - 1, match[2], int(match[3]), match[4]
    name = f"norm{step + 1}" if kind == "bn" else f"conv{step}"
    return f"features.denseblock{block}.denselayer{number}.{name}"


class _Arrays:
    """The file's arrays; each is taken once."""

    def __init__(self, densenet: DenseNetArrays) -> None:
        self._remaining = dict(densenet.arrays)
        self._numbers = densenet.numbers

    def take(self, name: str, axes: int | None = None) -> np.ndarray:
        if name not in self._remaining:
            raise WeightsRefused(f"The file has no {name}: it is not DenseNet121. {KNOWN_LAYOUTS}")
        array = self._remaining.pop(name)
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise WeightsRefused(f"The file's {name} holds values that are no finite numbers. Get the file again.")
        if axes is not None and array.ndim != axes:
            raise WeightsRefused(f"The file's {name} has {array.ndim} axes where {axes} belong.")
        return array.astype(np.float64)

    def norm(self, name: str, epsilon: float) -> list[np.ndarray]:
        """Return gamma, beta, mean, and the variance that gives torch's result with Keras' ``epsilon``."""
        gamma, beta, mean, variance = (self.take(f"{name}.{array}") for array in _NORM_ARRAYS)
        if (variance < 0).any():
            raise WeightsRefused(f"The file's {name} has a negative variance. Get the file again.")
        return [gamma, beta, mean, variance + (self._numbers.get(f"{name}.eps", TORCH_EPSILON) - epsilon)]

    def check_all_taken(self) -> None:
        if self._remaining:
            raise WeightsRefused(
                f"The file has {len(self._remaining)} arrays that DenseNet121 does not have, such as "
                f"{min(self._remaining)[:80]}. {KNOWN_LAYOUTS}"
            )
