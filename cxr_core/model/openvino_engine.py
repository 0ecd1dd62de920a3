"""The serving engine: OpenVINO on the graph of the model folder, compiled once and cached on disk.

OpenVINO's own cache does not notice a changed byte in the weights that it holds. Here each cached file begins with the
SHA-256 of the rest, and its name is the hash of everything it was made from; a file that does not match is compiled
again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from queue import Queue

import numpy as np
import openvino

from ..errors import ModelUnusable
from ..files import private_folder, write_whole
from ..settings import settings
from .engines import Head, Inference
from .folder import ModelFolder
from .precision import INT8_ENGINE

__all__ = ["OpenVinoEngine", "compile_once", "threads"]


_DIGEST = hashlib.sha256().digest_size


def compile_once(
    core: openvino.Core, graph: openvino.Model, folder: ModelFolder, options: dict[str, object]
) -> openvino.CompiledModel:
    """Return the graph of a checked model folder, compiled for this processor; RuntimeError where it cannot be.

    Where the cache cannot be written, only the time of the next compilation is lost.
    """
    path = _path(core, folder, options)
    cached = _read(path)
    if cached is not None:
        # RuntimeError: made by another build of the same version
        with contextlib.suppress(RuntimeError):
            return core.import_model(cached, "CPU", options)
    compiled = core.compile_model(graph, "CPU", options)
    # a graph that cannot be cached serves all the same; OpenVINO raises ValueError where memory runs out
    with contextlib.suppress(RuntimeError, OSError, ValueError, MemoryError):
        _write(path, compiled.export_model().getvalue())
    return compiled


def _path(core: openvino.Core, folder: ModelFolder, options: dict[str, object]) -> Path:
    sources = {
        "graph": folder.graph_digests,
        "openvino": openvino.get_version(),
        "processor": [
            str(core.get_property("CPU", name)) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
        ],
        "cores": os.cpu_count(),
        "options": options,
    }
    name = hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()
    return settings().runs / "compiled" / f"{name}.blob"


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, compiled = data[:_DIGEST], data[_DIGEST:]
    return compiled if hashlib.sha256(compiled).digest() == digest else None


def _write(path: Path, compiled: bytes) -> None:
    private_folder(path.parent)
    write_whole(path, hashlib.sha256(compiled).digest() + compiled, private=True)


REQUESTS = 2
"""One request uses all cores already; a second fills the gaps between two images."""


class OpenVinoEngine:
    """Runs the graph; ``infer`` waits for one of a few requests.

    Images are given one by one: in a batch each takes as long, with the same bits. The graph is that of
    the folder's precision.
    """

    def __init__(self, folder: ModelFolder, *, throughput: bool = False) -> None:
        self.name = "openvino" if folder.int8 is None else INT8_ENGINE
        core = openvino.Core()
        if folder.int8 is not None and "INT8" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ModelUnusable("INT8: OpenVINO does not compute with 8-bit integers on this processor.")
        try:
            graph = core.read_model(folder.graph)
            self.head = _head(graph, len(folder.card.labels))
            # some processors default to less than float32, which would change states; integers of an INT8 graph stay
            options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads()}
            if throughput:
                options["PERFORMANCE_HINT"] = "THROUGHPUT"
            compiled = compile_once(core, graph, folder, options)
            self._features, self._logits = compiled.output("features"), compiled.output("logits")
        except RuntimeError as error:
            raise ModelUnusable(f"Model {folder.card.id}: OpenVINO cannot use {folder.graph.name}.") from error
        self._requests: Queue[openvino.InferRequest] = Queue()
        self.requests = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) if throughput else REQUESTS
        for _ in range(self.requests):
            self._requests.put(compiled.create_infer_request())

    def infer(self, images: np.ndarray) -> Inference:
        """Run (n, size, size, 1) float32 images in [0, 1] forward, once."""
        request = self._requests.get()
        try:
            answer = request.infer([np.ascontiguousarray(images, dtype=np.float32)])
            # the next image overwrites the request's own memory
            return Inference(answer[self._features].copy(), answer[self._logits].copy())
        finally:
            self._requests.put(request)


def threads() -> int:
    """Return the number of threads to use: ``OMP_NUM_THREADS``, by default one per core."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return int(limit) if limit.isdigit() and int(limit) else os.cpu_count() or 1


def _head(graph: openvino.Model, classes: int) -> Head:
    """Read the dense layer's constants out of the graph: logits = pooled x kernel + bias.

    A bias of zeros is left out of the graph when it is written, and one that is the same for all labels may be stored
    as a single number.
    """
    last = graph.output("logits").get_node().input_value(0).get_node()
    bias, product = None, None
    if last.get_type_name() == "MatMul":
        bias, product = np.zeros(classes, np.float32), last
    for value in last.input_values() if product is None else ():
        node = value.get_node()
        if node.get_type_name() == "MatMul":
            product = node
        elif node.get_type_name() == "Constant":
            bias = node.data.reshape(-1)
            bias = np.repeat(bias, classes) if bias.size == 1 else bias
    if product is None or bias is None or bias.shape != (classes,):
        raise ModelUnusable("The OpenVINO graph does not end in one dense layer; heat maps would be wrong.")
    kernel = product.input_value(1).get_node().data
    if product.get_attributes()["transpose_b"]:
        kernel = kernel.T
    return Head(np.array(kernel, dtype=np.float32), np.array(bias, dtype=np.float32))
