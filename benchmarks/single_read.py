"""What one read costs: its parts, and what each is measured against. Run by ``bench``, and with peers by the tests."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import openvino
import openvino.opset15 as ops
import pydicom
from pydicom.uid import JPEGLSLossless

from cxr_core.errors import CxrError
from cxr_core.explain import heat_maps
from cxr_core.explain.overlay import resample_to_image
from cxr_core.files import file_sha256
from cxr_core.imaging import prepare, read_radiograph, render8
from cxr_core.model import ModelFolder, Predictor, class_maps, prepare_input
from cxr_core.model.findings import make_findings
from cxr_core.model.folder import GRAPH, GRAPH_WEIGHTS, INT8_GRAPH, INT8_WEIGHTS
from cxr_core.model.openvino_engine import threads
from cxr_core.model.precision import INT8_ENGINE
from cxr_core.model.predictor import open_engine
from cxr_core.reading import read_image
from cxr_core.report import heatmaps_npz

from .interleaved import WARM_UP, Line, Part, timed
from .made_up_images import images

__all__ = [
    "PAPER_SIZE",
    "Bench",
    "before_the_network",
    "cold_start",
    "multiply_adds",
    "network",
    "one_read",
    "predictor_at",
    "with_maps",
]

PAPER_SIZE = 320
"""Side of the network's input in the paper."""
SIDE = 2048
"""Of the square matrices: large enough that the rate no longer grows."""
COLD_ROUNDS = 3


@dataclass
class Bench:
    """Parts to be run in turn, the lines of the table, and the settings to be named beside it."""

    rounds: int
    warm_up: int = WARM_UP
    parts: dict[str, Part] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)


def one_read(folder: ModelFolder, scratch: Path, rounds: int, products: Sequence[str] = ()) -> Bench:
    """Return the parts of a read by a model, at the paper's size of input and at its own.

    Args:
        folder: the model; at another size than its own its numbers mean nothing, and take as long.
        scratch: a folder for the graphs of other sizes.
        rounds: how many.
        products: names of further parts that multiply square matrices of ``SIDE``.
    """
    bench = Bench(rounds)
    _matrix_products(bench)
    pictures = images()
    for size in dict.fromkeys((PAPER_SIZE, folder.card.input.size)):
        predictor = predictor_at(folder, size, scratch)
        image = prepare_input(read_radiograph(pictures["DICOM"]), predictor.card.input.preparation())
        _network(bench, predictor, image, (*_PRODUCTS, *products))
        _maps(bench, predictor, image)
        _reads(bench, predictor, pictures)
    _decoding(bench, pictures["DICOM"])
    bench.settings += _settings(pictures)
    return bench


def network(size: int) -> str:
    """Return the name of the part that is one forward pass of the serving engine."""
    return f"network at {size} x {size}"


def with_maps(size: int) -> str:
    """Return the name of the part that is one forward pass and its fourteen maps."""
    return f"network and all maps at {size} x {size}"


def predictor_at(folder: ModelFolder, size: int, scratch: Path) -> Predictor:
    """Return a predictor with the same weights for another size of input.

    A folder at INT8 gives one at INT8. Up to the pooling the network is convolutional, and the pooling takes any grid:
    the graph of another size is this graph with other shapes.
    """
    names = (GRAPH, GRAPH_WEIGHTS) if folder.int8 is None else (INT8_GRAPH, INT8_WEIGHTS)
    if size != folder.card.input.size:
        path = scratch / str(size)
        shutil.copytree(folder.int8 or folder.path, path)
        graph = openvino.Core().read_model(folder.graph)
        graph.reshape([-1, size, size, 1])
        openvino.save_model(graph, path / names[0], compress_to_fp16=False)
        # a compiled graph is kept by these: with the old ones the old graph would be run
        files = dict(folder.card.files) | {name: file_sha256(path / name) for name in names}
        card = replace(folder.card, input=replace(folder.card.input, size=size), files=files)
        folder = ModelFolder(path, card) if folder.int8 is None else ModelFolder(folder.path, card, path)
    return Predictor(folder, open_engine(folder, "openvino" if folder.int8 is None else INT8_ENGINE))


def multiply_adds(graph: openvino.Model) -> int:
    """Return how many products a forward pass of one image adds up: those of convolutions and of the dense layer."""
    total = 0
    for node in graph.get_ordered_ops():
        kind = node.get_type_name()
        if kind == "Convolution":
            # of (n, channels, rows, columns); every cell takes the whole kernel
            cells = [node.get_output_partial_shape(0)[axis].get_length() for axis in (2, 3)]
            total += int(np.prod(cells)) * int(np.prod(node.input_value(1).get_shape()))
        elif kind == "MatMul":
            total += int(np.prod(node.input_value(1).get_shape()))
    return total


NUMPY_PRODUCT, OPENVINO_PRODUCT = "matrix product, NumPy", "matrix product, OpenVINO"
_PRODUCTS = (NUMPY_PRODUCT, OPENVINO_PRODUCT)


def _matrix_products(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    left, right = (rng.random((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    out = np.empty_like(left)
    given = ops.parameter([SIDE, SIDE], np.float32)
    graph = openvino.Model([ops.matmul(given, ops.constant(right), False, False)], [given])
    request = _compiled(graph)
    bench.parts[NUMPY_PRODUCT] = timed(lambda: np.matmul(left, right, out=out))
    bench.parts[OPENVINO_PRODUCT] = timed(lambda: request.infer([left], share_inputs=True, share_outputs=True))


def _compiled(graph: openvino.Model) -> openvino.InferRequest:
    """Return a request of a graph that is compiled as the serving engine compiles its own."""
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads()}
    return openvino.Core().compile_model(graph, "CPU", options).create_infer_request()


def _network(bench: Bench, predictor: Predictor, image, products: tuple[str, ...]) -> None:
    size = predictor.card.input.size
    name, pixels = network(size), image.pixels[None]
    operations = 2 * multiply_adds(openvino.Core().read_model(predictor.folder.graph))
    bench.parts[name] = timed(lambda: predictor.engine.infer(pixels))
    work = {name: operations} | dict.fromkeys(products, 2 * SIDE**3)
    bench.lines.append(
        Line(
            f"{name}, {operations / 1e9:.1f} GFLOP, to as many of a matrix product of {SIDE} x {SIDE}",
            name,
            products,
            work,
            at_most=1.3 if size == PAPER_SIZE else None,
        )
    )


def _maps(bench: Bench, predictor: Predictor, image) -> None:
    size, engine, card = predictor.card.input.size, predictor.engine, predictor.card
    pixels, point = image.pixels[None], card.operating_point()
    graph = openvino.Core().read_model(predictor.folder.graph)
    alone = openvino.Model([graph.output("logits")], graph.get_parameters())
    request = _compiled(alone)

    def without() -> None:
        make_findings(card, request.infer([pixels])[0][0].copy(), point)

    def with_all() -> None:
        inference = engine.infer(pixels)
        make_findings(card, inference.logits[0], point)
        np.maximum(class_maps(inference.features[0], engine.head), 0)

    name = f"findings without maps at {size} x {size}"
    bench.parts |= {name: timed(without), with_maps(size): timed(with_all)}
    bench.lines.append(Line(f"findings with all maps at {size} x {size}", with_maps(size), (name,), at_most=1.05))


def _reads(bench: Bench, predictor: Predictor, pictures: dict[str, bytes]) -> None:
    size = predictor.card.input.size
    base, paper = network(size), size == PAPER_SIZE
    aims = {"PNG": 1.25, "DICOM": 1.5} if paper else {"PNG": 1.4, "DICOM": 1.6}
    for kind, what in (("PNG", "PNG of 1024 x 1024"), ("DICOM", "DICOM of 2500 x 2000 in 16 bits")):
        name = f"{what}, bytes to findings and maps"
        part = f"{name}, {size}"
        read = partial(_read, pictures[kind], predictor)
        radiograph, reading, heats = read()
        if not reading.findings:
            raise CxrError(f"The made-up {kind} was refused: {'; '.join(reading.quality.reasons)}.")
        bench.parts[part] = timed(read)
        bench.lines.append(Line(name, part, (base,), at_most=aims[kind]))
    if not paper:
        before_the_network(bench, "PNG", pictures["PNG"], predictor)
        return
    data, preparation, card = pictures["DICOM"], predictor.card.input.preparation(), predictor.card
    stages: dict[str, tuple[Callable[[], object], float | None]] = {
        "bytes to radiograph": (lambda: read_radiograph(data), None),
        "gate's verdict, with the digest": (lambda: _judged(read_radiograph(data)), None),
        "radiograph to input": (lambda: prepare(radiograph.display, preparation), None),
        "maps to npz": (lambda: heatmaps_npz(reading, card), None),
        "one map on the image's own grid": (lambda: resample_to_image(heats[0]), 0.25),
    }
    for stage, (work, aim) in stages.items():
        bench.parts[stage] = timed(work)
        bench.lines.append(Line(f"of that DICOM: {stage}", stage, (base,), at_most=aim))


def before_the_network(bench: Bench, what: str, data: bytes, predictor: Predictor) -> None:
    """Add what an image takes before the network has it: its decoding, and the gate beside the input.

    Args:
        bench: with the part :func:`network` of the model's size.
        what: names the image.
        data: its file.
        predictor: the model.
    """
    preparation, radiograph = predictor.card.input.preparation(), read_radiograph(data)
    parts: dict[str, Callable[[], object]] = {
        f"of that {what}: bytes to radiograph": lambda: read_radiograph(data),
        # of an image that nobody has looked at yet
        f"of that {what}: gate and input": lambda: prepare_input(replace(radiograph), preparation),
    }
    for part, work in parts.items():
        bench.parts[part] = timed(work)
        bench.lines.append(Line(part, part, (network(predictor.card.input.size),)))


def _read(data: bytes, predictor: Predictor):
    radiograph, reading = read_image(data, predictor)
    return radiograph, reading, heat_maps(reading, predictor.card)


def _judged(image) -> tuple:
    return image.quality, image.sha256


def _decoding(bench: Bench, plain: bytes) -> None:
    """Bytes to the 8-bit picture of the viewer, and to that with verdict and digest, against pydicom's pixels."""
    packed = pydicom.dcmread(io.BytesIO(plain))
    packed.compress(JPEGLSLossless, generate_instance_uid=False)
    file = io.BytesIO()
    packed.save_as(file)
    for syntax, data in (("uncompressed", plain), ("JPEG-LS lossless", file.getvalue())):
        theirs, shown, judged = (f"{words}, {syntax}" for words in ("pydicom's pixel_array", "picture", "verdict"))
        bench.parts |= {
            theirs: timed(partial(lambda data: pydicom.dcmread(io.BytesIO(data)).pixel_array, data)),
            shown: timed(partial(lambda data: render8(read_radiograph(data)), data)),
            judged: timed(partial(_shown_and_judged, data)),
        }
        bench.lines += [
            Line(f"that DICOM, {syntax}, bytes to the viewer's picture", shown, (theirs,)),
            Line(f"that DICOM, {syntax}, with the gate's verdict and the digest", judged, (theirs,)),
        ]


def _shown_and_judged(data: bytes) -> None:
    image = read_radiograph(data)
    render8(image)
    _judged(image)


def cold_start(folder: ModelFolder, scratch: Path) -> Bench:
    """Return the parts that start the command and wait for its end, by engine."""
    path = scratch / "image.png"
    path.write_bytes(images()["PNG"])
    bench = Bench(COLD_ROUNDS, warm_up=1)
    ours, theirs = (f"command from its start, {engine}" for engine in ("openvino", "tensorflow"))
    for name, engine in ((ours, "openvino"), (theirs, "tensorflow")):
        command = [sys.executable, "-m", "cxr_core", "predict", str(path), "--model", str(folder.path)]
        command += ["--engine", engine]
        bench.parts[name] = timed(partial(_run, command))
    what = f"`predict ONE.png`, start of the process to its end, {COLD_ROUNDS} rounds"
    bench.lines.append(Line(what, ours, (theirs,), at_most=0.2))
    return bench


def _run(command: list[str]) -> None:
    status = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    if status:
        raise CxrError(f"{' '.join(command[2:4])} {' '.join(command[-2:])} ended with status {status}.")


def _settings(pictures: dict[str, bytes]) -> list[str]:
    blas = np.show_config("dicts")["Build Dependencies"]["blas"]
    sizes = " and ".join(f"{len(data) / 1e6:.1f} MB ({kind})" for kind, data in pictures.items())
    return [
        f"files of {sizes}",
        f"OpenVINO {openvino.__version__.split('-')[0]}, INFERENCE_PRECISION_HINT f32",
        f"NumPy {np.__version__} with {blas['name']} {blas['version']}",
    ]
