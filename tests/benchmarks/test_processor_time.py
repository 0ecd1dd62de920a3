"""The time that processes were on a processor: of descendants, by kind."""

import subprocess
import sys

import pytest

from benchmarks.processor_time import processor_ms

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

BUSY = """import sys, time
while time.process_time() < 0.1:
    pass
print("ready", flush=True)
sys.stdin.read()"""

STARTS_IT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.stdin.readline(), *sys.argv[1:]])"


def test_the_time_of_a_descendant_is_at_least_that_of_its_own_clock():
    command = [sys.executable, "-c", STARTS_IT, "a-kind-of-process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(f"exec({BUSY!r})\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        spent = processor_ms({"a-kind-of-process": "busy", "no-such-kind": "absent"})
        process.stdin.close()
    assert spent["busy"] >= 100
    assert spent["absent"] == 0
