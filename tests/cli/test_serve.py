"""The command ``app``: secrets of sign-in that cannot be read are one line, before anything is served."""

import pytest

from cxr_core.cli import serve
from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable

VARIABLE = "STREAMLIT_SECRETS_FILES"


@pytest.fixture
def served(own_folders, monkeypatch):
    """Arguments with which Streamlit would have been started."""
    commands = []
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(serve.sys, "argv", [])
    monkeypatch.setattr(serve.runpy, "run_module", lambda *_, **__: commands.append(list(serve.sys.argv)))
    return commands


def named(file, way, monkeypatch):
    """Return the arguments of ``app`` that name a file of secrets, or set the variable that does."""
    if way == "variable":
        monkeypatch.setenv(VARIABLE, f"/none-such/secrets.toml {file}")
        return ["app"]
    return ["app", "--", *(["--secrets.files", str(file)] if way == "option" else [f"--secrets.files={file}"])]


@pytest.mark.parametrize("way", ["option", "option with =", "variable"])
def test_secrets_that_cannot_be_read_are_one_line_and_nothing_is_served(way, served, monkeypatch, tmp_path, capsys):
    # also for root, who may read what belongs to others
    file = tmp_path / "secrets.toml"
    file.symlink_to(file)
    assert main(named(file, way, monkeypatch)) == PathUnusable.exit_status
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{file}: the secrets of sign-in cannot be read by the user of this process" in line
    assert served == []


@pytest.mark.parametrize("way", ["option", "option with =", "variable"])
@pytest.mark.parametrize("kind", ["file", "folder", "missing"])
def test_all_others_are_left_to_streamlit(way, kind, served, monkeypatch, tmp_path):
    place = tmp_path / "secrets.toml"
    if kind == "file":
        place.write_text("")
    elif kind == "folder":
        place.mkdir()
    arguments = named(place, way, monkeypatch)
    assert not main(arguments)
    (command,) = served
    assert command[-len(arguments[2:]) :] == arguments[2:] or way == "variable"
