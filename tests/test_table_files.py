"""No cell of any table is a formula to a spreadsheet, numbers stay numbers, and what is read again is as it was."""

import ast
import csv
import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_core.datasets.splits import Split, read_split
from cxr_core.errors import PathUnusable
from cxr_core.report import readings_csv, refusals_csv
from cxr_core.settings import settings
from cxr_core.table_files import csv_text, frame_csv, guarded, open_unpacked, read_unpacked, unguarded

PROJECT = Path(__file__).resolve().parent.parent
SIGNS = "=+-@＝＋－＠"
FORMULAS = [
    '=HYPERLINK("http://x";"y")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "-1", "+1",
    "＝1+1", "a;=1+1", "a\t@x", "a\n+1+1", "'=1", "''=1",
]  # fmt: skip
PLAIN = ["image.png", "a-b", "1e-3", "", "it's", "'a", "a; -b", "a = b"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe_in_front(text):
    assert guarded(text) != text
    assert guarded(text).replace("'", "") == text.replace("'", "")
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_stay_as_they_are(text):
    assert guarded(text) == text


@given(st.text(alphabet=st.sampled_from([*SIGNS, *"';\t\r\n ,\"a1."])))
def test_whatever_cuts_the_line_no_piece_is_a_formula_and_the_text_comes_back(text):
    safe = guarded(text)
    assert unguarded(safe) == text
    for piece in safe.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        assert not piece or piece[0] not in SIGNS
    assert safe[:1] not in ("\t", "\r", "\n")


def test_a_row_is_written_and_read_as_it_was():
    columns = ["=name", "number", "none", "nan", "yes", "numpy", "list"]
    text = csv_text(columns, [["-x,\"y\"", -0.25, None, float("nan"), True, np.float64(-1e-9), ["=1"]]])  # fmt: skip
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert head == ["'=name", *columns[1:]]
    assert row == ['\'-x,"y"', "-0.25", "", "", "True", "-1e-09", "['=1']"]
    assert text.endswith("\n")
    assert "\r" not in text


def test_a_value_of_no_column_is_not_lost_in_silence():
    with pytest.raises(ValueError, match="no columns"):
        csv_text(["a"], [{"a": 1, "b": 2}])


def test_a_frame_keeps_its_numbers():
    frame = pd.DataFrame({"who": ["=1", None], "value": [-0.1, np.nan], "count": pd.array([-3, None], "Int64")})
    assert frame_csv(frame) == "who,value,count\n'=1,-0.1,-3\n,,\n"
    plain = frame.drop(columns="who")
    assert frame_csv(plain) == plain.to_csv(index=False)


@pytest.mark.parametrize("name", FORMULAS)
def test_findings_guard_every_word_from_outside(name):
    text = refusals_csv([(name, "00", name)])
    (row,) = csv.reader(io.StringIO(text, newline=""))
    assert row.count(guarded(name)) == 2
    assert readings_csv([]).count("\n") == 1


def test_a_split_of_patients_that_look_like_formulas_is_read_as_it_was(tmp_path):
    parts = dict.fromkeys(["-12-a", "=1", "'=1", "@x", "+49 30", "a;-b", "0012", 5, -7], "train")
    parts = {str(p) if isinstance(p, int) and p < 0 else p: part for p, part in parts.items()}
    path = tmp_path / "split.csv"
    path.write_text(Split("s", "", parts).text(), encoding="utf-8")
    assert read_split(path).subsets == parts
    for line in path.read_text().splitlines():
        assert line[0] not in "=+@"


WRITERS = {"to_csv", "to_excel", "to_clipboard", "write_csv", "savetxt", "DictWriter", "dataframe", "data_editor"}


def direct_writers(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in WRITERS or (owner == "csv" and node.attr == "writer"):
                yield f"{owner}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module in ("csv", "pyarrow.csv"):
            yield f"from {node.module}"
        if isinstance(node, ast.Import) and any(name.asname and name.name == "csv" for name in node.names):
            yield "import csv as"


def test_tables_are_written_by_one_writer_alone():
    files = [PROJECT / "app.py", *(PROJECT / "pages").glob("*.py"), *(PROJECT / "cxr_core").rglob("*.py")]
    writers = {path.relative_to(PROJECT).as_posix(): [*direct_writers(path.read_text())] for path in files}
    assert writers.pop("cxr_core/table_files.py") == ["csv.writer"]
    assert {path: names for path, names in writers.items() if names} == {}


@pytest.mark.parametrize(
    "line", ["import csv\ncsv.writer(f)", "frame.to_csv(p)", "from csv import writer", "st.dataframe(x)"]
)
def test_another_writer_would_be_found(line):
    assert [*direct_writers(line)]


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
    with pytest.raises(ValueError, match="broken or truncated"):
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
        "from cxr_core.table_files import read_unpacked;"
        "high = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
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
