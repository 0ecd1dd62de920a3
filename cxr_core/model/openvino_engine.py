"""The engine that serves: OpenVINO on the graph that the model folder carries."""

from __future__ import annotations

import os
from queue import Queue

import numpy as np
import openvino

from ..errors import ModelUnusable
from .compiled import compile_once
from .engines import Head, Inference
from .folder import ModelFolder

__all__ = ["OpenVinoEngine", "threads"]

# one request runs on all cores already; a second only fills the gaps between two films
REQUESTS = 2


class OpenVinoEngine:
    """Compiles the graph once; ``infer`` waits for one of a few requests.

    Films are given one by one: a batch of several takes as long for each, with the same bits.
    """

    name = "openvino"

    def __init__(self, folder: ModelFolder, *, throughput: bool = False) -> None:
        core = openvino.Core()
        try:
            graph = core.read_model(folder.graph)
            self.head = _head(graph, len(folder.card.labels))
            # some processors default to less than float32, and the states would move with them
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

    def infer(self, films: np.ndarray) -> Inference:
        """Run (n, size, size, 1) float32 films in [0, 1] forward, once."""
        request = self._requests.get()
        try:
            answer = request.infer([np.ascontiguousarray(films, dtype=np.float32)])
            # the request's own memory is written over by the next film
            return Inference(answer[self._features].copy(), answer[self._logits].copy())
        finally:
            self._requests.put(request)


def threads() -> int:
    """Return how many threads to use: all cores, or what this process was told to be content with."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) else os.cpu_count() or 1


def _head(graph: openvino.Model, classes: int) -> Head:
    """Read the dense layer's constants out of the graph: logits = pooled x kernel + bias.

    A bias of noughts is left out of the graph when it is written, and one that is the same for all labels may stand
    there as a single number.
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
