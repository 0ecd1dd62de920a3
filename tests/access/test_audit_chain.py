"""Every kind of tampering with the audit trail is found, and says which line; what happens by itself is not one."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.access.audit_chain import HEAD, KEY
from cxr_core.access.audit_verification import verify
from cxr_core.cli.main import main
from cxr_core.errors import AuditUnwritable
from cxr_core.settings import settings

PROJECT = Path(__file__).resolve().parents[2]
OLD = b'{"schema": 1, "when": "2026-11-01T00:00:00.000Z", "who": "local", "issuer": "", "role": "admin", "what": "export", "detail": "run", "images": [], "model": "", "run": "old"}\n'  # noqa: E501


def write(count=6, first=1):
    for number in range(first, first + count):
        audit.record(LOCAL, "export", "run", run=f"run-{number}")


def lines_of(trail):
    return trail.read_bytes().splitlines(keepends=True)


def problems():
    return list(verify().problems)


def test_a_trail_as_it_was_written_has_no_problem(trail, capsys):
    write()
    result = verify()
    assert (result.events, result.first, result.last, result.before, result.problems) == (6, 1, 6, 0, ())
    first, second, *_ = [json.loads(line) for line in lines_of(trail)]
    assert second["previous"] == first["mac"] == json.loads(lines_of(trail)[0])["mac"]
    assert main(["audit", "--verify"]) == 0
    out = capsys.readouterr().out
    assert "Events 1 to 6, 6 as they were written" in out
    assert result.mac in out


def test_key_and_head_are_their_owners_alone_and_the_key_stays(trail):
    before = os.umask(0)
    try:
        write(2)
        key = (settings().runs / KEY).read_bytes()
        write(2)
    finally:
        os.umask(before)
    assert (settings().runs / KEY).read_bytes() == key
    for name in (KEY, HEAD):
        assert (settings().runs / name).stat().st_mode & 0o777 == 0o600
    assert settings().runs.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:2] + lines[3:], "Event 3 is missing, before audit.jsonl, line 3."),
        (lambda lines: lines[:1] + lines[4:], "Events 2 to 4 are missing, before audit.jsonl, line 2."),
        (lambda lines: lines[1:], "Event 1 is missing, before audit.jsonl, line 1."),
        (lambda lines: lines[:5], "Event 6 is missing at the end of the trail."),
        (lambda lines: lines[:3], "Events 4 to 6 are missing at the end of the trail."),
        (lambda lines: [], "Events 1 to 6 are missing at the end of the trail."),
        (
            lambda lines: [*lines[:2], lines[2].replace(b"run-3", b"run-9"), *lines[3:]],
            "audit.jsonl, line 3: event 3 was changed.",
        ),
        (
            lambda lines: [*lines[:5], lines[5].replace(b'"admin"', b'"reader"')],
            "audit.jsonl, line 6: event 6 was changed.",
        ),
        (
            lambda lines: [*lines[:2], lines[2].replace(b"export", b"export "), *lines[3:]],
            "audit.jsonl, line 3: event 3 was changed.",
        ),
        (
            lambda lines: [*lines[:2], lines[1].replace(b"run-2", b"run-x"), *lines[2:]],
            "audit.jsonl, line 3: inserted or changed; it has no seal of this trail.",
        ),
        (
            lambda lines: [*lines[:2], OLD, *lines[2:]],
            "audit.jsonl, line 3: inserted or changed; it has no seal of this trail.",
        ),
        (lambda lines: [*lines, OLD], "audit.jsonl, line 7: inserted or changed; it has no seal of this trail."),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], "audit.jsonl, line 4: inserted or changed"),
        (lambda lines: [*lines[:3], b"[" * 50_000 + b"\n", *lines[3:]], "audit.jsonl, line 4: inserted or changed"),
        (lambda lines: [OLD, *lines], "audit.jsonl, line 2: lines before event 1 were changed or deleted"),
        (
            lambda lines: [*lines[:3], lines[1], *lines[3:]],
            "audit.jsonl, line 4: event 2 appears again; this copy was inserted.",
        ),
        (
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            "audit.jsonl, line 3: event 2 comes after event 3; lines were moved.",
        ),
    ],
)
def test_tampering_is_found_and_told_by_its_line(trail, change, words, capsys):
    write()
    trail.write_bytes(b"".join(change(lines_of(trail))))
    (problem,) = problems()
    assert problem.startswith(words)
    assert main(["audit", "--verify"]) == 4
    assert f"Error: {problem}\n" == capsys.readouterr().err


def test_tampering_stays_found_after_more_events(trail):
    write()
    trail.write_bytes(b"".join(lines_of(trail)[:3]))
    write(2, first=7)
    assert problems() == ["Events 4 to 6 are missing, before audit.jsonl, line 4."]


def test_every_single_byte_counts(trail):
    write(2)
    whole = trail.read_bytes()
    for at in range(len(whole)):
        trail.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert problems(), at
    trail.write_bytes(whole)
    assert not problems()


def test_a_trail_that_is_gone_is_found_and_so_is_its_head_and_its_key(trail):
    write()
    contents = {name: (settings().runs / name).read_bytes() for name in (KEY, HEAD)}
    whole = trail.read_bytes()
    trail.unlink()
    assert problems() == ["Events 1 to 6 are missing at the end of the trail."]
    trail.write_bytes(whole)
    (settings().runs / HEAD).unlink()
    assert problems() == [f"{HEAD} is missing or was changed: whether events after event 6 were cut off is unknown."]
    (settings().runs / HEAD).write_bytes(contents[HEAD].replace(b'"sequence": 6', b'"sequence": 5'))
    assert problems() == [f"{HEAD} is missing or was changed: whether events after event 6 were cut off is unknown."]
    (settings().runs / HEAD).write_bytes(contents[HEAD])
    (settings().runs / KEY).unlink()
    with pytest.raises(AuditUnwritable, match="is missing: restore it from a backup"):
        verify()
    assert not (settings().runs / KEY).exists()
    # a new key would make the old lines look as if they were older than the chain
    with pytest.raises(AuditUnwritable, match="restore it from a backup"):
        audit.record(LOCAL, "export")
    assert not (settings().runs / KEY).exists()
    (settings().runs / HEAD).unlink()
    write(1)
    missing = problems()
    assert len(missing) == 6
    assert missing[0] == "audit.jsonl, line 1: inserted or changed; it has no seal of this trail."
    (settings().runs / KEY).write_bytes(b"short")
    with pytest.raises(AuditUnwritable, match="has 5 bytes, not 32"):
        audit.record(LOCAL, "export")


def test_an_older_head_is_found(trail):
    write(3)
    head = (settings().runs / HEAD).read_bytes()
    write(3, first=4)
    (settings().runs / HEAD).write_bytes(head)
    assert problems() == [f"{HEAD} is older than the trail, which has event 6: it states 3."]


def test_a_program_killed_between_line_and_head_is_no_tampering(trail):
    write(3)
    head = (settings().runs / HEAD).read_bytes()
    write(1, first=4)
    (settings().runs / HEAD).write_bytes(head)
    assert problems() == []
    write(1, first=5)
    assert problems() == []
    assert verify().last == 5


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_program_killed_within_a_line_is_no_tampering(trail, cut, capsys):
    write(3)
    head, size = (settings().runs / HEAD).read_bytes(), trail.stat().st_size
    write(1, first=4)
    (settings().runs / HEAD).write_bytes(head)
    # cut off: the line break alone, part of the line, most of it
    with trail.open("r+b") as file:
        file.truncate(max(size + 1, trail.stat().st_size - cut))
    write(2, first=5)
    assert problems() == []
    assert verify().torn == (() if cut == 1 else ("audit.jsonl, line 4",))
    capsys.readouterr()
    assert main(["audit", "--verify"]) == 0
    assert ("audit.jsonl, line 4: truncated while it was written" in capsys.readouterr().out) is (cut > 1)
    assert [event.run for event in audit.read()[0]][-2:] == ["run-5", "run-6"]
    # what stands there instead of the torn line is not covered by that
    torn = lines_of(trail)[3]
    trail.write_bytes(trail.read_bytes().replace(torn, torn[:-1] + b"x\n"))
    assert problems()[0].startswith("audit.jsonl, line 4: inserted or changed")


FORGED = (
    b'"when": "2026-11-26T03:00:00.000Z", "who": "victim", "issuer": "os", "role": "admin", "what": "export", '
    b'"detail": "findings-csv", "images": [], "model": "", "run": ""}'
)


def begun(line):
    """A line with the number and the seal that the next one has."""
    fields = json.loads(line)
    start = {"schema": 2, "sequence": fields["sequence"] + 1, "previous": fields["mac"]}
    return json.dumps(start)[:-1].encode() + b", "


@pytest.mark.parametrize(
    "made",
    [
        lambda line: b'{"schema":2,"sequence":2,"previous":"x",' + FORGED,
        lambda line: begun(line) + FORGED,
        lambda line: begun(line) + FORGED[:-1] + b', "mac": "' + b"0" * 64 + b'"}',
        lambda line: begun(line) + FORGED + b"  \t",
        # no UTF-8, and shown all the same
        lambda line: begun(line) + FORGED.replace(b"victim", b"victim\xff"),
        lambda line: b'x\r{"schema":2,' + FORGED + b"\r",
        lambda line: begun(line) + b"\r{" + FORGED + b"\r",
        lambda line: b"x",
        lambda line: b"{" + FORGED[:40],
        lambda line: begun(line).replace(b'"sequence": 2', b'"sequence": 3') + FORGED[:40],
    ],
)
def test_what_somebody_appended_without_a_line_break_is_no_torn_line(trail, made, capsys):
    write(1)
    with trail.open("ab") as file:
        file.write(made(lines_of(trail)[0]))
    write(1, first=2)
    assert [problem.partition(":")[0] for problem in problems()] == ["audit.jsonl, line 2"]
    assert verify().torn == ()
    assert main(["audit", "--verify"]) == 4


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\x0b", b"\x0c", b"\x1c", "\u2028".encode(), "\x85".encode()])
def test_nothing_but_a_line_break_begins_a_line(trail, end):
    write(1)
    with trail.open("ab") as file:
        file.write(b"x" + end.replace(b"\n", b"") + b'{"schema":2,' + FORGED + end)
    write(1, first=2)
    assert [event.run for event in audit.read()[0]] == ["run-1", "run-2"]
    assert problems()


def test_an_event_that_was_refused_does_not_stand_in_the_trail(trail, monkeypatch):
    write(2)
    before = trail.read_bytes()
    monkeypatch.setattr("cxr_core.access.audit_chain._write_head", _full)
    with pytest.raises(AuditUnwritable):
        audit.record(LOCAL, "export")
    assert trail.read_bytes() == before
    monkeypatch.undo()
    assert problems() == []


def test_lines_of_the_former_format_count_as_before_the_chain_and_are_sealed_with_its_first(trail, capsys):
    trail.parent.mkdir()
    trail.write_bytes(OLD * 3 + OLD[:40])
    assert (verify().before, verify().events, problems()) == (4, 0, [])
    write(2)
    result = verify()
    assert (result.before, result.events, result.problems) == (4, 2, ())
    events, broken = audit.read()
    assert ([event.run for event in events], broken) == (["old"] * 3 + ["run-1", "run-2"], 1)
    assert main(["audit", "--verify"]) == 0
    assert "4 lines from before the chain" in capsys.readouterr().out
    trail.write_bytes(trail.read_bytes().replace(b'"old"', b'"new"', 1))
    (problem,) = problems()
    assert problem.startswith("audit.jsonl, line 5: lines before event 1 were changed or deleted")


@pytest.mark.parametrize("name", ["audit.jsonl.1", "audit.jsonl-20261126", "audit-20261126.jsonl", "audit.jsonl.1.gz"])
def test_the_chain_goes_on_across_a_rotation_by_renaming(trail, name, tmp_path, capsys):
    trail.parent.mkdir()
    trail.write_bytes(OLD)
    write(3)
    rotated = trail.with_name(name)
    if name.endswith(".gz"):
        rotated.write_bytes(gzip.compress(trail.read_bytes()))
        trail.unlink()
    else:
        trail.rename(rotated)
    assert problems() == []
    write(3, first=4)
    result = verify()
    assert (result.first, result.last, result.before, result.problems) == (1, 6, 1, ())
    assert [file.name for file in result.files] == [name, "audit.jsonl"]
    assert main(["audit", "--verify"]) == 0
    assert "1 line from before the chain" in capsys.readouterr().out
    # a line put into the new file, as if it were older than the chain
    whole = trail.read_bytes()
    trail.write_bytes(OLD)
    assert problems() == [
        "audit.jsonl, line 1: inserted or changed; it has no seal of this trail.",
        "Events 4 to 6 are missing at the end of the trail.",
    ]
    trail.write_bytes(whole)
    # put away elsewhere
    shutil.move(rotated, tmp_path / name)
    assert problems() == ["Events 1 to 3 are missing, before audit.jsonl, line 1."]
    assert main(["audit", "--verify", "--also", str(tmp_path / name)]) == 0
    assert main(["audit", "--verify", "--first", "4"]) == 0
    assert main(["audit", "--verify", "--first", "3"]) == 4
    capsys.readouterr()
    assert main(["audit", "--verify", "--also", str(tmp_path / "none")]) == 4
    assert capsys.readouterr().err.startswith("Error: A file of the audit trail cannot be read")


def test_without_any_event_there_is_nothing_to_verify(trail, capsys):
    assert main(["audit", "--verify"]) == 0
    assert "No sealed event in 0 files" in capsys.readouterr().out


def test_writers_at_once_and_a_rotation_meanwhile_make_one_chain(trail):
    code = """
import sys
from cxr_core.access import LOCAL, audit
for number in range(60):
    audit.record(LOCAL, "export", run=f"{sys.argv[1]}-{number}")
"""
    started = [subprocess.Popen([sys.executable, "-c", code, name], cwd=PROJECT) for name in "abcd"]
    rotations = 0
    while any(program.poll() is None for program in started):
        if trail.exists() and trail.stat().st_size > 20_000:
            rotations += 1
            trail.rename(trail.with_name(f"audit.jsonl.{rotations}"))
        time.sleep(0.001)
    assert [program.wait(120) for program in started] == [0] * 4
    assert rotations
    result = verify()
    assert (result.events, result.first, result.last, result.problems) == (240, 1, 240, ())


def test_threads_at_once_make_one_chain(trail):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: audit.record(LOCAL, "export", run=f"run-{number}"), range(80)))
    result = verify()
    assert (result.events, result.last, result.problems) == (80, 80, ())


def _full(*_):
    raise OSError(28, "no space")
