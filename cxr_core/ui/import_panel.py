"""Import of published weights, for administrators, on the page "Model".

The import runs as a command in its own process, so that the server never imports TensorFlow.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ..access import LOCAL, Visitor, audit, on_behalf_of
from ..files import cannot_write
from ..labels import LABELS
from ..pretrained.catalogue import PUBLISHED
from ..pretrained.preprocessing import NORMALISATIONS, PRESETS
from ..settings import model_roots
from .chrome import banner, refusal, small
from .visitor import may_administer, visitor

__all__ = [
    "ImportJob",
    "ImportState",
    "import_panel",
]


KERAS = "Keras file of a DenseNet121"
TORCH = "PyTorch file of a DenseNet121"
NO_PRESET = "Other (enter its details below)"
_POLL_SECONDS = 1.0
_PROJECT = Path(__file__).resolve().parents[2]
_INTERRUPTED = 130


@dataclass
class _LastImport:
    """The running or last import of the server, shared by all administrators."""

    job: ImportJob | None = None
    name: str = ""


@st.cache_resource(show_spinner=False)
def _last_import() -> _LastImport:
    return _LastImport()


def import_panel() -> None:
    """Draw the import, for administrators; nothing for others."""
    if not may_administer():
        return
    last = _last_import()
    running = last.job is not None and last.job.state.running
    with st.expander("Import a model", icon=":material/download:", expanded=last.job is not None):
        if last.job is not None:
            # polls only while an import is running
            st.fragment(_progress, run_every=_POLL_SECONDS if running else None)(last.job, last.name)
        if not running:
            _form(last)


def _form(last: _LastImport) -> None:
    small(
        "Import published weights, or a file of your own. No code in a file is executed. See docs/models.md for "
        "sources, licences and published performance."
    )
    chosen = st.selectbox("Weights", [*PUBLISHED, KERAS, TORCH], key="import-source")
    published = PUBLISHED.get(chosen)
    file = st.file_uploader(
        {
            KERAS: "Keras weights: .h5, .weights.h5, .keras",
            TORCH: "Checkpoint or state dict: .pt, .pth, .pth.tar, ...",
        }.get(chosen, "File (optional; downloaded if none is given)"),
        key="import-file",
        help=published.url if published else None,
    )
    options = [] if published else _file_options(chosen)
    sha256 = st.text_input("Expected SHA-256 of the file (optional)", key="import-sha256")
    name = st.text_input("Name of the model", value=chosen if published else "", key=f"import-name-{chosen}")
    if not st.button("Import", icon=":material/download:", key="import-start"):
        return
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        refusal("Not imported", ("Enter a name; allowed are letters, digits, dot, hyphen and underscore.",))
    elif not published and file is None:
        refusal("Not imported", ("Choose the weights file.",))
    elif isinstance(options, str):
        refusal("Not imported", (options,))
    elif (problem := audit.problem()) is not None:
        refusal("Not imported", (str(problem),))
    else:
        arguments = ["--out", str((model_roots()[0] / name).resolve())]
        arguments += ["--sha256", sha256.strip()] if sha256.strip() else []
        arguments += options
        try:
            upload, path = _save(file)
        except OSError as error:
            refusal("Not imported", (str(cannot_write("The file", error)),))
            return
        if published:
            arguments += ["--file", str(path)] if path is not None else []
            arguments.append(published.source)
        else:
            arguments.append(f"{'keras' if chosen == KERAS else 'torch'}:{path}")
        last.job, last.name = ImportJob(arguments, upload, visitor()), name
        st.rerun()


def _file_options(chosen: str) -> list[str] | str:
    """Draw the fields for what a file does not state; return the command's options, or a message on what is missing."""
    if chosen == TORCH:
        preset = st.selectbox(
            "Source repository",
            [*PRESETS, NO_PRESET],
            # no default: a wrong choice gives wrong scores without any sign of it
            index=None,
            placeholder="Choose one",
            key="import-preset",
            help="Sets labels, normalisation and input size as in the test code of the repository.",
        )
        if preset is None:
            return "Choose the source repository, or enter the details of another."
        if preset != NO_PRESET:
            return ["--preset", preset]
    labels = st.text_input(
        "Labels of its outputs, comma-separated" + (" (empty: the 14 of NIH)" if chosen == KERAS else ""),
        key="import-labels",
        placeholder=", ".join(LABELS[:3]) + ", ...",
    )
    normalisation = st.selectbox(
        "Normalisation of grey values in training",
        list(NORMALISATIONS),
        index=None if chosen == TORCH else list(NORMALISATIONS).index("imagenet"),
        placeholder="Choose one, or enter MEAN,SD",
        key=f"import-normalisation-{chosen}",
        accept_new_options=True,
        help="A normalisation other than that of the training gives wrong scores without any sign of it. "
        + "; ".join(f"{name}: {entry.description}" for name, entry in NORMALISATIONS.items())
        + "; or MEAN,SD of grey values from 0 to 1.",
    )
    size = st.number_input("Input size, pixels", 32, 1024, 224, 32, key="import-size")
    if chosen == TORCH and not labels.strip():
        return "Enter the labels: one name per output, in their order, comma-separated."
    if chosen == TORCH and not normalisation:
        return "Choose the normalisation of grey values, or enter MEAN,SD."
    return [
        *(["--labels", labels] if labels.strip() else []),
        *("--normalisation", str(normalisation or "imagenet")),
        *("--size", str(int(size))),
    ]


def _stop(job: ImportJob) -> None:
    if may_administer():
        job.stop()


def _save(file: UploadedFile | None) -> tuple[TemporaryDirectory[str] | None, Path | None]:
    """Write an uploaded file into a temporary folder; its file name is never used as a path."""
    if file is None:
        return None, None
    folder = TemporaryDirectory(prefix="second-read-")
    # .weights.h5 and .pth.tar are suffixes too, and are kept for the model card
    suffix = re.search(r"(?:[.](?:weights|pth))?[.][a-z0-9]{1,12}$", Path(file.name).name)
    path = Path(folder.name) / f"weights{suffix[0] if suffix else ''}".replace("weights.weights", "model.weights")
    path.write_bytes(file.getvalue())
    return folder, path


def _progress(job: ImportJob, name: str) -> None:
    # a fragment runs without the guard of its page
    if not may_administer():
        st.rerun()
    state = job.state
    if state.running:
        text = state.step + (f", {state.remaining}" if state.remaining else "")
        st.progress(state.fraction or 0.0, text)
        st.button("Stop import", key="import-stop", on_click=_stop, args=(job,))
        return
    if state.error:
        refusal(f"{name} was not imported", (state.error,))
    else:
        banner(
            f"{name} was imported and passed its checks.",
            f"To read images with it, start the app with SECOND_READ_MODEL={name}.",
        )
    if st.session_state.get("import-shown") is not job:
        # once: ends the polling and shows the form again
        st.session_state["import-shown"] = job
        st.rerun()


@dataclass(frozen=True)
class ImportState:
    """Progress of an import.

    Attributes:
        step: description of the current step.
        fraction: completed fraction of that step in [0, 1], or None if unknown.
        remaining: remaining time of that step as text, or None.
        running: whether the import is running.
        error: why it ended without a model, one line; else empty.
    """

    step: str = "Starting"
    fraction: float | None = None
    remaining: str | None = None
    running: bool = True
    error: str = ""


class ImportJob:
    """One import; starts at once. ``state`` can be read from any thread."""

    def __init__(
        self, arguments: Sequence[str], upload: TemporaryDirectory[str] | None = None, requested_by: Visitor = LOCAL
    ) -> None:
        """Run ``models import`` with these arguments, for a visitor.

        ``upload`` is a folder that is deleted at the end. Raises AuditUnwritable if the visitor cannot be passed to
        the command.
        """
        self.state = ImportState()
        self._upload = upload
        line = None if requested_by == LOCAL else on_behalf_of(requested_by)
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
        if line is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
                stdin.write(line + "\n")
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> ImportState:
        """Wait until the import has ended, or at most so many seconds, and return the state."""
        self._thread.join(seconds)
        return self.state

    def stop(self) -> None:
        """Stop the import; the command deletes what it has written."""
        self._process.terminate()

    def _watch(self) -> None:
        error = ""
        with self._process:
            for line in self._process.stderr or ():
                if line.startswith("Error: "):
                    error = line.removeprefix("Error: ").strip()
                elif line.startswith("{"):
                    with contextlib.suppress(ValueError, KeyError):  # a line printed by a library
                        progress = json.loads(line)
                        self.state = ImportState(progress["step"], progress["fraction"], progress["remaining"])
        status = self._process.returncode
        if self._upload is not None:
            self._upload.cleanup()
        if status and not error:
            stopped = status in (_INTERRUPTED, -signal.SIGTERM)
            error = "The import was stopped." if stopped else f"The import ended with status {status}."
        self.state = ImportState("Done" if not error else self.state.step, running=False, error=error)
