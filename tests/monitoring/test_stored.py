"""Stored reads and opinions as the tables of monitoring and concordance."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from cxr_core.errors import WrongArguments
from cxr_core.metrics import concordance
from cxr_core.monitoring import check_reads, opinions_of_store, read_reference, reads_of_store, times_by_group
from cxr_core.store.read_tables import OpinionRow, ReadRow, TimeRow
from cxr_core.studies import Patient, StudyHeader

HEADER = StudyHeader(
    "1.2", "1.3", "PA", Patient("Quendelzahn", "QZ-4711", "A", date(1960, 6, 1), "F"), date(2026, 6, 1),
    manufacturer="ACME", device="XR 9",
)  # fmt: skip


def read_row(image, *, study="s1", header=None, quality="ok", findings=None, created="2026-11-02T08:00:00.000+00:00"):
    findings = {"Mass": (0.4, "below"), "Hernia": (0.9, "not_evaluated")} if findings is None else findings
    return ReadRow(study, image, "anna", created, "m", "ab", quality, "PA", findings, header)


def test_an_image_counts_once_and_refused_ones_have_no_score():
    rows = [read_row("a"), read_row("a", study="s2"), read_row("b", quality="refused", findings={})]
    table = reads_of_store(rows, {"Mass": 0.3})
    assert table["patient"].nunique() == 1
    # by the threshold that is given, whatever state the reader was shown
    assert table["flagged"].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)
    assert table["score: Mass"].tolist() == pytest.approx([0.4, np.nan], nan_ok=True)
    assert "score: Hernia" not in table
    assert check_reads(table)["time"].dt.month.tolist() == [11, 11]


def test_age_sex_and_patient_are_known_where_identity_is_stored():
    table = reads_of_store([read_row("a", header=HEADER), read_row("b", study="s2", header=HEADER)], {"Mass": 0.5})
    assert table["patient"].nunique() == 1
    assert (table["sex"][0], table["age"][0], table["flagged"][0]) == ("F", pytest.approx(66, abs=0.01), 0.0)
    assert np.isnan(reads_of_store([read_row("a")], {})["age"][0])
    assert "Quendelzahn" not in table.to_csv()


def test_no_read_makes_an_empty_table():
    table = reads_of_store([], {"Mass": 0.5})
    assert (len(table), list(table)[-1]) == (0, "score: Mass")
    check_reads(table)


def test_opinions_are_compared_with_the_state_and_the_reference():
    answers = [("above", "present", "present"), ("below", "present", "absent"), ("not_evaluated", "absent", "absent")]
    rows = [
        OpinionRow(f"s{n}", f"i{n}", "anna", "Mass", "2026-11-02T08:00", *answer, answer[0])
        for n, answer in enumerate(answers * 12)
    ]
    table = opinions_of_store(rows, {("i0", "Mass"): True, ("i1", "Mass"): False, ("i1", "Nodule"): True})
    assert len(table) == 24
    assert (table.reference[:3].tolist(), set(table.month)) == (["present", "absent", ""], {"2026-11"})
    found = concordance(table)
    assert (found.agreement.value, found.toward.value, found.patients) == (0.5, 0.5, 24)
    one = opinions_of_store([OpinionRow("s", "i", "anna", "Mass", "2026-11", "above", "present", "", "", HEADER)])
    assert one.patient.tolist() == ["0"]


def test_times_are_of_all_reads_and_of_each_reader_and_month():
    rows = [TimeRow("s", f"i{n}", "anna", f"2026-{10 + n % 2}-02T08:00", float(n)) for n in range(24)]
    times = times_by_group(rows, "month")
    # none is known of the first read
    assert {name: len(group) for name, group in times.items()} == {"all": 23, "2026-10": 11, "2026-11": 12}
    assert list(times_by_group(rows, "label")) == ["all"]
    assert len(times_by_group(rows, "reader")["anna"]) == 23
    assert times_by_group([], "reader") == {}


def test_distance_reasons_and_device_are_in_the_table():
    row = replace(
        read_row("a", header=HEADER), distance=1.8, answer_seconds=0.5,
        reasons=("unlike the training images of the model: distance 1.80, beyond 1.56", "small image: 128 x 128"),
    )  # fmt: skip
    table = reads_of_store([row, read_row("b", study="s2")], {"Mass": 0.5}, familiar_within=1.56)
    assert (table["distance"][0], table["unfamiliar"][0], table["seconds"][0]) == (1.8, 1.0, 0.5)
    assert table["reasons"][0] == ("unlike the training images of the model", "small image")
    assert (table["device"][0], table["device"][1]) == ("ACME XR 9", "")
    assert np.isnan(table["unfamiliar"][1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"image,label\na,Mass\n", "line 1: the columns image, label and present are needed; present missing"),
        (b"", "line 1"),
        (b"image,label,present\na,Mass,yes\n", "line 2: image, label and present"),
        (b"image,label,present\na,Mass\n", "line 2"),
        (b"image,label,present\na,M,1\na,M,0\n", "line 3: the same image and label"),
        (b"\xff\xfe", "CSV in UTF-8"),
        (b'image,label,present\n"' + b"a" * 200_000 + b'",M,1\n', "CSV in UTF-8"),
    ],
)
def test_a_reference_that_is_none_is_named_in_one_line(text, message):
    with pytest.raises(WrongArguments, match=message) as caught:
        read_reference(text)
    assert "\n" not in str(caught.value)


def test_a_reference_is_read_with_further_columns():
    table = read_reference(b"\xef\xbb\xbfimage,reader,label,present\n A1 ,x,Mass,1\nA2,x,Mass,0\n")
    assert table == {("A1", "Mass"): True, ("A2", "Mass"): False}
