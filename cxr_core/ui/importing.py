"""The part of the screen "Model" where an administrator imports weights of others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from ..access import audit
from ..labels import LABELS
from ..model.normalisation import NORMALISATIONS
from ..model.presets import PRESETS
from ..model.published import PUBLISHED
from ..settings import settings
from ..whole_files import cannot_write
from .chrome import banner, html, refusal
from .import_job import ImportJob
from .visitor import may_administer, visitor

__all__ = ["import_panel"]

KERAS = "A Keras file of DenseNet121"
TORCH = "A torch file of DenseNet121"
NO_PRESET = "Another, stated below"
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
    chosen = st.selectbox("Weights", [*PUBLISHED, KERAS, TORCH], key="import-source")
    known = PUBLISHED.get(chosen)
    file = st.file_uploader(
        {
            KERAS: "Keras weights: .h5, .weights.h5, .keras",
            TORCH: "Checkpoint or state dict: .pt, .pth, .pth.tar, ...",
        }.get(chosen, "The file, if you have it; else it is downloaded"),
        key="import-file",
        help=known.url if known else None,
    )
    options = [] if known else _file_options(chosen)
    sha256 = st.text_input("SHA-256 that the file must have, where you know it from elsewhere", key="import-sha256")
    name = st.text_input("Name of the model", value=chosen if known else "", key=f"import-name-{chosen}")
    if not st.button("Import", icon=":material/download:", key="import-start"):
        return
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        refusal("Not imported", ("A name is needed: letters, digits, dot, - and _.",))
    elif not known and file is None:
        refusal("Not imported", ("The weights file is needed.",))
    elif isinstance(options, str):
        refusal("Not imported", (options,))
    elif (problem := audit.problem()) is not None:
        refusal("Not imported", (str(problem),))
    else:
        arguments = ["--out", str((settings().home / name).resolve())]
        arguments += ["--sha256", sha256.strip()] if sha256.strip() else []
        arguments += options
        try:
            upload, kept = _kept(file)
        except OSError as error:
            refusal("Not imported", (str(cannot_write("The file", error)),))
            return
        if known:
            arguments += ["--file", str(kept)] if kept is not None else []
            arguments.append(known.source)
        else:
            arguments.append(f"{'keras' if chosen == KERAS else 'torch'}:{kept}")
        board.job, board.name = ImportJob(arguments, upload, visitor()), name
        st.rerun()


def _file_options(chosen: str) -> list[str] | str:
    """Ask what a file does not say; return the command's options, or in words what is missing."""
    if chosen == TORCH:
        preset = st.selectbox(
            "Repository that it comes from",
            [*PRESETS, NO_PRESET],
            # nothing is chosen for the user: a wrong one gives wrong scores without a sign of it
            index=None,
            placeholder="Choose one",
            key="import-preset",
            help="Sets labels, normalisation and size as its own test code has them.",
        )
        if preset is None:
            return "Where it comes from is needed: a repository, or another, stated below."
        if preset != NO_PRESET:
            return ["--preset", preset]
    labels = st.text_input(
        "What its outputs are for, commas between" + ("; empty: NIH's 14" if chosen == KERAS else ""),
        key="import-labels",
        placeholder=", ".join(LABELS[:3]) + ", ...",
    )
    normalisation = st.selectbox(
        "What its authors did to grey values",
        list(NORMALISATIONS),
        index=None if chosen == TORCH else list(NORMALISATIONS).index("imagenet"),
        placeholder="Choose one, or write MEAN,SD",
        key=f"import-normalisation-{chosen}",
        accept_new_options=True,
        help="With another normalisation than that of the training every score is wrong without a sign of it. "
        + "; ".join(f"{name}: {known.words}" for name, known in NORMALISATIONS.items())
        + "; or MEAN,SD of grey from 0 to 1.",
    )
    size = st.number_input("Side of its input, pixels", 32, 1024, 224, 32, key="import-size")
    if chosen == TORCH and not labels.strip():
        return "Labels are needed: a name for each output, in their order, commas between."
    if chosen == TORCH and not normalisation:
        return "What its authors did to grey values is needed: choose one, or write MEAN,SD."
    return [
        *(["--labels", labels] if labels.strip() else []),
        *("--normalisation", str(normalisation or "imagenet")),
        *("--size", str(int(size))),
    ]


def _stop(job: ImportJob) -> None:
    if may_administer():
        job.stop()


def _kept(file) -> tuple[TemporaryDirectory | None, Path | None]:
    """Lay an uploaded file into a folder of its own; its name as dropped is no path."""
    if file is None:
        return None, None
    folder = TemporaryDirectory(prefix="second-read-")
    # .weights.h5 and .pth.tar are endings too; they stay, for whoever reads the card
    ending = re.search(r"(?:[.](?:weights|pth))?[.][a-z0-9]{1,12}$", Path(file.name).name)
    path = Path(folder.name) / f"weights{ending[0] if ending else ''}".replace("weights.weights", "model.weights")
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
