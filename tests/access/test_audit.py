import json
import os
import pwd
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cxr_core.access import LOCAL, Role, Visitor, acting_user, audit, on_behalf_of
from cxr_core.access.audit_verification import verify
from cxr_core.errors import AuditUnwritable, WrongArguments
from cxr_core.logs import new_request_id, within_request
from cxr_core.settings import Settings, settings

PROJECT = Path(__file__).resolve().parents[2]
ME = pwd.getpwuid(os.getuid()).pw_name
CHAIN = {"sequence", "previous", "mac"}
ANN = Visitor("signed_in", "s-1", "https://id.example.org", "Ann", Role.REVIEWER)


def lines(trail):
    return [json.loads(line) for line in trail.read_text().splitlines()]


@pytest.fixture(autouse=True)
def alone(trail):
    """Every test has a trail and a key of its own."""


def test_a_line_says_who_what_when_and_to_what(trail):
    audit.record(LOCAL, "model-import", model="ab" * 32)
    audit.record(ANN, "export", "findings-csv", images=["cd" * 32, "ef" * 32], model="ab" * 32)
    first, second = lines(trail)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("when"))
    assert {name: value for name, value in first.items() if name not in CHAIN} == {
        "schema": 2, "who": ME, "issuer": "os", "role": "admin", "what": "model-import", "detail": "",
        "images": [], "model": "ab" * 32, "run": "",
    }  # fmt: skip
    assert (second["who"], second["issuer"], second["role"]) == ("s-1", "https://id.example.org", "reviewer")
    assert second["images"] == ["cd" * 32, "ef" * 32]
    assert "Ann" not in trail.read_text()


def test_what_comes_through_a_request_has_its_id_and_nothing_else_changes(trail):
    made = new_request_id()
    audit.record(ANN, "export")
    with within_request(made, given="5f0c" * 8):
        audit.record(ANN, "export")
    without, with_id = lines(trail)
    assert with_id.pop("request_id") == made
    assert without.keys() == with_id.keys()
    assert "5f0c" * 8 not in trail.read_text()
    events, broken = audit.read()
    assert ([event.request_id for event in events], broken) == (["", made], 0)
    assert [event.request_id for event in audit.newest_first()] == [made, ""]
    assert not verify().problems


@pytest.mark.parametrize("other", ["QZPLANTEDNAME", "12345678", "Doe.John", "5f0c" * 9, ""])
def test_what_is_no_id_that_the_server_makes_is_not_in_it(trail, other):
    with within_request(other):
        audit.record(ANN, "export")
    assert "request_id" not in lines(trail)[0]


def test_an_id_that_somebody_has_replaced_is_no_event(trail):
    audit.record(ANN, "export")
    trail.write_text(trail.read_text().replace('"run": ""', '"run": "", "request_id": 3'))
    assert audit.read() == ([], 1)


def test_what_is_read_is_what_was_written_from_a_time_on(trail):
    assert audit.read() == ([], 0)
    audit.record(ANN, "sign-in")
    audit.record(ANN, "export", run="a-run")
    events, broken = audit.read()
    assert [(event.what, event.run) for event in events] == [("sign-in", ""), ("export", "a-run")]
    assert broken == 0
    assert audit.read(since=events[1].when) == ([event for event in events if event.when >= events[1].when], 0)
    assert audit.read(since="9") == ([], 0)


def test_only_its_owner_reads_it_and_nothing_is_rewritten(trail):
    before = os.umask(0)
    try:
        audit.record(LOCAL, "export")
    finally:
        os.umask(before)
    assert stat.S_IMODE(trail.stat().st_mode) == 0o600
    start = trail.read_bytes()
    audit.record(LOCAL, "export")
    assert trail.read_bytes().startswith(start)


def test_a_subject_that_holds_a_line_break_stays_one_line(trail):
    audit.record(Visitor("signed_in", 'x"\n{"who": "local"}\u2028'), "sign-in")
    assert trail.read_text().count("\n") == 1
    assert lines(trail)[0]["who"].startswith('x"\n')


def test_a_line_that_a_full_disk_cut_short_costs_that_line_alone(trail):
    audit.record(LOCAL, "export", run="one")
    with trail.open("ab") as file:
        file.write(b'{"schema": 1, "who": "lo')
    audit.record(LOCAL, "export", run="two")
    events, broken = audit.read()
    assert [event.run for event in events] == ["one", "two"]
    assert broken == 1


@pytest.mark.parametrize("line", ["[]", "3", "null", '{"schema": 1}', '{"schema": 1, "images": 3}', "\xff\x00"])
def test_a_line_of_something_else_is_counted(trail, line):
    audit.record(LOCAL, "export")
    with trail.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    events, broken = audit.read()
    assert (len(events), broken) == (1, 1)


def test_many_writers_at_once_lose_nothing(trail):
    code = """
import sys
from cxr_core.access import LOCAL, audit
for number in range(100):
    audit.record(LOCAL, "export", images=[sys.argv[1] * 64] * 80, run=f"{sys.argv[1]}-{number}")
"""
    started = [subprocess.Popen([sys.executable, "-c", code, name], cwd=PROJECT) for name in "abcd"]
    assert [program.wait(120) for program in started] == [0] * 4
    events, broken = audit.read()
    assert broken == 0
    for name in "abcd":
        own_runs = [event.run for event in events if event.run.startswith(name)]
        assert own_runs == [f"{name}-{number}" for number in range(100)]


def test_what_must_be_in_the_trail_is_refused_and_a_readers_work_goes_on(trail, caplog):
    trail.parent.write_text("a file where the folder should be")
    assert isinstance(audit.problem(), AuditUnwritable)
    with pytest.raises(AuditUnwritable, match="SECOND_READ_AUDIT"):
        audit.record(LOCAL, "model-import")
    assert audit.note(ANN, "override", images=["ab" * 32]) is False
    (warning,) = caplog.records
    assert "override" in warning.getMessage()
    assert str(trail.parent) not in warning.getMessage()
    with pytest.raises(AuditUnwritable, match="cannot be read"):
        audit.read()


def test_a_write_that_falls_short_is_refused(trail, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:10]))
    with pytest.raises(AuditUnwritable):
        audit.record(LOCAL, "export")
    monkeypatch.undo()


def test_a_kind_of_event_that_does_not_exist_is_a_mistake_of_the_program(trail):
    with pytest.raises(ValueError, match="lunch"):
        audit.record(LOCAL, "lunch")


def test_it_lies_beside_the_runs_unless_said_otherwise(monkeypatch):
    monkeypatch.delenv("SECOND_READ_AUDIT")
    monkeypatch.setenv("SECOND_READ_RUNS", "/somewhere")
    settings.cache_clear()
    assert audit.path() == Path("/somewhere/audit.jsonl")
    settings.cache_clear()
    assert Settings(audit=Path("/a/b")).audit == Path("/a/b")


def test_a_command_acts_for_the_person_at_the_page_that_started_it(monkeypatch):
    admin = Visitor("signed_in", "s-2", "https://id.example.org", "Bob", Role.ADMIN)
    line = on_behalf_of(admin)
    acting = acting_user(line)
    assert (acting.subject, acting.issuer, acting.role) == ("s-2", "https://id.example.org", Role.ADMIN)
    assert "Bob" not in line
    assert acting_user() == LOCAL
    monkeypatch.setattr("cxr_core.access.visitor.time.time", lambda: 4e9)
    with pytest.raises(WrongArguments, match="has expired"):
        acting_user(line)


@pytest.mark.parametrize("change", [("s-2", "s-3"), ("reader", "admin"), ('"seal": "', '"seal": "0'), ("{", "[")])
def test_a_line_that_the_app_did_not_seal_lets_nobody_act(change):
    line = on_behalf_of(Visitor("signed_in", "s-2", "https://id.example.org", "Bob", Role.READER))
    with pytest.raises(WrongArguments, match="was not written by this app"):
        acting_user(line.replace(*change, 1))
    assert line != line.replace(*change, 1)


@pytest.mark.parametrize("line", ["", "null", "3", "[]", "{}", '{"visitor": "3", "seal": ""}', "[" * 20_000])
def test_a_line_of_something_else_lets_nobody_act(line):
    with pytest.raises(WrongArguments, match="was not written by this app"):
        acting_user(line)


@pytest.mark.parametrize("name", ["LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER", "SECOND_READ_ASKED_BY"])
def test_who_acts_is_no_word_of_the_environment(trail, name):
    value = json.dumps(["mallory", "https://id.example.org", "admin"]) if name.startswith("SECOND") else "mallory"
    code = "from cxr_core.access import acting_user, audit; audit.record(acting_user(), 'export')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT, env=os.environ | {name: value})
    (line,) = lines(trail)
    assert (line["who"], line["issuer"]) == (ME, "os")


def test_a_user_without_a_name_is_a_number(trail, monkeypatch):
    from cxr_core.access import visitor as actors

    actors.system_user.cache_clear()
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_001)
    try:
        assert actors.system_user() == "uid 4000000001"
    finally:
        monkeypatch.undo()
        actors.system_user.cache_clear()


def test_the_newest_events_come_first_and_only_as_many_as_are_asked_for(trail, monkeypatch):
    monkeypatch.setattr(audit, "_BLOCK", 100)
    for number in range(30):
        audit.record(LOCAL, "export", f"file {number} é", images=["0" * 64] * (number % 3))
    with audit.path().open("a") as file:
        file.write("no event\n")
    events, broken = audit.read()
    assert broken == 1
    assert list(audit.newest_first()) == events[::-1]
    assert next(audit.newest_first()) == events[-1]
    audit.path().unlink()
    assert list(audit.newest_first()) == []
