"""The table of archives: the engine alone and the archive in the same rounds, at both precisions."""

import os

import numpy as np
import pytest

from benchmarks import archives
from benchmarks.soak.archive import PARTS, evenly_run_seconds
from cxr_core.errors import ModelUnusable
from cxr_core.model import open_model
from cxr_core.model.precision import at_int8
from cxr_core.settings import settings
from tests.small_models import SIDE, pretended_int8, small_model

COUNT = 2 * PARTS


@pytest.fixture
def model(tmp_path, own_folders, any_processor):
    folder = small_model(tmp_path / "small")
    own_folders.setenv("SECOND_READ_MODEL", str(folder))
    settings.cache_clear()
    return open_model(str(folder))


class Archive:
    """Stands for the command, which reads an archive: it leaves two files, one second apart."""

    def __init__(self):
        self.asked = []

    def __call__(self, images, out, *options, part):
        assert len(list(images.rglob("*.*"))) == COUNT
        self.asked.append((options, part))
        (out / "findings").mkdir(parents=True)
        for number in (0, 1):
            path = out / "findings" / f"{number:06d}.parquet"
            path.touch()
            os.utime(path, (number, number))
        return self

    returncode = 0

    def communicate(self):
        return "", ""


@pytest.fixture
def command(monkeypatch):
    command = Archive()
    monkeypatch.setattr(archives, "started", command)
    return command


def rows(table):
    return [line for line in table.splitlines() if line.startswith(("| engine", "| archive"))]


def test_each_precision_is_read_as_often_and_compared_with_its_engine(model, command):
    pretended_int8(model)
    table = archives.measured(2, COUNT)
    assert sorted(options for options, _ in command.asked) == 3 * [("--precision", "float32")] + 3 * [
        ("--precision", "int8")
    ]
    assert {part for _, part in command.asked} == {COUNT // PARTS}
    alone, alone_at_int8, at_int8_row = rows(table)
    assert "| archive, float32 | 1,000 |" in alone
    assert "| at least 0.9 |" in alone
    assert "| archive, int8 | 1,000 |" in alone_at_int8
    assert at_int8_row.endswith("| 1,000 | archive, float32 | 1,000 | 1.00 (1.00 to 1.00) | at most 0.5 | missed |")
    assert f"{COUNT - COUNT // PARTS} of {COUNT} files" in table


def test_without_the_graph_the_rows_at_int8_say_so_and_the_other_is_measured(model, command):
    with pytest.raises(ModelUnusable):
        at_int8(model)
    alone, *at_int8_rows = rows(archives.measured(1, COUNT))
    assert "| archive, float32 | 1,000 |" in alone
    assert len(at_int8_rows) == 2
    assert all("it has no INT8 graph" in row for row in at_int8_rows)
    assert {options for options, _ in command.asked} == {("--precision", "float32")}


def test_a_command_that_fails_ends_it(model, command):
    command.returncode = 2
    with pytest.raises(SystemExit):
        archives.measured(1, COUNT)


def test_the_engine_computes_every_image_in_each_of_its_ways(model, monkeypatch):
    opened, computed = [], []
    monkeypatch.setattr(archives, "open_engine", lambda folder, name, throughput: opened.append(throughput) or Engine())

    class Engine:
        requests = 2

        def infer(self, images):
            computed.append(len(images))

    arrays = np.zeros((archives.TRIED + 9, SIDE, SIDE, 1), np.float32)
    part = archives.engine_alone(model, arrays)
    assert opened == [False, False, True, True]
    # the first call of each way, and the trial
    assert sum(computed) == 4 * (max(archives.BATCHES) + archives.TRIED)
    computed.clear()
    assert part() > 0
    assert sum(computed) == len(arrays)


def test_what_a_start_takes_is_not_counted(tmp_path):
    for table, number, at in (("findings", 0, 100), ("findings", 1, 104), ("refused", 0, 101), ("refused", 1, 105)):
        path = tmp_path / table / f"{number:06d}.parquet"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (at, at))
    assert evenly_run_seconds(tmp_path) == 5
