"""Processes that can be killed: what becomes of them when their parent dies."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

PARENT = """
import os, sys
from cxr_core.killable_worker import WorkerPool
pool = WorkerPool("tests.test_killable_worker:busy", 1)
for head, body in pool.ask({}, seconds=600):
    print(head["pid"], flush=True)
"""


def busy(setup):
    """Answer with the process id, and then compute without end."""

    def answer(head, body):
        yield {"pid": os.getpid(), "more": True}, b""
        while True:
            sum(range(1000))

    return answer


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_worker_that_computes_ends_when_its_parent_has_been_killed():
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=PROJECT, env=environment, stdout=subprocess.PIPE)
    worker = int(parent.stdout.readline())
    assert Path(f"/proc/{worker}").exists()
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 60
    while is_running(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(worker)


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
