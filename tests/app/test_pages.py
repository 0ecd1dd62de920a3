"""The pages in Streamlit's test driver: cold starts, uploads, refusals, state."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.labels import NOTICE
from cxr_core.model import shared_predictor
from cxr_core.model.formatting import describe_states
from cxr_core.model.rate_formatting import describe_operating_point
from cxr_core.settings import settings
from cxr_core.ui.file_intake import add_files

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.name for path in (PROJECT / "pages").glob("*.py"))


@pytest.fixture
def app(monkeypatch):
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")
    return AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)


def text(app) -> str:
    written = "\n".join(element.proto.body for element in app.main.get("html"))
    return written + "\n".join(m.value for m in app.markdown) + repr(content(app))


def content(app) -> dict | None:
    """Return what the page says of the chosen image; None where there is none."""
    data = component_data(app, "second_read_findings")
    return None if data is None else data["content"]


def component_data(app, name: str) -> dict | None:
    """Return what a component of the page was given; None where it is not on the page."""
    protos = [element.proto for element in app.main if element.type == "bidi_component"]
    return next((json.loads(proto.json) for proto in protos if proto.component_name == name), None)


def drop(app, *files):
    """Add files as the upload route does, and run the page."""
    add_files(app.session_state["worklist"], files)
    return app.run()


def images(app):
    return app.session_state["worklist"].images


def test_the_front_page_has_its_title_and_the_notice(app):
    app.run()
    assert not app.exception
    assert NOTICE in text(app)
    assert "A second opinion on a chest X-ray" in text(app)
    # files go by our own route
    assert not app.file_uploader


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_cold_and_has_the_notice(app, page):
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


def test_an_image_is_read_and_survives_a_page_switch(app):
    app.run()
    drop(app, ("image.dcm", phantom_dicom(256, 224, PatientAge="")))
    assert not app.exception
    (image,) = images(app).values()
    assert image.status == "read"
    assert len(image.reading.findings) == 14
    app.switch_page("../../pages/model.py").run()
    app.switch_page("../../pages/second_opinion.py").run()
    assert not app.exception
    assert "image.dcm" in text(app)
    assert "Demonstration model." in text(app)
    assert content(app)["warnings"] == list(image.reading.quality.reasons)


def test_many_files_with_refusals(app):
    app.run()
    drop(
        app,
        ("good.png", phantom_png(256, 224)),
        ("Secret.txt", b"some text"),
        ("ct.dcm", phantom_dicom(128, 128, Modality="CT")),
        ("empty", b""),
    )
    assert not app.exception
    status = {image.name: image.status for image in images(app).values()}
    assert status == {"good.png": "read", "Secret.txt": "unreadable", "ct.dcm": "refused", "empty": "unreadable"}
    for image in images(app).values():
        if image.status != "read":
            app.session_state["worklist"].choose(image.digest)
            app.run()
            assert not app.exception
            assert image.reasons()[0][:20] in text(app)


def test_a_zip_archive_is_unpacked(app):
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/IM1", phantom_dicom(256, 224))
        file.writestr("a/IM2", phantom_png(256, 224))
    app.run()
    drop(app, ("study.zip", archive.getvalue()), ("broken.zip", archive.getvalue()[:5000]))
    assert {image.name: image.status for image in images(app).values()} == {
        "IM1": "read",
        "IM2": "read",
        "broken.zip": "unreadable",
    }


def test_a_refused_image_is_read_with_a_reason(app):
    app.run()
    drop(app, ("ct.dcm", phantom_dicom(256, 224, Modality="CT")))
    app.button[-1].click().run()
    assert "Enter a reason." in [warning.value for warning in app.warning]
    app.text_input[0].set_value("the tag is wrong")
    next(b for b in app.button if b.label == "Read anyway").click().run()
    assert not app.exception
    (image,) = images(app).values()
    assert image.status == "read"
    assert image.reading.quality.override == "the tag is wrong"
    assert "the tag is wrong" in text(app)


def test_read_first_hides_the_findings_until_they_are_shown(app):
    app.run()
    drop(app, ("image.png", phantom_png(256, 224)))
    before = content(app)
    app.toggle[0].set_value(True).run()
    hidden, listed = content(app), component_data(app, "second_read_worklist")
    next(b for b in app.button if b.label == "Show findings (S)").click().run()
    assert len(before["findings"]["rows"]) == 14
    assert (hidden["findings"], hidden["hidden"]) == (None, True)
    assert [image["above"] for study in listed["studies"] for image in study["images"]] == [None]
    assert content(app)["findings"] == before["findings"]
    assert not app.exception


@pytest.mark.parametrize("rule", ["on", "off"])
def test_the_site_may_settle_whether_the_reader_reads_first(app, monkeypatch, rule):
    monkeypatch.setenv("SECOND_READ_READ_FIRST", rule)
    settings.cache_clear()
    try:
        # what an earlier setting had the session remember does not count
        app.session_state["read_first"] = rule == "off"
        app.run()
        drop(app, ("image.png", phantom_png(256, 224)))
        assert not app.exception
        assert not app.toggle
        assert content(app)["hidden"] == (rule == "on")
        assert (content(app)["findings"] is None) == (rule == "on")
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_the_example_is_named_as_synthetic(app):
    app.run()
    next(b for b in app.button if "phantom" in b.label).click().run()
    assert not app.exception
    assert "Synthetic phantom (no patient)" in text(app)


def test_the_model_page_shows_limits_counts_and_hashes(app):
    app.switch_page("../../pages/model.py").run()
    assert not app.exception
    shown = text(app)
    for part in ("not transfer-learned", "SHA-256", "too few cases", "images without findings", "not evaluated"):
        assert part in shown, part


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
    (image,) = images(app).values()
    return {finding.label: finding for finding in image.reading.findings}


def test_the_flagged_proportion_is_shown_with_and_without_findings(app):
    app.run()
    drop(app, ("image.png", phantom_png(256, 224)))
    assert "images without findings" in text(app)
    # one line on top of the findings, hidden with them
    states = describe_states(next(iter(images(app).values())).reading.ranked())
    assert states in text(app)
    assert "Probabilities hold where findings are as common" in text(app)
    app.toggle[0].set_value(True).run()
    assert "images without findings" in text(app)
    assert states not in text(app)


def test_a_chosen_operating_point_applies_to_all_images(app, serving):
    serving("consecutive")
    app.run()
    drop(app, ("image.png", phantom_png(256, 224)), ("image.dcm", phantom_dicom(256, 224)))
    choice = next(box for box in app.selectbox if box.label == "Operating point")
    card = shared_predictor().card
    # the others flag more than half of the images without findings
    assert choice.options == ["default", "specificity-0.95"]
    assert list(card.operating_points) == [
        "default", "youden", "sensitivity-0.90", "sensitivity-0.95", "specificity-0.95",
    ]  # fmt: skip
    before = {digest: image.reading for digest, image in images(app).items()}
    choice.set_value("specificity-0.95").run()
    assert not app.exception
    for digest, image in images(app).items():
        assert image.reading.operating_point == "specificity-0.95"
        assert image.reading.class_maps is before[digest].class_maps
        assert image.reading.finding("Mass").threshold < before[digest].finding("Mass").threshold
        assert image.reading.finding("Mass").probability == before[digest].finding("Mass").probability
    assert describe_operating_point(card.operating_points["specificity-0.95"]) in text(app)
    app.switch_page("../../pages/model.py").run()
    app.switch_page("../../pages/second_opinion.py").run()
    assert next(box for box in app.selectbox if box.label == "Operating point").value == "specificity-0.95"


def test_a_local_prevalence_is_applied_and_cleared(app, serving):
    serving("enriched")
    app.run()
    drop(app, ("image.png", phantom_png(256, 224)))
    assert {finding.probability for finding in findings(app).values()} == {None}
    assert "the calibration images are an enriched sample" in text(app)
    next(b for b in app.button if b.label == "Local prevalence").click().run()
    fields = {field.label: field for field in app.number_input}
    assert len(fields) == 12
    assert "Hernia, % of images" not in fields
    fields["Effusion, % of images"].set_value(2.0)
    next(b for b in app.button if b.label == "Apply").click().run()
    assert not app.exception
    assert app.session_state["worklist"].prevalence == {"Effusion": pytest.approx(0.02)}
    shown = findings(app)
    assert shown["Effusion"].interval[0] < shown["Effusion"].probability < shown["Effusion"].interval[1]
    assert shown["Mass"].probability is None
    assert "Assumption: probabilities" in text(app)
    assert "Effusion 2%" in text(app)
    app.switch_page("../../pages/model.py").run()
    app.switch_page("../../pages/second_opinion.py").run()
    assert "Effusion 2%" in text(app)
    next(b for b in app.button if b.label == "Local prevalence: set").click().run()
    next(b for b in app.button if b.label == "Clear").click().run()
    assert app.session_state["worklist"].prevalence is None
    assert findings(app)["Effusion"].probability is None


def test_without_calibration_the_local_prevalence_is_disabled(app):
    app.run()
    drop(app, ("image.png", phantom_png(256, 224)))
    button = next(b for b in app.button if b.label.startswith("Local prevalence"))
    assert button.disabled == (shared_predictor().card.calibration is None)


def test_the_model_page_shows_calibration_and_operating_points(app, serving):
    serving("consecutive")
    app.switch_page("../../pages/model.py").run()
    assert not app.exception
    shown = text(app)
    for part in (
        "Platt curves for 12 of 14 labels",
        "taken consecutively",
        "5 folds by patient",
        "slope",
        "in the large",
        "images without findings flagged",
        "labels above threshold per image",
    ):
        assert part in shown, part
    next(box for box in app.selectbox if box.label == "Operating point").set_value("youden").run()
    assert "sum of sensitivity and specificity" in text(app)
    label = next(box for box in app.selectbox if box.label == "Label")
    assert "Hernia" not in label.options
    label.set_value("Mass").run()
    assert not app.exception
    assert "<b>Mass</b>: slope" in text(app)


def test_a_changed_model_is_reported_in_one_line(app, tmp_path, monkeypatch):
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


@pytest.mark.slow
def test_the_app_never_imports_tensorflow():
    code = """
import sys
from streamlit.testing.v1 import AppTest
from cxr_core.imaging import phantom_png
from cxr_core.ui.file_intake import add_files
app = AppTest.from_file("cxr_core/ui/main.py", default_timeout=300).run()
add_files(app.session_state["worklist"], [("a.png", phantom_png(256, 224))])
app.run()
assert not app.exception
(image,) = app.session_state["worklist"].images.values()
assert image.status == "read", image
app.switch_page("../../pages/model.py").run()
assert not app.exception
bad = {"tensorflow", "keras"} & set(sys.modules)
sys.exit(f"imported {bad}" if bad else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_rotated_image_can_be_rotated_back(app):
    import numpy as np

    from cxr_core.imaging import phantom

    app.run()
    drop(app, ("rotated.dcm", phantom_dicom(values=np.ascontiguousarray(np.rot90(phantom(256, 224))))))
    (image,) = images(app).values()
    assert image.status == "refused"
    next(b for b in app.button if b.label == "Rotate 90° clockwise and read").click().run()
    assert not app.exception
    (image,) = images(app).values()
    assert image.status == "read"
    assert "turned by the reader" in text(app)
