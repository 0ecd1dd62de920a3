"""Folders of libraries' caches: closed to others, whatever the umask, and under no name that can be foreseen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CACHES = ("KERAS_HOME", "MPLCONFIGDIR")


def run(code, **more):
    environ = {name: value for name, value in os.environ.items() if name not in CACHES} | more
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.umask(0)\n{code}"],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("there", ["nothing", "runs", "an open cache"])
def test_the_cache_is_its_owners_alone_from_the_first_use_on(tmp_path, there):
    runs = tmp_path / "runs"
    if there != "nothing":
        runs.mkdir()
    if there == "an open cache":
        (runs / "cache").mkdir()
        (runs / "cache").chmod(0o777)
    run("import cxr_core, matplotlib.font_manager", SECOND_READ_RUNS=str(runs))
    assert mode(runs / "cache") == 0o700
    assert mode(runs / "cache" / "matplotlib") == 0o700
    assert there != "nothing" or mode(runs) == 0o700


def test_a_program_that_another_of_ours_starts_closes_it_too(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    started = "import cxr_core, matplotlib.font_manager"
    code = f"import cxr_core, subprocess, sys; subprocess.run([sys.executable, '-c', {started!r}])"
    run(code, SECOND_READ_RUNS=str(runs))
    assert mode(runs / "cache") == 0o700


def test_nothing_is_made_where_no_such_library_is_used_and_a_named_folder_keeps_its_mode(tmp_path):
    runs, named = tmp_path / "runs", tmp_path / "named"
    named.mkdir()
    named.chmod(0o755)
    run("import cxr_core", SECOND_READ_RUNS=str(runs))
    assert not runs.exists()
    run("import cxr_core, matplotlib.font_manager", SECOND_READ_RUNS=str(runs), MPLCONFIGDIR=str(named))
    assert mode(named) == 0o755
    assert not runs.exists()


def test_with_a_setting_that_cannot_be_used_the_folder_is_new_and_goes(tmp_path):
    code = """
import cxr_core
folder = os.path.dirname(os.environ["MPLCONFIGDIR"])
print(folder, oct(os.stat(folder).st_mode & 0o777), os.getpid())
"""
    folder, exists, process = run(code, SECOND_READ_MAX_FILES="x", TMPDIR=str(tmp_path)).split()
    assert exists == "0o700"
    assert not folder.endswith(f"-{process}")
    assert not Path(folder).exists()


@pytest.mark.usefixtures("printed")
def test_reportlab_executes_no_file_of_the_home_directory_or_the_working_directory(tmp_path):
    for name in (".reportlab_mods", ".reportlab_settings", "reportlab_mods.py", "reportlab_settings.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write({name!r})\n")
    first = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    runs = str(tmp_path / "runs")
    run(f"{first}; import cxr_core, reportlab.pdfgen.canvas", SECOND_READ_RUNS=runs, HOME=str(tmp_path))
    assert not (tmp_path / "executed").exists()
    # it does without us
    run(f"{first}; import reportlab.pdfgen.canvas", SECOND_READ_RUNS=runs, HOME=str(tmp_path))
    assert (tmp_path / "executed").exists()
