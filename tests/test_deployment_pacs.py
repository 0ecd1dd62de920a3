"""The section "Orthanc in ten minutes" of docs/deployment-pacs.md, run as it stands, on ports that are free."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from cxr_core.pacs.rules import load_rules
from cxr_core.settings import settings
from tests.conftest import PROJECT, missing
from tests.orthanc import Orthanc, lacking
from tests.processes import held_port

PAGE = (PROJECT / "docs" / "deployment-pacs.md").read_text()
LIMIT = 240
"""Seconds that the section may take."""


def blocks():
    section = PAGE.split("## Orthanc in ten minutes")[1].split("\n## ")[0]
    return re.findall(r"^```bash\n(.*?)^```", section, re.S | re.M)


@pytest.mark.slow
def test_orthanc_in_ten_minutes(tmp_path):
    if (words := lacking()) is not None:
        missing("orthanc", words)
    for program in ("storescu", "curl"):
        if shutil.which(program) is None:
            missing("dcmtk", f"{program} is not installed")
    shim = Orthanc.loopback_library(tmp_path)
    held = {port: held_port() for port in ("8042", "4242", "11112")}
    script = "\n".join(blocks())
    for port, socket in held.items():
        script = re.sub(rf"\b{port}\b", str(socket.getsockname()[1]), script)
    script = script.replace("\nOrthanc ", f"\nLD_PRELOAD={shim} Orthanc ")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "second-read").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cxr_core "$@"\n')
    (bin_ / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for file in bin_.iterdir():
        file.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SECOND_READ_")}
    environment |= {"PATH": f"{bin_}:/usr/sbin:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT)}
    # what is started in the background ends with the shell, whatever fails
    script = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n" + script
    try:
        done = subprocess.run(
            ["timeout", "--foreground", str(LIMIT), "bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT + 60,
        )
    finally:
        for socket in held.values():
            socket.close()
    logs = "\n".join(f"{path.name}\n{path.read_text()}" for path in tmp_path.rglob("*.log"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    counts = dict(re.findall(r'"Count(\w+)" : (\d+)', done.stdout))
    assert counts["Patients"] == counts["Studies"] == "1", counts
    assert int(counts["Instances"]) > 2
    assert "verified 1" in done.stdout
    assert "already here" in done.stdout


def test_the_rules_of_the_page_can_be_used(tmp_path, own_folders):
    (rules,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.S | re.M)
    (tmp_path / "archive").write_text("user:password")
    (tmp_path / "rules.toml").write_text(rules.replace("/etc/second-read/archive", str(tmp_path / "archive")))
    own_folders.setenv("SECOND_READ_PACS_RULES", str(tmp_path / "rules.toml"))
    settings.cache_clear()
    loaded = load_rules()
    assert list(loaded.destinations) == ["archive", "workstation"]
    assert [rule.operating_point for rule in loaded.rules] == ["youden", "default"]
    assert [delivery.only for delivery in loaded.rules[0].results] == ["all", "flagged"]
    assert loaded.rules[1].results[0].kinds == ("sr", "sc")
