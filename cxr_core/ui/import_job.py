"""One import of a model, run as the command in a process of its own: the server never imports TensorFlow."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..access import LOCAL, Visitor, on_behalf_of

__all__ = ["ImportJob", "ImportState"]

_PROJECT = Path(__file__).resolve().parents[2]
_INTERRUPTED = 130


@dataclass(frozen=True)
class ImportState:
    """How far an import is.

    Attributes:
        step: what it does, in words.
        share: of that step, in [0, 1], or None where it is not known.
        left: time left of that step, in words, or None.
        running: whether it goes on.
        error: why it ended without a model, one line; empty otherwise.
    """

    step: str = "Starting"
    share: float | None = None
    left: str | None = None
    running: bool = True
    error: str = ""


class ImportJob:
    """Starts at once; ``state`` may be asked from any thread."""

    def __init__(
        self, arguments: Sequence[str], upload: TemporaryDirectory | None = None, asked_by: Visitor = LOCAL
    ) -> None:
        """Run ``models import`` with these arguments, for a visitor.

        ``upload`` is a folder that is deleted at the end. Raises AuditUnwritable where the command cannot be told
        for whom it acts.
        """
        self.state = ImportState()
        self._upload = upload
        line = None if asked_by == LOCAL else on_behalf_of(asked_by)
        options = [] if line is None else ["--for-visitor"]
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "cxr_core", "models", "import", "--json-progress", *options, *arguments],
            cwd=_PROJECT,
            stdin=subprocess.DEVNULL if line is None else subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        if line is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as given:
                given.write(line + "\n")
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def wait(self, seconds: float | None = None) -> ImportState:
        """Wait until it has ended, or so long, and return the state."""
        self._watching.join(seconds)
        return self.state

    def stop(self) -> None:
        """End it; the command deletes what it has written so far."""
        self._process.terminate()

    def _watch(self) -> None:
        error = ""
        for line in self._process.stderr:
            if line.startswith("Error: "):
                error = line.removeprefix("Error: ").strip()
            elif line.startswith("{"):
                with contextlib.suppress(ValueError, KeyError):  # a library's own line
                    told = json.loads(line)
                    self.state = ImportState(told["step"], told["share"], told["left"])
        status = self._process.wait()
        self._process.stderr.close()
        if self._upload is not None:
            self._upload.cleanup()
        if status and not error:
            stopped = status in (_INTERRUPTED, -signal.SIGTERM)
            error = "It was stopped." if stopped else f"The import ended with status {status}."
        self.state = ImportState("Done" if not error else self.state.step, running=False, error=error)
