"""The rules of the house that no other tool keeps."""

import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
MODULES = sorted((PROJECT / "cxr_core").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_a_module_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 320
    assert not re.search(r"(utils?|helpers?|manager|misc|common)\.py$", path.name)


def test_the_readme_names_both_commands_and_the_notice():
    from cxr_core.labels import NOTICE

    text = (PROJECT / "README.md").read_text()
    for words in ("make app", "make test", NOTICE, "docs/second-opinion.png"):
        assert words in text


def test_every_setting_and_command_is_documented():
    from cxr_core.settings import Settings

    text = "".join(path.read_text() for path in [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
    for name in Settings.model_fields:
        assert f"SECOND_READ_{name.upper()}" in text
    for command in (
        "predict",
        "render",
        "train",
        "evaluate",
        "runs",
        "describe",
        "split",
        "models",
        "bench",
        "calibrate",
        "audit",
        "backup",
        "restore",
    ):
        assert f"python -m cxr_core {command}" in text


def test_every_dependency_has_its_reason():
    reasons = (PROJECT / "CONTRIBUTING.md").read_text()
    named = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    extras, groups = named["project"]["optional-dependencies"], named["dependency-groups"]
    for line in chain(named["project"]["dependencies"], *extras.values(), *groups.values()):
        assert re.match(r"[a-z0-9-]+(\[[a-z]+\])?==[\w.]+(; |$)", line), line
        name = line.split("==")[0].removesuffix("[data]")
        assert f"`{name}`" in reasons, line


def test_no_file_is_larger_than_a_host_takes():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        assert (PROJECT / name).stat().st_size < 50e6, name
