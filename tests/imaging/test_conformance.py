"""docs/conformance.md against the code."""

import re
from pathlib import Path

import pytest

from cxr_core.imaging.decode import _DECODERS, _NATIVE
from cxr_core.imaging.gate import CAPTURES, X_RAY

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text()


def test_every_transfer_syntax_is_listed_with_its_decoder():
    listed = dict(re.findall(r"\| (1\.2\.840[\d.]+) \| ([\w-]+) \|", TEXT))
    assert listed == dict.fromkeys(_NATIVE, "pydicom") | _DECODERS


@pytest.mark.parametrize("word", [*X_RAY, *CAPTURES, "SECOND_READ_MAX_FILE_MB", "SECOND_READ_MAX_MEGAPIXELS", "on NIH"])
def test_what_the_code_accepts_is_named(word):
    assert word in TEXT
