"""The app and every command, watched: nothing but this machine is asked, and nothing is written elsewhere.

Each runs in a process of its own with an empty home directory and a hook on name look-ups, connections and files, which
its children have too (:mod:`tests.watched.sitecustomize`). A command without a case here fails the test.
"""

import asyncio
import contextlib
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import typer

from cxr_core.cli.main import app
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.model.card import read_card
from cxr_core.model.folder import find_model
from cxr_core.store import RunStore
from tests.films import made_up_dataset
from tests.protocol import Reader
from tests.runs import made_up, record_of
from tests.soak.server import served

PROJECT = Path(__file__).resolve().parent.parent
REFUSED = {"models import"}
"""Those whose made-up input is refused, after the libraries have been loaded."""


class Place:
    """A folder with a home directory and what the commands need; what is noted there of a process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes, self.home = folder, folder / "notes", folder / "home"
        self.work = folder / "work"
        for path in (self.home, self.work):
            path.mkdir()
        (self.work / "a.dcm").write_bytes(phantom_dicom())
        (self.work / "b.png").write_bytes(phantom_png(256, 224))
        self.images, self.table = made_up_dataset(self.work / "data", patients=10, films=2, side=48)
        parts = "".join(f"{n},{'train' if n < 6 else 'validation'}\n" for n in range(1, 11))
        (self.work / "parts.csv").write_text("patient_id,part\n" + parts)
        self.model = self.work / "copy"
        shutil.copytree(find_model("second-read-mini"), self.model)
        weights = read_card(self.model / "card.json").weights_sha256
        store = RunStore(folder=self.work / "runs")
        for name in ("one", "two"):
            predictions = made_up(60)
            store.add(record_of(predictions, name, model_sha256=weights), predictions)
        store.close()

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SECOND_READ", "XDG", "CI"))}
        for name in ("KERAS_HOME", "MPLCONFIGDIR", "RAY_USAGE_STATS_ENABLED"):
            kept.pop(name, None)
        return kept | {
            "HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "tests" / "watched"), str(PROJECT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SECOND_READ_TEST_NOTES": str(self.notes),
            "SECOND_READ_RUNS": str(self.work / "runs"),
            # empty is unset; a test's own process has named its folders
            "KERAS_HOME": "",
            "MPLCONFIGDIR": "",
            # whatever the environment says
            "RAY_USAGE_STATS_ENABLED": "1",
            "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "cxr_core", *arguments]
        return subprocess.run(command, cwd=self.work, env=self.environment(), capture_output=True, text=True)

    def check(self) -> None:
        """Fail where something was asked of another machine, or written outside the folders."""
        noted = [json.loads(line) for line in self.notes.read_text().splitlines()]
        assert ["hook", "", ""] in noted
        outside = {(event, what) for kind, event, what in noted if kind == "net" and not local(what)}
        assert not outside
        temporary = Path(tempfile.gettempdir()).resolve()
        allowed = (self.work.resolve(), temporary, Path("/dev"), Path("/proc"))
        written = {what for kind, _, what in noted if kind == "write"}
        foreign = {what for what in written if not any(Path(what).resolve().is_relative_to(one) for one in allowed)}
        assert not foreign
        assert not {what for what in written if Path(what).is_relative_to(self.home)}
        assert not list(self.home.rglob("*"))


def local(address: str) -> bool:
    """Whether an address or name is this machine's own: loopback, a file, or nobody's in particular for a port."""
    if address.startswith("unix:") or address in ("localhost", "", "None"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    return False


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def data(place: Place) -> list[str]:
    return ["--images", str(place.images), "--table", str(place.table)]


CASES = {
    "predict": lambda p: ["a.dcm", "b.png", "--json", "--heatmaps", "maps", "--sheet", "sheets"],
    "render": lambda p: ["a.dcm", "a.png"],
    "train": lambda p: [
        *data(p), "--split", "parts.csv", "--out", "made/mine", "--init", "random", "--epochs", "1", "--size", "32",
        "--batch", "4", "--workers", "1",
    ],
    "train-gate": lambda p: [*data(p), "--split", "parts.csv", "--out", "look.npz"],
    "evaluate": lambda p: data(p),
    "calibrate": lambda p: [*data(p), "--model", str(p.model), "--split", "parts.csv"],
    "describe": lambda p: ["--table", str(p.table), "--split", "parts.csv", "--out", "counts.json"],
    "split": lambda p: [*data(p), "--out", "split.csv"],
    "audit": lambda p: [],
    "backup": lambda p: ["all.zip"],
    "restore": lambda p: [backup_of(p), "--overwrite"],
    "bench": lambda p: ["--runs", "3", "--no-tensorflow"],
    "models list": lambda p: [],
    "models show": lambda p: ["second-read-mini"],
    "models verify": lambda p: ["second-read-mini"],
    "models measure": lambda p: [str(p.model), "--run", "one"],
    "models import": lambda p: [f"keras:{keras_weights(p)}", "--out", "made", "--size", "32"],
    "runs list": lambda p: [],
    "runs show": lambda p: ["one"],
    "runs compare": lambda p: ["one", "two"],
    "runs export": lambda p: ["one", "exported"],
    "runs import": lambda p: ["--help"],
    "runs rebuild": lambda p: [],
}  # fmt: skip
"""Arguments for each command; what comes of them is for other tests, so a refusal is no failure here."""


def keras_weights(place: Place) -> Path:
    """A weights file whose hash nobody knows; Keras and OpenVINO are loaded before it is refused or taken."""
    (place.work / "mine.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(4096))
    return place.work / "mine.weights.h5"


def backup_of(place: Place) -> str:
    """A backup of what the program keeps here."""
    done = place.run("backup", "kept.zip")
    assert done.returncode == 0, done.stderr
    return "kept.zip"


def commands() -> list[str]:
    """Every command of the program, with those of groups."""
    found = []
    for name, command in sorted(
        (name, typer.main.get_command(app).get_command(None, name))
        for name in typer.main.get_command(app).list_commands(None)
    ):
        inner = getattr(command, "commands", None)
        found += [f"{name} {one}" for one in sorted(inner)] if inner else [name]
    return found


def test_every_command_has_a_case():
    assert sorted(CASES) == sorted(commands())


@pytest.mark.parametrize("command", sorted(CASES))
def test_a_command_asks_nobody_and_writes_where_it_may(place, command):
    done = place.run(*command.split(), *CASES[command](place))
    assert "Traceback" not in done.stderr
    assert done.returncode == (4 if command in REFUSED else 0), done.stderr
    place.check()


def test_an_archive_and_its_readers_ask_nobody(place):
    done = place.run("predict", "a.dcm", "b.png", "--archive", "out", "--workers", "2")
    assert done.returncode == 0, done.stderr
    place.check()


@pytest.mark.slow
def test_ray_and_its_workers_ask_nobody(place, ray):
    done = place.run("predict", "a.dcm", "b.png", "--archive", "out", "--on", "ray", "--workers", "1")
    assert done.returncode == 0, done.stderr
    noted = [json.loads(line) for line in place.notes.read_text().splitlines()]
    own = {what for kind, event, what in noted if kind == "net" and event != "socket.bind"}
    # Ray's processes speak to each other by the address that this machine has in its network
    assert not {what for what in own if not local(what) and not _of_this_machine(what)}
    assert not list(place.home.rglob("*"))


def _of_this_machine(address: str) -> bool:
    listed = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    name = subprocess.run(["hostname"], capture_output=True, text=True).stdout.strip()
    return address in (*listed, name, "0.0.0.0", "::")


def test_the_app_asks_nobody_while_it_reads(place):
    async def read(address: str) -> None:
        async with Reader(address) as reader:
            await reader.upload("a.dcm", phantom_dicom())
            await reader.until(lambda run: run.finished and "second_read_findings" in run.components())
            await reader.upload("b.png", phantom_png(256, 224))
            await reader.until(lambda run: run.finished and "second_read_findings" in run.components())
        # one of another origin, of which Streamlit would ask a server elsewhere whether it is this machine
        foreign = Reader(address)
        foreign._address = foreign._address.replace("127.0.0.1", "localhost")
        with contextlib.suppress(Exception):
            from websockets.asyncio.client import connect

            await connect(address.replace("http", "ws", 1) + "/_stcore/stream", origin="https://example.org")
        await foreign._http.aclose()

    with served(**place.environment()) as server:
        asyncio.run(read(server.address))
    place.check()


def test_the_watch_sees_what_it_is_for(place):
    code = (
        "import socket, pathlib\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9))\n"
        "pathlib.Path.home().joinpath('intel').mkdir()"
    )
    subprocess.run([sys.executable, "-c", code], env=place.environment(), check=True)
    with pytest.raises(AssertionError, match="192"):
        place.check()


@pytest.mark.parametrize("environment", [{}, {"CI": "false"}, {"OPENVINO_TELEMETRY": "1"}])
def test_openvino_reports_nothing_whatever_the_environment_says(place, environment):
    code = (
        "import cxr_core, openvino\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "telemetry_utils.init_ovc_telemetry().send_event('a', 'b', 'c')\n"
        "print(telemetry_utils.tm.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=place.environment() | environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub"]
    place.check()
