"""The command ``app``: secrets of sign-in that cannot be read are one line, before anything is served."""

import pytest

from cxr_core.cli import serve
from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable

VARIABLE = "STREAMLIT_SECRETS_FILES"


@pytest.fixture
def served(own_folders, monkeypatch, tmp_path):
    """Arguments with which Streamlit would have been started, in a folder and a home of their own."""
    commands = []
    monkeypatch.delenv(VARIABLE, raising=False)
    for name in ("home", "work"):
        (tmp_path / name / ".streamlit").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
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
    place = tmp_path / ("secrets" if kind == "folder" else "secrets.toml")
    if kind == "file":
        place.write_text("")
    elif kind == "folder":
        place.mkdir()
    arguments = named(place, way, monkeypatch)
    assert not main(arguments)
    (command,) = served
    assert command[command.index("127.0.0.1") + 1 :] == arguments[2:]


@pytest.mark.parametrize("place", ["home", "work"])
def test_secrets_where_streamlit_looks_for_them_are_checked_too(place, served, tmp_path, capsys):
    file = tmp_path / place / ".streamlit" / "secrets.toml"
    file.symlink_to(file)
    assert main(["app"]) == PathUnusable.exit_status
    assert "the secrets of sign-in cannot be read" in capsys.readouterr().err
    assert served == []


def test_a_folder_of_the_name_of_a_file_is_one_line(served, tmp_path, capsys):
    """Docker makes one where the file to mount is missing, and Streamlit takes it for a file."""
    file = tmp_path / "secrets.toml"
    file.mkdir()
    assert main(["app", "--", "--secrets.files", str(file)]) == PathUnusable.exit_status
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{file}: the secrets of sign-in cannot be read" in line
    assert served == []


def test_secrets_that_are_no_text_are_one_line(served, tmp_path, capsys):
    file = tmp_path / "secrets.toml"
    file.write_text("[auth]\n", encoding="utf-16")
    assert main(["app", "--", "--secrets.files", str(file)]) == PathUnusable.exit_status
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{file}: the secrets of sign-in are not text in UTF-8" in line
    assert served == []


def test_files_that_streamlit_does_not_read_do_not_matter(served, monkeypatch, tmp_path):
    """An option takes the place of the variable, and each of the two that of the usual places."""
    secrets, other = tmp_path / "secrets.toml", tmp_path / "work" / ".streamlit" / "secrets.toml"
    secrets.write_text("")
    other.symlink_to(other)
    monkeypatch.setenv(VARIABLE, str(secrets))
    assert not main(["app"])
    monkeypatch.setenv(VARIABLE, str(other))
    assert not main(["app", "--", "--secrets.files", str(secrets)])
    assert len(served) == 2
