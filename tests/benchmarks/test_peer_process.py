"""A peer in a process of its own."""

import os
import time

import numpy as np
import pytest

from benchmarks.peer_process import NotInstalled, Peer, PeerProcess


def sleeper(seconds: float) -> Peer:
    return Peer(
        {"sleep": lambda: time.sleep(seconds), "nothing": lambda: None},
        {"process": np.array(os.getpid())},
        ["as it is"],
    )


def without_its_library() -> Peer:
    import no_such_library  # noqa: F401


def test_work_is_done_and_timed_elsewhere():
    seconds = 0.05
    peer = PeerProcess(__name__, "sleeper", seconds)
    try:
        assert peer.answers["process"] != os.getpid()
        assert peer.settings == ["as it is"]
        assert list(peer.parts) == ["sleep", "nothing"]
        assert peer.parts["sleep"]() >= seconds
        assert peer.parts["nothing"]() >= 0
    finally:
        peer.close()


def of_another_machine() -> Peer:
    raise RuntimeError("operator torchvision::nms does not exist\nmore of it")


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ("without_its_library", "not installed: no_such_library"),
        ("of_another_machine", "does not start: operator torchvision::nms does not exist"),
    ],
)
def test_a_peer_that_is_not_there_is_named(peer, words):
    with pytest.raises(NotInstalled) as raised:
        PeerProcess(__name__, peer)
    assert str(raised.value) == words
