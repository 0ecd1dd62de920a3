"""Which kind of file it is, and its arrays; every refusal in one line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import WeightsRefused
from .pickles import HostilePickle
from .safetensors import looks_like_safetensors, read_safetensors
from .torch_file import LEGACY_START, ZIP_START, read_legacy, read_zip

__all__ = ["ACCEPTED", "MAX_FILE_BYTES", "Weights", "read_weights"]

MAX_FILE_BYTES = 400 * 10**6
"""torchxrayvision's files have 28 MB."""

ACCEPTED = "Accepted: torch.save of a DenseNet or of its state dict (.pt, .pth), and .safetensors."

_HDF5_START = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds.

    Attributes:
        arrays: by dotted name, such as ``features.conv0.weight``, as torch lays them out.
        numbers: of a whole module, its parts' numbers by dotted name, such as ``features.norm0.eps``.
        form: what the file was, in words.
        sha256: hex digest of the file.
    """

    arrays: dict[str, np.ndarray]
    numbers: dict[str, float]
    form: str
    sha256: str


def read_weights(path: Path) -> Weights:
    """Read a torch file of either format, or safetensors, without torch and without running any of it.

    Raises WeightsRefused where the file is missing, too large, broken, of another kind, or asks for
    anything that a DenseNet's weights have no need of.
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


def _read(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, float], str]:
    if data.startswith(ZIP_START):
        arrays, numbers, kind = read_zip(data)
        return arrays, numbers, f"{kind}, torch's zip format"
    if data.startswith(LEGACY_START):
        arrays, numbers, kind = read_legacy(data)
        return arrays, numbers, f"{kind}, torch's legacy format"
    if data.startswith(_HDF5_START):
        raise HostilePickle("it is an HDF5 file, which Keras writes: import it as keras:FILE")
    if looks_like_safetensors(data):
        return read_safetensors(data), {}, "safetensors"
    raise HostilePickle("it is no file of weights that is known")
