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
def drawn(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FOLDER = tmp_path_factory.mktemp("docs")
    assert module.main() == 0
    return module.FOLDER


def test_every_picture_of_the_pixels_is_shown_and_described():
    assert {name for _, name in SHOWN} == {path.name for path in DOCS.glob("pixels-*.png")}
    for words, name in SHOWN:
        assert len(words.split()) > 15, name
        assert (DOCS / name).stat().st_size < 300_000


@pytest.mark.parametrize("name", [name for _, name in SHOWN])
def test_a_picture_is_what_the_code_draws(drawn, name):
    kept, now = (np.asarray(Image.open(folder / name).convert("L"), dtype=int) for folder in (DOCS, drawn))
    assert kept.shape == now.shape
    # letters may differ by a shade from one build of FreeType to another
    assert np.abs(kept - now).mean() < 1
