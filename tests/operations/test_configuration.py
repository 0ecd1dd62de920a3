"""Unknown and contradictory settings, one line each, without a value."""

import re

import pytest

from cxr_core.operations.configuration import configuration_notes, contradictions, unknown_settings
from cxr_core.settings import Settings, settings
from tests.conftest import PROJECT

VALUE = "qz-planted-value"


@pytest.fixture
def notes(own_folders, tmp_path):
    """The notes of an environment, beside what the tests need."""

    def of(**environment: str) -> list[str]:
        for name, value in environment.items():
            own_folders.setenv(f"SECOND_READ_{name}", value)
        settings.cache_clear()
        return configuration_notes(file=tmp_path / "second-read.toml")

    return of


def test_without_a_mistake_there_is_no_line(notes):
    assert notes() == []
    assert notes(KEEP="store", IDENTITY="store", KEEP_DAYS="7", MAX_FILE_MB="100") == []


def test_an_unknown_variable_is_named_with_the_setting_that_is_meant(notes):
    (line,) = notes(PACS_SENDER=VALUE)
    assert line == (
        "SECOND_READ_PACS_SENDER, in the environment, is no setting and has no effect. "
        "Is SECOND_READ_PACS_SENDERS meant?"
    )
    (line,) = unknown_settings({"quux": "in the environment"})
    (page,) = re.findall(r"See (docs/\S+)\.$", line)
    assert all(f"`SECOND_READ_{name.upper()}`" in (PROJECT / page).read_text() for name in Settings.model_fields)
    (line,) = unknown_settings({"a\n\x1b[31m" + "b" * 100: "in the environment"})
    assert "\n" not in line
    assert "\x1b" not in line


def test_an_unknown_name_in_the_settings_file_is_named(notes, tmp_path):
    (tmp_path / "second-read.toml").write_text(f'kep = "{VALUE}"\nkeep = "session"\n')
    (line,) = notes()
    assert line.startswith("SECOND_READ_KEP, in second-read.toml, is no setting")
    assert VALUE not in line


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"STORE_KEY_PREVIOUS": "A" * 43 + "="}, ("STORE_KEY_PREVIOUS", "STORE_KEY")),
        ({"PACS_TLS_CERTIFICATE": VALUE}, ("PACS_TLS_CERTIFICATE", "PACS_TLS_KEY")),
        ({"PACS_TLS_KEY": VALUE}, ("PACS_TLS_KEY", "PACS_TLS_CERTIFICATE")),
        ({"PACS_LISTEN": "127.0.0.1:0"}, ("PACS_LISTEN", "PACS_SENDERS")),
        ({"PACS_SENDERS": "CT1@127.0.0.1"}, ("PACS_SENDERS", "PACS_LISTEN")),
        ({"PACS_CREDENTIALS": VALUE}, ("PACS_CREDENTIALS", "PACS")),
        ({"PACS_SOURCE_CREDENTIALS": VALUE}, ("PACS_SOURCE_CREDENTIALS", "PACS_SOURCE")),
        ({"PACS_CHANGES_CREDENTIALS": VALUE}, ("PACS_CHANGES_CREDENTIALS", "PACS_CHANGES")),
        ({"PACS_RETRIEVE": "move"}, ("PACS_RETRIEVE", "PACS_LISTEN")),
        ({"IDENTITY": "store"}, ("IDENTITY", "KEEP")),
        ({"IDENTITY": "off", "PACS": "A@127.0.0.1:104"}, ("IDENTITY", "pacs work")),
        ({"KEEP_DAYS": "7"}, ("KEEP_DAYS", "KEEP")),
        ({"MAX_FILE_MB": "600"}, ("MAX_FILE_MB", "SESSION_MB")),
        ({"UPLOADS_MB": "100"}, ("MAX_FILE_MB", "UPLOADS_MB")),
        ({"MAX_SESSIONS": "50"}, ("MAX_SESSIONS_PER_ADDRESS", "MAX_SESSIONS")),
        ({"MAX_CONNECTIONS": "100"}, ("MAX_SESSIONS", "MAX_CONNECTIONS")),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_contradict_each_other_are_named_without_their_values(notes, environment, named):
    (line,) = notes(**environment)
    for name in named:
        assert name in line
    assert VALUE not in line


def test_tls_of_the_receiver_needs_certificate_and_address(notes):
    lines = notes(PACS_RECEIVE_TLS="true")
    assert [line.split(" is set without ")[1].split(":")[0] for line in lines] == [
        "SECOND_READ_PACS_TLS_CERTIFICATE",
        "SECOND_READ_PACS_LISTEN",
    ]


def test_the_defaults_do_not_contradict_each_other(own_folders):
    assert list(contradictions(Settings())) == []
