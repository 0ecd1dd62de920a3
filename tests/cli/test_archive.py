"""``predict --archive``: the rows of ``predict --csv``, whatever was killed on the way."""

import csv
import os
import shutil
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest

from cxr_core.cli import archive
from cxr_core.cli.main import main
from cxr_core.labels import NOTICE
from cxr_core.report import CSV_COLUMNS
from tests.archives import LIMIT, kill_group, reading, table, wait_for_parts, wait_until_gone
from tests.images import mixed_images

COUNT, REFUSED = 60, 12


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Sixty files, twelve of them refused."""
    folder = tmp_path_factory.mktemp("images") / "archive"
    mixed_images(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def plain(images, tmp_path_factory):
    """The rows that ``predict --csv`` writes of them."""
    out = tmp_path_factory.mktemp("plain") / "out.csv"
    assert main(["predict", str(images), "--csv", "--out", str(out)]) == 3
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def as_csv(row):
    """Return a row of an archive as the CSV has it."""
    return {column: "" if row[column] is None else str(row[column]) for column in CSV_COLUMNS}


def assert_same_rows(out, plain):
    findings, refused = table(out).to_pylist(), table(out, "refused").to_pylist()
    files = [row["file"] for row in findings]
    assert len(files) == 14 * len(set(files))
    assert len({row["file"] for row in refused}) == len(refused)
    assert len(set(files)) + len(refused) == len({row["file"] for row in plain})

    def order(row):
        return row["file"], row["label"]

    assert sorted(map(as_csv, findings + refused), key=order) == sorted(plain, key=order)


@pytest.mark.slow
def test_killed_twice_and_stopped_once_it_ends_as_if_nothing_had_been(images, plain, tmp_path):
    rng = np.random.default_rng()
    out, options = tmp_path / "out", ("--workers", "2")
    with reading(images, out, *options, part=2) as process:
        wait_for_parts(process, out, int(rng.integers(1, 4)))
        kill_group(process)
    with reading(images, out, *options, "--resume", part=2) as process:
        wait_for_parts(process, out, int(rng.integers(5, 8)))
        # the command alone: what it started must end by itself
        os.kill(process.pid, signal.SIGKILL)
        # its output is open for as long as anything of it runs
        process.communicate(timeout=LIMIT)
        assert wait_until_gone(process.pid)
    with reading(images, out, *options, "--resume", part=2) as process:
        wait_for_parts(process, out, int(rng.integers(9, 12)))
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Stopped. Finished readings are stored: continue with --resume."
    assert "Traceback" not in err
    with reading(images, out, *options, "--resume", part=2) as process:
        output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 3
    assert output.startswith(f"{COUNT - REFUSED} images read, {REFUSED} refused")
    assert_same_rows(out, plain)
    assert not list(out.glob("*/.*.writing"))


def test_an_archive_says_what_it_is_and_what_it_refused(images, plain, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["predict", str(images), "--archive", str(out), "--workers", "1"]) == 3
    output, err = capsys.readouterr()
    assert f"{COUNT - REFUSED} images read, {REFUSED} refused" in output
    assert sum(not line.startswith("Reading images:") for line in err.splitlines()) == REFUSED
    assert_same_rows(out, plain)
    metadata = pq.read_schema(next((out / "findings").iterdir())).metadata
    assert metadata[b"notice"].decode() == NOTICE
    # nothing is left to do, and nothing is done again
    before = sorted(path.stat().st_mtime_ns for path in out.glob("*/*.parquet"))
    assert main(["predict", str(images), "--archive", str(out), "--resume", "--workers", "1"]) == 3
    assert sorted(path.stat().st_mtime_ns for path in out.glob("*/*.parquet")) == before
    capsys.readouterr()


@pytest.mark.slow
def test_files_that_came_or_changed_are_read_and_no_other(images, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(archive, "CHUNK", 4)
    folder, out = tmp_path / "archive", tmp_path / "out"
    for place in ("year 0", "year 1"):
        shutil.copytree(images / place, folder / place)
    command = ["predict", str(folder), "--archive", str(out), "--workers", "1"]
    assert main(command) == 3
    before = table(out)
    changed, other = folder / "year 0" / "00000.png", folder / "year 1" / "00004.png"
    shutil.copyfile(other, changed)
    shutil.copyfile(images / "year 2" / "00002.png", folder / "year 1" / "new.png")
    contents = {path: path.read_bytes() for path in out.glob("*/*.parquet")}
    assert main([*command, "--resume"]) == 3
    after = table(out)
    rows = {row["file"]: row for row in after.to_pylist()}
    assert set(rows) == {row["file"] for row in before.to_pylist()} | {str(folder / "year 1" / "new.png")}
    assert after.num_rows == before.num_rows + 14
    assert rows[str(changed)]["sha256"] == rows[str(other)]["sha256"]
    # one part lost the rows of the file that changed, and one part is new
    assert sum(path.read_bytes() != data for path, data in contents.items()) == 1
    assert len(list(out.glob("*/*.parquet"))) == len(contents) + 1
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["IMAGES", "--archive", "IMAGES/out"], 2, "is inside an input folder"),
        (["IMAGES", "IMAGES/year 0", "--archive", "OUT"], 2, "inside another folder given"),
        (["IMAGES", "--archive", "OUT", "--json"], 2, "--archive writes Parquet"),
        (["IMAGES", "--resume"], 2, "give --archive DIR"),
        (["IMAGES", "--archive", "OUT", "--on", "spark"], 2, "write ray, or ray:ADDRESS"),
        (["IMAGES", "--archive", "OUT", "--operating-point", "none"], 2, "no operating point"),
        (["OUT/nothing", "--archive", "OUT/there", "--workers", "1"], 3, "nothing: No such file or folder"),
        (["EMPTY", "--archive", "OUT"], 4, "no file in the folders"),
    ],
)
def test_what_cannot_be_is_one_line(images, tmp_path, capsys, arguments, status, words):
    (tmp_path / "empty").mkdir()
    names = {"IMAGES": str(images), "OUT": str(tmp_path / "out"), "EMPTY": str(tmp_path / "empty")}
    for name, path in names.items():
        arguments = [argument.replace(name, path) for argument in arguments]
    assert main(["predict", *arguments]) == status
    assert words in capsys.readouterr().err


def test_an_archive_of_another_run_is_not_gone_on_with(images, tmp_path, capsys):
    one, out = images / "year 0" / "00000.png", tmp_path / "out"
    assert main(["predict", str(one), "--archive", str(out), "--workers", "1"]) == 0
    for options, words in (
        ([], "Continue with --resume"),
        (["--resume", "--upright"], "different one: upright differ"),
    ):
        assert main(["predict", str(one), "--archive", str(out), *options]) == 2
        assert words in capsys.readouterr().err
