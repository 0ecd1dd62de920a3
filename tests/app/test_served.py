"""The trail says once which model serves, and the reader's page opens where it cannot be written."""

from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.access import audit

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(monkeypatch, trail) -> AppTest:
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")
    # as in a program that was just started
    streamlit.cache_resource.clear()
    return AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)


def test_the_model_that_serves_is_one_line_with_its_digest(app, predictor):
    app.run()
    app.switch_page("../../pages/model.py").run()
    AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300).run()
    assert not app.exception
    (event,) = audit.read()[0]
    assert (event.who, event.role, event.what, event.detail) == ("server", "", "serving", "openvino")
    assert event.model == predictor.card.weights_sha256


def test_where_it_cannot_be_noted_films_are_read_all_the_same(app, trail):
    trail.mkdir(parents=True)
    app.run()
    assert not app.exception
    assert any("A second opinion on a chest X-ray" in element.proto.body for element in app.main.get("html"))
