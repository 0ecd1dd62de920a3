"""What a read is measured by: operations counted, another size of input, the parts of the table."""

import numpy as np
import openvino
import pytest

from benchmarks import single_read as one_read
from benchmarks.int8 import int8_lines
from benchmarks.interleaved import Line
from benchmarks.made_up_images import png
from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.model import class_maps, open_model


@pytest.fixture(scope="module")
def folder():
    return open_model("second-read-mini")


@pytest.fixture(scope="module")
def at_96(folder, tmp_path_factory):
    return one_read.predictor_at(folder, 96, tmp_path_factory.mktemp("sizes"))


def by_hand(size: int, channels: int, classes: int) -> int:
    """DenseNet121 after Huang et al. 2017, table 1: growth 32, bottlenecks of 128, transitions that halve."""
    grid, width = size // 4, 64
    total = (size // 2) ** 2 * 7 * 7 * channels * width
    for number, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            total += grid**2 * (width * 128 + 3 * 3 * 128 * 32)
            width += 32
        if number < 3:
            total += grid**2 * width * (width // 2)
            width, grid = width // 2, grid // 2
    return total + width * classes


def test_operations_are_those_of_the_architecture(folder, at_96):
    graph = openvino.Core().read_model(folder.graph)
    assert one_read.multiply_adds(graph) == by_hand(224, 1, 14)
    assert one_read.multiply_adds(openvino.Core().read_model(at_96.folder.graph)) == by_hand(96, 1, 14)
    # as published for three channels and a thousand classes: 2.83 GMAC
    assert by_hand(224, 3, 1000) / 1e9 == pytest.approx(2.83, abs=0.005)


def test_at_another_size_maps_still_add_up_to_the_answer(at_96):
    images = np.random.default_rng(0).random((1, 96, 96, 1), dtype=np.float32)
    answer, head = at_96.engine.infer(images), at_96.engine.head
    assert answer.features.shape == (1, 3, 3, 1024)
    maps = class_maps(answer.features[0], head)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)) + head.bias, answer.logits[0], rtol=1e-4, atol=1e-4)
    assert at_96.card.input.size == 96


def test_every_part_runs_and_every_line_has_its_parts(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(one_read, "SIDE", 8)
    monkeypatch.setattr(one_read, "PAPER_SIZE", folder.card.input.size)  # one size: half the graphs to compile
    small = {"PNG": png((phantom(96, 96, text=False) >> 4).astype(np.uint8))}
    small["DICOM"] = phantom_dicom(128, 96)
    monkeypatch.setattr(one_read, "images", lambda: small)
    bench = one_read.one_read(folder, tmp_path, 1)
    assert all(part() > 0 for part in bench.parts.values())
    for line in bench.lines:
        assert isinstance(line, Line)
        assert {line.over, *line.under, *(line.work or {})} <= bench.parts.keys()
    # rows at INT8 compare with parts of the same rounds
    for line in int8_lines((folder.card.input.size,)):
        assert set(line.under) <= bench.parts.keys()
    assert bench.settings


def test_made_up_images_are_no_easier_to_pack_than_a_real_one():
    image = one_read.images()
    # a PNG of this size in ChestX-ray14 has some 0.4 MB
    assert 0.3e6 < len(image["PNG"]) < 0.8e6
    assert len(image["DICOM"]) == pytest.approx(2 * 2500 * 2000, rel=0.01)
