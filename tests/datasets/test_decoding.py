"""A training that is killed leaves no decoder behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

PROGRAM = """
import os, time
from cxr_core.datasets.batches import decoders
if __name__ == "__main__":
    with decoders(2, processes=True) as pool:
        print(*{future.result() for future in [pool.submit(os.getpid) for _ in range(6)]}, flush=True)
        time.sleep(600)
"""


def runs(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_decoding_processes_end_with_a_parent_that_was_killed(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py")]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        decoders = [int(number) for number in program.stdout.readline().split()]
        assert decoders
        assert all(runs(number) for number in decoders)
        program.send_signal(signal.SIGKILL)
    left = decoders
    for _ in range(300):
        left = [number for number in left if runs(number)]
        if not left:
            break
        time.sleep(0.1)
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert not left
