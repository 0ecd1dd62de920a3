"""Keras weights files that circulate for this very network, as our own network.

They are of ``keras.applications.DenseNet121`` without its top, global average pooling and one dense layer, saved
as HDF5 by Keras 2 (``.h5``, weights or a whole model) or Keras 3 (``.weights.h5``, or ``.keras``, which holds one).
Arrays are read, a model's description in the file is not: nothing of it is ever built or run.
"""

from __future__ import annotations

import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import keras
import numpy as np

from ..errors import WeightsRefused
from ..model.network import LOGITS_LAYER, STEM, build_network
from ..model.normalisation import NORMALISATIONS, Normalisation
from ..model.weights import MAX_FILE_BYTES

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
    """Return our network with the weights of a Keras file.

    Args:
        file: HDF5 or .keras, whatever its name, with one or three input channels, flat or with DenseNet121
            as one layer.
        classes: number of outputs of its dense layer.
        normalisation: what the authors did to grey values first; by default ImageNet's mean and standard
            deviation, as keras.applications has it.

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
        files = _named(file, Path(folder))
        _bounded(file.name, files[0])
        body, head = _loaded(file.name, files, classes)
    of = {layer.name: layer.get_weights() for layer in body.layers if layer.weights}
    of[LOGITS_LAYER] = head.get_weights()
    if not all(np.isfinite(value).all() for values in of.values() for value in values):
        raise WeightsRefused(f"Weights {file.name}: it holds values that are no finite numbers. Get the file again.")
    scale, offset = normalisation.scaling(of[STEM][0].shape[2])
    network = build_network(classes, scale=scale, offset=offset, each_image=normalisation.each_image)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(of[layer.name])
    return network


def _named(file: Path, folder: Path) -> list[Path]:
    """Return copies under the names by which Keras chooses how to read them: the content may be of either kind."""
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
        except (
            zipfile.BadZipFile,
            KeyError,
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise WeightsRefused(f"Weights {file.name}: a zip archive, but no .keras of Keras 3. {ACCEPTED}") from error
        return [current]
    raise WeightsRefused(f"Weights {file.name}: it is no HDF5 file, and no .keras of Keras 3. {ACCEPTED}")


def _bounded(name: str, file: Path) -> None:
    """Refuse what would swell as it is read: HDF5 compresses arrays, and one that was never filled takes no room.

    Each array counts as often as the file's own lists name it, since that is how often Keras reads it.
    """
    try:
        with h5py.File(file, "r") as opened:
            size = _unpacked(opened)
    except MemoryError:
        raise
    # h5py raises many kinds on a damaged file, and which of them is no promise of its own
    except Exception as error:
        raise WeightsRefused(f"Weights {name}: damaged, or not of this network. Get the file again.") from error
    if size is None:
        raise WeightsRefused(f"Weights {name}: it refers to other files or places. Save the weights into one file.")
    if size > MAX_FILE_BYTES:
        raise WeightsRefused(
            f"Weights {name}: its arrays have {size / 1e6:,.0f} MB when they are read, more than "
            f"{MAX_FILE_BYTES / 1e6:.0f} MB. {ACCEPTED}"
        )


def _unpacked(opened: h5py.File) -> int | None:
    """Return the bytes of all arrays as they are declared, or None where a link leads elsewhere."""
    total, groups = 0, [opened]

    def look(_: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += item.size * item.dtype.itemsize if item.size else 0
        else:
            groups.append(item)

    # visits everything once, whatever number of names it has, and follows no soft or external link
    opened.visititems(look)
    for group in groups:
        if any(not isinstance(group.get(key, getlink=True), h5py.HardLink) for key in group):
            return None
    named = sum(
        group[key].size * group[key].dtype.itemsize
        for group in groups
        for attribute in group.attrs
        if attribute.startswith("weight_names")
        for key in group.attrs[attribute]
    )
    return max(total, named)


def _loaded(name: str, files: list[Path], classes: int) -> tuple[keras.Model, keras.layers.Layer]:
    """Return body and head of the first arrangement whose every array one of the files fills."""
    last: Exception | None = None
    for channels in (3, 1):
        for arrange in (_flat, _nested):
            whole, body, head = arrange(channels, classes)
            for file in files:
                try:
                    # Keras' own words on what it skips are no line of ours
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        whole.load_weights(file)
                except MemoryError:
                    raise
                # h5py and Keras raise many kinds, and which of them is no promise of theirs
                except Exception as error:
                    last = error
                else:
                    return body, head
    raise WeightsRefused(f"Weights {name}: not of this network with {classes} outputs. {ACCEPTED}") from last


Arranged = tuple[keras.Model, keras.Model, keras.layers.Layer]
_Arrange = Callable[[int, int], Arranged]


def _flat(channels: int, classes: int) -> Arranged:
    body = keras.applications.DenseNet121(
        include_top=False, weights=None, input_shape=(None, None, channels), pooling="avg"
    )
    head = keras.layers.Dense(classes)
    whole = keras.Model(body.input, head(body.output))
    return whole, body, head


def _nested(channels: int, classes: int) -> Arranged:
    body = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(None, None, channels))
    head = keras.layers.Dense(classes)
    whole = keras.Sequential([keras.Input((None, None, channels)), body, keras.layers.GlobalAveragePooling2D(), head])
    return whole, body, head
