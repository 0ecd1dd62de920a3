"""Build the image without a registry, and try it: ``make try-image``, as root on Debian, with podman and debootstrap.

The base is what debootstrap installs from Debian's archive; everything else is the Containerfile as it is shipped. The
container is run as compose.yaml runs it: read-only, without capabilities, HOME as its only volume. Then Chromium opens
the page of a person who has signed in, drops two phantoms and waits for their findings.

pip's settings and certificates of this machine are mounted while packages are installed, and are in no layer.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from cxr_core.imaging import phantom_dicom, phantom_png
from tests.browser import PROJECT, browsing, upload, wait_until_drawn
from tests.deployment import SECRET, SECRETS
from tests.processes import held_port
from tests.protocol import signed_in

IMAGE, BASE = "localhost/second-read-tried", "localhost/debian-of-debootstrap"
MIRROR = "http://deb.debian.org/debian"
UID = "10001"
LIMIT = 180
"""Seconds in which a container must be healthy, and in which findings must be on the screen."""


def main() -> int:
    """Build, try, and print each thing that was seen; status 1 at the first that is not as promised."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--suite", default="trixie", help="release of Debian")
    arguments.add_argument("--folder", type=Path, help="keeps the base and the layers there, for another try")
    arguments.add_argument("--picture", type=Path, help="screenshot of the page")
    given = arguments.parse_args()
    lacking = [name for name in ("podman", "runc", "debootstrap", "chromium") if shutil.which(name) is None]
    if lacking or os.geteuid() != 0:
        print(f"Needed: root, and {', '.join(lacking) or 'nothing else'}.", file=sys.stderr)
        return 4
    with contextlib.ExitStack() as end:
        folder = given.folder or Path(end.enter_context(tempfile.TemporaryDirectory(prefix="image-", dir="/var/tmp")))
        folder.mkdir(parents=True, exist_ok=True)
        podman = Podman(folder)
        began = time.monotonic()
        base(podman, folder / given.suite, given.suite)
        build(podman, folder)
        print(f"built in {time.monotonic() - began:.0f} s on {given.suite}; {podman.size(IMAGE)}")
        try:
            for line in tried(podman, folder, given.picture):
                print(line, flush=True)
        except AssertionError as error:
            print(f"not as promised: {error}", file=sys.stderr)
            return 1
    return 0


class Podman:
    """podman with layers and containers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._command = ["podman", "--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        # neither systemd nor a network of its own is needed; runc runs with cgroups of either version
        self._command += ["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        self._command += ["--log-level", "error"]

    def __call__(self, *arguments: str, **options: object) -> str:
        """Run a command of podman, and return what it prints; CalledProcessError where it fails."""
        done = subprocess.run([*self._command, *arguments], stdout=subprocess.PIPE, text=True, check=True, **options)
        return done.stdout.strip()

    def fails(self, *arguments: str) -> str:
        """Run a command that must fail, and return what it writes about it."""
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True)
        assert done.returncode, f"{arguments[-1]} did not fail"
        return done.stderr.strip()

    def size(self, image: str) -> str:
        """Return the size of an image, in words."""
        return f"{int(self('image', 'inspect', image, '--format', '{{.Size}}')) / 1e9:.1f} GB"


def base(podman: Podman, root: Path, suite: str) -> None:
    """Make the base image, as Debian's slim image is made: the least that debootstrap installs."""
    if podman("images", "--quiet", BASE):
        return
    # what it mounts is gone with it
    command = ["unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase"]
    subprocess.run([*command, suite, str(root), MIRROR], check=True, stdout=subprocess.DEVNULL)
    archive = root.with_suffix(".tar")
    subprocess.run(["tar", "--create", "--one-file-system", "--file", archive, "--directory", root, "."], check=True)
    podman("import", str(archive), BASE)
    archive.unlink()
    shutil.rmtree(root)


def build(podman: Podman, folder: Path) -> None:
    """Build the Containerfile; what pip needs on this machine is mounted beside it."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    options = dict(re.findall(r"\.([\w-]+)='(.*)'$", listed.stdout, re.M))
    mounts = []
    if "cert" in options:
        mounts = ["--volume", f"{options['cert']}:/run/pip-cert.pem:ro"]
        options["cert"] = "/run/pip-cert.pem"
    kept = ("cert", "index-url", "proxy", "default-timeout")
    text = "[global]\n" + "".join(f"{name} = {options[name]}\n" for name in kept if name in options)
    (folder / "pip.conf").write_text(text)
    mounts += ["--volume", f"{folder / 'pip.conf'}:/etc/pip.conf:ro"]
    arguments = ["--build-arg", f"DEBIAN={BASE}", "--format", "docker", "--network", "host", "--isolation", "chroot"]
    podman("build", *arguments, *mounts, "--tag", IMAGE, "--file", "Containerfile", ".", cwd=PROJECT)


def tried(podman: Podman, folder: Path, picture: Path | None) -> Iterator[str]:
    """Run the image as compose.yaml does, and yield what was seen."""
    environment = json.loads(podman("image", "inspect", IMAGE))[0]["Config"]
    assert environment["User"] == f"{UID}:{UID}"
    assert not [line for line in environment["Env"] if re.match("PIP_|SSL_|.*CERT|.*proxy", line, re.I)]
    with container(podman, folder) as (name, address):
        inside = ("exec", name)
        status = podman(*inside, "cat", "/proc/1/status")
        of_process = dict(re.findall(r"^(\w+):\s*(.*)$", status, re.M))
        assert of_process["Uid"].split() == [UID] * 4, of_process["Uid"]
        assert int(of_process["CapEff"], 16) == int(of_process["CapBnd"], 16) == 0, of_process
        assert of_process["NoNewPrivs"] == "1"
        yield f"process 1 runs as user {UID}, without capabilities"
        # that of the image asks the port of the image
        kind, *check = json.loads(podman("image", "inspect", IMAGE))[0]["Healthcheck"]["Test"]
        assert kind == "CMD"
        podman(*inside, *(part.replace(":8501/", f":{address.rpartition(':')[2]}/") for part in check))
        yield "the health check succeeds"
        python = (*inside, "python", "-c")
        for place in ("/", "/opt/second-read/program", "/usr/bin", "/etc"):
            reason = podman.fails(*python, f"open('{place}/written', 'w')")
            assert "Read-only file system" in reason, reason
        yield "nothing can be written to /, the program, /usr or /etc: Read-only file system"
        for module in ("openvino_telemetry", "pip"):
            assert "No module named" in podman.fails(*python, f"import {module}")
        yield "neither OpenVINO's telemetry nor pip is installed"
        report = json.loads(podman(*inside, "sh", "-c", "second-read doctor --json || true"))
        failed = [check["name"] for check in report["checks"] if check["state"] == "failed"]
        # the secrets that the container is given name a provider that is nowhere
        assert failed == ["Sign-in provider default"], failed
        yield f"doctor: {len(report['checks'])} checks, and none failed but that of a provider that there is not"
        smoke(address, picture)
        yield "Chromium: the page of a signed-in reader, a DICOM and a PNG dropped, findings on the screen"
        written = podman("diff", name).splitlines()
        assert all(line.split()[1].startswith(("/run", "/etc", "/tmp", "/var", "/dev")) for line in written), written
        began = time.monotonic()
        podman("stop", "--time", "60", name)
        seconds = time.monotonic() - began
        code = podman("inspect", name, "--format", "{{.State.ExitCode}}")
        assert code in ("0", "143"), f"exit status {code} after SIGTERM"
        yield f"SIGTERM: ended after {seconds:.1f} s with status {code}"
        assert (folder / "home" / "runs" / "audit.jsonl").is_file()


@contextlib.contextmanager
def container(podman: Podman, folder: Path) -> Iterator[tuple[str, str]]:
    """Run a container until the end of the block; gives its name and the address of its app."""
    held, home = held_port(), folder / "home"
    port = held.getsockname()[1]
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    os.chown(home, int(UID), int(UID))
    address = f"http://127.0.0.1:{port}"
    secrets = folder / "secrets.toml"
    secrets.write_text(SECRETS.format(address=address))
    secrets.chmod(0o444)
    options = ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
    options += ["--tmpfs", "/tmp:mode=1777,size=2g", "--volume", f"{home}:/var/lib/second-read"]
    options += ["--volume", f"{secrets}:/etc/second-read/secrets.toml:ro", "--network", "host"]
    # by systemd's timers, which may be missing here; the command of the check is run by itself
    options += ["--no-healthcheck", "--ulimit", "nofile=8192:8192", "--ulimit", "nproc=4096:4096"]
    options += ["--env", "SECOND_READ_ROLE_CLAIM=roles", "--env", "SECOND_READ_KEEP=store"]
    # the network is this machine's, on which nobody else may reach it
    command = ["app", "--host", "127.0.0.1", "--port", str(port)]
    name = podman("run", "--detach", *options, IMAGE, *command)
    try:
        wait_until_served(podman, name, address)
        yield name, address
    finally:
        podman("rm", "--force", "--time", "0", name)
        held.close()


def wait_until_served(podman: Podman, name: str, address: str) -> None:
    """Wait until the app answers; AssertionError with its log where it does not."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{address}/readyz", trust_env=False, timeout=10).is_success:
                return
        time.sleep(0.5)
    raise AssertionError(f"the app does not answer:\n{podman('logs', name, stderr=subprocess.STDOUT)[-3000:]}")


def smoke(address: str, picture: Path | None) -> None:
    """Open the page in Chromium, drop a phantom as DICOM and as PNG, and wait for the findings of each."""
    with browsing(shutil.which("chromium")) as page:
        ((name, value),) = signed_in(SECRET, address, "ann").items()
        page.context.add_cookies([{"name": name, "value": value, "url": address}])
        page.set_default_timeout(LIMIT * 1000)
        page.goto(address)
        page.wait_for_selector("text=A second opinion on a chest X-ray")
        for name, data in (("phantom.dcm", phantom_dicom()), ("phantom.png", phantom_png())):
            upload(page, (name, data))
            digest = hashlib.sha256(data).hexdigest()
            page.wait_for_selector(f"canvas.radiograph[data-sha='{digest}']:not([data-label=''])")
            wait_until_drawn(page)
            for finding in ("Atelectasis", "Effusion", "Pneumothorax"):
                assert page.locator(f"text={finding}").count(), f"{finding} is not on the screen"
        if picture is not None:
            page.screenshot(path=picture)


if __name__ == "__main__":
    sys.exit(main())
