"""What a pickled module becomes here: inert records of names, numbers and places in a file.

None of these does anything. A class of the file is a :class:`Global`, which is two words; an object is an
:class:`Instance`, which is its class' name and what was written about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ALLOWED", "CLASSES", "DTYPES", "Global", "Ignored", "Instance", "Storage", "Tensor"]

DTYPES: dict[str, np.dtype] = {
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.HalfStorage": np.dtype("<f2"),
    # NumPy has no bfloat16: the upper half of a float32, widened in ``arrays``
    "torch.BFloat16Storage": np.dtype("<u2"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
"""torch's storage types, and how their elements lie in a little-endian file."""

CLASSES: frozenset[str] = frozenset(
    {
        "torch.nn.modules.activation.ReLU",
        "torch.nn.modules.activation.Sigmoid",
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.conv.Conv2d",
        "torch.nn.modules.dropout.Dropout",
        "torch.nn.modules.linear.Identity",
        "torch.nn.modules.linear.Linear",
        "torch.nn.modules.pooling.AdaptiveAvgPool2d",
        "torch.nn.modules.pooling.AvgPool2d",
        "torch.nn.modules.pooling.MaxPool2d",
        "torch.nn.parallel.data_parallel.DataParallel",
        *(
            f"{module}.{name}"
            for module in ("torchxrayvision.models", "torchvision.models.densenet")
            for name in ("DenseNet", "_DenseBlock", "_DenseLayer", "_Transition")
        ),
    }
)
"""The modules that a DenseNet is made of: what an object of a file may be."""

FUNCTIONS: frozenset[str] = frozenset(
    {
        "__builtin__.set",
        "builtins.set",
        "collections.OrderedDict",
        "torch.Size",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        # an attribute of every module until torch 1.3
        "torch.nn.backends.thnn._get_thnn_function_backend",
        # how torch 0.3 wrote a parameter
        "torch.nn.parameter.Parameter",
        # where a module of several devices ran
        "torch.device",
        # a loss or a rate that lies beside the weights as a number of NumPy's
        "_codecs.encode",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
    }
)

ALLOWED: frozenset[str] = CLASSES | FUNCTIONS | DTYPES.keys()
"""Every name that a file may use. Any other is refused, and none is ever looked up."""


@dataclass(frozen=True)
class Global:
    """A name of :data:`ALLOWED`: ``module.name``."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Elements in a row.

    Attributes:
        key: which of the file's.
        kind: a key of :data:`DTYPES`.
        elements: how many.
    """

    key: str
    kind: str
    elements: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage: ``offset`` and ``strides`` in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(eq=False)
class Instance:
    """An object of a class of :data:`CLASSES`, with its attributes."""

    kind: str
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Ignored:
    """Something that a checkpoint holds beside its weights; what it was is not kept."""
