"""The serving model is recorded once in the audit trail, and the page opens if that is not possible."""

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
    # as after a start of the server
    streamlit.cache_resource.clear()
    return AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)


def test_the_serving_model_is_recorded_once(app, predictor):
    app.run()
    app.switch_page("../../pages/model.py").run()
    AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300).run()
    assert not app.exception
    (event,) = audit.read()[0]
    assert (event.who, event.role, event.what, event.detail) == ("server", "", "serving", "openvino")
    assert event.model == predictor.card.weights_sha256


def test_the_page_opens_without_an_audit_trail(app, trail):
    trail.mkdir(parents=True)
    app.run()
    assert not app.exception
    assert any("A second opinion on a chest X-ray" in element.proto.body for element in app.main.get("html"))
