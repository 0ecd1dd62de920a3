import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cxr_core.errors import PathUnusable
from cxr_core.gunzip import open_unpacked, read_unpacked
from cxr_core.settings import settings

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", os.urandom(3_000_000)])
def test_a_file_is_the_same_packed_or_not_in_one_member_or_several(tmp_path, data):
    half = len(data) // 2
    for packed in (
        data,
        gzip.compress(data),
        gzip.compress(data[:half]) + gzip.compress(data[half:]),
        gzip.compress(data) + bytes(512),
    ):
        (tmp_path / "table").write_bytes(packed)
        assert read_unpacked(tmp_path / "table") == data


@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: data[:15], lambda data: data + b"x"])
def test_one_that_is_broken_is_no_table(tmp_path, change):
    (tmp_path / "table.gz").write_bytes(change(gzip.compress(b"a,b\n" * 1000)))
    with pytest.raises(EOFError):
        read_unpacked(tmp_path / "table.gz")
    with pytest.raises(ValueError, match="broken or cut short"):
        open_unpacked(tmp_path / "table.gz")


def test_what_may_not_be_unpacked_by_its_name_is_not(tmp_path):
    # pandas would unpack by the ending of a name, without a bound
    out = io.BytesIO()
    pd.DataFrame({"a": [1]}).to_csv(out, index=False, compression="xz")
    (tmp_path / "table.csv.xz").write_bytes(out.getvalue())
    with pytest.raises(ValueError):
        pd.read_csv(open_unpacked(tmp_path / "table.csv.xz"), dtype=str, usecols=["a"])


def test_a_table_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_MAX_TABLE_MB", "1")
    settings.cache_clear()
    try:
        for data in (bytes(1_000_001), gzip.compress(bytes(1_000_001)), gzip.compress(bytes(600_000)) * 2):
            (tmp_path / "table").write_bytes(data)
            with pytest.raises(PathUnusable, match="more than 1 MB, unpacked"):
                read_unpacked(tmp_path / "table")
        (tmp_path / "table").write_bytes(gzip.compress(bytes(1_000_000)))
        assert len(read_unpacked(tmp_path / "table")) == 10**6
    finally:
        settings.cache_clear()


def test_a_packed_table_that_grows_takes_no_memory(tmp_path):
    packed = gzip.compress(bytes(400 * 10**6))
    (tmp_path / "list.txt.gz").write_bytes(packed)
    code = (
        "import resource, sys; from pathlib import Path; from cxr_core.errors import PathUnusable;"
        "from cxr_core.gunzip import read_unpacked; high = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "before = high()\n"
        "try: read_unpacked(Path(sys.argv[1]))\n"
        "except PathUnusable: print(high() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "list.txt.gz")],
        cwd=PROJECT,
        env=os.environ | {"SECOND_READ_MAX_TABLE_MB": "20"},
        capture_output=True,
        text=True,
        check=True,
    )
    # kilobytes; the pieces and their sum
    assert int(done.stdout) < 60_000
