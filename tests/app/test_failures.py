"""The page Failures in Streamlit's own test driver: with images, with others of their names, without."""

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
    """The page over a run of four films, of which one file was changed since; two are positive for Mass."""
    images = tmp_path / "images" / "below"
    images.mkdir(parents=True)
    films = made_up(4, labels=("Mass", "Effusion"))
    files = [phantom_png(96 + 2 * i, 84) for i in range(4)]
    for name, data in zip(films.images, files, strict=True):
        (images / name).write_bytes(data)
    digests = [hashlib.sha256(data).hexdigest() for data in files]
    said = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], dtype=np.int8)
    scores = np.array([[0.9, 0.1], [0.2, 0.1], [0.8, 0.2], [0.1, 0.3]])
    films = dataclasses.replace(
        films,
        sha256=np.array(digests),
        patients=np.array([f"QZPATIENT{i}" for i in range(4)]),
        references={"mined": said},
        scores=scores,
        any_finding={},
    )
    # the film of the worst false alarm
    (images / films.images[2]).write_bytes(phantom_png(120, 84))
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, tmp_path / "none"))
    streamlit.config.set_option("client.showErrorDetails", "full")

    def opened(*, images_at_hand: bool, **record) -> AppTest:
        if images_at_hand:
            monkeypatch.setenv("SECOND_READ_IMAGES", str(tmp_path / "images"))
        settings.cache_clear()
        streamlit.cache_resource.clear()
        store = RunStore()
        store.add(record_of(films, "a-run", **record), films)
        store.close()
        app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=900)
        app.switch_page("../../pages/failures.py").run()
        app.selectbox(key="label-a-run-mined").set_value("Mass").run()
        assert not app.exception
        assert "QZPATIENT" not in words(app)
        return app

    yield opened
    settings.cache_clear()
    streamlit.cache_resource.clear()


def words(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def alts(app) -> list[str]:
    return re.findall(r'<img alt="([^"]*)"', words(app))


def weights() -> str:
    from cxr_core.model import open_model

    return open_model(str(find_model("second-read-mini"))).card.weights_sha256


def test_films_stand_without_and_with_the_map_and_another_file_of_the_name_is_not_shown(app):
    page = app(images_at_hand=True, model_sha256=weights())
    shown = alts(page)
    # two misses and the false alarm whose file is the one that was scored, each twice
    assert [alt.split(":")[0] for alt in shown] == [
        "Miss 1",
        "Miss 1",
        "Miss 2",
        "Miss 2",
        "False alarm 2",
        "False alarm 2",
    ]
    assert all("with the map of Mass" in alt for alt in shown[1::2])
    said = words(page)
    assert "False alarm 1: score 0.800. Not shown: the file of its name has other bytes" in said
    # the made-up scores are not the model's
    assert "Miss 1: score 0.200, read again now" in said
    page.selectbox(key="failures-point").set_value("youden").run()
    assert not page.exception
    page.selectbox(key="label-a-run-mined").set_value("Any finding").run()
    assert not page.exception
    assert "Any finding has no map of its own" in words(page)
    assert not any("map" in alt for alt in alts(page))


def test_a_run_of_others_has_films_and_no_maps(app):
    page = app(images_at_hand=True, model_sha256="", engine="imported")
    assert "so there are no maps" in words(page)
    assert "No operating point of mass is known for this run." in words(page)
    assert [alt.split(":")[0] for alt in alts(page)] == ["Miss 1", "Miss 2", "False alarm 2"]


def test_without_images_there_are_words_and_tables_and_a_folder_that_is_none_is_refused(app):
    page = app(images_at_hand=False, model_sha256="")
    said = words(page)
    assert "The images are not at hand" in said
    assert "SECOND_READ_IMAGES=FOLDER" in said
    assert "<td>1</td>" in said
    assert alts(page) == []
    page.text_input(key="failures-folder").set_value("/no/such/folder").run()
    assert not page.exception
    assert "not a folder" in words(page)


def test_without_its_model_a_run_has_the_operating_point_that_it_keeps(app):
    page = app(images_at_hand=False, model_sha256="", thresholds={"Mass": 0.5})
    assert "0.200 (below 0.500)" in words(page)
    assert "0.800 (above 0.500)" in words(page)


def test_names_of_files_are_shown_only_where_they_are_asked_for(app):
    page = app(images_at_hand=False, model_sha256="")
    name = made_up(4).images[1]
    assert name not in words(page)
    page.toggle(key="failures-names").set_value(True).run()
    assert name in words(page)
