"""Numbers, durations and names from outside as text on screens, in terminals and in tables."""

import doctest
import json
from types import SimpleNamespace

import pytest

from cxr_core import formatting
from cxr_core.cli.main import main
from cxr_core.estimate import Counts, Estimate
from cxr_core.formatting import format_counts, format_estimate, format_probability, shown_name
from cxr_core.imaging import phantom_png
from cxr_core.ui.worklist import Worklist

HIDDEN = (
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff"
    "\r\n\t\x1b\x07\x9b\u2028\u2029\ue000"
)


@pytest.mark.parametrize("letter", HIDDEN)
def test_what_is_not_seen_is_an_escape(letter):
    shown = shown_name(f"a{letter}b")
    assert letter not in shown
    assert shown.startswith("a\\")
    assert shown.encode().decode("unicode_escape") == f"a{letter}b"


@pytest.mark.parametrize("name", ["a b.dcm", "R\u00f6ntgen (1).png", "\u5f71\u50cf.dcm", "\u05d0\u05d1.png", "a\\b"])
def test_letters_of_any_script_stay(name):
    assert shown_name(name) == name


def test_a_command_shows_and_writes_escapes(tmp_path, capsys):
    path = tmp_path / "a\u202egnp.mcd.png"
    path.write_bytes(phantom_png(256, 224))
    for option in ("--json", "--csv", None):
        assert main(["predict", str(path), *([option] if option else [])]) == 0
        out = capsys.readouterr().out
        assert "\u202e" not in out
        file = json.loads(out)["file"] if option == "--json" else out
        assert "\\u202egnp" in file
    (tmp_path / "b\u202e.dcm").write_bytes(b"nothing")
    assert main(["predict", str(tmp_path / "b\u202e.dcm")]) == 3
    assert main(["predict", str(tmp_path / "c\u202e.dcm")]) != 0
    assert "\u202e" not in "".join(capsys.readouterr())


def test_the_worklist_shows_escapes():
    images = Worklist()
    images.add([("a\u202egnp.mcd", b"x")], max_images=9)
    (image,) = images.images.values()
    assert image.name == "a\\u202egnp.mcd"


def test_the_examples_run():
    results = doctest.testmod(formatting)
    assert results.attempted > 5
    assert results.failed == 0


def test_an_estimate_with_its_interval():
    assert format_estimate(Estimate(-0.1234, -0.2, 0.05), signed=True) == "-0.123 (-0.200 to +0.050)"
    assert format_estimate(Estimate(0.5, 0.4, 0.6), decimals=2) == "0.50 (0.40 to 0.60)"
    assert format_estimate(Estimate(0.2, 0.1, 0.3), percent=True) == "20.0% (10.0% to 30.0%)"


def test_a_missing_interval_or_value_has_its_reason():
    assert format_estimate(Estimate(0.5, None, None)) == "0.500"
    assert format_estimate(Estimate(0.5, reason="too few cases")) == "0.500 (no interval: too few cases)"
    assert format_estimate(Estimate.missing("too few cases")) == "too few cases"
    assert format_estimate(SimpleNamespace(value=None, reason=None)) == "not known"
    assert format_estimate(None) == "not known"


def test_the_patients_behind_an_estimate_are_named_once():
    counts = Counts(12, 3000, 9, 1200)
    assert format_counts(counts) == "9 positive, 1,200 negative patients"
    assert format_estimate(Estimate(0.5, 0.4, 0.6), counts=counts) == (
        "0.500 (0.400 to 0.600; 9 positive, 1,200 negative patients)"
    )
    assert format_estimate(Estimate.missing("no positive"), counts=counts) == (
        "no positive; 9 positive, 1,200 negative patients"
    )
    reason = "too few cases (9 positive patients)"
    assert format_estimate(Estimate.missing(reason), counts=counts) == reason


def test_small_probabilities_are_not_shown_as_zero():
    values = (0.0, 0.0004403, 0.0022490, 0.0098, 0.00999, 0.01, 0.2, 0.9999)
    assert [format_probability(value) for value in values] == [
        "0.000",
        "0.00044",
        "0.0022",
        "0.0098",
        "0.01",
        "0.010",
        "0.200",
        "1.000",
    ]
