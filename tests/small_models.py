"""A model folder with a network of three layers, made in a moment, for tests of what any model folder goes through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import openvino.opset15 as ops

from cxr_core.estimate import Counts, Estimate
from cxr_core.files import file_sha256
from cxr_core.model import ModelCard, ModelFolder, write_card
from cxr_core.model.card import OperatingPoint, Threshold, read_card
from cxr_core.model.folder import (
    CARD,
    GRAPH,
    GRAPH_WEIGHTS,
    INT8_GRAPH,
    INT8_WEIGHTS,
    SUMS,
    WEIGHTS,
    find_model,
    sums_file,
    write_sums,
)
from cxr_core.model.int8 import Int8, LabelAtInt8, MapAgreement, PrecisionDifference
from cxr_core.model.precision import fit_sha256, place_for_int8

SIDE = 64
CHANNELS = 8


def small_model(folder: Path, seed: int = 0) -> Path:
    """Write a folder with the labels of the embedded model; its logits rise with the bright squares of made-up images.

    ``model.keras`` is a name for its weights and no network: only the serving engine can run the folder. Thresholds
    are published ones, which need no counts, at the score of an image without a square.
    """
    embedded = read_card(find_model("second-read-mini") / CARD)
    (folder / GRAPH).parent.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(f"small network {seed}".encode())
    openvino.save_model(small_graph(len(embedded.labels), seed), folder / GRAPH, compress_to_fp16=False)
    files = {name: file_sha256(folder / name) for name in (WEIGHTS, GRAPH, GRAPH_WEIGHTS)}
    thresholds = {label: Threshold(0.5, source="made-up") for label in embedded.labels}
    card = replace(
        embedded,
        id=folder.name,
        title="Small network",
        input=replace(embedded.input, size=SIDE, detail=None),
        weights_sha256=files[WEIGHTS],
        files=files,
        operating_points={"default": OperatingPoint("default", "made-up", "no images", thresholds)},
        map_anchors=dict.fromkeys(embedded.labels, 0.01),
        calibration=None,
        familiarity=None,
        stability=None,
        localisation=(),
        flag_rates=(),
        metrics=(),
    )
    write_card(card, folder / CARD)
    write_sums(folder)
    return folder


def small_graph(classes: int, seed: int = 0) -> openvino.Model:
    """Return (n, SIDE, SIDE, 1) to ``features`` (n, 8, 8, CHANNELS) and ``logits`` (n, classes), channels last."""
    rng = np.random.default_rng(seed)
    image = ops.parameter([-1, SIDE, SIDE, 1], np.float32, name="grey")
    grey = ops.transpose(image, ops.constant(np.array([0, 3, 1, 2])))
    # the first channel sees what is brighter than the noise, the others something or other
    kernel = rng.normal(0, 0.1, (CHANNELS, 1, 4, 4)).astype(np.float32)
    kernel[0] = 1 / 16
    bias = np.full((1, CHANNELS, 1, 1), 0.05, np.float32)
    bias[0, 0] = -0.8
    edges = np.array([4, 4])
    bright = ops.relu(ops.add(ops.convolution(grey, ops.constant(kernel), edges, [0, 0], [0, 0], [1, 1]), bias))
    mixed = rng.normal(0, 0.1, (CHANNELS, CHANNELS, 2, 2)).astype(np.float32)
    mixed[0] = 0
    mixed[0, 0] = 1
    deeper = ops.relu(ops.convolution(bright, ops.constant(mixed), [2, 2], [0, 0], [0, 0], [1, 1]))
    features = ops.transpose(deeper, ops.constant(np.array([0, 2, 3, 1])))
    pooled = ops.reduce_mean(features, ops.constant(np.array([1, 2])), keep_dims=False)
    dense = rng.normal(0, 1, (CHANNELS, classes)).astype(np.float32)
    dense[0] = 60
    logits = ops.add(ops.matmul(pooled, ops.constant(dense), False, False), np.full((1, classes), -0.5, np.float32))
    for node, name in ((features, "features"), (logits, "logits")):
        node.output(0).set_names({name})
    return openvino.Model([ops.result(features), ops.result(logits)], [image], "small")


def pretended_int8(model: ModelFolder, card: ModelCard | None = None) -> Path:
    """Write in the place of the INT8 graph of a model another float32 graph with a card of its own; return the place.

    Needs no NNCF; what reads the folder cannot tell. With a card, only that and its hash are written.
    """
    place = place_for_int8(model)
    place.mkdir(parents=True, exist_ok=True)
    if card is None:
        openvino.save_model(small_graph(len(model.card.labels), seed=1), place / INT8_GRAPH, compress_to_fp16=False)
    files = {name: file_sha256(place / name) for name in (INT8_GRAPH, INT8_WEIGHTS)}
    if card is None:
        difference = made_up_difference(model.card.labels)
        int8 = Int8(files[INT8_GRAPH], files[INT8_WEIGHTS], fit_sha256(model.card), "pretended", 20, 10, difference)
        anchors = dict.fromkeys(model.card.labels, 0.02)
        curves = model.card.calibration
        if curves is not None:
            curves = replace(curves, weights_sha256=files[INT8_WEIGHTS])
        card = replace(model.card, files=files, int8=int8, map_anchors=anchors, calibration=curves)
    write_card(card, place / CARD)
    listed = {name: file_sha256(place / name) for name in (CARD, *files)}
    (place / SUMS).write_bytes(sums_file(listed))
    return place


def made_up_difference(labels: tuple[str, ...]) -> PrecisionDifference:
    """Return a difference between the precisions with made-up numbers."""
    rate = Estimate(0.05, 0.01, 0.12, Counts(2, 38, 2, 18))
    auc, change = Estimate(0.8, 0.7, 0.9), Estimate(-0.001, -0.004, 0.002)
    maps = MapAgreement(Estimate(0.99, 0.98, 1.0), Estimate(0.9, 0.8, 0.95), Estimate(0.97, 0.9, 0.99))
    return PrecisionDifference(
        images="made-up images",
        sources=("made-up",),
        reference="made-up labels",
        split="",
        split_sha256="",
        number_of_images=40,
        number_of_patients=20,
        interval="95 %, made up",
        operating_point="default",
        fitted_here=True,
        mean_auc=auc,
        mean_auc_float32=auc,
        mean_auc_difference=change,
        any_state=rate,
        familiarity_changes=rate,
        maps=maps,
        maps_above=maps,
        per_label={label: LabelAtInt8(auc, auc, change, rate, 0.998, maps) for label in labels},
    )
