"""Several devices give the gradient of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def test_two_virtual_devices_give_the_gradient_of_one(tmp_path):
    """Tolerances: float32, and a variance as the mean of squares less the square of the mean."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.two_devices", str(tmp_path)],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    apart = json.loads(done.stdout[done.stdout.index("{") :])
    assert apart["devices"] == 2
    assert apart["frozen"]["gradient"] < 1e-6
    for name in ("synchronised", "uneven"):
        assert apart[name]["gradient"] < 5e-5, name
    for name in ("frozen", "synchronised", "uneven"):
        assert apart[name]["loss"] < 1e-6, name
        assert apart[name]["statistics"] < 1e-6, name
    # without synchronisation the same images give another gradient: the test can see it
    assert apart["apart on purpose"]["gradient"] > 0.1
    # head, then the whole, averages and early stopping: the same weights at the end
    assert apart["training"] < 1e-5
    assert apart["log"] < 1e-6
    assert apart["resumed"] == 0


def test_more_gpus_than_there_are_is_refused(tmp_path):
    from cxr_core.errors import WrongArguments
    from cxr_core.training.steps import devices

    with pytest.raises(WrongArguments, match="99 GPUs asked for"):
        devices(99)
