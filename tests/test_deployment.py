"""The files of a deployment: what they promise, and the deployment itself with real processes behind the real proxy."""

import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
import tomllib

import pytest
import yaml

from cxr_core.imaging import phantom_dicom
from cxr_core.operations.configuration import configuration_notes
from cxr_core.settings import Settings, settings
from tests.browser import browsing, upload, wait_until_drawn
from tests.conftest import PROJECT, missing
from tests.deployment import SECRET, STICKY, Person, deployed, lacking
from tests.postgresql import lacking as lacking_postgresql
from tests.postgresql import postgresql_server
from tests.protocol import signed_in

FOLDER = PROJECT / "deployment"
CONTAINERFILE = (PROJECT / "Containerfile").read_text()
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
EXAMPLE = (FOLDER / "second-read.env.example").read_text()
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
MOST_EXPOSED = 1.5
"""Of 10, by ``systemd-analyze security``; a service without any restriction has 9.6."""
BACKUP_PAGE, DEPLOYMENT_PAGE = ((PROJECT / "docs" / f"{name}.md").read_text() for name in ("backup", "deployment"))
SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def instructions(name):
    """The arguments of an instruction of the Containerfile, each as one line."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.M)).splitlines()
    return [" ".join(line.split()[1:]) for line in lines if line.startswith(f"{name} ")]


def test_the_image_runs_as_a_user_without_rights_and_installs_by_hash_alone():
    assert instructions("USER") == ["10001:10001"]
    assert instructions("VOLUME") == ["/var/lib/second-read"]
    (install,) = (line for line in instructions("RUN") if "pip install" in line)
    assert "--require-hashes --only-binary :all:" in install
    assert "pip uninstall --yes openvino-telemetry pip" in install
    # nothing is fetched but packages
    assert not [line for line in instructions("RUN") if re.search(r"curl|wget|://|git ", line)]
    assert instructions("ADD") == []


def test_the_image_has_the_version_of_the_program():
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert f'image.version="{version}"' in CONTAINERFILE
    assert {one["image"] for one in COMPOSE["services"].values() if "build" in one} == {f"second-read:{version}"}


def test_what_is_copied_is_there_and_nothing_else_reaches_the_builder():
    copied = [part for line in instructions("COPY") if "--from" not in line for part in line.split()[:-1]]
    assert all((PROJECT / name).exists() for name in copied)
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == set(copied)
    # the folders of the program that a wheel has, too
    bundled = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {name.split("/")[0] for name in bundled["force-include"] if not name.endswith(".example")}
    assert needed | {"cxr_core"} <= {name.split("/")[0] for name in copied}


def test_every_process_of_the_program_has_a_read_only_file_system_and_no_rights():
    ours = {name: one for name, one in COMPOSE["services"].items() if "build" in one}
    assert ours.keys() == {"app1", "app2", "receiver", "worker"}
    for one in ours.values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert "home:/var/lib/second-read" in one["volumes"]
        assert not any("docker.sock" in volume or volume.startswith("/") for volume in one["volumes"])
    # two processes that share what they store
    assert COMPOSE["services"]["app1"] == COMPOSE["services"]["app2"]
    assert COMPOSE["networks"]["database"]["internal"]
    assert COMPOSE["services"]["database"]["networks"] == ["database"]


def test_the_example_names_settings_that_there_are_and_holds_no_secret():
    named = re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.M)
    known = {f"SECOND_READ_{name.upper()}" for name in Settings.model_fields}
    assert {name for name, _ in named if name.startswith("SECOND_READ_")} <= known
    assert {name for name, value in named if not value} == {"DATABASE_PASSWORD", "SECOND_READ_STORE_KEY"}
    used = set(re.findall(r"\$\{([A-Z_]+)", (FOLDER / "compose.yaml").read_text()))
    assert used <= {name for name, _ in named}
    (page,) = re.findall(r"^# (docs/\S+) lists every SECOND_READ_ setting", EXAMPLE, re.M)
    listed = (PROJECT / page).read_text()
    assert [name for name in known if f"`{name}`" not in listed] == []
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    assert {"/deployment/second-read.env", "/deployment/secrets.toml"} <= set(ignored)


def test_every_command_of_a_container_finds_the_secrets_of_sign_in():
    (place,) = re.findall(r"STREAMLIT_SECRETS_FILES=(\S+)", CONTAINERFILE)
    for name in ("app1", "app2"):
        assert f"./secrets.toml:{place}:ro" in COMPOSE["services"][name]["volumes"]


def test_the_limits_of_the_proxy_are_not_below_those_of_the_app():
    text = (FOLDER / "Caddyfile").read_text()
    config = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())
    assert int(re.search(r"max_size (\d+)MB", text)[1]) > config["server"]["maxUploadSize"]
    assert int(re.search(r"read_body (\d+)s", text)[1]) > Settings().upload_seconds
    assert f"lb_policy cookie {STICKY}\n" in text
    # the app sets the headers
    assert "header " not in text.replace("read_header ", "")


def test_a_unit_starts_each_process():
    started = {unit.name: re.findall(r"^ExecStart=/opt/second-read/bin/second-read (.*)$", unit.read_text(), re.M)
               for unit in UNITS}  # fmt: skip
    assert started == {
        "second-read-app@.service": ["app --port %i -- --secrets.files ${CREDENTIALS_DIRECTORY}/secrets.toml"],
        # by a shell: tests/store/test_backup_page.py runs it
        "second-read-backup.service": [],
        "second-read-fetch.service": ["pacs fetch --follow"],
        "second-read-receive.service": ["pacs receive"],
        "second-read-work.service": ["pacs work"],
    }
    for unit in UNITS:
        lasting = bool(started[unit.name])
        # systemd refuses a unit that makes one thing and is started again at its end
        assert ("Type=oneshot" in unit.read_text()) is not lasting
        assert ("Restart=always" in unit.read_text()) is lasting


def test_the_timer_makes_a_backup_every_day():
    (timer,) = (FOLDER / "systemd").glob("*.timer")
    assert (FOLDER / "systemd" / f"{timer.stem}.service") in UNITS
    lines = timer.read_text().splitlines()
    assert {"OnCalendar=*-*-* 02:30", "Persistent=true", "WantedBy=timers.target"} <= set(lines)
    for page in ("backup", "deployment"):
        assert f"systemctl enable --now {timer.name}" in (PROJECT / "docs" / f"{page}.md").read_text()


def test_no_process_of_the_containers_warns_of_the_settings_of_the_example(own_folders, tmp_path):
    given = dict(re.findall(r"^#?(SECOND_READ_\w+)=(.*)$", EXAMPLE, re.M))
    assert {"SECOND_READ_PACS_SENDERS", "SECOND_READ_PACS_LISTEN"} <= given.keys()
    given["SECOND_READ_STORE_KEY"] = base64.b64encode(bytes(32)).decode()
    without_pacs = {name: value for name, value in given.items() if not name.startswith("SECOND_READ_PACS")}
    for file in (without_pacs, given):
        for name, service in COMPOSE["services"].items():
            if "build" not in service:
                continue
            with own_folders.context() as environment:
                for variable, value in (file | service["environment"]).items():
                    environment.setenv(variable, value)
                settings.cache_clear()
                assert configuration_notes(file=tmp_path / "second-read.toml") == [], name


def test_the_receiver_listens_where_its_container_is_reached():
    (listen,) = re.findall(r"^#SECOND_READ_PACS_LISTEN=0\.0\.0\.0:(\d+)$", EXAMPLE, re.M)
    assert COMPOSE["services"]["receiver"]["ports"] == [f"{listen}:{listen}"]


def test_the_orthanc_to_try_a_pacs_with_and_the_receiver_know_each_other():
    orthanc = json.loads((FOLDER / "orthanc.json").read_text())
    # the image loads this plugin where the configuration has its section, and no sooner
    assert orthanc["DicomWeb"]["Enable"]
    address = re.search(r"`SECOND_READ_PACS=http://orthanc:8042(/\S+)`", DEPLOYMENT_PAGE)[1]
    assert orthanc["DicomWeb"]["Root"].rstrip("/") == address
    (listen,) = re.findall(r"^#SECOND_READ_PACS_LISTEN=0\.0\.0\.0:(\d+)$", EXAMPLE, re.M)
    receiver = {"AET": Settings().pacs_ae_title, "Host": "receiver", "Port": int(listen)}
    assert list(orthanc["DicomModalities"].values()) == [receiver]
    (network,) = COMPOSE["networks"]["outside"]["ipam"]["config"]
    assert f"`SECOND_READ_PACS_SENDERS={orthanc['DicomAet']}@{network['subnet']}`" in DEPLOYMENT_PAGE
    assert COMPOSE["services"]["orthanc"]["networks"] == ["outside"]


def test_the_backup_of_the_containers_names_what_there_is():
    section = BACKUP_PAGE.split("\n## With containers\n")[1].split("\n## ")[0]
    commands = re.findall(r"^docker compose --env-file second-read.env (.*)$", section, re.M)
    assert commands
    assert len(commands) == section.count("\ndocker compose ")
    database = COMPOSE["services"]["database"]["environment"]
    for program in ("pg_dump", "pg_restore", "dropdb", "createdb"):
        (line,) = (line for line in commands if f" {program} " in line)
        assert line.startswith(f"exec -T database {program} --username {database['POSTGRES_USER']} ")
        assert re.search(rf" {database['POSTGRES_DB']}( [<>] backups/second-read.dump)?$", line)
    run = [line for line in commands if line.startswith("run ")]
    assert [line.split(" app1 ")[1] for line in run] == [
        "backup --overwrite /backups/second-read.zip",
        "restore /backups/second-read.zip",
    ]
    # a folder of the machine, of the user of the image, that no lasting container sees
    assert all('--volume "$PWD/backups:/backups"' in line for line in run)
    assert "install -d -m 0700 -o 10001 -g 10001 backups\n" in section
    assert "backups" not in (FOLDER / "compose.yaml").read_text()
    assert "/deployment/backups/" in (PROJECT / ".gitignore").read_text().splitlines()
    (stopped,) = (line for line in commands if " stop " in line)
    ours = {name for name, one in COMPOSE["services"].items() if "build" in one}
    assert set(stopped.split(" stop ")[1].split()) == ours


def verified_by_systemd(folder, name):
    """Return what systemd says of a unit, beside those of the machine."""
    environment = os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:"}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", name], env=environment, capture_output=True, text=True
    )
    # what it does not know is a line about our file and no failure
    assert done.returncode == 0, done.stderr
    return done.stderr


@SYSTEMD
@pytest.mark.parametrize("unit", [*UNITS, FOLDER / "systemd" / "second-read-backup.timer"], ids=lambda unit: unit.name)
def test_systemd_takes_the_units_and_finds_them_little_exposed(unit, tmp_path):
    shutil.copytree(FOLDER / "systemd", tmp_path, dirs_exist_ok=True)
    for file in tmp_path.glob("*.service"):
        # systemd looks whether the program is there
        file.write_text(file.read_text().replace("/opt/second-read/bin/second-read", "/bin/true"))
    name = unit.name.replace("@.", "@8501.")
    complaints = verified_by_systemd(tmp_path, name)
    assert "second-read" not in complaints, complaints
    if unit.suffix == ".service":
        command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
        exposed = subprocess.run(
            [*command, f"--threshold={10 * MOST_EXPOSED:.0f}", name],
            env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
            capture_output=True,
            text=True,
        )
        assert exposed.returncode == 0, exposed.stdout[-200:]


DROP_IN = re.search(r"^```\n(\[Service\]\nEnvironment=.*?)^```", DEPLOYMENT_PAGE, re.S | re.M)[1]


def test_the_drop_in_of_the_proxy_has_its_variables():
    # each assignment in quotes, one a line: the words of a value stay together
    given = dict(re.findall(r'^Environment="(\w+)=([^"]*)"$', DROP_IN, re.M))
    assert len(given) == DROP_IN.count("\nEnvironment=")
    assert given.keys() == set(re.findall(r"\{\$(\w+)\}", (FOLDER / "Caddyfile").read_text()))
    assert given["APPS"].split() == [f"127.0.0.1:{port}" for port in (8501, 8502)]
    assert "systemctl enable --now second-read-app@8501 second-read-app@8502\n" in DEPLOYMENT_PAGE


@SYSTEMD
def test_systemd_takes_the_drop_in_of_the_proxy(tmp_path):
    (tmp_path / "caddy.service").write_text("[Service]\nExecStart=/bin/true\n")
    drop_in = tmp_path / "caddy.service.d" / "override.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(DROP_IN.replace('"', ""))
    assert "Invalid environment assignment" in verified_by_systemd(tmp_path, "caddy.service")
    drop_in.write_text(DROP_IN)
    complaints = verified_by_systemd(tmp_path, "caddy.service")
    assert "caddy" not in complaints, complaints


@pytest.fixture(scope="module")
def database():
    if (words := lacking_postgresql()) is not None:
        missing("postgres", words)
    if (words := lacking()) is not None:
        missing("caddy", words)
    with postgresql_server() as server:
        yield server


def wait(condition, page, seconds=120):
    """Wait until a condition holds, while the browser goes on."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        page.wait_for_timeout(100)


def image(number: int) -> bytes:
    return phantom_dicom(256, 224, StudyInstanceUID=f"1.2.826.0.1.{number}", SeriesNumber=number)


@pytest.mark.slow
def test_a_rolling_restart_loses_no_study_of_any_worklist(database, tmp_path):
    async def conversation(deployment):
        people = [Person(deployment, f"reader-{number}") for number in range(4)]
        ended = asyncio.Event()
        tasks = [
            asyncio.create_task(person.work(lambda number, own=own: image(1000 * own + number), ended))
            for own, person in enumerate(people)
        ]

        async def further(count):
            """Wait until everybody has read more images."""
            goal = [len(person.read) + count for person in people]
            async with asyncio.timeout(180):
                while any(len(person.read) < number for person, number in zip(people, goal, strict=True)):
                    assert not any(task.done() for task in tasks)
                    await asyncio.sleep(0.1)

        await further(2)
        for number in range(2):
            await asyncio.to_thread(deployment.stop_app, number)
            await further(1)
            await asyncio.to_thread(deployment.start_app, number)
            await further(1)
        ended.set()
        await asyncio.gather(*tasks)
        for person in people:
            await person.look()
        return people

    with deployed(tmp_path, database.url) as deployment:
        people = asyncio.run(conversation(deployment))
        logs = "\n".join(map(deployment.log, ("app0", "app1", "proxy")))
    assert not [line for person in people for line in person.wrong], logs
    assert [person.incomplete for person in people] == [0] * 4
    # each process was left by those that it had
    assert sum(len(person.gaps) for person in people) >= 4
    assert all(len(person.sent) >= 6 for person in people)


@pytest.mark.slow
@pytest.mark.e2e
def test_a_browser_keeps_its_worklist_over_tls_while_its_process_is_replaced(database, chromium, tmp_path):
    data = image(7)
    shown = f'canvas.radiograph[data-sha="{hashlib.sha256(data).hexdigest()}"]:not([data-label=""])'
    with (
        deployed(tmp_path, database.url, tls=True) as deployment,
        browsing(chromium, ignore_https_errors=True) as page,
    ):
        (cookie,) = signed_in(SECRET, deployment.address, "ann").items()
        page.context.add_cookies([{"name": cookie[0], "value": cookie[1], "url": deployment.address}])
        answer = page.goto(deployment.address)
        headers = [
            (name.lower(), value) for name, value in ((one["name"], one["value"]) for one in answer.headers_array())
        ]
        for name in (
            "strict-transport-security",
            "content-security-policy",
            "x-frame-options",
            "x-content-type-options",
        ):
            assert sum(each == name for each, _ in headers) == 1, name
        page.wait_for_selector("text=A second opinion on a chest X-ray")
        for path in ("/metrics", "/_stcore/metrics", "/healthz", "/readyz"):
            assert page.request.get(f"{deployment.address}{path}").status == 404
        sockets = []
        page.on("websocket", lambda socket: sockets.append(socket))
        upload(page, ("a.dcm", data))
        page.wait_for_selector(shown)
        # whichever process it is on is replaced
        for number in range(2):
            deployment.stop_app(number)
            deployment.start_app(number)
        wait(lambda: any(not socket.is_closed() for socket in sockets), page)
        page.wait_for_selector(shown)
        wait_until_drawn(page)
        other = image(8)
        upload(page, ("b.dcm", other))
        page.wait_for_selector(shown.replace(hashlib.sha256(data).hexdigest(), hashlib.sha256(other).hexdigest()))
        assert page.locator("text=Connection error").count() == 0
