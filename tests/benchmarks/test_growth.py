"""The cells of growth: kept, told ahead, written down."""

import dataclasses
import hashlib

from benchmarks import growth
from benchmarks.growth import Cell
from cxr_core.settings import settings
from tests.small_models import small_model

CELLS = [Cell(n, c, 2 + n / 10 / c, 400.0 + c, 1, 0.5, "a phantom") for n in (1, 100) for c in (1, 2)]


def test_cells_are_kept(tmp_path):
    path = tmp_path / "runs" / "cells.json"
    assert growth.read_cells(path) == {}
    growth.write_cells(path, reversed(CELLS))
    assert list(growth.read_cells(path).values()) == CELLS


def test_a_cell_is_told_ahead_by_the_next_smaller_one():
    assert growth.expected_seconds(CELLS, 1000, 2) == 10 * 7
    # of one image all is starting up
    assert growth.expected_seconds(CELLS, 10, 2) is None


def test_images_differ_and_those_that_are_there_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "SHARED", tmp_path / "nowhere")
    monkeypatch.setattr(growth, "SIDE", 32)
    growth.write_images(tmp_path, 3)
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    growth.write_images(tmp_path, 20)
    paths = sorted(tmp_path.rglob("*.png"))
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == 20
    assert {path: path.stat().st_mtime_ns for path in first} == first


def test_what_is_missing_is_said(tmp_path):
    rows = growth.table_of(CELLS).splitlines()
    assert "| 100 | 12.0 | 7.0 | 120 | 70 | 401 | 402 |" in rows
    assert "| 10,000 | not measured | not measured |  |  |  |  |" in rows
    assert growth.FIGURE in rows
    assert growth.FIGURE not in growth.table_of(CELLS, figure=False)
    alone = growth.chart_of([dataclasses.replace(CELLS[0], count=10)])
    assert "10 images, 1 core: 2 s, 401 MB" in alone.alt
    assert growth.as_svg(growth.chart_of(CELLS)).startswith(b"<?xml")


def test_without_an_int8_graph_one_line_says_what_is_missing(tmp_path, own_folders, any_processor, capsys, monkeypatch):
    own_folders.setenv("SECOND_READ_MODEL", str(small_model(tmp_path / "small")))
    settings.cache_clear()
    monkeypatch.setattr(growth, "_measured", None)
    assert growth.main(["--precision", "int8", "--work", str(tmp_path), "--counts", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Nothing is measured at INT8. Model small: it has no INT8 graph. Make it with")
