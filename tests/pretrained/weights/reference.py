"""Weights in torchxrayvision's own layout, drawn from a fixed seed with NumPy alone.

``make_reference.py`` gave the same weights to torchxrayvision itself and kept what it answered, in
``reference.npz``; here they are made again. RandomState's streams never change, so the arrays are the same
everywhere; their digest is kept too, and a test compares it.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
REFERENCE = HERE / "reference.npz"
SEED = 20260114
CLASSES = 18
GROWTH, BOTTLENECK, START, BLOCKS = 32, 4, 64, (6, 12, 24, 16)
DEAD_SHARE = 0.04
TINY = {"growth_rate": 4, "block_config": (2, 1, 1, 1), "num_init_features": 8, "bn_size": 2}
"""Arguments of torchxrayvision's class for the small files beside this module."""


def layout(growth=GROWTH, bottleneck=BOTTLENECK, start=START, blocks=BLOCKS) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of every parameter and buffer, in torch's order."""

    def norm(name: str, channels: int):
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.{part}", (channels,)
        yield f"{name}.num_batches_tracked", ()

    yield "features.conv0.weight", (start, 1, 7, 7)
    yield from norm("features.norm0", start)
    channels = start
    for b, layers in enumerate(blocks, 1):
        for n in range(1, layers + 1):
            layer = f"features.denseblock{b}.denselayer{n}"
            yield from norm(f"{layer}.norm1", channels)
            yield f"{layer}.conv1.weight", (bottleneck * growth, channels, 1, 1)
            yield from norm(f"{layer}.norm2", bottleneck * growth)
            yield f"{layer}.conv2.weight", (growth, bottleneck * growth, 3, 3)
            channels += growth
        if b < len(blocks):
            yield from norm(f"features.transition{b}.norm", channels)
            yield f"features.transition{b}.conv.weight", (channels // 2, channels, 1, 1)
            channels //= 2
    yield from norm("features.norm5", channels)
    yield "classifier.weight", (CLASSES, channels)
    yield "classifier.bias", (CLASSES,)


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a parameter; of every convolution some channels are nearly dead."""
    rng = np.random.RandomState(zlib.crc32(name.encode()) ^ SEED)
    if name.endswith("num_batches_tracked"):
        return np.array(1, dtype=np.int64)
    if name.endswith("running_mean"):
        return np.zeros(shape, np.float32)
    if name.endswith("running_var"):
        return np.ones(shape, np.float32)
    if ".norm" in name:
        return (rng.uniform(0.5, 1.5, shape) if name.endswith("weight") else rng.normal(0, 0.2, shape)).astype("f4")
    fan_in = np.prod(shape[1:]) if len(shape) > 1 else 1
    values = rng.normal(0, np.sqrt(2 / fan_in), shape)
    if ".conv" in name:
        # so little comes of these that the variance is far below either epsilon
        values[rng.random_sample(shape[0]) < DEAD_SHARE] *= 1e-7 if name.startswith("features.conv0") else 3e-4
    return values.astype(np.float32)


def images(count: int, seed: int, side: int = 224) -> np.ndarray:
    """Return (count, 1, side, side) float32 in [-1024, 1024), multiples of 1/8, which grey in [0, 1] gives exactly."""
    rng = np.random.RandomState(seed)
    made = np.zeros((count, side, side))
    for cells in (2, 7, 14, 56):
        for image in made:
            coarse = rng.random_sample((cells, cells))
            image += np.kron(coarse, np.ones((side // cells, side // cells))) * rng.uniform(0.2, 1)
    made -= made.min(axis=(1, 2), keepdims=True)
    made /= made.max(axis=(1, 2), keepdims=True)
    made[::3, :, : side // 8] = 0  # a black border
    return (np.minimum(np.floor(made * 16384), 16383) / 8 - 1024).astype(np.float32)[:, None]


def test_images() -> np.ndarray:
    return images(6, 3)


def norms() -> list[tuple[str, int]]:
    """Return the batch normalisations and their channels, in torch's order."""
    return [(n.removesuffix(".running_mean"), s[0]) for n, s in layout() if n.endswith(".running_mean")]


@cache
def reference() -> dict[str, np.ndarray]:
    """Return what torchxrayvision answered; see ``make_reference.py``."""
    with np.load(REFERENCE) as file:
        return {name: file[name] for name in file.files}


def widened(half: np.ndarray) -> np.ndarray:
    """Return bfloat16, kept as the upper halves of float32, as float32."""
    return (half.astype(np.uint32) << 16).view(np.float32)


def arrays_with(means: np.ndarray, variances: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """Return all arrays by name, with these statistics of the normalisations and this head."""
    arrays = {name: drawn(name, shape) for name, shape in layout()}
    at = 0
    for name, channels in norms():
        arrays[f"{name}.running_mean"] = means[at : at + channels].copy()
        arrays[f"{name}.running_var"] = variances[at : at + channels].copy()
        at += channels
    arrays["classifier.weight"] = arrays["classifier.weight"] * scale[:, None]
    arrays["classifier.bias"] = bias
    return arrays


@cache
def full_arrays() -> dict[str, np.ndarray]:
    """Return the arrays that torchxrayvision was given."""
    stored = reference()
    return arrays_with(
        widened(stored["means"]), widened(stored["variances"]), stored["head_scale"], stored["head_bias"]
    )


def digest(arrays: dict[str, np.ndarray]) -> str:
    sha256 = hashlib.sha256()
    for name in sorted(arrays):
        sha256.update(name.encode() + arrays[name].tobytes())
    return sha256.hexdigest()


def skeleton(data: bytes, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Take the large arrays' bytes out of a file; :func:`rebuilt` puts them in again."""
    places: list[tuple[int, str, int]] = []
    # long ones first: the statistics of one layer begin with those of the layer before it
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].nbytes):
        content = array.tobytes()
        if len(content) >= 256:
            at = data.index(content)
            while any(at < start + length and start < at + len(content) for start, _, length in places):
                at = data.index(content, at + 1)
            places.append((at, name, len(content)))
    rest, at = io.BytesIO(), 0
    for offset, _, length in sorted(places):
        rest.write(data[at:offset])
        at = offset + length
    rest.write(data[at:])
    return {
        "rest": np.frombuffer(lzma.compress(rest.getvalue(), preset=9), np.uint8),
        "names": np.array([name for _, name, _ in sorted(places)]),
        "offsets": np.array([offset for offset, _, _ in sorted(places)]),
        "sha256": np.array(hashlib.sha256(data).hexdigest()),
    }


def rebuilt(kind: str) -> bytes:
    """Return the file that ``torch.save(model)`` wrote, byte for byte; ``kind`` is ``zip`` or ``legacy``."""
    stored, arrays = reference(), full_arrays()
    rest = io.BytesIO(lzma.decompress(stored[f"{kind}_rest"].tobytes()))
    made = io.BytesIO()
    for name, offset in zip(stored[f"{kind}_names"].tolist(), stored[f"{kind}_offsets"].tolist(), strict=True):
        made.write(rest.read(offset - made.tell()))
        made.write(arrays[name].tobytes())
    made.write(rest.read())
    return made.getvalue()


def op_norm(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Scale scores as torchxrayvision does: piecewise linear, each label's threshold at 0.5.

    Source: Cohen et al., *TorchXRayVision*, MIDL 2022, section 2.5 (arXiv 2111.00595), and ``op_norm`` in its
    ``models.py``. The result is no probability.

    Args:
        scores: (n, labels) sigmoids in [0, 1].
        thresholds: (labels,) in (0, 1); NaN where a label has none.

    Returns:
        (n, labels) in the type of ``scores``: s / (2 t) below t, 1 - (1 - s) / (2 (1 - t)) from t on, and
        0.5 for every image where t is NaN.
    """
    thresholds = np.asarray(thresholds, dtype=scores.dtype)
    below = scores / (2 * thresholds)
    above = 1 - (1 - scores) / (2 * (1 - thresholds))
    scaled = np.where(scores < thresholds, below, above)
    return np.where(np.isnan(thresholds), scores.dtype.type(0.5), scaled)
