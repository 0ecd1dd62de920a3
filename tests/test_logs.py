"""Logs: a JSON object or a line for each event, with the id of its request, and nothing of an exception's message."""

import io
import json
import logging
import sys
import threading

import pytest

from cxr_core import logs
from cxr_core.logs import configure_logs, new_request_id, request_id, within_request
from cxr_core.settings import settings

PATIENT = "QZPLANTED^NAME"
LOG = logging.getLogger("cxr_core.a_test")
ID = "0b7c" * 8


@pytest.fixture
def written(own_folders, monkeypatch):
    """Configure the logs in a format, and return what is written from then on; conftest undoes it afterwards."""
    stream = io.StringIO()

    def configure(kind, role="app"):
        own_folders.setenv("SECOND_READ_LOG_FORMAT", kind)
        settings.cache_clear()
        # now, since pytest has another one from the setup to the call
        monkeypatch.setattr(sys, "stderr", stream)
        configure_logs(role)
        return stream

    return configure


def test_a_line_of_json_says_when_what_who_and_of_which_request(written):
    stream = written("json", "worker")
    with within_request(ID, "abc-1"):
        LOG.info("Image %s", "read", extra={"fields": {"seconds": 0.1, "outcome": "read"}})
    LOG.warning("two\nlines")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info", "role": "worker", "logger": "cxr_core.a_test", "event": "Image read", "request_id": ID,
        "client_request_id": "abc-1", "seconds": 0.1, "outcome": "read",
    }  # fmt: skip
    assert (second["level"], second["event"]) == ("warning", "two\nlines")
    assert "request_id" not in second


def test_a_line_of_text_is_one_line(written):
    stream = written("text")
    with within_request(ID, "abc-1"):
        LOG.info("two\nlines\x1b[31m", extra={"fields": {"seconds": 0.1}})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(f"INFO two\\nlines\\x1b[31m request_id={ID} client_request_id=abc-1 seconds=0.1")


@pytest.mark.parametrize("kind", ["json", "text"])
def test_an_exception_is_its_type_and_its_places_without_its_message(written, kind):
    stream = written(kind)
    try:
        raise ValueError(PATIENT)
    except ValueError:
        LOG.exception("It failed.")
    text = stream.getvalue()
    assert PATIENT not in text
    assert "ValueError" in text
    assert "test_an_exception_is_its_type" in text


def test_our_own_lines_begin_at_info_and_those_of_libraries_at_warning_whatever_handler_they_had(written):
    library = logging.getLogger("a_library_with_a_handler")
    elsewhere = io.StringIO()
    library.addHandler(logging.StreamHandler(elsewhere))
    library.propagate = False
    stream = written("json")
    LOG.debug("no")
    LOG.info("ours")
    library.info("no")
    library.warning("theirs")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["ours", "theirs"]
    assert elsewhere.getvalue() == ""


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64, "5f0c" * 8])
def test_the_id_that_a_client_gives_is_in_the_line_and_is_not_the_id_of_the_request(given, written):
    stream = written("json")
    with within_request(ID, given):
        LOG.info("Image read")
        assert request_id() == ID
    line = json.loads(stream.getvalue())
    assert (line["request_id"], line["client_request_id"]) == (ID, given)


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "é", 'a"', "a/b", "a\x00"])
def test_another_text_of_a_client_is_not_logged(given, written):
    stream = written("json")
    with within_request(ID, given):
        LOG.info("Image read")
    assert "client_request_id" not in json.loads(stream.getvalue())


def test_an_id_is_random_and_what_has_another_form_is_none():
    made = [new_request_id(), new_request_id()]
    assert made[0] != made[1]
    for identifier, found in [(made[0], made[0]), ("abc-1", ""), ("5F0C" * 8, ""), ("5f0c" * 9, "")]:
        with within_request(identifier):
            assert request_id() == found


def test_the_id_ends_with_its_block_and_is_not_that_of_another_thread():
    seen = []
    outer, inner = new_request_id(), new_request_id()
    with within_request(outer):
        with within_request(inner):
            assert request_id() == inner
        thread = threading.Thread(target=lambda: seen.append(request_id()))
        thread.start()
        thread.join()
        assert request_id() == outer
    assert (request_id(), seen) == ("", [""])
    assert logs.request_id is request_id
