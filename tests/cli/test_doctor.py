"""The command ``doctor``: table, JSON and exit status."""

import json
import os

import pytest
from streamlit import config
from streamlit.runtime.secrets import Secrets

from cxr_core.cli import doctor as module
from cxr_core.cli.doctor import check_sign_in
from cxr_core.cli.main import main
from cxr_core.operations.doctor import CheckResult, diagnose
from cxr_core.settings import settings
from cxr_core.ui import visitor

SECRET = "qz-planted-secret-of-32-characters"


def only(check) -> CheckResult:
    ((_, result),) = diagnose({"area": check})
    return result


def test_a_program_that_is_well_has_status_0_and_every_area(own_folders, capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for text in (
        *(check.area for check in module.MADE),
        "Python",
        "JPEG 2000",
        "SECOND_READ_HOME",
        "all files verified",
        "PACS",
        "0 failed",
    ):
        assert text in out
    assert "\x1b" not in out


def test_a_model_that_does_not_exist_is_status_4_and_the_same_in_json(own_folders, capsys, monkeypatch):
    monkeypatch.setattr(module, "MADE", tuple(check for check in module.MADE if check.area != "Decoders"))
    own_folders.setenv("SECOND_READ_MODEL", "none-such")
    own_folders.setenv("SECOND_READ_PACS_STOW_TOKEN", SECRET)
    settings.cache_clear()
    assert main(["doctor"]) == 4
    out = capsys.readouterr().out
    assert "none-such" in out
    assert main(["doctor", "--json"]) == 4
    text = capsys.readouterr().out
    shown = json.loads(text)
    assert (shown["schema"], shown["state"]) == (1, "failed")
    failed = [check for check in shown["checks"] if check["state"] == "failed"]
    assert {check["area"] for check in failed} == {"Models"}
    assert all(check["action"] for check in failed)
    assert SECRET not in out + text


def test_a_setting_that_cannot_be_used_is_status_2(own_folders, capsys):
    own_folders.setenv("SECOND_READ_KEEP", "for ever")
    settings.cache_clear()
    assert main(["doctor"]) == 2
    assert "SECOND_READ_KEEP" in capsys.readouterr().err


def test_control_characters_of_a_setting_do_not_reach_the_terminal(own_folders, capsys, monkeypatch):
    monkeypatch.setattr(module, "MADE", tuple(check for check in module.MADE if check.area in ("Settings", "Storage")))
    own_folders.setenv("SECOND_READ_IMAGES", os.fsdecode(b"/a\x1b[31mb"))
    settings.cache_clear()
    assert main(["doctor"]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(("answers", "state"), [(True, "ok"), (False, "failed")])
def test_the_metadata_of_each_sign_in_provider_is_asked_for(monkeypatch, answers, state):
    auth = {
        "redirect_uri": "http://127.0.0.1:8501/oauth2callback", "cookie_secret": SECRET, "client_id": "a",
        "client_secret": SECRET, "server_metadata_url": "http://127.0.0.1:1/metadata",
    }  # fmt: skip
    asked = []
    monkeypatch.setattr(visitor, "_auth_section", lambda: auth)
    monkeypatch.setattr(module, "provider_responds", lambda url: asked.append(url) or answers)
    result = only(check_sign_in)
    assert (result.state, asked) == (state, ["http://127.0.0.1:1/metadata"])
    monkeypatch.setattr(visitor, "_auth_section", lambda: auth | {"cookie_secret": "short"})
    result = only(check_sign_in)
    assert result.state == "failed"
    assert "cookie_secret" in result.text + result.action
    assert SECRET not in repr(result)


@pytest.fixture
def secrets(monkeypatch, tmp_path):
    """Secrets of a server that are not below the working directory; gives their file."""
    monkeypatch.setattr(visitor.st, "secrets", Secrets())
    before = config.get_option("secrets.files")
    yield tmp_path / "secrets.toml"
    config.set_option("secrets.files", before)


def test_sign_in_of_a_deployment_is_that_of_the_secrets_that_the_server_uses(secrets, monkeypatch):
    secrets.write_text(
        '[auth]\nredirect_uri = "https://localhost/oauth2callback"\nclient_id = "a"\n'
        f'cookie_secret = "{SECRET}"\nclient_secret = "b"\nserver_metadata_url = "http://127.0.0.1:1/metadata"\n'
    )
    monkeypatch.setattr(module, "provider_responds", lambda url: url == "http://127.0.0.1:1/metadata")
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(secrets))
    result = only(check_sign_in)
    assert (result.state, result.text) == ("ok", "returns its metadata")
    monkeypatch.setattr(module, "provider_responds", lambda url: False)
    result = only(check_sign_in)
    # which file they are in the environment says
    assert (result.state, ".streamlit" in result.action) == ("failed", False)
    secrets.write_text("[auth")
    visitor.st.secrets._reset()
    result = only(check_sign_in)
    assert (result.state, ".streamlit" in result.action) == ("failed", False)
