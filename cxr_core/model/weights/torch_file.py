"""torch's two file formats: the zip of torch 1.6 and later, and the legacy stream of pickles before it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .arrays import array_of, check_sizes, parts_of
from .pickles import HostilePickle, read_pickle
from .records import DTYPES, Storage

__all__ = ["LEGACY_START", "ZIP_START", "read_legacy", "read_zip"]

ZIP_START = b"PK\x03\x04"

MAGIC = 0x1950A86A20F9469CFC6C
"""torch's own, the first pickle of a legacy file (``torch/serialization.py``)."""

LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = 1001
MAX_PICKLE_BYTES = 32 * 10**6

Parts = tuple[dict[str, np.ndarray], dict[str, float], str]


def read_zip(data: bytes) -> Parts:
    """Return arrays, numbers and what the object was, of a zip file of torch.

    Its members are ``NAME/data.pkl``, one ``NAME/data/KEY`` for each storage, and small notes. They
    are stored, not compressed, so none is larger than the file.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise HostilePickle("its zip archive is broken or cut short") from error
    with archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise HostilePickle("its zip archive has two members of one name")
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise HostilePickle("its zip archive has compressed members, which torch does not write")
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise HostilePickle("its zip archive is not one of torch: data.pkl is missing")
        (top,) = pickles
        folder = top.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in names:
            raise HostilePickle("it is a TorchScript program, not weights")
        if archive.getinfo(top).file_size > MAX_PICKLE_BYTES:
            raise HostilePickle(f"its pickle has more than {MAX_PICKLE_BYTES / 1e6:g} MB")

        @cache  # many arrays may lie in one storage
        def member(name: str) -> bytes:
            try:
                return archive.read(folder + name)
            except (
                zipfile.BadZipFile,
                KeyError,
                ValueError,
                NotImplementedError,
                RuntimeError,
                OSError,
                EOFError,
            ) as e:
                raise HostilePickle("a member of its zip archive is missing or broken") from e

        if f"{folder}byteorder" in names and member("byteorder") != b"little":
            raise HostilePickle("its numbers are not little-endian")
        return _parts(read_pickle(io.BytesIO(member("data.pkl"))), lambda key: member(f"data/{key}"))


def read_legacy(data: bytes) -> Parts:
    """Return arrays, numbers and what the object was, of a legacy file.

    It is five pickles (a magic number, a protocol number, the machine's sizes, the object, the keys of
    its storages), then each storage: its number of elements as int64, and the elements.
    """
    file = io.BytesIO(data)
    magic, protocol, machine = (read_pickle(file) for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL or not isinstance(machine, dict):
        raise HostilePickle("its first words are not those of a torch file")
    if machine.get("little_endian") is not True:
        raise HostilePickle("its numbers are not little-endian")
    storages: dict[str, Storage] = {}
    root, keys = read_pickle(file, storages), read_pickle(file)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise HostilePickle("its storages are not listed as they are used")
    found: dict[str, memoryview] = {}
    rest, position = memoryview(data), file.tell()
    for key in keys:
        storage = storages[key]
        start = position + 8
        if int.from_bytes(rest[position:start], "little", signed=True) != storage.elements or storage.elements < 0:
            raise HostilePickle("it is cut short, or a storage has another length than the pickle says")
        position = start + storage.elements * DTYPES[storage.kind].itemsize
        if position > len(data):
            raise HostilePickle("it is cut short")
        found[key] = rest[start:position]
    return _parts(root, lambda key: found[key])


def _parts(root: Any, content: Callable[[str], bytes | memoryview]) -> Parts:
    tensors, numbers, kind = parts_of(root)
    check_sizes(tensors)
    return {name: array_of(tensor, content(tensor.storage.key)) for name, tensor in tensors.items()}, numbers, kind
