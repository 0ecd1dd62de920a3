"""An archive on two Ray nodes in two network namespaces: images a second, bytes between the nodes, and one node killed.

    python -m benchmarks.soak.nodes            # some ten minutes; as root, with iproute2
    python -m benchmarks.soak.nodes --count 200

The first node has Ray's head and the command; both are on one machine and share its cores, so that two nodes show what
the network costs and what a killed node loses, not how much faster two machines are. Whatever is sent between the nodes
goes through one pair of virtual interfaces, whose counters are read.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.soak.archive import write_images
from tests.archives import CODE, parts, table

PROJECT = Path(__file__).resolve().parents[2]
NAMES, ADDRESSES = ("second-read-1", "second-read-2"), ("10.77.0.1", "10.77.0.2")
PORT, PART = 6379, 64
ON_RAY = ("--on", f"ray:{ADDRESSES[0]}:{PORT}")
TABLES = ("findings", "refused")
DONE = 0, 3
"""Exit status of a command that has read everything; 3 where an image was refused."""


def main() -> int:
    """Print the figures; status 1 where rows differ. Nothing is measured without the rights of root."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=2000, help="images")
    given = arguments.parse_args()
    if os.geteuid() != 0:
        print("two nodes: left out, since network namespaces need root", file=sys.stderr)
        return 0
    print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "images", given.count)
        seconds = _read(folder, "local", ["--workers", "2"])
        print(f"this machine alone, no Ray, two preparing processes: {given.count / seconds:.1f} images a second")
        for nodes, readers in (((0,), 1), ((1,), 1), ((0, 1), 2)):
            out = "on nodes " + ", ".join(str(node + 1) for node in nodes)
            with _namespaces(), _cluster(nodes):
                before = _bytes_between()
                seconds = _read(
                    folder, out, ["--on", f"ray:{ADDRESSES[0]}:{PORT}", "--workers", str(readers)], NAMES[0]
                )
                there, back = (after - start for after, start in zip(_bytes_between(), before, strict=True))
            print(
                f"{out}: {given.count / seconds:.1f} images a second; between the nodes {there / 1e6:.1f} MB to the "
                f"second, {back / 1e6:.1f} MB from it, {(there + back) / given.count / 1e3:.1f} kB an image"
            )
        killed = _killed(folder, given.count)
        print(f"second node killed in the middle: {killed:.1f} s for what was left")
        outputs = sorted(path.name for path in folder.iterdir() if path.name not in ("images", "local"))
        different = [
            out
            for out in outputs
            if not all(table(folder / out, one).equals(table(folder / "local", one)) for one in TABLES)
        ]
    print(f"rows that differ from those without Ray: {', '.join(different) or 'none'}, in {len(outputs)} runs")
    return 1 if different else 0


def _read(folder: Path, out: str, options: Sequence[str], namespace: str = "") -> float:
    """Read the archive; return the seconds from the start of the command to its end."""
    start = time.perf_counter()
    process = _started(folder, out, options, namespace)
    _, err = process.communicate()
    if process.returncode not in DONE:
        raise SystemExit(f"{out}: {err.strip()}")
    return time.perf_counter() - start


def _killed(folder: Path, count: int) -> float:
    """Read the archive on both nodes, and kill the second in the middle; return the seconds from then to the end."""
    with _namespaces(), _cluster((0, 1)):
        process = _started(folder, "one killed", [*ON_RAY, "--workers", "2"], NAMES[0])
        while parts(folder / "one killed") < count // PART // 2:
            if process.poll() is not None:
                raise SystemExit(f"ended before the kill: {process.communicate()[1]}")
            time.sleep(0.01)
        start = time.perf_counter()
        _kill_all(NAMES[1])
        _, err = process.communicate()
        if process.returncode not in DONE:
            raise SystemExit(f"after the kill: {err.strip()}")
        return time.perf_counter() - start


def _started(folder: Path, out: str, options: Sequence[str], namespace: str) -> subprocess.Popen[str]:
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    command = [*inside, sys.executable, "-c", CODE, str(PART), "predict", str(folder / "images")]
    return subprocess.Popen(
        [*command, "--archive", str(folder / out), *options],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _namespaces() -> Iterator[None]:
    """Make two network namespaces, joined by a pair of virtual interfaces."""
    with ExitStack() as stack:
        for name in NAMES:
            _run("ip", "netns", "add", name)
            stack.callback(_run, "ip", "netns", "del", name)
            stack.callback(_kill_all, name)
        _run(
            "ip", "link", "add", "veth1", "netns", NAMES[0], "type", "veth", "peer", "name", "veth2", "netns", NAMES[1]
        )
        for number, (name, address) in enumerate(zip(NAMES, ADDRESSES, strict=True), start=1):
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", f"veth{number}")
            for interface in ("lo", f"veth{number}"):
                _run("ip", "-n", name, "link", "set", interface, "up")
        yield


@contextmanager
def _cluster(nodes: Sequence[int]) -> Iterator[None]:
    """Start Ray's head in the first namespace and a node in the second; those that are not named have no cores."""
    # the head asks for the token of its own accord, and a node that joins sends one only where it is said
    os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with tempfile.TemporaryDirectory(prefix="ray") as temporary:
        for number, (name, address) in enumerate(zip(NAMES, ADDRESSES, strict=True)):
            where = ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={temporary}"]
            options = where if number == 0 else [f"--address={ADDRESSES[0]}:{PORT}"]
            cores = 2 if number in nodes else 0
            _run(
                *("ip", "netns", "exec", name, sys.executable, "-m", "ray.scripts.scripts", "start"),
                *(f"--node-ip-address={address}", f"--num-cpus={cores}", *options),
            )
        yield
        for name in reversed(NAMES):
            _kill_all(name)


def _bytes_between() -> tuple[int, int]:
    """Return the bytes that the first node has sent to the second, and received from it."""
    command = ["ip", "netns", "exec", NAMES[0], "cat"]
    counters = [f"/sys/class/net/veth1/statistics/{way}_bytes" for way in ("tx", "rx")]
    sent, received = subprocess.run([*command, *counters], check=True, capture_output=True, text=True).stdout.split()
    return int(sent), int(received)


def _kill_all(namespace: str) -> None:
    """Kill every process in a namespace, as a machine that loses its power."""
    pids = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=True).stdout.split()
    if pids:
        subprocess.run(["kill", "-9", *pids], check=False, capture_output=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    sys.exit(main())
