"""Inert records that stand for the objects of a pickled network, and NumPy arrays made from them.

No record runs anything. A class of the file is a :class:`Global`, its name; an object is an :class:`Instance`, the name
of its class and its attributes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "ALLOWED",
    "CLASSES",
    "DTYPES",
    "MAX_ARRAYS",
    "MAX_ARRAY_BYTES",
    "Global",
    "HostilePickle",
    "Ignored",
    "Instance",
    "Storage",
    "Tensor",
    "array_of",
    "check_sizes",
    "network_arrays",
    "widen_bfloat16",
]


class HostilePickle(Exception):
    """A file of weights that is not read; the message is the end of a sentence that names the file."""


DTYPES: dict[str, np.dtype[Any]] = {
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.HalfStorage": np.dtype("<f2"),
    # NumPy has no bfloat16: the upper half of a float32
    "torch.BFloat16Storage": np.dtype("<u2"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
"""torch's storage types, and the NumPy type of their elements in a little-endian file."""

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
"""The classes of module that a DenseNet is made of: the only ones whose instances are accepted."""

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
        # a loss or a learning rate that was saved beside the weights as a NumPy scalar
        "_codecs.encode",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
    }
)

ALLOWED: frozenset[str] = CLASSES | FUNCTIONS | DTYPES.keys()
"""Every name that a file may use. Any other is refused, and none is ever imported."""


@dataclass(frozen=True)
class Global:
    """A name of :data:`ALLOWED`: ``module.name``."""

    name: str


@dataclass(frozen=True)
class Storage:
    """A block of elements in the file.

    Attributes:
        key: its key in the file.
        kind: a key of :data:`DTYPES`.
        elements: number of elements.
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
    """A value that a checkpoint holds beside its weights; its content is dropped."""


MAX_ARRAYS = 20_000
"""DenseNet121 has 727, batch counters included."""

MAX_ARRAY_BYTES = 10**9
"""Limit of all arrays of a file together: a small file may show one storage many times."""

CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
"""Keys under which a checkpoint may hold its weights; the first that is present is taken."""

_MAX_WRAPPERS = 3
_MAX_DEPTH = 32
_MAX_ENTRIES = 500_000


def array_of(tensor: Tensor, content: bytes | memoryview) -> np.ndarray:
    """Return a tensor as an array of its own memory.

    Args:
        tensor: a view of a storage of the file.
        content: bytes of the whole storage.

    Returns:
        An array of the tensor's shape; bfloat16 as float32.

    Raises:
        HostilePickle: the view reaches beyond the storage, or shows an element twice.
    """
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    dtype = DTYPES[storage.kind]
    if len(content) != storage.elements * dtype.itemsize:
        raise HostilePickle("a storage has another length than its tensors say")
    size = _size(tensor)
    if len(shape) != len(strides) or tensor.offset < 0 or min((*shape, *strides), default=0) < 0:
        raise HostilePickle("a tensor has an impossible shape")
    last = tensor.offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if size and (last >= storage.elements or size > storage.elements - tensor.offset):
        raise HostilePickle("a tensor reaches beyond its storage")
    if not size:
        return np.zeros(shape, dtype)
    flat = np.frombuffer(content, dtype)[tensor.offset :]
    view = np.lib.stride_tricks.as_strided(
        flat, shape, [stride * dtype.itemsize for stride in strides], writeable=False
    )
    return widen_bfloat16(view) if storage.kind == "torch.BFloat16Storage" else np.array(view)


def widen_bfloat16(values: np.ndarray) -> np.ndarray:
    """Return bfloat16 numbers, given as uint16, as float32."""
    return (values.astype(np.uint32) << 16).view(np.float32)


def network_arrays(root: Any) -> tuple[dict[str, Tensor], dict[str, float], str]:
    """Return the tensors of a file's object.

    Args:
        root: a whole module, a state dict, or a checkpoint that holds either under one of :data:`CHECKPOINT_KEYS`.

    Returns:
        Tensors by dotted name; numeric attributes of the modules by dotted name, such as ``features.norm0.eps``;
        and which of the two the object is, ``whole module`` or ``state dict``.

    Raises:
        HostilePickle: it is none of these, or has more arrays than any network.
    """
    root = _unwrapped(root)
    if isinstance(root, Instance):
        tensors: dict[str, Tensor] = {}
        numbers: dict[str, float] = {}
        for name, value in _walk(root):
            if name in tensors:
                raise HostilePickle("two of its arrays have one name")
            if isinstance(value, Tensor):
                tensors[name] = value
            else:
                numbers[name] = value
            if len(tensors) > MAX_ARRAYS or len(numbers) > 10 * MAX_ARRAYS:
                raise HostilePickle(f"it has more than {MAX_ARRAYS:,} arrays")
        return tensors, numbers, "whole module"
    if not isinstance(root, Mapping):
        raise HostilePickle("it holds neither a module nor a state dict")
    tensors = {str(name): value for name, value in root.items() if isinstance(value, Tensor)}
    if not tensors:
        raise HostilePickle("it holds no arrays")
    if len(tensors) > MAX_ARRAYS:
        raise HostilePickle(f"it has more than {MAX_ARRAYS:,} arrays")
    return tensors, {}, "state dict"


def _unwrapped(root: Any) -> Any:
    """Return the module or state dict inside a checkpoint; ``root`` itself where there is no checkpoint around it."""
    for _ in range(_MAX_WRAPPERS):
        if not isinstance(root, Mapping):
            break
        inner = [root[key] for key in CHECKPOINT_KEYS if isinstance(root.get(key), Mapping | Instance)]
        if not inner:
            break
        root = inner[0]
    return root


def _walk(root: Instance) -> Iterator[tuple[str, Tensor | float]]:
    """Yield tensors and numbers of a module and its submodules; depth and number bound a module that holds itself."""
    waiting = [("", root, 0)]
    visited = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        groups = {group: _group(module, group) for group in ("_parameters", "_buffers", "_modules")}
        visited += 1 + len(module.state) + sum(map(len, groups.values()))
        if depth > _MAX_DEPTH or visited > _MAX_ENTRIES:
            raise HostilePickle("its modules hold each other without end")
        for name, value in (*groups["_parameters"].items(), *groups["_buffers"].items()):
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value
        for name, value in module.state.items():
            if type(value) is float or (type(value) is int and abs(value) < 2**53):
                yield f"{prefix}{name}", float(value)
        for name, value in groups["_modules"].items():
            if isinstance(value, Instance):
                waiting.append((f"{prefix}{name}.", value, depth + 1))


def _group(module: Instance, group: str) -> dict[Any, Any]:
    entries = module.state.get(group)
    return entries if isinstance(entries, dict) else {}


def check_sizes(tensors: Mapping[str, Tensor]) -> None:
    """Raise HostilePickle where arrays or their storages take more than :data:`MAX_ARRAY_BYTES` together."""
    shown = sum(_size(tensor) * DTYPES[tensor.storage.kind].itemsize for tensor in tensors.values())
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    stored = sum(max(0, storage.elements) * DTYPES[storage.kind].itemsize for storage in storages.values())
    if max(shown, stored) > MAX_ARRAY_BYTES:
        raise HostilePickle(f"its arrays take more than {MAX_ARRAY_BYTES / 1e9:g} GB")


def _size(tensor: Tensor) -> int:
    if len(tensor.shape) > 8:
        raise HostilePickle("a tensor has an impossible shape")
    return math.prod(tensor.shape)
