"""Events of the trail by time, event, user and outcome."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.access import LOCAL, Role, Visitor, audit
from cxr_core.operations.audit_selection import AuditFilter, events_csv, select

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANN = Visitor("signed_in", "Ann-1", "https://id.example.org", role=Role.READER)


@pytest.fixture
def trail(own_folders):
    """A trail of ten days, an event each, written as text: its seals do not matter here."""
    audit.record(LOCAL, "backup")
    (line,) = audit.path().read_text().splitlines()
    entry = json.loads(line)
    lines = []
    for day in range(10):
        what, who = ("refusal", "ann-1") if day % 2 else ("export", "bob-2")
        when = (START + timedelta(days=day)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines.append(json.dumps(entry | {"when": when, "what": what, "who": who, "detail": str(day)}))
    audit.path().write_text("\n".join(lines) + "\n")
    return lines


def days(**wanted) -> list[int]:
    return [int(event.detail) for event in select(AuditFilter(**wanted))]


def test_the_newest_come_first_and_each_filter_holds(trail):
    assert days() == list(range(9, -1, -1))
    assert days(what="export") == [8, 6, 4, 2, 0]
    assert days(who="ANN") == [9, 7, 5, 3, 1]
    assert days(outcome="refused") == days(what="refusal") == [9, 7, 5, 3, 1]
    assert days(outcome="done") == [8, 6, 4, 2, 0]
    second, fifth = START + timedelta(days=2), START + timedelta(days=5)
    assert days(since=second, until=fifth) == [5, 4, 3, 2]
    assert days(since=second, until=fifth, what="export", who="bob") == [4, 2]


def test_older_events_are_not_read(trail, monkeypatch):
    read = []
    newest = audit.newest_first

    def counted():
        for event in newest():
            read.append(event)
            yield event

    monkeypatch.setattr(audit, "newest_first", counted)
    assert days(since=START + timedelta(days=8)) == [9, 8]
    # a day more, in case the clock was set back
    assert len(read) == 4


def test_a_clock_that_was_set_back_by_hours_hides_nothing(trail):
    entry = json.loads(trail[0])
    late = [START + timedelta(days=8, hours=12), START + timedelta(days=8, hours=1), START + timedelta(days=8, hours=6)]
    audit.path().write_text("".join(json.dumps(entry | {"when": when.isoformat()}) + "\n" for when in late))
    assert len(list(select(AuditFilter(since=START + timedelta(days=8, hours=5))))) == 2


def test_an_event_without_a_time_matches_where_no_time_is_asked_for(trail):
    entry = json.loads(trail[0])
    audit.path().write_text(json.dumps(entry | {"when": "yesterday"}) + "\n")
    assert days() == [0]
    assert days(since=START) == []


def test_the_csv_has_every_field(trail):
    lines = events_csv(AuditFilter(what="export")).decode().splitlines()
    assert lines[0] == "when,who,issuer,role,what,detail,images,model,run,request_id"
    assert len(lines) == 6
    assert lines[1].startswith("2026-11-28T12:00:00.000Z,bob-2,os,")
