import email
import random
from itertools import chain

import pytest

from cxr_core.errors import InputRefused
from cxr_core.pacs.dicomweb import multipart_body
from cxr_core.pacs.stow import MultipartFiles, StowResponse, boundary_of
from cxr_core.store.pacs_header import read_instance_header
from tests.received import CR, received, uid

FILES = [received(1), b"\r\n--\r\n--x", b"", received(2)]


def parsed(body: bytes, boundary: bytes, size: int, most: int = 10**6) -> list[bytes]:
    files = MultipartFiles(boundary, most)
    found = [file for start in range(0, len(body), size) for file in files.feed(body[start : start + size])]
    files.end()
    return found


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_files_come_out_as_they_went_in_however_the_body_arrives(size):
    kind, body = multipart_body(FILES)
    assert parsed(body, boundary_of(kind), size) == FILES


def test_the_standard_library_takes_it_apart_likewise():
    kind, body = multipart_body([received(1), received(2)])
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    # a text parser keeps bytes as surrogates, and changes line breaks: compared by the number of parts and their types
    assert [part.get_content_type() for part in message.get_payload()] == ["application/dicom"] * 2
    assert len(parsed(body, boundary_of(kind), 100)) == 2


def test_preamble_epilogue_and_parts_without_a_type_are_read():
    second = b"content-type: application/DICOM; transfer-syntax=*\r\n\r\ntwo"
    body = b"preamble\r\n--b\r\n\r\none\r\n--b\r\n" + second + b"\r\n--b--\r\nend"
    assert parsed(body, b"b", 3) == [b"one", b"two"]


NO_BODIES = [
    b"", b"nothing", b"--b\r\n\r\none", b"--b\r\n\r\none\r\n--b", b"--b\r\nno header\r\n--b--",
    b"--b\r\nContent-Type: text/html\r\n\r\none\r\n--b--",
]  # fmt: skip


@pytest.mark.parametrize("body", NO_BODIES)
def test_a_body_that_is_none_is_refused(body):
    with pytest.raises(InputRefused, match="multipart/related"):
        parsed(body, b"b", 5)


def test_a_part_that_is_too_large_is_refused_before_it_is_whole():
    files = MultipartFiles(b"b", 1000)
    fed = (files.feed(piece) for piece in (b"--b\r\n\r\n", *[bytes(1000)] * 100))
    with pytest.raises(InputRefused, match="SECOND_READ_MAX_FILE_MB"):
        list(chain.from_iterable(fed))
    assert len(files._received) < 20_000


def test_random_bodies_end_in_files_or_a_refusal():
    numbers = random.Random(5)
    pieces = [b"\r\n--b", b"--b", b"\r\n", b"--", b"Content-Type: application/dicom", b"\r\n\r\n", b"x" * 50, b"b"]
    for _ in range(2000):
        body = b"".join(numbers.choices(pieces, k=numbers.randrange(12)))
        results = []
        for size in (1, 4, 1000):
            try:
                results.append(parsed(body, b"b", size))
            except InputRefused:
                results.append(None)
        assert results[0] == results[1] == results[2], body


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', b"abc"),
        ('multipart/related; boundary="a b"; type=application/dicom', b"a b"),
        ("multipart/related; boundary=abc", b"abc"),
        ('multipart/related; type="application/dicom+json"; boundary=abc', None),
        ("multipart/form-data; boundary=abc", None),
        ("multipart/related", None),
        ("application/dicom", None),
        ("", None),
        (f"multipart/related; boundary={'a' * 71}", None),
    ],
)
def test_only_bodies_of_dicom_files_are_accepted(content_type, boundary):
    assert boundary_of(content_type) == boundary


def answer(*verdicts):
    response = StowResponse()
    for number, verdict in enumerate(verdicts):
        response.add(verdict, None if verdict == "invalid" else read_instance_header(received(number)))
    return response


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        (["stored", "confirmed"], 200), (["stored", "conflict"], 202), (["conflict", "invalid"], 409), ([], 400),
        (["unstorable", "unstorable"], 503), (["unstorable", "conflict"], 409), (["stored", "unstorable"], 202),
    ],
)  # fmt: skip
def test_the_status_says_whether_all_some_or_none_were_stored(verdicts, status):
    assert answer(*verdicts).status == status


def test_the_response_names_each_instance_with_its_reason():
    assert answer("stored", "conflict", "invalid").body() == {
        "00081199": {
            "vr": "SQ",
            "Value": [{"00081150": {"vr": "UI", "Value": [CR]}, "00081155": {"vr": "UI", "Value": [uid(0)]}}],
        },
        "00081198": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [CR]},
                    "00081155": {"vr": "UI", "Value": [uid(1)]},
                    "00081197": {"vr": "US", "Value": [0x0111]},
                }
            ],
        },
        "0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xC000]}}]},
    }
