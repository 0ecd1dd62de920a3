"""The page Failures in Streamlit's test driver: with images, with changed images, and without."""

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.imaging import phantom_png
from cxr_core.model.folder import find_model
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.runs import made_up, record_of

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(monkeypatch, tmp_path):
    """The page of a run of four images, two of them positive for Mass; the file of one was changed since."""
    images = tmp_path / "images" / "below"
    images.mkdir(parents=True)
    rows = made_up(4, labels=("Mass", "Effusion"))
    files = [phantom_png(96 + 2 * i, 84) for i in range(4)]
    for name, data in zip(rows.images, files, strict=True):
        (images / name).write_bytes(data)
    digests = [hashlib.sha256(data).hexdigest() for data in files]
    truth = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], dtype=np.int8)
    scores = np.array([[0.9, 0.1], [0.2, 0.1], [0.8, 0.2], [0.1, 0.3]])
    rows = dataclasses.replace(
        rows,
        sha256=np.array(digests),
        patients=np.array([f"QZPATIENT{i}" for i in range(4)]),
        references={"mined": truth},
        scores=scores,
        any_finding={},
    )
    # the image of the worst false positive
    (images / rows.images[2]).write_bytes(phantom_png(120, 84))
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, tmp_path / "none"))
    streamlit.config.set_option("client.showErrorDetails", "full")

    def open_page(*, with_images: bool, **record) -> AppTest:
        if with_images:
            monkeypatch.setenv("SECOND_READ_IMAGES", str(tmp_path / "images"))
        settings.cache_clear()
        streamlit.cache_resource.clear()
        store = RunStore()
        store.add(record_of(rows, "a-run", **record), rows)
        store.close()
        app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=900)
        app.switch_page("../../pages/failures.py").run()
        app.selectbox(key="label-a-run-mined").set_value("Mass").run()
        assert not app.exception
        assert "QZPATIENT" not in page_html(app)
        return app

    yield open_page
    settings.cache_clear()
    streamlit.cache_resource.clear()


def page_html(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def alts(app) -> list[str]:
    return re.findall(r'<img alt="([^"]*)"', page_html(app))


def weights() -> str:
    from cxr_core.model import open_model

    return open_model(str(find_model("second-read-mini"))).card.weights_sha256


def test_images_are_shown_with_and_without_heat_map_unless_their_file_was_changed(app):
    page = app(with_images=True, model_sha256=weights())
    shown = alts(page)
    # two false negatives, and the false positive whose file was not changed
    assert [alt.split(":")[0] for alt in shown] == [
        "False negative 1",
        "False negative 1",
        "False negative 2",
        "False negative 2",
        "False positive 2",
        "False positive 2",
    ]
    assert all("with the heat map of Mass" in alt for alt in shown[1::2])
    text = page_html(page)
    assert "False positive 1: score 0.800. Not shown: the file with this name has other content" in text
    # the synthetic scores are not those of the model
    assert re.search(r"False negative 1: score 0\.200, [0-9.e-]+ when read again now", text)
    page.selectbox(key="failures-point").set_value("youden").run()
    assert not page.exception
    page.selectbox(key="label-a-run-mined").set_value("Any finding").run()
    assert not page.exception
    assert "There is no heat map of any finding" in page_html(page)
    assert not any("map" in alt for alt in alts(page))


def test_a_run_of_another_model_has_images_without_heat_maps(app):
    page = app(with_images=True, model_sha256="", engine="imported")
    assert "so there are no heat maps" in page_html(page)
    assert "This run has no operating point for mass." in page_html(page)
    assert [alt.split(":")[0] for alt in alts(page)] == ["False negative 1", "False negative 2", "False positive 2"]


def test_without_images_there_are_tables_and_a_missing_folder_is_refused(app):
    page = app(with_images=False, model_sha256="")
    text = page_html(page)
    assert "The images are not available" in text
    assert "SECOND_READ_IMAGES=FOLDER" in text
    assert "<td>1</td>" in text
    assert alts(page) == []
    page.text_input(key="failures-folder").set_value("/no/such/folder").run()
    assert not page.exception
    assert "not a folder" in page_html(page)


def test_without_its_model_a_run_has_its_stored_operating_point(app):
    page = app(with_images=False, model_sha256="", thresholds={"Mass": 0.5})
    assert "0.200 (below 0.500)" in page_html(page)
    assert "0.800 (above 0.500)" in page_html(page)


def test_file_names_are_shown_only_on_request(app):
    page = app(with_images=False, model_sha256="")
    name = made_up(4).images[1]
    assert name not in page_html(page)
    page.toggle(key="failures-names").set_value(True).run()
    assert name in page_html(page)
