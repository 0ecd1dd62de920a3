"""Keras weights files of DenseNet121, converted to the network of this package.

Accepted are ``keras.applications.DenseNet121`` without its top, global average pooling and one dense layer, saved as
HDF5 by Keras 2 (``.h5``, weights or a whole model) or Keras 3 (``.weights.h5``, or ``.keras``, which holds one). Only
arrays are read; a model's configuration in the file is never built or run.
"""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import keras
import numpy as np

from ..errors import WeightsRefused
from ..model.network import LOGITS_LAYER, STEM, build_network
from .preprocessing import NORMALISATIONS, Normalisation
from .weights import MAX_FILE_BYTES

__all__ = ["network_from_keras"]

HDF5_START = b"\x89HDF\r\n\x1a\n"
ZIP_START = b"PK\x03\x04"
MEMBER = "model.weights.h5"

ACCEPTED = (
    "Accepted: Keras HDF5 weights (.h5, .weights.h5) or .keras of keras.applications.DenseNet121 without top, global "
    "average pooling, and one dense layer."
)


def network_from_keras(
    file: Path, classes: int, normalisation: Normalisation = NORMALISATIONS["imagenet"]
) -> keras.Model:
    """Return the network with the weights of a Keras file.

    Args:
        file: HDF5 or .keras, under any name, with one or three input channels, flat or with DenseNet121 as one layer.
        classes: number of outputs of its dense layer.
        normalisation: of the authors' training; by default ImageNet's, as keras.applications has it.

    Returns:
        A network from displayed grey in [0, 1], any size, to ``classes`` logits. A colour stem is
        given grey in all three channels, each normalised; a grey stem is given grey normalised by the
        average of the three.

    Raises:
        WeightsRefused: the file is missing, no HDF5, of another network, or its arrays are larger than a file may be.
    """
    if not file.is_file():
        raise WeightsRefused(f"Weights {file}: no such file. {ACCEPTED}")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise WeightsRefused(f"Weights {file.name}: more than {MAX_FILE_BYTES / 1e6:.0f} MB. {ACCEPTED}")
    with TemporaryDirectory(prefix="second-read-") as folder:
        files = _copies(file, Path(folder))
        _check_size(file.name, files[0])
        body, head = _load(file.name, files, classes)
    arrays = {layer.name: layer.get_weights() for layer in body.layers if layer.weights}
    arrays[LOGITS_LAYER] = head.get_weights()
    if not all(np.isfinite(array).all() for layer_arrays in arrays.values() for array in layer_arrays):
        raise WeightsRefused(f"Weights {file.name}: it holds values that are no finite numbers. Get the file again.")
    scale, offset = normalisation.scaling(arrays[STEM][0].shape[2])
    network = build_network(classes, scale=scale, offset=offset, per_image=normalisation.per_image)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(arrays[layer.name])
    return network


def _copies(file: Path, folder: Path) -> list[Path]:
    """Return copies under each name by which Keras may have to read them: it chooses the format by the ending."""
    with file.open("rb") as opened:
        start = opened.read(8)
    current, older = folder / "model.weights.h5", folder / "model.h5"
    if start == HDF5_START:
        shutil.copyfile(file, current)
        shutil.copyfile(file, older)
        return [current, older]
    if start.startswith(ZIP_START):
        try:
            with zipfile.ZipFile(file) as archive, archive.open(MEMBER) as member, current.open("wb") as target:
                if archive.getinfo(MEMBER).file_size > MAX_FILE_BYTES:
                    raise WeightsRefused(
                        f"Weights {file.name}: its {MEMBER} has more than {MAX_FILE_BYTES / 1e6:.0f} MB. {ACCEPTED}"
                    )
                shutil.copyfileobj(member, target)
        # NotImplementedError is a RuntimeError
        except (zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError, RuntimeError) as error:
            raise WeightsRefused(f"Weights {file.name}: a zip archive, but no .keras of Keras 3. {ACCEPTED}") from error
        return [current]
    raise WeightsRefused(f"Weights {file.name}: it is no HDF5 file, and no .keras of Keras 3. {ACCEPTED}")


def _check_size(name: str, file: Path) -> None:
    """Refuse a file whose arrays are too large when read: HDF5 compresses, and an array never filled takes no room.

    Each array counts as often as the file's own lists name it, since that is how often Keras reads it.
    """
    try:
        with h5py.File(file, "r") as opened:
            size = _declared_bytes(opened)
    except MemoryError:
        raise
    # h5py raises many kinds on a damaged file, and it promises none of them
    except Exception as error:
        raise WeightsRefused(f"Weights {name}: damaged, or not of this network. Get the file again.") from error
    if size is None:
        raise WeightsRefused(f"Weights {name}: it refers to other files or places. Save the weights into one file.")
    if size > MAX_FILE_BYTES:
        raise WeightsRefused(
            f"Weights {name}: its arrays have {size / 1e6:,.0f} MB when they are read, more than "
            f"{MAX_FILE_BYTES / 1e6:.0f} MB. {ACCEPTED}"
        )


def _declared_bytes(opened: h5py.File) -> int | None:
    """Return the bytes of all arrays as they are declared, or None where a link leads elsewhere."""
    total, groups = 0, [opened]

    def count(_: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += item.size * item.dtype.itemsize if item.size else 0
        else:
            groups.append(item)

    # visits each object once, whatever number of names it has, and follows no soft or external link
    opened.visititems(count)
    for group in groups:
        if any(not isinstance(group.get(key, getlink=True), h5py.HardLink) for key in group):
            return None
    listed: int = sum(
        group[key].size * group[key].dtype.itemsize
        for group in groups
        for attribute in group.attrs
        if attribute.startswith("weight_names")
        for key in group.attrs[attribute]
    )
    return max(total, listed)


def _load(name: str, files: list[Path], classes: int) -> tuple[keras.Model, keras.layers.Layer]:
    """Return body and head of the first arrangement of layers whose every array one of the files fills."""
    last: Exception | None = None
    for channels in (3, 1):
        for build in (_flat, _nested):
            whole, body, head = build(channels, classes)
            for file in files:
                try:
                    # Keras warns of what it skips
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        whole.load_weights(file)
                except MemoryError:
                    raise
                # h5py and Keras raise many kinds, and they promise none of them
                except Exception as error:
                    last = error
                else:
                    return body, head
    raise WeightsRefused(f"Weights {name}: not of this network with {classes} outputs. {ACCEPTED}") from last


def _flat(channels: int, classes: int) -> tuple[keras.Model, keras.Model, keras.layers.Layer]:
    body = keras.applications.DenseNet121(
        include_top=False, weights=None, input_shape=(None, None, channels), pooling="avg"
    )
    head = keras.layers.Dense(classes)
    whole = keras.Model(body.input, head(body.output))
    return whole, body, head


def _nested(channels: int, classes: int) -> tuple[keras.Model, keras.Model, keras.layers.Layer]:
    body = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(None, None, channels))
    head = keras.layers.Dense(classes)
    whole = keras.Sequential([keras.Input((None, None, channels)), body, keras.layers.GlobalAveragePooling2D(), head])
    return whole, body, head
