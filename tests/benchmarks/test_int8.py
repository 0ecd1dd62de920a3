"""The table of INT8: every part beside its counterpart, and without a graph a row that says so."""

import pytest

from benchmarks import int8
from cxr_core.model import open_model
from cxr_core.settings import settings
from tests.small_models import pretended_int8, small_model


@pytest.fixture
def model(tmp_path, own_folders):
    folder = small_model(tmp_path / "small")
    own_folders.setenv("SECOND_READ_MODEL", str(folder))
    settings.cache_clear()
    return open_model(str(folder))


def test_without_the_graph_every_row_says_so(model, any_processor):
    rows = [row for row in int8.measured(3, 1, 4).splitlines() if " at INT8 |" in row]
    assert len(rows) == 3
    assert all("it has no INT8 graph" in row for row in rows)
    assert sum("at most 0.5" in row for row in rows) == 2


def test_every_part_is_measured_beside_its_counterpart(model, any_processor, monkeypatch):
    engines = []
    monkeypatch.setattr(int8, "write_images", lambda folder, count: "phantoms")
    monkeypatch.setattr(int8, "read_archive", lambda paths, out, model, engine, *_, **__: engines.append(engine) or 0)
    pretended_int8(model)
    table = int8.measured(3, 2, 4)
    assert sorted(engines) == 3 * ["openvino"] + 3 * ["openvino-int8"]
    rows = [row for row in table.splitlines() if " at INT8 |" in row]
    assert len(rows) == 3
    assert all(" at float32 |" in row for row in rows)
    assert "archive of 4 PNG files of phantoms" in table


def test_the_lines_are_int8_over_float32():
    for line in int8.lines_of(224, 100):
        assert line.over.endswith(" at INT8")
        assert line.under == (line.over.replace("INT8", "float32"),)
