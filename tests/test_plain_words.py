"""Texts that a person sees use the words of the field: a short list of words that they must not contain."""

import ast
import re
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
ROOMS = ("ui", "cli", "displays", "report")
# their messages, and the texts that they write into cards and runs, are shown on screens
BEHIND_SCREENS = ("calibration", "evaluation", "pretrained")

# what to say instead stands beside each
AVOIDED = {
    r"films?": "image, radiograph, study",
    r"let go": "unloaded, removed",
    r"chute": "upload panel",
    r"nobody is let in": "nobody can sign in",
    r"too few to say": "too few cases",
}
AVOIDED_IN_THE_PACKAGE = {
    r"told": "reported, stated",
    r"distrust": "warning, limit",
    r"anew": "again",
    r"go(?:es)? on with": "continue",
    r"cut short": "truncated",
    r"put aside": "renamed, moved",
    r"br(?:ought|ings?) back": "restored, added",
    r"make room": "free disk space",
    r"door": "sign-in page",
}
AVOIDED_ON_SCREENS = AVOIDED | {
    r"tak(?:e|es|en|ing) (?:\w+ ){0,2}along": "download, export",
    r"by itself": "automatically",
    r"c[oa]me by": "sampled",
    r"at or over": "above threshold",
    r"logit units": "contribution to the score (logit)",
    r"who says what": "reference standard",
    r"go(?:es)? together": "co-occurrence",
    r"said": "stated, reported",
    r"words": "text, message, description",
    r"pictures?": "image, radiograph, figure",
    r"(?:an?|the|whose|by) shares?": "proportion, rate",
    r"left out": "excluded, omitted",
    r"of others": "imported, published",
    r"all the same": "as well, nevertheless",
}


def literals(path: Path, *, docstrings: bool = True) -> list[tuple[str, str]]:
    """Return (place, text) of the string literals of a module; docstrings too, since typer prints them as help."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    # docstrings are expressions of their own
    skipped = set() if docstrings else {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        (f"{path.relative_to(PROJECT)}:{node.lineno}", node.value)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped
    ]


def prose(path: Path) -> list[tuple[str, str]]:
    """Return (place, text) of the lines of a page, without code and without quotations."""
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), path.read_text(), flags=re.S | re.M)
    lines = re.sub(r"`[^`\n]*`|\"[^\"\n]*\"", "", text).splitlines()
    return [(f"{path.relative_to(PROJECT)}:{number}", line) for number, line in enumerate(lines, 1)]


@cache
def texts(rooms: tuple[str, ...] = ROOMS) -> list[tuple[str, str]]:
    """Return (place, text) of everything that a person sees: strings of some packages, assets and pages."""
    modules = chain(*(sorted((PROJECT / "cxr_core" / room).rglob("*.py")) for room in rooms))
    assets = [*sorted((PROJECT / "cxr_core/ui/assets").glob("*.js")), PROJECT / "cxr_core/ui/assets/viewer.html"]
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
    return [
        *chain(*map(literals, modules)),
        *((str(path.relative_to(PROJECT)), path.read_text()) for path in assets),
        *chain(*map(prose, pages)),
    ]


@cache
def stored_texts() -> list[tuple[str, str]]:
    """Return (place, text) of the strings behind the screens."""
    modules = chain(*(sorted((PROJECT / "cxr_core" / room).rglob("*.py")) for room in BEHIND_SCREENS))
    return list(chain(*(literals(path, docstrings=False) for path in modules)))


@pytest.mark.parametrize("word", AVOIDED)
def test_no_text_that_a_person_sees_contains(word):
    places = [place for place, text in texts() if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    assert places == [], f"say instead: {AVOIDED[word]}"


@pytest.mark.parametrize("word", AVOIDED_IN_THE_PACKAGE)
def test_no_text_of_any_package_contains(word):
    places = [place for place, text in texts(("",)) if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    assert places == [], f"say instead: {AVOIDED_IN_THE_PACKAGE[word]}"


@pytest.mark.parametrize("word", AVOIDED_ON_SCREENS)
def test_no_screen_contains(word):
    screens = [(place, text) for place, text in texts() if place.startswith(("cxr_core/ui/", "cxr_core/displays/"))]
    places = [place for place, text in screens if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    assert places == [], f"say instead: {AVOIDED_ON_SCREENS[word]}"


@pytest.mark.parametrize("word", AVOIDED_ON_SCREENS)
def test_no_message_or_stored_text_behind_the_screens_contains(word):
    places = [place for place, text in stored_texts() if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    assert places == [], f"say instead: {AVOIDED_ON_SCREENS[word]}"


def test_docstrings_are_skipped_where_nobody_sees_them(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.test_plain_words.PROJECT", tmp_path)
    module = tmp_path / "module.py"
    module.write_text('"""A film."""\n\nRULE = "left out"\n"""Films."""\n')
    assert literals(module, docstrings=False) == [("module.py:3", "left out")]
    assert len(literals(module)) == 3


def test_a_quotation_may_contain_them_and_prose_may_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.test_plain_words.PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text('Wang et al. write "chest films".\n```\nfilm.dcm\n```\nA film, told by `film`.\n')
    assert [place for place, line in prose(page) if re.search(r"\bfilms?\b", line)] == ["page.md:5"]
