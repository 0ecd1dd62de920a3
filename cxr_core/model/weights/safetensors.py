"""The safetensors format: a length, a JSON header, and raw bytes. There is nothing in it to run.

Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np

from .arrays import MAX_ARRAYS
from .pickles import HostilePickle

__all__ = ["looks_like_safetensors", "read_safetensors"]

MAX_HEADER_BYTES = 8 * 10**6

_DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


def looks_like_safetensors(data: bytes) -> bool:
    """Return whether the first bytes are a plausible length and the start of a JSON object."""
    return len(data) > 9 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= MAX_HEADER_BYTES


def read_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays by name; bfloat16 as float32.

    Raises:
        HostilePickle: the header is broken, an array's place is not within the file or does not have
            the length of its shape, or places overlap.
    """
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    if length > MAX_HEADER_BYTES or start > len(data):
        raise HostilePickle("its header is cut short")
    try:
        header = json.loads(data[8:start].decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise HostilePickle("its header is not JSON") from error
    if not isinstance(header, dict):
        raise HostilePickle("its header is not JSON of the kind that safetensors writes")
    header.pop("__metadata__", None)
    if not header or len(header) > MAX_ARRAYS:
        raise HostilePickle(f"it holds no arrays, or more than {MAX_ARRAYS:,}")
    content = memoryview(data)[start:]
    places: list[tuple[int, int]] = []
    arrays = {name: _array(entry, content, places) for name, entry in header.items()}
    places.sort()
    if any(first[1] > second[0] for first, second in pairwise(places)):
        raise HostilePickle("its arrays overlap")
    return arrays


def _array(entry: Any, content: memoryview, places: list[tuple[int, int]]) -> np.ndarray:
    match entry:
        case {"dtype": str() as kind, "shape": list() as shape, "data_offsets": [begin, end]}:
            pass
        case _:
            raise HostilePickle("an array of its header has no type, shape or place")
    if kind not in _DTYPES:
        raise HostilePickle("an array has a type that is not read: accepted are " + ", ".join(_DTYPES))
    if len(shape) > 8 or any(type(n) is not int or not 0 <= n < 2**63 for n in (*shape, begin, end)):
        raise HostilePickle("an array has an impossible shape or place")
    dtype = _DTYPES[kind]
    if max(end, *shape, 0) > len(content) or end - begin != math.prod(shape) * dtype.itemsize:
        raise HostilePickle("an array's place does not fit its shape, or lies beyond the end of the file")
    places.append((begin, end))
    flat = np.frombuffer(content[begin:end], dtype)
    if kind == "BF16":
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(shape).copy()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made
