"""The app and every command, watched: nothing but this machine is asked, and nothing is written elsewhere.

They run with an empty home directory and a hook on name look-ups, connections and files, which their children have too
(:mod:`tests.watched.sitecustomize`); long commands in a process of their own, the others one after the other in one,
which imports the program once. A command without a case here fails the test.
"""

import asyncio
import base64
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
from pydicom import dcmread
from pydicom.dataset import Dataset

from benchmarks.soak.server import served
from cxr_core.cli.main import app
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.model.card import read_card
from cxr_core.model.folder import find_model, open_model
from cxr_core.model.precision import int8_instructions
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import pynetdicom
from cxr_core.pacs.dimse_source import FIND
from cxr_core.store import RunStore
from tests.application_entities import application_entity
from tests.images import made_up_dataset
from tests.pacs.test_receiver import send
from tests.protocol import Reader
from tests.received import received
from tests.runs import made_up, record_of
from tests.small_models import pretended_int8, small_model

PROJECT = Path(__file__).resolve().parent.parent
REFUSED = {"models import"}
"""Those whose made-up input is refused, after the libraries have been loaded."""


class Place:
    """A folder with a home directory and what the commands need; what is noted there of a process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes, self.home = folder, folder / "notes", folder / "home"
        self.work, self.settings = folder / "work", {}
        self.servers = contextlib.ExitStack()
        for path in (self.home, self.work):
            path.mkdir()
        (self.work / "a.dcm").write_bytes(phantom_dicom(256, 224))
        (self.work / "b.png").write_bytes(phantom_png(256, 224))
        self.images, self.table = made_up_dataset(self.work / "data", patients=10, images=2, side=48)
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
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("SECOND_READ", "XDG", "CI"))
        }
        for name in ("KERAS_HOME", "MPLCONFIGDIR", "RAY_USAGE_STATS_ENABLED"):
            inherited.pop(name, None)
        return inherited | {
            "HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "tests" / "watched"), str(PROJECT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SECOND_READ_TEST_NOTES": str(self.notes),
            "SECOND_READ_RUNS": str(self.work / "runs"),
            **self.settings,
            # empty is unset; a test's own process has named its folders
            "KERAS_HOME": "",
            "MPLCONFIGDIR": "",
            # whatever the environment says
            "RAY_USAGE_STATS_ENABLED": "1",
            "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.run_python("-m", "cxr_core", *arguments)

    def run_python(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=self.work, env=self.environment(), capture_output=True, text=True)

    def noted(self) -> list[list[str]]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()]

    def check(self, noted: list[list[str]] | None = None) -> None:
        """Fail where something was asked of another machine, or written outside the folders."""
        if noted is None:
            noted = self.noted()
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
    place = Place(tmp_path)
    with place.servers:
        yield place


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
    "app": lambda p: ["--help"],
    "audit": lambda p: [],
    "doctor": lambda p: [],
    "backup": lambda p: ["all.zip"],
    "restore": lambda p: [backup_of(p), "--overwrite"],
    "bench": lambda p: ["--runs", "3", "--no-tensorflow"],
    "models list": lambda p: [],
    "models show": lambda p: ["second-read-mini"],
    "models verify": lambda p: ["second-read-mini"],
    "models sheet": lambda p: ["second-read-mini", "--out", "sheet.md"],
    "models localisation": lambda p: [str(p.model), "--run", "heart-masks-of-external-jsrt"],
    "models stability": lambda p: [str(p.model), *data(p), "--split", "parts.csv"],
    "models measure": lambda p: [str(p.model), "--run", "one"],
    "models quantise": lambda p: [str(small_model(p.work / "small")), *data(p), "--split", "parts.csv"],
    "models precision": lambda p: [at_two_precisions(p), *data(p)],
    "models import": lambda p: [f"keras:{keras_weights(p)}", "--out", "made", "--size", "32"],
    "pacs echo": lambda p: [str(p.servers.enter_context(application_entity()))],
    "pacs fetch": lambda p: archive_of(p),
    "pacs work": lambda p: with_archive(p, received_image(p)),
    "pacs send": lambda p: with_archive(p, [stored_read(p), "--kinds", "sr"]),
    "pacs status": lambda p: [],
    "pacs retry": lambda p: ["--all"],
    "pacs delete": lambda p: received_image(p) and [study_of(p)],
    "pacs receive": lambda p: ["--help"],
    "reads list": lambda p: [],
    "reads concordance": lambda p: [],
    "reads monitor": lambda p: [],
    "reads show": lambda p: [stored_read(p)],
    "reads export": lambda p: [
        stored_read(p), "exported", "--pdf", "--sr", "--sc", "--dicom-pdf", "--gsps", "--seg",
    ],
    "reads delete": lambda p: ["--expired"],
    "reads rekey": lambda p: stored_with_another_key(p),
    "runs list": lambda p: [],
    "runs show": lambda p: ["one"],
    "runs prepare": lambda p: ["one", "--compare", "two"],
    "runs compare": lambda p: ["one", "two"],
    "runs export": lambda p: ["one", "exported"],
    "runs import": lambda p: ["--help"],
    "runs rebuild": lambda p: [],
}  # fmt: skip
"""Arguments for each command; what comes of them is for other tests, so a refusal is no failure here."""

LONG = {
    "backup", "bench", "calibrate", "evaluate", "models import", "models measure", "models precision",
    "models quantise", "models sheet", "models stability",
    "pacs send", "pacs work",
    "reads delete", "reads export", "reads rekey", "reads show", "restore", "runs compare", "runs export",
    "runs prepare", "runs rebuild", "train", "train-gate",
}  # fmt: skip
"""Left to the slow suite."""


def at_two_precisions(place: Place) -> str:
    """A small model with what stands for its INT8 graph."""
    folder = small_model(place.work / "small")
    pretended_int8(open_model(str(folder)))
    return str(folder)


def keras_weights(place: Place) -> Path:
    """A weights file whose hash nobody knows; Keras and OpenVINO are loaded before it is refused or taken."""
    (place.work / "mine.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(4096))
    return place.work / "mine.weights.h5"


def stored_read(place: Place) -> str:
    """The id of a read of the DICOM file, which the program stores in a folder that is named."""
    place.settings["SECOND_READ_HOME"] = str(place.work / "stored")
    code = (
        "import pathlib\n"
        "from cxr_core.model import shared_predictor\n"
        "from cxr_core.reading import read_image\n"
        "from cxr_core.store.read_record import ReadOptions\n"
        "from cxr_core.store.reads import ReadStore\n"
        "store, data = ReadStore(), pathlib.Path('a.dcm').read_bytes()\n"
        "_, reading = read_image(data, shared_predictor('second-read-mini', 'openvino'))\n"
        "print(store.save_read(store.add_image('anna', data), reading, ReadOptions(), '1', revealed=True))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=place.work, env=place.environment(), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def archive_of(place: Place) -> list[str]:
    """A study of an application entity that knows it and has no series of it; the settings name the entity."""

    def find(request):
        if request.identifier.QueryRetrieveLevel == "STUDY":
            answer = Dataset()
            answer.StudyInstanceUID = "1.2.3"
            yield 0xFF00, answer

    services = [pynetdicom().build_context(FIND)], [(pynetdicom().evt.EVT_C_FIND, find)]
    place.settings["SECOND_READ_PACS"] = str(place.servers.enter_context(application_entity(*services)))
    return ["1.2.3"]


def received_image(place: Place) -> list[str]:
    """Store the DICOM file as one that the network has brought; return how it is read."""
    place.settings["SECOND_READ_HOME"] = str(place.work / "stored")
    code = (
        "import pathlib\n"
        "from cxr_core.store.pacs_store import PacsStore\n"
        "PacsStore().add_instance(pathlib.Path('a.dcm').read_bytes(), 'stow')"
    )
    done = place.run_python("-c", code)
    assert done.returncode == 0, done.stderr
    return ["--until-idle"]


def study_of(place: Place) -> str:
    """The Study Instance UID of the DICOM file."""
    return str(dcmread(place.work / "a.dcm", specific_tags=["StudyInstanceUID"]).StudyInstanceUID)


def with_archive(place: Place, arguments: list[str]) -> list[str]:
    """Set an entity of this machine, which takes structured reports, as where results go."""
    report = "1.2.840.10008.5.1.4.1.1.88.34"
    handlers = [(pynetdicom().evt.EVT_C_STORE, lambda event: 0)]
    contexts = [pynetdicom().build_context(report)]
    address = place.servers.enter_context(application_entity(contexts, handlers))
    rules = f"""
        [destinations.archive]
        address = "{address}"
        read_back = "off"
        [[rules]]
        results = [{{to = "archive", kinds = ["sr"]}}]
    """
    (place.work / "rules.toml").write_text(rules)
    place.settings["SECOND_READ_PACS_RULES"] = str(place.work / "rules.toml")
    return arguments


def stored_with_another_key(place: Place) -> list[str]:
    """Store a read, and set the key by which it is stored as the one before another."""
    old, new = (base64.b64encode(bytes([byte]) * 32).decode() for byte in (1, 2))
    place.settings["SECOND_READ_STORE_KEY"] = old
    stored_read(place)
    place.settings |= {"SECOND_READ_STORE_KEY": new, "SECOND_READ_STORE_KEY_PREVIOUS": old}
    return []


def backup_of(place: Place) -> str:
    """A backup of what the program keeps here."""
    done = place.run("backup", "kept.zip")
    assert done.returncode == 0, done.stderr
    return "kept.zip"


def commands() -> list[str]:
    """Every command of the program, with those of groups."""
    names = []
    for name, command in sorted(
        (name, typer.main.get_command(app).get_command(None, name))
        for name in typer.main.get_command(app).list_commands(None)
    ):
        inner = getattr(command, "commands", None)
        names += [f"{name} {one}" for one in sorted(inner)] if inner else [name]
    return names


def test_every_command_has_a_case():
    assert sorted(CASES) == sorted(commands())


ONE_AFTER_THE_OTHER = """
import contextlib, io, json, os, pathlib, sys
from cxr_core.cli.main import main
for command, arguments in json.loads(sys.argv[1]):
    with open(os.environ["SECOND_READ_TEST_NOTES"], "a") as notes:
        notes.write(json.dumps(["command", command, ""]) + "\\n")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        status = main(arguments)
    at_home = [str(path) for path in pathlib.Path.home().rglob("*")]
    print(json.dumps([command, status, errors.getvalue(), at_home]), flush=True)
"""


@pytest.fixture(scope="module")
def short_commands(tmp_path_factory):
    """Place, notes of the imports, and by command: status, errors, what is in the home directory, and its notes."""
    place = Place(tmp_path_factory.mktemp("short"))
    commands = [(name, [*name.split(), *CASES[name](place)]) for name in sorted(CASES) if name not in LONG]
    with place.servers:
        done = place.run_python("-c", ONE_AFTER_THE_OTHER, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    imports, by_command = [], {}
    notes = imports
    for line in place.noted():
        if line[0] == "command":
            notes = by_command[line[1]] = []
        else:
            notes.append(line)
    answers = {command: answer for command, *answer in map(json.loads, done.stdout.splitlines())}
    return place, imports, {command: (*answer, by_command[command]) for command, answer in answers.items()}


@pytest.mark.parametrize("command", sorted(CASES.keys() - LONG))
def test_a_command_asks_nobody_and_writes_where_it_may(short_commands, command):
    place, imports, answers = short_commands
    status, errors, at_home, noted = answers[command]
    assert "Traceback" not in errors
    assert status == 0, errors
    assert at_home == []
    place.check(imports + noted)


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(LONG - {"models quantise"}))
def test_a_long_command_asks_nobody_and_writes_where_it_may(place, command):
    done = place.run(*command.split(), *CASES[command](place))
    assert "Traceback" not in done.stderr
    refused = command in REFUSED or (command == "models precision" and not int8_instructions())
    assert done.returncode == (4 if refused else 0), done.stderr
    place.check()


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{}, {"CI": "false", "OPENVINO_TELEMETRY": "1"}])
def test_nncf_reports_nothing_whatever_the_environment_says(place, nncf, environment):
    place.settings |= environment
    done = place.run("models", "quantise", *CASES["models quantise"](place))
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if int8_instructions() else 4), done.stderr
    code = (
        "import cxr_core, nncf.telemetry, sys\n"
        "nncf.telemetry.telemetry.send_event('a', 'b', 'c')\n"
        "print(type(nncf.telemetry.telemetry).__module__, 'torch' in sys.modules)"
    )
    assert place.run_python("-c", code).stdout.split() == ["unittest.mock", "False"]
    place.check()


@pytest.mark.slow
def test_the_receiver_asks_nobody_while_it_receives(place):
    place.settings |= {
        "SECOND_READ_HOME": str(place.work / "stored"),
        "SECOND_READ_PACS_LISTEN": "127.0.0.1:0",
        "SECOND_READ_PACS_SENDERS": "SECONDREAD@127.0.0.1",
    }
    command = [sys.executable, "-m", "cxr_core", "pacs", "receive"]
    with subprocess.Popen(
        command, cwd=place.work, env=place.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            port = int(process.stdout.readline().rpartition(":")[2].strip(".\n"))
            assert send(DimseAddress("SECONDREAD", "127.0.0.1", port), received(1)) == [0x0000]
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
    place.check()


@pytest.mark.slow
def test_an_archive_and_its_readers_ask_nobody(place):
    done = place.run("predict", "a.dcm", "b.png", "--archive", "out", "--workers", "2")
    assert done.returncode == 0, done.stderr
    place.check()


def test_reports_ask_nobody(place, printed):
    done = place.run("predict", "a.dcm", "b.png", "--pdf", "reports")
    assert done.returncode == 0, done.stderr
    assert all(printed(path.read_bytes()) for path in (place.work / "reports").iterdir())
    place.check()


@pytest.mark.slow
def test_ray_and_its_workers_ask_nobody(place, ray):
    done = place.run("predict", "a.dcm", "b.png", "--archive", "out", "--on", "ray", "--workers", "1")
    assert done.returncode == 0, done.stderr
    noted = [json.loads(line) for line in place.notes.read_text().splitlines()]
    contacted = {what for kind, event, what in noted if kind == "net" and event != "socket.bind"}
    # Ray's processes speak to each other by the address that this machine has in its network
    assert not {what for what in contacted if not local(what) and not _of_this_machine(what)}
    assert not list(place.home.rglob("*"))


def _of_this_machine(address: str) -> bool:
    listed = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    name = subprocess.run(["hostname"], capture_output=True, text=True).stdout.strip()
    return address in (*listed, name, "0.0.0.0", "::")


@pytest.mark.slow
def test_the_app_asks_nobody_while_it_reads(place):
    async def read(address: str) -> None:
        async with Reader(address) as reader:
            for name, data in (("a.dcm", phantom_dicom()), ("b.png", phantom_png(256, 224))):
                image = await reader.read(name, data)
                assert image["findings"]
                assert await reader.pixels(image["id"])
                await reader.rerun()
                await reader.until(lambda run: run.finished)
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
