"""Every line of the truth table, against DCMTK or arithmetic."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxr_core.imaging import read_radiograph, render8
from tests.conftest import missing
from tests.imaging.reference_cases import BROKEN
from tests.imaging.reference_pixels import CASES as WHOLE
from tests.imaging.reference_pixels import NAMED_FAILURES

CASES = (*WHOLE, *BROKEN)

DOCS = Path(__file__).resolve().parents[2] / "docs" / "pixels.md"


def made(case) -> bytes:
    if (
        case.name.startswith(("JPEG Lossless", "JPEG Extended", "no delimiter: JPEG Lossless"))
        and shutil.which("dcmcjpeg") is None
    ):
        missing("dcmtk", "DCMTK's dcmcjpeg is not installed")
    return case.data()


@pytest.mark.parametrize("case", [c for c in CASES if c.witness], ids=lambda case: case.name)
def test_dcmtk_agrees_within_one_grey_level(case, dcm2pnm):
    data = made(case)
    ours = render8(read_radiograph(data)).astype(int)
    assert np.abs(ours - dcm2pnm(data, *case.witness)).max() <= 1


@pytest.mark.parametrize("case", [c for c in CASES if c.says], ids=lambda case: case.name)
def test_the_transforms_are_stated(case):
    image = read_radiograph(made(case))
    assert any(case.says in words for words in image.transforms)
    # a repair speaks against the picture; a picture with square pixels, a page or an alpha channel do not
    repaired = [words.removeprefix("repaired: ") for words in image.transforms if words.startswith("repaired: ")]
    assert set(repaired) <= set(image.quality.reasons)


@pytest.mark.parametrize("case", [c for c in CASES if c.display], ids=lambda case: case.name)
def test_arithmetic_agrees(case):
    image = read_radiograph(made(case))
    np.testing.assert_allclose(image.display, case.display(), atol=case.tolerance)


def test_the_table_is_whole():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 60
    assert all(bool(case.witness) != bool(case.display) for case in CASES)
    failures = "; ".join(case.failure for case in CASES if case.failure).split("; ")
    assert set(NAMED_FAILURES) == set(failures)


def test_the_docs_state_both_counts():
    by_dcmtk = sum(case.witness is not None for case in CASES)
    result = re.search(r"(\d+) cases: (\d+) against DCMTK, (\d+) against", DOCS.read_text())
    assert result, "docs/pixels.md does not state the counts"
    assert tuple(map(int, result.groups())) == (len(CASES), by_dcmtk, len(CASES) - by_dcmtk)
