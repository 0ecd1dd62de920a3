"""What tests need from outside, found or, where CI asks for it, demanded.

``SECOND_READ_REQUIRE`` names, with commas between, what must be there: ``axe``, ``caddy``, ``chromium``, ``dcmtk``,
``dciodvfy``, ``docs``, ``nncf``, ``ohif``, ``orthanc``, ``pdf``, ``postgres``, ``proc``, ``ray``, ``shared``. A
required thing that is missing fails; another skips, and says so.
"""

import functools
import gc
import importlib
import importlib.util
import io
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from html import escape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

PROJECT = Path(__file__).resolve().parent.parent
REQUIRED = {name.strip() for name in os.environ.get("SECOND_READ_REQUIRE", "").split(",") if name.strip()}

# what tests do belongs in no real audit trail and no real store; a server or command that a test starts inherits this
_KEPT = Path(tempfile.mkdtemp(prefix="second-read-tests-"))
os.environ["SECOND_READ_HOME"] = str(_KEPT / "home")
os.environ["SECOND_READ_AUDIT"] = str(_KEPT / "audit.jsonl")
os.environ["SECOND_READ_RUNS"] = str(_KEPT / "runs")


@functools.cache
def _prepare_to_collect() -> None:
    """Let nothing be collected as garbage while tests are imported, and each size of the phantom be computed once.

    Tests draw it a thousand times, 640 x 560 in a tenth of a second.
    """
    gc.disable()
    # the package has the function of the same name
    phantom = importlib.import_module("cxr_core.imaging.phantom")
    phantom._thickness = functools.lru_cache(128)(phantom._thickness)


def pytest_collectstart():
    """Prepare a process that imports tests; the one that only distributes them to others does not."""
    _prepare_to_collect()


def pytest_collection_finish():
    """Leave the test modules and all that they import out of garbage collection, and OpenBLAS its one thread.

    A full collection takes 0.45 s with these objects. The threads of OpenBLAS would spin on the cores that the other
    processes of the tests use.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    threadpool_limits(1, user_api="blas")
    if store := sys.modules.get("cxr_core.ui.read_store"):
        # the thread of a test's store would look again five minutes later, and log in another test what is gone
        store._RETRY_SECONDS = 1e6


def pytest_unconfigure():
    """Remove what this process kept: 80 MB of compiled graphs and runs."""
    shutil.rmtree(_KEPT, ignore_errors=True)


@pytest.fixture(autouse=True)
def quick_app_tests():
    """Let Streamlit look for components in the installed packages once per process, and not for every AppTest (3 s).

    Nor does it collect garbage after every script run of an AppTest; a test of what is freed collects it itself, and a
    server that a test starts is as it is delivered.
    """
    if "streamlit" in sys.modules:
        from streamlit import config
        from streamlit.components.v2 import manifest_scanner as scanner

        if config.get_option("runner.postScriptGC"):
            config.set_option("runner.postScriptGC", False)
        if not hasattr(scanner.scan_component_manifests, "cache_info"):
            scanner.scan_component_manifests = functools.cache(scanner.scan_component_manifests)


@pytest.fixture(autouse=True)
def logs_as_before():
    """Undo what :func:`cxr_core.logs.configure_logs` did in a test, such as one that starts the server in this process.

    Its handler writes to the ``stderr`` of that moment, which pytest closes when the test ends.
    """
    known = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    before = {one: (list(one.handlers), one.propagate, one.level) for one in (logging.getLogger(), *known)}
    yield
    logs = sys.modules.get("cxr_core.logs")
    ours = (logs.JsonFormatter, logs.TextFormatter) if logs else ()
    if any(isinstance(one.formatter, ours) for one in logging.getLogger().handlers):
        logging.captureWarnings(False)
        for one, (handlers, propagate, level) in before.items():
            one.handlers[:], one.propagate = handlers, propagate
            one.setLevel(level)


@pytest.fixture(scope="module", autouse=True)
def one_browser():
    """Let the tests of a file share one Chromium; it ends with the file, since those of others run event loops."""
    from tests.browser import sharing_a_browser

    with sharing_a_browser():
        yield


@pytest.fixture
def figures_as_text(monkeypatch):
    """Let reports contain the text of their figures, for tests that are not about drawing: it takes seconds a figure.

    All that the drawing would show is in it: names, numbers and notes.
    """
    # the package has the function of the same name
    report = importlib.import_module("cxr_core.displays.run_report")
    monkeypatch.setattr(report, "as_svg", lambda chart: f"<svg><text>{escape(repr(chart))}</text></svg>".encode())


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    """Folders of its own for what a test stores in this process, in ``tmp_path``; monkeypatch, for further settings."""
    from cxr_core.settings import settings

    for name in ("home", "runs"):
        monkeypatch.setenv(f"SECOND_READ_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("SECOND_READ_AUDIT", str(tmp_path / "audit.jsonl"))
    settings.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    settings.cache_clear()


def missing(name: str, words: str):
    """Fail where the thing is required, else skip."""
    if name in REQUIRED:
        pytest.fail(f"{words}, and SECOND_READ_REQUIRE asks for {name}")
    pytest.skip(words)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real X-rays; tests that use it carry the mark ``needs_shared``."""
    folder = Path(os.environ.get("SECOND_READ_SHARED", PROJECT.parent / "shared"))
    if not (folder / "data").is_dir():
        missing("shared", f"no real X-rays in {folder.name}/ beside the project")
    return folder / "data"


@pytest.fixture(scope="session")
def dcm2pnm(tmp_path_factory):
    """Render DICOM bytes with DCMTK, as a second witness: (rows, columns) uint8."""
    program = shutil.which("dcm2pnm")
    if program is None:
        missing("dcmtk", "DCMTK's dcm2pnm is not installed")
    folder = tmp_path_factory.mktemp("dcmtk")

    def render(data: bytes, *options: str) -> np.ndarray:
        (folder / "in.dcm").write_bytes(data)
        command = [program, "-O", *options, "+op", str(folder / "in.dcm"), str(folder / "out.pgm")]
        subprocess.run(command, check=True, capture_output=True)
        with Image.open(folder / "out.pgm") as image:
            return np.asarray(image).copy()

    return render


@pytest.fixture(scope="session")
def dciodvfy(tmp_path_factory):
    """The errors that dicom3tools' validator finds in DICOM bytes, as lines."""
    program = shutil.which("dciodvfy")
    if program is None:
        missing("dciodvfy", "dicom3tools' dciodvfy is not installed")
    file = tmp_path_factory.mktemp("dciodvfy") / "in.dcm"

    def errors(data: bytes) -> list[str]:
        file.write_bytes(data)
        done = subprocess.run([program, "-new", str(file)], capture_output=True, text=True, errors="replace")
        lines = done.stderr.splitlines()
        # it names the object that it has recognised
        assert lines
        return [line for line in lines if line.startswith("Error")]

    return errors


@pytest.fixture(scope="session")
def dcmtk_text(tmp_path_factory):
    """What a program of DCMTK (dsrdump, dsr2html) prints of DICOM bytes."""
    folder = tmp_path_factory.mktemp("dcmtk-text")

    def text(program: str, data: bytes, *options: str) -> str:
        path = shutil.which(program)
        if path is None:
            missing("dcmtk", f"DCMTK's {program} is not installed")
        (folder / "in.dcm").write_bytes(data)
        return subprocess.run(
            [path, *options, str(folder / "in.dcm")], check=True, capture_output=True, text=True
        ).stdout

    return text


@pytest.fixture(scope="session")
def server():
    """The address of a PostgreSQL, on a socket of its own; or the one that SECOND_READ_TEST_DATABASE_URL names."""
    from tests.postgresql import lacking, postgresql_server

    if named := os.environ.get("SECOND_READ_TEST_DATABASE_URL"):
        yield named
        return
    if (words := lacking()) is not None:
        missing("postgres", words)
    with postgresql_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def schemas(server):
    """An engine of that PostgreSQL, which makes the schemas of the tests and drops them."""
    from sqlalchemy import create_engine

    # a test may end all connections
    engine = create_engine(server, pool_pre_ping=True)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """The address of an empty database: SQLite, and PostgreSQL."""
    from sqlalchemy import make_url, text

    if request.param == "sqlite":
        (tmp_path / "runs").mkdir()
        yield f"sqlite:///{tmp_path / 'runs' / 'second-read.sqlite'}"
        return
    schemas, schema = request.getfixturevalue("schemas"), f"test_{uuid.uuid4().hex}"
    with schemas.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    address = make_url(request.getfixturevalue("server"))
    yield address.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
    with schemas.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


@pytest.fixture(scope="session")
def orthanc_of_session():
    """One Orthanc for all tests of this process; a test asks for ``orthanc``."""
    from tests.orthanc import lacking, orthanc_server

    words = lacking()
    if words is not None:
        missing("orthanc", words)
    with orthanc_server() as server:
        yield server


@pytest.fixture
def orthanc(orthanc_of_session):
    """A real Orthanc with DICOMweb on loopback, running, empty, and without an AE title that it knows."""
    if not orthanc_of_session.running:
        orthanc_of_session.start()
    orthanc_of_session.empty()
    return orthanc_of_session


@pytest.fixture
def ohif(orthanc):
    """The address of OHIF, which shows what ``orthanc`` holds."""
    from tests.ohif import lacking, viewer

    words = lacking()
    if words is not None:
        missing("ohif", words)
    with viewer(orthanc) as address:
        yield address


@pytest.fixture(scope="session")
def proc(tmp_path_factory):
    """Areas, DeLong's intervals and tests by R's pROC, as a second witness: a CSV of cases to a CSV of numbers."""
    program = shutil.which("Rscript")
    if program is None or subprocess.run([program, "-e", "library(pROC)"], capture_output=True).returncode:
        missing("proc", "R's pROC is not installed")
    script = PROJECT / "tests" / "metrics" / "proc" / "numbers.R"

    def numbers(cases: Path) -> Path:
        out = tmp_path_factory.mktemp("proc") / "numbers.csv"
        subprocess.run([program, str(script), str(cases), str(out)], check=True, capture_output=True)
        return out

    return numbers


@pytest.fixture(scope="session")
def ray() -> None:
    """Ray is installed; not imported here, where warnings are errors and a cluster would be one for all tests."""
    if importlib.util.find_spec("ray") is None:
        missing("ray", "Ray is not installed (requirements-ray.txt)")


@pytest.fixture(scope="session")
def nncf() -> None:
    """NNCF is installed, which makes INT8 graphs."""
    if importlib.util.find_spec("nncf") is None:
        missing("nncf", "NNCF is not installed (requirements-int8.txt)")


@pytest.fixture(scope="module")
def any_processor_of_module():
    """INT8 is accepted whatever the processor: without its instructions it is slower, with nearly the same numbers."""
    from cxr_core.model import precision

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "int8_instructions", lambda: ("accepted for this test",))
        yield


@pytest.fixture
def any_processor(any_processor_of_module):
    """As ``any_processor_of_module``, for one test."""


@pytest.fixture(scope="session")
def printed():
    """The text of each page of a PDF, with single spaces: reportlab makes the file, and pypdf reads it."""
    for name in ("reportlab", "pypdf"):
        if importlib.util.find_spec(name) is None:
            missing("pdf", f"{name} is not installed (requirements-dev.txt)")
    from pypdf import PdfReader

    def pages(pdf: bytes) -> list[str]:
        return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages]

    return pages


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("chromium", "Chromium is not installed")
    return path


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, from the package that carries it."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None:
        missing("axe", "axe-playwright-python, which carries axe-core, is not installed")
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def predictor():
    """The embedded model on the engine that serves."""
    from cxr_core.model import shared_predictor

    return shared_predictor("second-read-mini", "openvino")


@pytest.fixture(scope="session")
def calibrated_models(tmp_path_factory) -> Path:
    """A folder of two models: the embedded one, calibrated on made-up ``consecutive`` and ``enriched`` images."""
    from tests.images import calibrated_copies

    home = tmp_path_factory.mktemp("calibrated")
    calibrated_copies(home)
    return home


@pytest.fixture(scope="session")
def edge_model(tmp_path_factory) -> Path:
    """The embedded model with a threshold that ``phantom_dicom(256, 224)`` crosses for Effusion when it is cropped."""
    from cxr_core.imaging import phantom_dicom
    from tests.images import edge_copy

    folder = tmp_path_factory.mktemp("edge") / "edge"
    edge_copy(folder, phantom_dicom(256, 224))
    return folder


@pytest.fixture(scope="session")
def address():
    """The address of the app, served for all browser tests; each opens a session of its own."""
    from tests.browser import serving

    with serving() as address:
        yield address


@pytest.fixture
def page(address, chromium):
    """The front page of the app in Chromium, 1440 x 900."""
    from tests.browser import browsing, open_front_page

    with browsing(chromium) as page:
        open_front_page(page, address)
        yield page


@pytest.fixture(scope="session")
def imported(tmp_path_factory) -> Path:
    """A model folder of 18 labels, made once by the page's own job from a file that torch.save(model) wrote."""
    import hashlib

    from cxr_core.ui.import_panel import ImportJob
    from tests.pretrained.weights.reference import rebuilt

    home = tmp_path_factory.mktemp("imported")
    file, folder = home / "given.pt", home / "models" / "txv-all"
    data = rebuilt("legacy")
    file.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    job = ImportJob(
        ["torchxrayvision:all", "--file", str(file), "--sha256", digest, "--out", str(folder)],
    )
    state = job.wait(1800)
    assert state.error == "", state
    assert not state.running
    file.unlink()
    return folder


@pytest.fixture
def trail(monkeypatch, tmp_path) -> Path:
    """The file of an audit trail of this test alone, with a key of its own; it is not there yet."""
    from cxr_core.settings import settings

    file = tmp_path / "audit" / "audit.jsonl"
    monkeypatch.setenv("SECOND_READ_AUDIT", str(file))
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "kept"))
    settings.cache_clear()
    yield file
    settings.cache_clear()
