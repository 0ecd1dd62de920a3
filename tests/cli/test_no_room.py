"""No room on the disk, no memory, nobody who reads on: one line, the contract's exit status, and no half file."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cxr_core.cli.main import MIN_ADDRESS_SPACE, _is_out_of_memory, main
from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_dicom
from cxr_core.store import RunStore
from cxr_core.store.database import DATABASE

PROJECT = Path(__file__).resolve().parent.parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full and ulimit are Linux's"),
]


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.dcm"
    path.write_bytes(phantom_dicom(256, 224))
    return path


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    rows = [f"{n}.png,{'Effusion' if n % 2 else 'No Finding'},0,{n},40,F,PA" for n in range(60)]
    head = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def run(words, tmp_path, before="", after=""):
    """Run a command in a shell, with its runs in a folder of the test's; return status and the lines of stderr."""
    command = f"{before} exec {sys.executable} -m cxr_core {words} {after}"
    environment = os.environ | {"SECOND_READ_RUNS": str(tmp_path / "runs")}
    done = subprocess.run(
        ["bash", "-c", command], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stderr.splitlines()


def one_line(answer, *words):
    status, lines = answer
    assert status == 4, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    for word in words:
        assert word in lines[0]


FULL = "no space is left on the device"


@pytest.mark.parametrize(
    "words",
    [
        "predict {image}", "predict {image} --json", "predict {image} --csv", "models list",
        "models show second-read-mini", "models verify", "runs list", "runs show experts-on-nih-expert",
        "describe --table {table} --split none --out /dev/null",
        "split --table {table} --out /dev/null", "--help",
    ],
)  # fmt: skip
def test_a_full_stdout(words, image, table, tmp_path):
    one_line(run(words.format(image=image, table=table), tmp_path, after="> /dev/full"), FULL)


@pytest.mark.parametrize(
    "words",
    [
        "predict {image} --json --out /dev/full", "render {image} /dev/full", "split --table {table} --out /dev/full",
        "describe --table {table} --split none --out /dev/full",
    ],
)  # fmt: skip
def test_a_full_output(words, image, table, tmp_path):
    one_line(run(words.format(image=image, table=table), tmp_path), "/dev/full", FULL)
    assert Path("/dev/full").is_char_device()


def test_a_full_stderr_changes_no_status(tmp_path):
    status, _ = run("render nothing.dcm out.png", tmp_path, after="2> /dev/full")
    assert status == 3


LIMIT = "ulimit -f 1;"  # 1024 bytes


@pytest.fixture(scope="module")
def room_for_the_database(tmp_path_factory):
    """A limit under which an empty database can be made, and no card or export be written."""
    folder = tmp_path_factory.mktemp("database")
    RunStore(folder=folder).close()
    return f"ulimit -f {(folder / DATABASE).stat().st_size // 1024 + 8};"


@pytest.mark.parametrize(
    ("words", "out"),
    [
        ("render {image} {out}", "picture.png"),
        ("predict {image} --heatmaps {out}", "image.npz"),
        ("predict {image} --sheet {out}", "image.png"),
        ("predict {image} --json --out {out}", "readings.jsonl"),
        ("predict {image} --archive {out}", "findings"),
        ("split --table {table} --out {out}", "split.csv"),
        ("describe --table {table} --split none --out {out}", "numbers.json"),
        ("runs export experts-on-nih-expert {out}", "run"),
    ],
)
def test_a_file_that_may_not_be_so_large_is_not_there_at_all(words, out, image, table, tmp_path, room_for_the_database):
    if "split" in words and "none" not in words:
        table.write_text(table.read_text() + "".join(f"{n}.png,Mass,0,{n},40,F,PA\n" for n in range(100, 300)))
    place = tmp_path / "out" / out
    limit = room_for_the_database if words.startswith("runs") else LIMIT
    # the graph that was compiled, and the trail, may not be written either: that is said in the log, and is no error
    status, lines = run(words.format(image=image, table=table, out=place), tmp_path, before=limit)
    assert status == 4, lines
    assert lines[-1].startswith("Error: ")
    assert "exceed the file size limit" in lines[-1]
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert [path for path in left if path.name not in (".lock", f"{out}.part")] == []


def test_what_was_there_stays_where_there_is_no_room_for_the_new(image, tmp_path):
    out = tmp_path / "readings.jsonl"
    out.write_text("old\n")
    one_line(run(f"predict {image} --json --out {out}", tmp_path, before=LIMIT), "readings.jsonl")
    assert out.read_text() == "old\n"


def test_a_card_and_its_sums_change_together(tmp_path, room_for_the_database):
    home = tmp_path / "home"
    shutil.copytree(PROJECT / "model_weights" / "second-read-mini", home / "second-read-mini")
    before = {path: path.read_bytes() for path in (home / "second-read-mini").rglob("*") if path.is_file()}
    limited = f"export SECOND_READ_HOME={home}; {room_for_the_database}"
    one_line(
        run("models measure second-read-mini --run experts-on-nih-expert", tmp_path, before=limited), "Model folder"
    )
    assert {path: path.read_bytes() for path in (home / "second-read-mini").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "words", ["predict {image} --json", "models show second-read-mini", "runs show experts-on-nih-expert"]
)
def test_a_reader_that_goes_away_is_no_error(words, image, tmp_path):
    # true reads nothing; the status is the command's
    done = run(words.format(image=image), tmp_path, before="set -o pipefail; (", after=") | true")
    assert done == (0, [])


def test_a_closed_stdout_is_said_and_is_not_taken_for_a_file(image, tmp_path):
    one_line(run(f"predict {image}", tmp_path, after=">&-"), "standard output is closed")
    assert run(f"predict {image} --out {tmp_path / 'words'}", tmp_path, after=">&- <&-") == (0, [])
    assert "Effusion" in (tmp_path / "words").read_text()


@pytest.mark.parametrize("kilobytes", [40_000, 300_000, 750_000, 1_000_000, MIN_ADDRESS_SPACE // 1024 - 1])
def test_too_little_memory(kilobytes, image, tmp_path):
    out = tmp_path / "readings.jsonl"
    one_line(run(f"predict {image} --json --out {out}", tmp_path, before=f"ulimit -v {kilobytes};"), "memory")
    assert not out.exists()


def test_the_least_memory_that_is_accepted_is_enough_for_a_reading(image, tmp_path):
    out = tmp_path / "readings.jsonl"
    limit = f"ulimit -v {MIN_ADDRESS_SPACE // 1024 + 1};"
    assert run(f"predict {image} --json --out {out}", tmp_path, before=limit) == (0, [])
    assert "Effusion" in out.read_text()


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "allocations.csv"), False),
        (PermissionError(errno.EACCES, "Permission denied", "out of memory.csv"), False),
        (PathUnusable("unable to allocate.csv: no such file."), False),
        (ValueError("a table of allocations and locally allocated images"), False),
        (OSError(errno.ENOMEM, "no room"), True),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), True),
        # of the loader of libraries, which gives no number
        (OSError("libx.so: failed to map segment from shared object"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("can't start new thread"), True),
        (MemoryError(), True),
    ],
)
def test_the_words_of_a_path_are_not_taken_for_a_lack_of_memory(error, lacks):
    raised = PathUnusable("a line")
    raised.__cause__ = error
    assert _is_out_of_memory(raised) is lacks


def test_a_missing_table_named_allocations_is_called_missing(tmp_path, capsys):
    table = tmp_path / "allocations.csv"
    assert main(["split", "--table", str(table), "--out", str(tmp_path / "out.csv")]) != 0
    err = capsys.readouterr().err
    assert "memory" not in err
    assert "allocations.csv" in err
