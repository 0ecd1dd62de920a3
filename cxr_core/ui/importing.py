"""The part of the screen "Model" where an administrator imports weights of others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from ..access import audit
from ..model.published import PUBLISHED
from ..settings import settings
from ..whole_files import cannot_write
from .chrome import banner, html, refusal
from .import_job import ImportJob
from .visitor import may_administer, visitor

__all__ = ["import_panel"]

KERAS = "A Keras file of DenseNet121"
_POLL_SECONDS = 1.0


@dataclass
class _Board:
    """The server's one import, whoever looks: the one that runs, or the one that ended last."""

    job: ImportJob | None = None
    name: str = ""


@st.cache_resource(show_spinner=False)
def _board() -> _Board:
    return _Board()


def import_panel() -> None:
    """Draw the import, for whoever may change what is served; nothing for others."""
    if not may_administer():
        return
    board = _board()
    running = board.job is not None and board.job.state.running
    with st.expander("Import a model", icon=":material/download:", expanded=board.job is not None):
        if board.job is not None:
            # asks again by itself only while there is something to wait for
            st.fragment(_progress, run_every=_POLL_SECONDS if running else None)(board)
        if not running:
            _form(board)


def _form(board: _Board) -> None:
    html(
        '<div class="sr-small">{words}</div>',
        words="Weights that others have published, or a file that you have. A file is read without running any of it. "
        "See docs/models.md for sources, licences and how good each is said to be.",
    )
    chosen = st.selectbox("Weights", [*PUBLISHED, KERAS], key="import-source")
    keras = chosen == KERAS
    file = st.file_uploader(
        "Keras weights, HDF5" if keras else "The file, if you have it; else it is downloaded",
        key="import-file",
        help=None if keras else PUBLISHED[chosen].url,
    )
    labels = (
        st.text_input("What its outputs are for, commas between; empty: NIH's 14", key="import-labels") if keras else ""
    )
    sha256 = st.text_input("SHA-256 that the file must have, where you know it from elsewhere", key="import-sha256")
    name = st.text_input("Name of the model", value="" if keras else chosen, key=f"import-name-{chosen}")
    if not st.button("Import", icon=":material/download:", key="import-start"):
        return
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        refusal("Not imported", ("A name is needed: letters, digits, dot, - and _.",))
    elif keras and file is None:
        refusal("Not imported", ("The weights file is needed.",))
    elif (problem := audit.problem()) is not None:
        refusal("Not imported", (str(problem),))
    else:
        arguments = ["--out", str((settings().home / name).resolve())]
        arguments += ["--sha256", sha256.strip()] if sha256.strip() else []
        arguments += ["--labels", labels] if labels.strip() else []
        try:
            upload, kept = _kept(file)
        except OSError as error:
            refusal("Not imported", (str(cannot_write("The file", error)),))
            return
        if keras:
            arguments.append(f"keras:{kept}")
        else:
            arguments += ["--file", str(kept)] if kept is not None else []
            arguments.append(PUBLISHED[chosen].source)
        board.job, board.name = ImportJob(arguments, upload, visitor()), name
        st.rerun()


def _stop(job: ImportJob) -> None:
    if may_administer():
        job.stop()


def _kept(file) -> tuple[TemporaryDirectory | None, Path | None]:
    """Lay an uploaded file into a folder of its own; its name as dropped is no path."""
    if file is None:
        return None, None
    folder = TemporaryDirectory(prefix="second-read-")
    ending = Path(file.name).suffix
    path = Path(folder.name) / f"weights{ending if re.fullmatch(r'[.][a-z0-9]{1,12}', ending) else ''}"
    path.write_bytes(file.getvalue())
    return folder, path


def _progress(board: _Board) -> None:
    # a fragment runs without the guard of its page
    if not may_administer():
        st.rerun()
    state = board.job.state
    if state.running:
        words = state.step + (f", {state.left}" if state.left else "")
        st.progress(state.share or 0.0, words)
        st.button("Stop the import", key="import-stop", on_click=_stop, args=(board.job,))
        return
    if state.error:
        refusal(f"{board.name} was not imported", (state.error,))
    else:
        banner(
            f"{board.name} was imported and checked.",
            f"To read films with it, start the app with SECOND_READ_MODEL={board.name}.",
        )
    if st.session_state.get("import-shown") is not board.job:
        # once, so that the page no longer asks by itself and offers the form again
        st.session_state["import-shown"] = board.job
        st.rerun()
