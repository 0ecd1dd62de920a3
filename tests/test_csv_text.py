"""No cell of any table is a formula to a spreadsheet, numbers stay numbers, and what is read again is as it was."""

import ast
import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_core.csv_text import csv_text, frame_csv, guarded, unguarded
from cxr_core.report import readings_csv, refusals_csv
from cxr_core.training.splits import Split, read_split

PROJECT = Path(__file__).resolve().parent.parent
SIGNS = "=+-@＝＋－＠"
FORMULAS = [
    '=HYPERLINK("http://x";"y")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "-1", "+1",
    "＝1+1", "a;=1+1", "a\t@x", "a\n+1+1", "'=1", "''=1",
]  # fmt: skip
PLAIN = ["film.png", "a-b", "1e-3", "", "it's", "'a", "a; -b", "a = b"]


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
    kept = guarded(text)
    assert unguarded(kept) == text
    for piece in kept.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        assert not piece or piece[0] not in SIGNS
    assert kept[:1] not in ("\t", "\r", "\n")


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
    assert read_split(path).parts == parts
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
    found = {path.relative_to(PROJECT).as_posix(): [*direct_writers(path.read_text())] for path in files}
    assert found.pop("cxr_core/csv_text.py") == ["csv.writer"]
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line", ["import csv\ncsv.writer(f)", "frame.to_csv(p)", "from csv import writer", "st.dataframe(x)"]
)
def test_another_writer_would_be_found(line):
    assert [*direct_writers(line)]
