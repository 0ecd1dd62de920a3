"""Records to NumPy arrays, every bound checked; a module's parts by their dotted names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .pickles import HostilePickle
from .records import DTYPES, Instance, Tensor

__all__ = ["MAX_ARRAYS", "MAX_ARRAY_BYTES", "array_of", "check_sizes", "parts_of"]

MAX_ARRAYS = 20_000
"""DenseNet121 has 727, batch counters included."""

MAX_ARRAY_BYTES = 10**9
"""Of all arrays of a file together: a small file may show one storage many times."""

WITHIN = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
"""Under which of these a checkpoint holds its weights, the first that is there."""

_MOST_WRAPPERS = 3
_DEEPEST = 32
_MOST_PARTS = 500_000


def array_of(tensor: Tensor, content: bytes | memoryview) -> np.ndarray:
    """Return a copy of what a tensor shows of its storage.

    Args:
        tensor: of a file.
        content: its whole storage.

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
    if storage.kind == "torch.BFloat16Storage":
        return (view.astype(np.uint32) << 16).view(np.float32)
    return np.array(view)


def parts_of(root: Any) -> tuple[dict[str, Tensor], dict[str, float], str]:
    """Return what a file's object is made of.

    Args:
        root: a whole module, a state dict, or a checkpoint that holds either under one of :data:`WITHIN`.

    Returns:
        Tensors by dotted name; the modules' numbers by dotted name, such as ``features.norm0.eps``;
        and what the file was.

    Raises:
        HostilePickle: it is none of these, or has more parts than any network.
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
    """Return what a checkpoint holds beside its optimiser, its epoch and the like; ``root`` itself otherwise."""
    for _ in range(_MOST_WRAPPERS):
        if not isinstance(root, Mapping):
            break
        found = [root[key] for key in WITHIN if isinstance(root.get(key), Mapping | Instance)]
        if not found:
            break
        root = found[0]
    return root


def _walk(root: Instance) -> Iterator[tuple[str, Tensor | float]]:
    """Visit every part of every module; modules that hold themselves end by depth or by number."""
    waiting = [("", root, 0)]
    looked_at = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        groups = {group: _group(module, group) for group in ("_parameters", "_buffers", "_modules")}
        looked_at += 1 + len(module.state) + sum(map(len, groups.values()))
        if depth > _DEEPEST or looked_at > _MOST_PARTS:
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
    found = module.state.get(group)
    return found if isinstance(found, dict) else {}


def check_sizes(tensors: Mapping[str, Tensor]) -> None:
    """Raise HostilePickle where arrays or their storages take more than :data:`MAX_ARRAY_BYTES` together."""
    shown = sum(_size(tensor) * DTYPES[tensor.storage.kind].itemsize for tensor in tensors.values())
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    held = sum(max(0, storage.elements) * DTYPES[storage.kind].itemsize for storage in storages.values())
    if max(shown, held) > MAX_ARRAY_BYTES:
        raise HostilePickle(f"its arrays take more than {MAX_ARRAY_BYTES / 1e9:g} GB")


def _size(tensor: Tensor) -> int:
    if len(tensor.shape) > 8:
        raise HostilePickle("a tensor has an impossible shape")
    return math.prod(tensor.shape)
