"""The import on the page "Model": offered to whom it may concern, run in a process of its own, told as it goes."""

import time
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.access import LOCAL
from cxr_core.ui import import_job, importing
from cxr_core.ui.import_job import ImportJob, ImportState
from tests.model.weights import reference as ref

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(monkeypatch):
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")
    importing._board.clear()
    yield (
        AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=60)
        .switch_page("../../pages/model.py")
        .run()
    )
    importing._board.clear()


def text(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def by_label(elements, words):
    return next(element for element in elements if words in element.label)


def import_button(app):
    return next(button for button in app.button if button.key == "import-start")


def test_it_is_offered_on_this_machine_only(app, monkeypatch):
    assert not app.exception
    assert [option for option in by_label(app.selectbox, "Weights").options if option.startswith("densenet121")]
    monkeypatch.setattr("cxr_core.ui.importing.may_administer", lambda: False)
    app.run()
    assert not app.exception
    assert not [box for box in app.selectbox if box.label == "Weights"]


@pytest.mark.parametrize(("who", "sees"), [("reader", False), ("reviewer", False), ("admin", True), ("local", True)])
def test_it_is_offered_to_administrators_alone(app_of, who, sees):
    app = app_of(who).switch_page("../../pages/model.py").run()
    assert not app.exception
    assert bool([box for box in app.selectbox if box.label == "Weights"]) == sees


def test_what_must_stand_in_the_trail_is_refused_where_it_cannot(app_of, trail, monkeypatch):
    monkeypatch.setattr(importing, "ImportJob", None)
    trail.parent.write_text("a file where the folder should be")
    app = app_of("admin").switch_page("../../pages/model.py").run()
    assert "The audit trail cannot be written." in text(app)
    import_button(app).click().run()
    assert not app.exception
    assert "SECOND_READ_AUDIT" in text(app)


def test_a_sign_in_that_ended_stops_no_import(app_of, monkeypatch):
    """A callback and a fragment run before any guard."""
    monkeypatch.setattr(importing, "may_administer", lambda: False)
    job = Told([])
    importing._stop(job)
    assert not job.stopped


def test_a_refusal_of_the_command_is_shown_as_one_line(app, tmp_path, monkeypatch):
    """The real command, in a process of its own: a file that is not the published one."""
    from cxr_core.settings import settings

    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        by_label(app.file_uploader, "The file").set_value(("x.pt", (ref.HERE / "tiny_zip.pt").read_bytes(), "x/y"))
        app.run()
        import_button(app).click().run()
        assert not app.exception
        state = importing._board().job.wait(120)
        assert "It is not the file meant" in state.error
        app.run()
    finally:
        settings.cache_clear()
    assert not app.exception
    assert "densenet121-res224-all was not imported" in text(app)
    assert "It is not the file meant" in text(app)
    assert "Traceback" not in text(app)
    # the form is there again, and the uploaded copy is gone
    assert import_button(app)
    assert not Path(importing._board().job._upload.name).exists()


class Told(ImportJob):
    """A job whose state a test says."""

    def __init__(self, arguments, upload=None, asked_by=None):
        self.arguments, self.state, self.stopped, self.upload = arguments, ImportState(), False, upload
        self.asked_by = asked_by
        Told.last = self

    def stop(self):
        self.stopped = True


def test_progress_time_left_stop_and_the_end(app, monkeypatch):
    monkeypatch.setattr(importing, "ImportJob", Told)
    by_label(app.selectbox, "Weights").select("densenet121-res224-chex").run()
    by_label(app.text_input, "Name of the model").set_value("chexpert").run()
    by_label(app.text_input, "SHA-256").set_value(" " + "a" * 64).run()
    import_button(app).click().run()
    assert not app.exception
    assert Told.last.arguments[-1] == "torchxrayvision:densenet121-res224-chex"
    assert Told.last.asked_by == LOCAL
    assert Told.last.arguments[:2] == ["--out", str(PROJECT / "model_weights" / "chexpert")]
    assert Told.last.arguments[2:4] == ["--sha256", "a" * 64]
    Told.last.state = ImportState("Downloading, 7.0 MB of 28.4 MB", 0.25, "0:12 left")
    app.run()
    (bar,) = app.main.get("progress")
    assert bar.proto.value == 25
    assert bar.proto.text == "Downloading, 7.0 MB of 28.4 MB, 0:12 left"
    # one import at a time
    assert not [button for button in app.button if button.key == "import-start"]
    next(button for button in app.button if button.key == "import-stop").click().run()
    assert Told.last.stopped
    Told.last.state = ImportState("Done", running=False)
    app.run()
    assert not app.exception
    assert "chexpert was imported and checked." in text(app)
    assert "SECOND_READ_MODEL=chexpert" in text(app)
    assert import_button(app)


@pytest.mark.parametrize("name", ["", "../elsewhere", ".hidden", "a/b"])
def test_a_name_that_is_a_path_is_refused(app, name, monkeypatch):
    monkeypatch.setattr(importing, "ImportJob", None)
    by_label(app.text_input, "Name of the model").set_value(name).run()
    import_button(app).click().run()
    assert not app.exception
    assert "A name is needed" in text(app)


def test_a_keras_file_needs_the_file(app, monkeypatch):
    monkeypatch.setattr(importing, "ImportJob", Told)
    by_label(app.selectbox, "Weights").select(importing.KERAS).run()
    by_label(app.text_input, "Name of the model").set_value("chexnet").run()
    import_button(app).click().run()
    assert "The weights file is needed." in text(app)
    by_label(app.file_uploader, "Keras weights").set_value(("../../Chex Net.h5", b"\x89HDF", "x/y"))
    by_label(app.text_input, "outputs are for").set_value("A,B").run()
    import_button(app).click().run()
    assert not app.exception
    source = Told.last.arguments[-1]
    assert source.startswith("keras:")
    assert source.endswith("/weights.h5")
    assert Told.last.arguments[2:8] == ["--labels", "A,B", "--normalisation", "imagenet", "--size", "224"]
    assert Path(source.removeprefix("keras:")).read_bytes() == b"\x89HDF"
    Told.last.upload.cleanup()


@pytest.mark.parametrize(
    ("name", "kept"),
    [("a b.weights.h5", "model.weights.h5"), ("a.keras", "weights.keras"), ("../m.pth.tar", "weights.pth.tar"),
     ("weights", "weights"), ("x.<b>", "weights")],
)  # fmt: skip
def test_an_upload_keeps_its_ending(name, kept):
    class File:
        def getvalue(self):
            return b"x"

    File.name = name
    folder, path = importing._kept(File())
    assert path == Path(folder.name) / kept
    assert path.read_bytes() == b"x"
    folder.cleanup()


def test_a_torch_file_is_read_by_a_preset(app, monkeypatch):
    monkeypatch.setattr(importing, "ImportJob", Told)
    by_label(app.selectbox, "Weights").select(importing.TORCH).run()
    by_label(app.text_input, "Name of the model").set_value("chexnet").run()
    by_label(app.file_uploader, "Checkpoint").set_value(("m.pth.tar", b"PK", "x/y"))
    import_button(app).click().run()
    assert not app.exception
    assert "Where it comes from is needed" in text(app)
    assert importing._board().job is None
    by_label(app.selectbox, "Repository").select("arnoweng").run()
    import_button(app).click().run()
    assert Told.last.arguments[2:4] == ["--preset", "arnoweng"]
    assert Told.last.arguments[-1].startswith("torch:")
    Told.last.upload.cleanup()


def test_a_torch_file_of_no_known_repository_needs_labels(app, monkeypatch):
    monkeypatch.setattr(importing, "ImportJob", Told)
    by_label(app.selectbox, "Weights").select(importing.TORCH).run()
    by_label(app.text_input, "Name of the model").set_value("mine").run()
    by_label(app.file_uploader, "Checkpoint").set_value(("m.pt", b"PK", "x/y"))
    by_label(app.selectbox, "Repository").select(importing.NO_PRESET).run()
    import_button(app).click().run()
    assert not app.exception
    assert "Labels are needed" in text(app)
    assert importing._board().job is None
    by_label(app.text_input, "outputs are for").set_value("Mass,Nodule").run()
    import_button(app).click().run()
    assert "What its authors did to grey values is needed" in text(app)
    assert importing._board().job is None
    by_label(app.selectbox, "grey values").select("samplewise").run()
    import_button(app).click().run()
    assert not app.exception
    assert Told.last.arguments[2:8] == ["--labels", "Mass,Nodule", "--normalisation", "samplewise", "--size", "224"]
    Told.last.upload.cleanup()


def test_a_job_that_is_stopped_ends_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "cxr_core.py").write_text(
        "import sys, time\n"
        'print(\'{"step": "Waiting", "share": 0.5, "left": null}\', file=sys.stderr, flush=True)\n'
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(import_job, "_PROJECT", tmp_path)
    job = ImportJob(["torchxrayvision:all"])
    while job.state.step == "Starting" and job.state.running:
        time.sleep(0.02)
    assert job.state == ImportState("Waiting", 0.5)
    job.stop()
    state = job.wait(60)
    assert not state.running
    assert state.error == "It was stopped."
