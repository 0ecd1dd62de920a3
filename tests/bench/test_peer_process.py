"""A peer in a process of its own."""

import os
import time

import numpy as np
import pytest

from tests.bench.peer_process import NotInstalled, Peer, PeerProcess


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


def test_a_library_that_is_not_there_is_named():
    with pytest.raises(NotInstalled, match="no_such_library"):
        PeerProcess(__name__, "without_its_library")
