"""Jobs for processes of their own, in which some items end the process."""

import os
import signal
import time
from pathlib import Path


def doubled(item: dict) -> int:
    """Return twice the number, unless the item says that the process dies, hangs or fails on it."""
    if item.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    if item.get("hangs"):
        time.sleep(600)
    if item.get("fails"):
        raise RuntimeError("words that quote the image")
    if (once := item.get("dies once")) and not Path(once).exists():
        Path(once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * item["number"]


class Unloadable:
    """A job whose process dies before it is ready."""

    def __reduce__(self):
        return os._exit, (1,)

    def __call__(self, item):
        return item
