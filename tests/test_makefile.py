"""The environment and the command that the Makefile makes in a clone."""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from tests.conftest import PROJECT


@pytest.fixture
def clone(tmp_path):
    """A folder with the Makefile and the package, whose name has a space."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    shutil.copy(PROJECT / "Makefile", folder)
    (folder / "cxr_core").symlink_to(PROJECT / "cxr_core")
    return folder


def make(clone, target, venv):
    """Make a target, with a Python of which ``-m venv`` is the given line of a shell; "$@" are its arguments."""
    python = clone / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -m ] || exec "{sys.executable}" "$@"\n{venv}\n')
    python.chmod(0o755)
    # what a `make test` was given is not for this one
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "PYTHON=./python", target]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=120)


def test_an_environment_that_could_not_be_made_is_made_the_next_time(clone):
    half = 'mkdir -p "$3/bin" && touch "$3/bin/python"; echo "ensurepip is not available" >&2; exit 1'
    done = make(clone, ".venv/bin/python", half)
    assert done.returncode
    assert "ensurepip is not available" in done.stderr
    assert not (clone / ".venv").exists()
    done = make(clone, ".venv/bin/python", f'exec "{sys.executable}" "$@" --without-pip')
    assert done.returncode == 0, done.stderr
    assert (clone / ".venv" / "pyvenv.cfg").is_file()


def test_the_command_runs_the_program_of_the_clone_from_any_folder(clone, tmp_path):
    done = make(clone, ".venv/bin/second-read", f'exec "{sys.executable}" "$@" --without-pip')
    assert done.returncode == 0, done.stderr
    (packages,) = (clone / ".venv" / "lib").glob("python3*/site-packages")
    assert (packages / "second-read.pth").read_text().splitlines() == [str(clone)]
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    command = clone / ".venv" / "bin" / "second-read"

    def run(*arguments):
        return subprocess.run([command, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    done = run("--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: second-read" in done.stdout
    done = run("predict", "no file")
    assert done.returncode == 3, done.stderr
    assert "no file" in done.stderr
