"""``bench``: the figures of docs/performance.md, as ratios measured in one run."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import pydicom
import typer
from pydicom.uid import JPEGLSLossless

from ..explain import heat_maps
from ..imaging import phantom, phantom_dicom, prepare, read_radiograph, render8
from ..model import class_maps, prepare_film, shared_predictor
from ..reading import read_film
from ..report import heatmaps_npz

__all__ = ["bench"]


def bench(
    model: Annotated[str | None, typer.Option(metavar="ID", help="Model to measure.")] = None,
    runs: Annotated[int, typer.Option(min=3, help="Repeats; medians are printed.")] = 15,
    tensorflow: Annotated[bool, typer.Option(help="Compare with the reference engine too.")] = True,
) -> None:
    """Print what a reading costs, each part as a share of one forward pass of the serving engine."""
    predictor = shared_predictor(model, "openvino")
    data = phantom_dicom(2048, 1792)
    film = read_radiograph(data)
    preparation = predictor.card.input.preparation()
    reading = predictor.read(prepare_film(film, preparation))
    prepared = prepare(film.display, preparation)[0][None]
    answer = predictor.engine.infer(prepared)
    engine = _median(lambda: predictor.engine.infer(prepared), runs)
    print(f"median of {runs} runs, phantom of 2048 x 1792 pixels in 12 bits, model {predictor.card.id}")
    print(f"one forward pass, OpenVINO: {1000 * engine:.1f} ms = 1")
    parts: dict[str, Callable[[], object]] = {
        "bytes to radiograph": lambda: read_radiograph(data),
        "radiograph to input": lambda: prepare(film.display, preparation),
        "14 class maps": lambda: class_maps(answer.features[0], predictor.engine.head),
        "14 heat maps": lambda: heat_maps(reading, predictor.card),
        "maps to npz": lambda: heatmaps_npz(reading, predictor.card),
        "bytes to reading, all together": lambda: read_film(data, predictor),
    }
    for name, part in parts.items():
        print(f"{name}: {_median(part, runs) / engine:.2f}")
    for syntax, ratio in _decoding(runs).items():
        print(f"bytes to display, 3000 x 2500 pixels in 16 bits, {syntax}: {ratio[0]:.2f} times pydicom's pixel_array")
        print(f"  with the gate's verdict and the digest of the bytes: {ratio[1]:.2f} times")
    if tensorflow:
        reference = shared_predictor(model, "tensorflow")
        reference.engine.infer(prepared)
        print(f"one forward pass, TensorFlow: {_median(lambda: reference.engine.infer(prepared), runs) / engine:.2f}")


def _decoding(runs: int) -> dict[str, tuple[float, float]]:
    """Return how long a film takes to its 8-bit picture, and to that with verdict and digest.

    Both in times of pydicom's bytes to pixel_array, in turn with it.
    """
    values = np.kron(phantom(750, 625), np.ones((4, 4), np.uint16)).astype(np.uint16) << 4
    plain = phantom_dicom(values=values, BitsStored=16, HighBit=15, WindowCenter=32768, WindowWidth=65536)
    packed = pydicom.dcmread(io.BytesIO(plain))
    packed.compress(JPEGLSLossless, generate_instance_uid=False)
    file = io.BytesIO()
    packed.save_as(file)
    ratios = {}
    for name, data in (("uncompressed", plain), ("JPEG-LS lossless", file.getvalue())):
        # in turn, since the machine's speed drifts
        theirs, display, judged = zip(*(_decode_once(data) for _ in range(runs)), strict=True)
        theirs = statistics.median(theirs)
        ratios[name] = statistics.median(display) / theirs, statistics.median(judged) / theirs
    return ratios


def _decode_once(data: bytes) -> tuple[float, float, float]:
    """Return the seconds of pydicom, of ours to the picture, and of ours with verdict and digest."""
    start = time.perf_counter()
    pydicom.dcmread(io.BytesIO(data)).pixel_array  # noqa: B018 - decoded when it is asked for
    between = time.perf_counter()
    film = read_radiograph(data)
    render8(film)
    shown = time.perf_counter()
    film.quality, film.sha256  # noqa: B018 - as above
    end = time.perf_counter()
    return between - start, shown - between, end - between


def _median(part: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        part()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
