"""``app``: serve the screens, from a checkout or from an installed package."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from ..errors import PathUnusable
from ..settings import program_path, settings

__all__ = ["serve"]


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Address to listen on; 127.0.0.1 is reachable from this machine only."),
    ] = "127.0.0.1",
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- OPTION ...]", help="Further options of `streamlit run`, after --."),
    ] = None,
) -> None:
    """Serve the app until it is stopped with Ctrl-C.

    Limits and headers of the server come from the .streamlit/config.toml of the program; options of Streamlit after --
    override it. Sign-in is configured in .streamlit/secrets.toml below the working directory.
    Examples:

      second-read app

      second-read app --port 8600 -- --server.allowedHosts reading-room.example.org
    """
    script = program_path("app.py")
    if not script.is_file():
        raise PathUnusable(f"{script.name}: not found beside cxr_core. Run it in a checkout, or install the package.")
    settings()  # a setting that cannot be used is one line here, and a page's refusal later
    _check_secrets(options or ())
    sys.argv = ["streamlit", "run", str(script), "--server.port", str(port), "--server.address", host, *(options or ())]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def _check_secrets(options: Sequence[str]) -> None:
    """Raise PathUnusable where a file of secrets is there and cannot be read: Streamlit would answer nothing."""
    for file in _secrets_files(options):
        try:
            file.read_text(encoding="utf-8")
        except FileNotFoundError:
            # no sign-in, of which the page says what follows
            continue
        except OSError as error:
            # a folder with one secret a file is read as well, but not by the name of a file
            if isinstance(error, IsADirectoryError) and file.suffix != ".toml":
                continue
            raise PathUnusable(
                f"{file}: the secrets of sign-in cannot be read by the user of this process ({error.strerror})."
            ) from error
        except UnicodeDecodeError as error:
            raise PathUnusable(f"{file}: the secrets of sign-in are not text in UTF-8.") from error


def _secrets_files(options: Sequence[str]) -> list[Path]:
    """Return the files of secrets that Streamlit reads: those of the options, else of the variable, else the usual."""
    name = "--secrets.files"
    named = [following for option, following in pairwise([*options, ""]) if option == name]
    named += [option.partition("=")[2] for option in options if option.startswith(f"{name}=")]
    named = named or os.environ.get("STREAMLIT_SECRETS_FILES", "").split()
    usual = os.path.join(".streamlit", "secrets.toml")
    places = [os.path.expanduser(f"~/{usual}"), usual, str(program_path(usual))]
    return [Path(file) for file in named or places]
