"""The pages in Streamlit's own test driver: cold starts, uploads, refusals, state."""

import subprocess
import sys
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.labels import NOTICE

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.name for path in (PROJECT / "pages").glob("*.py"))


@pytest.fixture
def app(monkeypatch):
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")
    return AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=60)


def text(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html")) + "\n".join(m.value for m in app.markdown)


def drop(app, *files):
    app.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
    return app.run()


def films(app):
    return app.session_state["worklist"].films


def test_the_front_page_says_what_it_is_and_carries_the_notice(app):
    app.run()
    assert not app.exception
    assert NOTICE in text(app)
    assert "A second opinion on a chest X-ray" in text(app)
    assert len(app.file_uploader) == 2


@pytest.mark.parametrize("page", PAGES)
def test_every_page_cold_goes_through_the_front_door(app, page):
    app.switch_page(f"../../pages/{page}").run()
    assert not app.exception
    assert NOTICE in text(app)


@pytest.mark.parametrize("page", PAGES)
def test_the_first_statement_of_every_page_is_the_guard(page):
    import ast

    tree = ast.parse((PROJECT / "pages" / page).read_text())
    docstring, first, second = tree.body[:3]
    assert isinstance(docstring, ast.Expr)
    assert ast.unparse(first) == "from cxr_core.ui.guard import guard"
    assert ast.unparse(second) == "guard(__file__)"
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


def test_a_film_is_read_and_survives_a_page_switch(app):
    app.run()
    drop(app, ("film.dcm", phantom_dicom(256, 224, PatientAge="")))
    assert not app.exception
    (film,) = films(app).values()
    assert film.status == "read"
    assert len(film.reading.findings) == 14
    app.switch_page("../../pages/model.py").run()
    app.switch_page("../../pages/second_opinion.py").run()
    assert not app.exception
    assert "film.dcm" in text(app)
    assert "Demonstration model." in text(app)
    assert "Reasons to distrust" in text(app)


def test_many_files_with_refusals(app):
    app.run()
    drop(
        app,
        ("good.png", phantom_png(256, 224)),
        ("Secret.txt", b"some words"),
        ("ct.dcm", phantom_dicom(128, 128, Modality="CT")),
        ("empty", b""),
    )
    assert not app.exception
    status = {film.name: film.status for film in films(app).values()}
    assert status == {"good.png": "read", "Secret.txt": "unreadable", "ct.dcm": "refused", "empty": "unreadable"}
    for film in films(app).values():
        if film.status != "read":
            app.session_state["worklist"].choose(film.digest)
            app.run()
            assert not app.exception
            assert film.reasons()[0][:20] in text(app)


def test_a_zip_of_a_study_is_its_films(app):
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/IM1", phantom_dicom(256, 224))
        file.writestr("a/IM2", phantom_png(256, 224))
    app.run()
    drop(app, ("study.zip", archive.getvalue()), ("broken.zip", archive.getvalue()[:5000]))
    assert {film.name: film.status for film in films(app).values()} == {
        "IM1": "read",
        "IM2": "read",
        "broken.zip": "unreadable",
    }


def test_a_refused_film_is_read_with_a_reason(app):
    app.run()
    drop(app, ("ct.dcm", phantom_dicom(256, 224, Modality="CT")))
    app.button[-1].click().run()
    assert "A reason is needed." in [warning.value for warning in app.warning]
    app.text_input[0].set_value("the tag is wrong")
    next(b for b in app.button if b.label == "Read anyway").click().run()
    assert not app.exception
    (film,) = films(app).values()
    assert film.status == "read"
    assert film.reading.quality.override == "the tag is wrong"
    assert "the tag is wrong" in text(app)


def test_film_first_hides_the_findings_until_asked(app):
    app.run()
    drop(app, ("film.png", phantom_png(256, 224)))
    before = sum(e.type == "bidi_component" or "component" in e.type for e in app.main)
    app.toggle[0].set_value(True).run()
    hidden = sum(e.type == "bidi_component" or "component" in e.type for e in app.main)
    next(b for b in app.button if b.label == "Show the findings").click().run()
    shown = sum(e.type == "bidi_component" or "component" in e.type for e in app.main)
    assert hidden == before - 1
    assert shown == before
    assert not app.exception


def test_the_example_is_named_as_synthetic(app):
    app.run()
    next(b for b in app.button if "phantom" in b.label).click().run()
    assert not app.exception
    assert "Synthetic phantom (no patient)" in text(app)


def test_the_card_page_shows_limits_counts_and_hashes(app):
    app.switch_page("../../pages/model.py").run()
    assert not app.exception
    words = text(app)
    for part in ("not transfer-learned", "SHA-256", "too few cases", "films without findings", "not evaluated"):
        assert part in words, part


@pytest.fixture
def serving(monkeypatch, calibrated_models):
    """Make the app serve one of the calibrated models."""
    from cxr_core.model import predictor as module
    from cxr_core.settings import settings

    def clear():
        settings.cache_clear()
        module._load.cache_clear()
        streamlit.cache_resource.clear()

    def serve(kind):
        monkeypatch.setenv("SECOND_READ_HOME", str(calibrated_models))
        monkeypatch.setenv("SECOND_READ_MODEL", kind)
        clear()

    yield serve
    clear()


def findings(app):
    (film,) = films(app).values()
    return {finding.label: finding for finding in film.reading.findings}


def test_the_share_flagged_is_in_sight_before_and_after_the_findings_are_shown(app):
    app.run()
    drop(app, ("film.png", phantom_png(256, 224)))
    assert "films without findings" in text(app)
    assert "Probabilities hold where findings are as common" in text(app)
    app.toggle[0].set_value(True).run()
    assert "films without findings" in text(app)


def test_the_operating_point_can_be_chosen_and_holds_for_all_films(app, serving):
    serving("consecutive")
    app.run()
    drop(app, ("film.png", phantom_png(256, 224)), ("film.dcm", phantom_dicom(256, 224)))
    choice = next(box for box in app.selectbox if box.label == "Operating point")
    assert choice.options == ["default", "youden", "sensitivity-0.90", "sensitivity-0.95", "specificity-0.95"]
    before = {digest: film.reading for digest, film in films(app).items()}
    choice.set_value("sensitivity-0.90").run()
    assert not app.exception
    for digest, film in films(app).items():
        assert film.reading.operating_point == "sensitivity-0.90"
        assert film.reading.class_maps is before[digest].class_maps
        assert film.reading.finding("Mass").threshold < before[digest].finding("Mass").threshold
        assert film.reading.finding("Mass").probability == before[digest].finding("Mass").probability
    assert "it flags 100 % of held-out films" in text(app)
    app.switch_page("../../pages/model.py").run()
    app.switch_page("../../pages/second_opinion.py").run()
    assert next(box for box in app.selectbox if box.label == "Operating point").value == "sensitivity-0.90"


def test_a_local_prevalence_is_asked_for_assumed_and_dropped(app, serving):
    serving("enriched")
    app.run()
    drop(app, ("film.png", phantom_png(256, 224)))
    assert {finding.probability for finding in findings(app).values()} == {None}
    assert "the calibration films were enriched" in text(app)
    next(b for b in app.button if b.label == "Local prevalence").click().run()
    fields = {field.label: field for field in app.number_input}
    assert len(fields) == 12
    assert "Hernia, % of films" not in fields
    fields["Effusion, % of films"].set_value(2.0)
    next(b for b in app.button if b.label == "Assume these").click().run()
    assert not app.exception
    assert app.session_state["worklist"].prevalence == {"Effusion": pytest.approx(0.02)}
    shown = findings(app)
    assert shown["Effusion"].interval[0] < shown["Effusion"].probability < shown["Effusion"].interval[1]
    assert shown["Mass"].probability is None
    assert "Assumption: probabilities" in text(app)
    assert "Effusion 2 %" in text(app)
    app.switch_page("../../pages/model.py").run()
    app.switch_page("../../pages/second_opinion.py").run()
    assert "Effusion 2 %" in text(app)
    next(b for b in app.button if b.label == "Local prevalence: set").click().run()
    next(b for b in app.button if b.label == "Assume nothing").click().run()
    assert app.session_state["worklist"].prevalence is None
    assert findings(app)["Effusion"].probability is None


def test_a_model_without_calibration_has_nothing_to_shift(app):
    from cxr_core.model import shared_predictor

    app.run()
    drop(app, ("film.png", phantom_png(256, 224)))
    button = next(b for b in app.button if b.label.startswith("Local prevalence"))
    assert button.disabled == (shared_predictor().card.calibration is None)


def test_the_card_page_shows_calibration_and_a_choice_of_operating_points(app, serving):
    serving("consecutive")
    app.switch_page("../../pages/model.py").run()
    assert not app.exception
    words = text(app)
    for part in (
        "Platt curves for 12 of 14 labels",
        "taken consecutively",
        "5 folds by patient",
        "slope",
        "in the large",
        "films without findings flagged",
        "labels above per film",
    ):
        assert part in words, part
    next(box for box in app.selectbox if box.label == "Operating point").set_value("youden").run()
    assert "sum of sensitivity and specificity" in text(app)
    label = next(box for box in app.selectbox if box.label == "Label")
    assert "Hernia" not in label.options
    label.set_value("Mass").run()
    assert not app.exception
    assert "<b>Mass</b>: slope" in text(app)


def test_a_model_that_was_changed_is_one_line(app, tmp_path, monkeypatch):
    import shutil

    from cxr_core.model.folder import find_model
    from cxr_core.settings import settings

    shutil.copytree(find_model("second-read-mini"), tmp_path / "second-read-mini")
    (tmp_path / "second-read-mini" / "openvino" / "model.bin").write_bytes(b"other")
    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path))
    settings.cache_clear()
    from cxr_core.model import predictor as module

    module._load.cache_clear()
    streamlit.cache_resource.clear()
    try:
        app.run()
        assert not app.exception
        assert "openvino/model.bin was changed" in text(app)
    finally:
        settings.cache_clear()
        module._load.cache_clear()
        streamlit.cache_resource.clear()


def test_the_app_never_imports_tensorflow():
    code = """
import sys
from streamlit.testing.v1 import AppTest
from cxr_core.imaging import phantom_png
app = AppTest.from_file("cxr_core/ui/main.py", default_timeout=60).run()
app.file_uploader[0].set_value([("a.png", phantom_png(256, 224), "image/png")])
app.run()
assert not app.exception
(film,) = app.session_state["worklist"].films.values()
assert film.status == "read", film
app.switch_page("../../pages/model.py").run()
assert not app.exception
bad = {"tensorflow", "keras"} & set(sys.modules)
sys.exit(f"imported {bad}" if bad else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_turned_film_is_offered_to_be_turned_back(app):
    import numpy as np

    from cxr_core.imaging import phantom

    app.run()
    drop(app, ("turned.dcm", phantom_dicom(values=np.ascontiguousarray(np.rot90(phantom(256, 224))))))
    (film,) = films(app).values()
    assert film.status == "refused"
    next(b for b in app.button if b.label == "Turn it by 90 degrees clockwise and read").click().run()
    assert not app.exception
    (film,) = films(app).values()
    assert film.status == "read"
    assert "turned by the reader" in text(app)
