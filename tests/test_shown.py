"""Names from outside on screens, terminals and in tables."""

import json

import pytest

from cxr_core.cli.main import main
from cxr_core.imaging import phantom_png
from cxr_core.shown import shown_name
from cxr_core.ui.worklist import Worklist

HIDDEN = (
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff"
    "\r\n\t\x1b\x07\x9b\u2028\u2029\ue000"
)


@pytest.mark.parametrize("letter", HIDDEN)
def test_what_is_not_seen_is_an_escape(letter):
    told = shown_name(f"a{letter}b")
    assert letter not in told
    assert told.startswith("a\\")
    assert told.encode().decode("unicode_escape") == f"a{letter}b"


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
    films = Worklist()
    films.drop([("a\u202egnp.mcd", b"x")], most=9)
    (film,) = films.films.values()
    assert film.name == "a\\u202egnp.mcd"
