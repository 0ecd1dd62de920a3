"""The wheel: what is in it, and that it works by itself, in an environment and a folder without the checkout."""

import asyncio
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from cxr_core.imaging import phantom_dicom
from cxr_core.ui.guard import PAGES
from tests.browser import wait_for
from tests.processes import free_port, stop
from tests.protocol import Reader

PROJECT = Path(__file__).resolve().parent.parent
BUNDLED = "cxr_core/bundled"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel as pip makes it, without asking the network for the backend."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(PROJECT)], check=True)
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of programs of an environment of its own: the wheel, and the packages that are installed here."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    (Path(packages) / "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """The environment of a user who has set nothing."""
    ours = ("SECOND_READ", "PYTHONPATH", "XDG", "MPLCONFIGDIR", "KERAS_HOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {"HOME": str(tmp_path)}


def test_the_wheel_holds_the_program_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files", "-z", "cxr_core"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode == 0:
        assert {name for name in names if name.startswith("cxr_core/") and not name.startswith(BUNDLED)} == set(
            filter(None, listed.stdout.split("\0"))
        )
    model = PROJECT / "model_weights" / "second-read-mini"
    assert {name for name in names if name.startswith(BUNDLED)} == {
        f"{BUNDLED}/app.py",
        f"{BUNDLED}/.streamlit/config.toml",
        f"{BUNDLED}/.streamlit/secrets.toml.example",
        *(f"{BUNDLED}/pages/{screen.stem}.py" for screen in PAGES),
        *(f"{BUNDLED}/{path.relative_to(PROJECT)}" for path in model.rglob("*") if path.is_file()),
    }
    assert {name.partition("/")[0] for name in names} == {"cxr_core", f"{wheel.name.split('-py3')[0]}.dist-info"}
    assert "cxr_core/py.typed" in names


def test_the_metadata_name_the_dependencies_and_extras(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    lines = archive.read(metadata).decode().splitlines()
    assert "Requires-Python: <3.14,>=3.11" in lines
    assert [line for line in lines if line.startswith("Provides-Extra")] == [
        "Provides-Extra: int8",
        "Provides-Extra: pacs",
        "Provides-Extra: postgres",
        "Provides-Extra: ray",
    ]
    assert any(line.startswith("Requires-Dist: streamlit==") for line in lines)


def test_the_installed_command_reads_an_image(installed, environment, tmp_path):
    (tmp_path / "a.dcm").write_bytes(phantom_dicom())
    command = [str(installed / "second-read"), "predict", "a.dcm", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["findings"]) == 14
    # by itself, not by the checkout
    where = [str(installed / "python"), "-c", "import cxr_core; print(cxr_core.__file__)"]
    done = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)
    assert {path.name for path in tmp_path.iterdir()} <= {"a.dcm", ".local", "Library", ".cache"}


def test_the_installed_app_answers_and_reads_an_image(installed, environment, tmp_path):
    async def read(address: str) -> None:
        async with Reader(address) as reader:
            assert len((await reader.read("a.dcm", phantom_dicom()))["findings"]["rows"]) == 14

    with free_port() as port:
        command = [str(installed / "second-read"), "app", "--port", str(port), "--", "--server.maxUploadSize", "150"]
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", b"ok", server)
            asyncio.run(read(f"http://127.0.0.1:{port}"))
            # the headers of .streamlit/config.toml and of the server around the pages
            from urllib.request import urlopen

            with urlopen(f"http://127.0.0.1:{port}/") as answer:
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        finally:
            stop(server)
