"""The import on the page "Model": roles, form, process, progress."""

import time
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.access import LOCAL
from cxr_core.settings import settings
from cxr_core.ui import import_panel
from cxr_core.ui.import_panel import ImportJob, ImportState
from tests.pretrained.weights import reference as ref

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(monkeypatch):
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")
    import_panel._last_import.clear()
    yield (
        AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
        .switch_page("../../pages/model.py")
        .run()
    )
    import_panel._last_import.clear()


def text(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def by_label(elements, text):
    return next(element for element in elements if text in element.label)


def import_button(app):
    return next(button for button in app.button if button.key == "import-start")


def test_the_import_is_offered_in_local_mode(app, monkeypatch):
    assert not app.exception
    assert [option for option in by_label(app.selectbox, "Weights").options if option.startswith("densenet121")]
    monkeypatch.setattr("cxr_core.ui.import_panel.may_administer", lambda: False)
    app.run()
    assert not app.exception
    assert not [box for box in app.selectbox if box.label == "Weights"]


@pytest.mark.parametrize(("who", "sees"), [("reader", False), ("reviewer", False), ("admin", True), ("local", True)])
def test_the_import_is_offered_to_administrators_only(app_of, who, sees):
    app = app_of(who).switch_page("../../pages/model.py").run()
    assert not app.exception
    assert bool([box for box in app.selectbox if box.label == "Weights"]) == sees


def test_an_import_is_refused_without_an_audit_trail(app_of, trail, monkeypatch):
    monkeypatch.setattr(import_panel, "ImportJob", None)
    trail.parent.write_text("a file where the folder should be")
    app = app_of("admin").switch_page("../../pages/model.py").run()
    assert "The audit trail cannot be written." in text(app)
    import_button(app).click().run()
    assert not app.exception
    assert "SECOND_READ_AUDIT" in text(app)


def test_a_visitor_without_the_role_cannot_stop_an_import(app_of, monkeypatch):
    monkeypatch.setattr(import_panel, "may_administer", lambda: False)
    job = StubJob([])
    import_panel._stop(job)
    assert not job.stopped


@pytest.mark.slow
def test_an_error_of_the_command_is_shown_in_one_line(app, tmp_path, monkeypatch):
    """Run the real command on a file that is not the published one."""
    from cxr_core.settings import settings

    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        by_label(app.file_uploader, "File").set_value(("x.pt", (ref.HERE / "tiny_zip.pt").read_bytes(), "x/y"))
        app.run()
        import_button(app).click().run()
        assert not app.exception
        state = import_panel._last_import().job.wait(120)
        assert "It is not the expected file" in state.error
        app.run()
    finally:
        settings.cache_clear()
    assert not app.exception
    assert "densenet121-res224-all was not imported" in text(app)
    assert "It is not the expected file" in text(app)
    assert "Traceback" not in text(app)
    # the form is shown again, and the uploaded copy was deleted
    assert import_button(app)
    assert not Path(import_panel._last_import().job._upload.name).exists()


class StubJob(ImportJob):
    """A job whose state the test sets."""

    def __init__(self, arguments, upload=None, requested_by=None):
        self.arguments, self.state, self.stopped, self.upload = arguments, ImportState(), False, upload
        self.requested_by = requested_by
        StubJob.last = self

    def stop(self):
        self.stopped = True


def test_progress_stop_and_completion(app, monkeypatch):
    monkeypatch.setattr(import_panel, "ImportJob", StubJob)
    by_label(app.selectbox, "Weights").select("densenet121-res224-chex").run()
    by_label(app.text_input, "Name of the model").set_value("chexpert").run()
    by_label(app.text_input, "SHA-256").set_value(" " + "a" * 64).run()
    import_button(app).click().run()
    assert not app.exception
    assert StubJob.last.arguments[-1] == "torchxrayvision:densenet121-res224-chex"
    assert StubJob.last.requested_by == LOCAL
    assert StubJob.last.arguments[:2] == ["--out", str(settings().home / "models" / "chexpert")]
    assert StubJob.last.arguments[2:4] == ["--sha256", "a" * 64]
    StubJob.last.state = ImportState("Downloading, 7.0 MB of 28.4 MB", 0.25, "0:12 left")
    app.run()
    (bar,) = app.main.get("progress")
    assert bar.proto.value == 25
    assert bar.proto.text == "Downloading, 7.0 MB of 28.4 MB, 0:12 left"
    # one import at a time
    assert not [button for button in app.button if button.key == "import-start"]
    next(button for button in app.button if button.key == "import-stop").click().run()
    assert StubJob.last.stopped
    StubJob.last.state = ImportState("Done", running=False)
    app.run()
    assert not app.exception
    assert "chexpert was imported and passed its checks." in text(app)
    assert "SECOND_READ_MODEL=chexpert" in text(app)
    assert import_button(app)


@pytest.mark.parametrize("name", ["", "../elsewhere", ".hidden", "a/b"])
def test_an_invalid_name_is_refused(app, name, monkeypatch):
    monkeypatch.setattr(import_panel, "ImportJob", None)
    by_label(app.text_input, "Name of the model").set_value(name).run()
    import_button(app).click().run()
    assert not app.exception
    assert "Enter a name" in text(app)


def test_import_of_a_keras_file(app, monkeypatch):
    monkeypatch.setattr(import_panel, "ImportJob", StubJob)
    by_label(app.selectbox, "Weights").select(import_panel.KERAS).run()
    by_label(app.text_input, "Name of the model").set_value("chexnet").run()
    import_button(app).click().run()
    assert "Choose the weights file." in text(app)
    by_label(app.file_uploader, "Keras weights").set_value(("../../Chex Net.h5", b"\x89HDF", "x/y"))
    by_label(app.text_input, "Labels of its outputs").set_value("A,B").run()
    import_button(app).click().run()
    assert not app.exception
    source = StubJob.last.arguments[-1]
    assert source.startswith("keras:")
    assert source.endswith("/weights.h5")
    assert StubJob.last.arguments[2:8] == ["--labels", "A,B", "--normalisation", "imagenet", "--size", "224"]
    assert Path(source.removeprefix("keras:")).read_bytes() == b"\x89HDF"
    StubJob.last.upload.cleanup()


@pytest.mark.parametrize(
    ("name", "stored"),
    [("a b.weights.h5", "model.weights.h5"), ("a.keras", "weights.keras"), ("../m.pth.tar", "weights.pth.tar"),
     ("weights", "weights"), ("x.<b>", "weights")],
)  # fmt: skip
def test_an_upload_keeps_its_suffix(name, stored):
    class File:
        def getvalue(self):
            return b"x"

    File.name = name
    folder, path = import_panel._save(File())
    assert path == Path(folder.name) / stored
    assert path.read_bytes() == b"x"
    folder.cleanup()


def test_import_of_a_torch_file_with_a_preset(app, monkeypatch):
    monkeypatch.setattr(import_panel, "ImportJob", StubJob)
    by_label(app.selectbox, "Weights").select(import_panel.TORCH).run()
    by_label(app.text_input, "Name of the model").set_value("chexnet").run()
    by_label(app.file_uploader, "Checkpoint").set_value(("m.pth.tar", b"PK", "x/y"))
    import_button(app).click().run()
    assert not app.exception
    assert "Choose the source repository" in text(app)
    assert import_panel._last_import().job is None
    by_label(app.selectbox, "Source repository").select("arnoweng").run()
    import_button(app).click().run()
    assert StubJob.last.arguments[2:4] == ["--preset", "arnoweng"]
    assert StubJob.last.arguments[-1].startswith("torch:")
    StubJob.last.upload.cleanup()


def test_import_of_a_torch_file_without_a_preset_needs_labels_and_normalisation(app, monkeypatch):
    monkeypatch.setattr(import_panel, "ImportJob", StubJob)
    by_label(app.selectbox, "Weights").select(import_panel.TORCH).run()
    by_label(app.text_input, "Name of the model").set_value("mine").run()
    by_label(app.file_uploader, "Checkpoint").set_value(("m.pt", b"PK", "x/y"))
    by_label(app.selectbox, "Source repository").select(import_panel.NO_PRESET).run()
    import_button(app).click().run()
    assert not app.exception
    assert "Enter the labels" in text(app)
    assert import_panel._last_import().job is None
    by_label(app.text_input, "Labels of its outputs").set_value("Mass,Nodule").run()
    import_button(app).click().run()
    assert "Choose the normalisation of grey values" in text(app)
    assert import_panel._last_import().job is None
    by_label(app.selectbox, "grey values").select("samplewise").run()
    import_button(app).click().run()
    assert not app.exception
    assert StubJob.last.arguments[2:8] == ["--labels", "Mass,Nodule", "--normalisation", "samplewise", "--size", "224"]
    StubJob.last.upload.cleanup()


def test_a_stopped_import_ends_with_a_message(tmp_path, monkeypatch):
    (tmp_path / "cxr_core.py").write_text(
        "import sys, time\n"
        'print(\'{"step": "Waiting", "fraction": 0.5, "remaining": null}\', file=sys.stderr, flush=True)\n'
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(import_panel, "_PROJECT", tmp_path)
    job = ImportJob(["torchxrayvision:all"])
    while job.state.step == "Starting" and job.state.running:
        time.sleep(0.02)
    assert job.state == ImportState("Waiting", 0.5)
    job.stop()
    state = job.wait(60)
    assert not state.running
    assert state.error == "The import was stopped."
