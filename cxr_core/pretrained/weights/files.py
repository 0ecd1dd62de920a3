"""Weights files to NumPy arrays: torch's zip format, torch's legacy format and safetensors.

torch wrote the legacy format, a stream of pickles, before version 1.6. Keras' HDF5 files are read by
:mod:`cxr_core.pretrained.from_keras`. Format of safetensors: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import WeightsRefused
from .pickles import read_pickle
from .records import DTYPES, MAX_ARRAYS, HostilePickle, Storage, array_of, check_sizes, network_arrays, widen_bfloat16

__all__ = ["ACCEPTED", "MAX_FILE_BYTES", "Weights", "read_safetensors", "read_weights"]

MAX_FILE_BYTES = 400 * 10**6
"""torchxrayvision's files have 28 MB."""

ACCEPTED = "Accepted: torch.save of a DenseNet or of its state dict (.pt, .pth), and .safetensors."

ZIP_START = b"PK\x03\x04"
HDF5_START = b"\x89HDF\r\n\x1a\n"
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a legacy file (``torch/serialization.py``)."""

LEGACY_PROTOCOL = 1001
MAX_PICKLE_BYTES = 32 * 10**6
MAX_HEADER_BYTES = 8 * 10**6

_SAFETENSORS_DTYPES: dict[str, np.dtype[Any]] = {
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

Content = tuple[dict[str, np.ndarray], dict[str, float], str]
"""Arrays by dotted name, numbers by dotted name, and a description of the file's format."""


@dataclass(frozen=True)
class Weights:
    """Content of a weights file.

    Attributes:
        arrays: by dotted name, such as ``features.conv0.weight``, with torch's order of axes.
        numbers: numeric attributes of a whole pickled module by dotted name, such as ``features.norm0.eps``;
            empty for a state dict.
        form: description of the file's format.
        sha256: hex digest of the file.
    """

    arrays: dict[str, np.ndarray]
    numbers: dict[str, float]
    form: str
    sha256: str


def read_weights(path: Path) -> Weights:
    """Read a weights file without torch and without running anything in it.

    Raises:
        WeightsRefused: the file is missing, larger than :data:`MAX_FILE_BYTES`, broken, of an unknown format, or
            asks for anything that the weights of a DenseNet do not need.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise WeightsRefused(
                f"Weights {path.name}: {size / 1e6:,.0f} MB; at most {MAX_FILE_BYTES / 1e6:.0f} MB are read. {ACCEPTED}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise WeightsRefused(f"Weights {path}: no such file, or it cannot be opened. {ACCEPTED}") from error
    try:
        arrays, numbers, form = _read(data)
    except HostilePickle as refusal:
        raise WeightsRefused(f"Weights {path.name}: {refusal}. Nothing of it was run. {ACCEPTED}") from refusal
    return Weights(arrays, numbers, form, hashlib.sha256(data).hexdigest())


def _read(data: bytes) -> Content:
    if data.startswith(ZIP_START):
        arrays, numbers, kind = _read_zip(data)
        return arrays, numbers, f"{kind}, torch's zip format"
    if data.startswith(LEGACY_START):
        arrays, numbers, kind = _read_legacy(data)
        return arrays, numbers, f"{kind}, torch's legacy format"
    if data.startswith(HDF5_START):
        raise HostilePickle("it is an HDF5 file, which Keras writes: import it as keras:FILE")
    # a plausible length of the header, and the start of a JSON object
    if len(data) > 9 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= MAX_HEADER_BYTES:
        return read_safetensors(data), {}, "safetensors"
    raise HostilePickle("it is no file of weights that is known")


def _read_zip(data: bytes) -> Content:
    """Read torch's zip format.

    Its members are ``NAME/data.pkl``, ``NAME/data/KEY`` for each storage, and small notes. They are stored, not
    compressed, so that none is larger than the file.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise HostilePickle("its zip archive is broken or truncated") from error
    with archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise HostilePickle("its zip archive has two members of one name")
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise HostilePickle("its zip archive has compressed members, which torch does not write")
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise HostilePickle("its zip archive is not one of torch: data.pkl is missing")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}constants.pkl" in names:
            raise HostilePickle("it is a TorchScript program, not weights")
        if archive.getinfo(pickles[0]).file_size > MAX_PICKLE_BYTES:
            raise HostilePickle(f"its pickle has more than {MAX_PICKLE_BYTES / 1e6:g} MB")

        @cache  # several arrays may share one storage
        def member(name: str) -> bytes:
            try:
                return archive.read(folder + name)
            # NotImplementedError is a RuntimeError
            except (zipfile.BadZipFile, KeyError, ValueError, RuntimeError, OSError, EOFError) as error:
                raise HostilePickle("a member of its zip archive is missing or broken") from error

        if f"{folder}byteorder" in names and member("byteorder") != b"little":
            raise HostilePickle("its numbers are not little-endian")
        return _content(read_pickle(io.BytesIO(member("data.pkl"))), lambda key: member(f"data/{key}"))


def _read_legacy(data: bytes) -> Content:
    """Read torch's legacy format.

    It is five pickles (a magic number, a protocol number, the machine's sizes, the object, the keys of its storages),
    then each storage: its number of elements as int64, and the elements.
    """
    file = io.BytesIO(data)
    magic, protocol, machine = (read_pickle(file) for _ in range(3))
    if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL or not isinstance(machine, dict):
        raise HostilePickle("its header is not that of a torch file")
    if machine.get("little_endian") is not True:
        raise HostilePickle("its numbers are not little-endian")
    storages: dict[str, Storage] = {}
    root, keys = read_pickle(file, storages), read_pickle(file)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise HostilePickle("its storages are not listed as they are used")
    contents: dict[str, memoryview] = {}
    view, position = memoryview(data), file.tell()
    for key in keys:
        storage = storages[key]
        start = position + 8
        if int.from_bytes(view[position:start], "little", signed=True) != storage.elements or storage.elements < 0:
            raise HostilePickle("it is truncated, or a storage has another length than the pickle says")
        position = start + storage.elements * DTYPES[storage.kind].itemsize
        if position > len(data):
            raise HostilePickle("it is truncated")
        contents[key] = view[start:position]
    return _content(root, lambda key: contents[key])


def _content(root: Any, storage_bytes: Callable[[str], bytes | memoryview]) -> Content:
    tensors, numbers, kind = network_arrays(root)
    check_sizes(tensors)
    arrays = {name: array_of(tensor, storage_bytes(tensor.storage.key)) for name, tensor in tensors.items()}
    return arrays, numbers, kind


def read_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file by name; bfloat16 as float32.

    Raises:
        HostilePickle: the header is broken, an array's byte range lies outside the file or does not fit its shape,
            or byte ranges overlap.
    """
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    if length > MAX_HEADER_BYTES or start > len(data):
        raise HostilePickle("its header is truncated")
    try:
        header = json.loads(data[8:start].decode(), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise HostilePickle("its header is not JSON") from error
    if not isinstance(header, dict):
        raise HostilePickle("its header is not JSON of the kind that safetensors writes")
    header.pop("__metadata__", None)
    if not header or len(header) > MAX_ARRAYS:
        raise HostilePickle(f"it holds no arrays, or more than {MAX_ARRAYS:,}")
    content = memoryview(data)[start:]
    ranges: list[tuple[int, int]] = []
    arrays = {name: _safetensors_array(entry, content, ranges) for name, entry in header.items()}
    ranges.sort()
    if any(first[1] > second[0] for first, second in pairwise(ranges)):
        raise HostilePickle("its arrays overlap")
    return arrays


def _safetensors_array(entry: Any, content: memoryview, ranges: list[tuple[int, int]]) -> np.ndarray:
    match entry:
        case {"dtype": str() as kind, "shape": list() as shape, "data_offsets": [begin, end]}:
            pass
        case _:
            raise HostilePickle("an array of its header has no type, shape or place")
    if kind not in _SAFETENSORS_DTYPES:
        raise HostilePickle("an array has a type that is not read: accepted are " + ", ".join(_SAFETENSORS_DTYPES))
    if len(shape) > 8 or any(type(n) is not int or not 0 <= n < 2**63 for n in (*shape, begin, end)):
        raise HostilePickle("an array has an impossible shape or place")
    dtype = _SAFETENSORS_DTYPES[kind]
    if max(end, *shape, 0) > len(content) or end - begin != math.prod(shape) * dtype.itemsize:
        raise HostilePickle("an array's place does not fit its shape, or lies beyond the end of the file")
    ranges.append((begin, end))
    flat: np.ndarray = np.frombuffer(content[begin:end], dtype)
    return (widen_bfloat16(flat) if kind == "BF16" else flat).reshape(shape).copy()


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key stands twice")
    return mapping
