"""The pictures of docs/: small, described, and what the code draws today."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parent.parent / "docs"
SHOWN = re.findall(r"!\[([^\]]+)\]\(([\w-]+\.png)\)", (DOCS / "pixels.md").read_text())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The script that draws them, with a folder of its own."""
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FOLDER = tmp_path_factory.mktemp("docs")
    return module


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


@pytest.mark.slow
def test_the_reading_page_is_photographed(pictures, chromium):
    pictures.reading_page()
    with Image.open(pictures.FOLDER / "second-opinion.png") as image:
        assert image.size == (1440, 900)
        assert np.asarray(image.convert("L")).std() > 20
