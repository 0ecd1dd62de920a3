"""The folders that follow from the settings, and what version 0.1.0 stored elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxr_core import settings as module
from cxr_core.cli.main import main
from cxr_core.model import list_models
from cxr_core.model.folder import find_model
from cxr_core.settings import Settings, folder_notes, model_roots, settings

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty ``SECOND_READ_HOME``, and a place of earlier runs that is empty too."""
    for name in ("RUNS", "AUDIT"):
        monkeypatch.delenv(f"SECOND_READ_{name}")
    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "_EARLIER_RUNS", tmp_path / "checkout" / "runs")
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def add_model(root: Path, name: str) -> Path:
    (root / name).mkdir(parents=True)
    (root / name / "card.json").write_text("{}")
    return root / name


def test_everything_that_is_written_lies_in_the_home(home):
    from cxr_core.access import audit
    from cxr_core.store.backup_members import database_url

    assert settings().runs == home / "runs"
    assert audit.path() == home / "runs" / "audit.jsonl"
    assert database_url() == f"sqlite:///{home}/runs/second-read.sqlite"
    assert model_roots()[0] == home / "models"
    assert folder_notes() == []


def test_folders_of_models_that_cannot_be_used_are_named(home, tmp_path, monkeypatch, capsys):
    model = add_model(tmp_path / "more", "mine")
    monkeypatch.setenv("SECOND_READ_MODELS", f"{tmp_path / 'none'}{os.pathsep}{model}")
    settings.cache_clear()
    assert folder_notes() == [
        f"SECOND_READ_MODELS: {tmp_path / 'none'} is not a folder, and is not searched.",
        f"SECOND_READ_MODELS: {model} is a model. Name the folder that holds it.",
    ]
    assert main(["models", "show", "mine"]) == 4
    assert "Name the folder that holds it." in capsys.readouterr().err


def test_the_default_home_is_the_users_data_directory(tmp_path):
    if sys.platform != "linux":
        pytest.skip("the name of the directory differs from one system to another")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SECOND_READ_")}
    code = "from cxr_core.settings import settings; print(settings().home)"
    command = [sys.executable, "-c", code]
    for name, value, expected in (
        ("XDG_DATA_HOME", tmp_path / "data", tmp_path / "data" / "second-read"),
        ("HOME", tmp_path, tmp_path / ".local" / "share" / "second-read"),
    ):
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=environment | {"XDG_DATA_HOME": "", name: str(value)},
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == str(expected), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_models_of_the_program_are_found_with_an_empty_home(home):
    assert [folder.name for folder in list_models()] == ["second-read-mini"]
    assert find_model("second-read-mini") == PROJECT / "model_weights" / "second-read-mini"


def test_a_model_of_the_user_comes_before_one_of_the_program(home, tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_MODELS", os.pathsep.join([str(tmp_path / "a"), f" {tmp_path / 'b'}"]))
    settings.cache_clear()
    assert settings().models == (tmp_path / "a", tmp_path / "b")
    places = [home / "models", tmp_path / "a", tmp_path / "b", home]
    for place in reversed(places):
        added = add_model(place, "second-read-mini")
        assert find_model("second-read-mini") == added
    assert list_models() == [home / "models" / "second-read-mini"]
    only = add_model(tmp_path / "b", "only")
    assert list_models() == [only, home / "models" / "second-read-mini"]


def test_models_in_the_home_itself_are_found_and_named(home, capsys):
    """Until version 0.1.0 SECOND_READ_HOME was the folder of models."""
    add_model(home, "mine")
    assert find_model("mine") == home / "mine"
    assert main(["models", "list"]) == 0
    err = capsys.readouterr().err
    assert (
        err
        == f"Models of version 0.1.0 are used where they are, in {home}. Models are now stored in {home / 'models'}.\n"
    )


def test_earlier_runs_are_used_where_they_are(home, tmp_path, capsys):
    earlier = tmp_path / "checkout" / "runs"
    (earlier / "cache").mkdir(parents=True)
    assert Settings().runs == home / "runs", "a cache is nothing that was stored"
    (earlier / "audit.jsonl").write_text("")
    # a cache in the new place neither
    (home / "runs" / "compiled").mkdir(parents=True)
    settings.cache_clear()
    assert settings().runs == earlier
    assert main(["runs", "list"]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert f"{earlier}. To have everything in one folder" in captured.err
    assert (earlier / "second-read.sqlite").is_file()
    # moved as the line says
    (home / "runs" / "compiled").rmdir()
    (home / "runs").rmdir()
    earlier.rename(home / "runs")
    settings.cache_clear()
    assert settings().runs == home / "runs"
    assert (home / "runs" / "second-read.sqlite").is_file()
    assert folder_notes() == []


def test_earlier_runs_beside_new_ones_are_named(home, tmp_path):
    earlier = tmp_path / "checkout" / "runs"
    for folder in (earlier, home / "runs"):
        folder.mkdir(parents=True)
        (folder / "audit.jsonl").write_text("")
    settings.cache_clear()
    assert settings().runs == home / "runs"
    (sentence,) = folder_notes()
    assert f"SECOND_READ_RUNS={earlier} shows them." in sentence


def test_a_folder_of_runs_that_is_set_is_taken_as_it_is(home, tmp_path, monkeypatch):
    (tmp_path / "checkout" / "runs").mkdir(parents=True)
    (tmp_path / "checkout" / "runs" / "audit.jsonl").write_text("")
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "other"))
    settings.cache_clear()
    assert settings().runs == tmp_path / "other"
    assert folder_notes() == []
