"""The pictures of docs/: small, described, and what the code draws today."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parent.parent / "docs"
SHOWN = re.findall(r"!\[([^\]]+)\]\(([\w-]+\.png)\)", (DOCS / "pixels.md").read_text())


def script(name, folder):
    """Return a script of docs/ that writes to a folder of its own."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FOLDER = folder
    return module


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The script that draws them, with a folder of its own."""
    return script("make_pictures", tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def drawn(pictures):
    pictures.chain()
    pictures.polarity()
    pictures.windows()
    return pictures.FOLDER


def test_every_picture_of_the_pixels_is_shown_and_described():
    assert {name for _, name in SHOWN} == {path.name for path in DOCS.glob("pixels-*.png")}
    for words, name in SHOWN:
        assert len(words.split()) > 15, name
        assert (DOCS / name).stat().st_size < 300_000


@pytest.mark.parametrize("name", [name for _, name in SHOWN])
def test_a_picture_is_what_the_code_draws(drawn, name):
    stored, now = (np.asarray(Image.open(folder / name).convert("L"), dtype=int) for folder in (DOCS, drawn))
    assert stored.shape == now.shape
    # letters may differ by a shade from one build of FreeType to another
    assert np.abs(stored - now).mean() < 1


@pytest.fixture(scope="module")
def screens(tmp_path_factory):
    return script("make_screens", tmp_path_factory.mktemp("screens"))


def test_every_screen_of_the_docs_has_its_function(screens):
    """A picture of a screen that nobody can make again grows old."""
    named = (DOCS / "make_screens.py").read_text()
    for path in [DOCS / "second-opinion.webp", *DOCS.glob("screen-*.webp")]:
        assert f'"{path.name}"' in named


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file", "size"),
    [
        ("reading", "second-opinion.webp", (1440, 900)),
        ("phone", "screen-phone.webp", (390, 844)),
        ("worklist", "screen-worklist.webp", (1440, 900)),
        ("pacs", "screen-pacs.webp", (1440, 900)),
    ],
)
def test_a_screen_is_photographed(screens, chromium, name, file, size):
    screens.SCREENS[name](chromium)
    with Image.open(screens.FOLDER / file) as image:
        assert image.size == size
        assert np.asarray(image.convert("L")).std() > 20
    assert (screens.FOLDER / file).stat().st_size < 200_000
