"""Rows at INT8: each part beside its counterpart at float32, and without a graph a row that says so."""

import pytest

from benchmarks import int8
from benchmarks.single_read import network
from cxr_core.model import open_model
from cxr_core.settings import settings
from tests.small_models import pretended_int8, small_model


@pytest.fixture
def model(tmp_path, own_folders):
    folder = small_model(tmp_path / "small")
    own_folders.setenv("SECOND_READ_MODEL", str(folder))
    settings.cache_clear()
    return open_model(str(folder))


@pytest.fixture
def one_size(model, monkeypatch):
    """The paper's size is that of the model: half of the graphs to compile."""
    monkeypatch.setattr(int8, "PAPER_SIZE", model.card.input.size)
    return model.card.input.size


def test_without_the_graph_every_row_says_so(model, any_processor, tmp_path):
    bench = int8.int8_rows(model, tmp_path)
    assert not bench.parts
    assert len(bench.lines) == 4
    for line in bench.lines:
        assert "at INT8" in line.what
        assert "it has no INT8 graph" in line.missing
        assert line.at_most == (0.5 if line.what.startswith("network") else None)


def test_every_part_runs_and_is_compared_with_that_of_float32(model, one_size, any_processor, tmp_path, monkeypatch):
    pretended_int8(model)
    used = []
    monkeypatch.setattr(int8, "read_image", lambda data, predictor: used.append(predictor.engine.name))
    bench = int8.int8_rows(model, tmp_path)
    assert set(bench.parts) == {line.over for line in bench.lines}
    assert all(part() > 0 for part in bench.parts.values())
    assert used == ["openvino-int8"]
    assert [line.under for line in bench.lines] == [
        (network(one_size),), (f"PNG of 1024 x 1024, bytes to findings and maps, {one_size}",),
    ]  # fmt: skip
