"""What libraries may do on their own account: report nothing to anybody, and keep their files in our folder.

Runs once, when ``cxr_core`` is imported, and so before any library that a module of ours imports, in every process:
the app, commands, decoders, readers of an archive, and Ray's workers all import ``cxr_core`` first.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from .errors import WrongArguments

__all__ = ["confine"]


def confine() -> None:
    """Switch off the reports of OpenVINO and Ray, and name folders for the caches of Keras and matplotlib.

    OpenVINO sends an event to an analytics server whenever it is imported, and more when it converts a model, through
    the package ``openvino_telemetry``. It has no setting for that which a program could make: a file under the home
    directory, and the variable ``CI``. Where the package cannot be imported OpenVINO takes its own stand-in, which does
    nothing; None in ``sys.modules`` makes the import fail (Python reference, "The module cache"), whatever is
    installed and whatever the environment says.
    """
    # what somebody imported before us has reported already; nothing more goes through it
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    # read by Ray in every process that it starts
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # both would write under the home directory; whoever named a folder keeps it
    for variable, name in (("KERAS_HOME", "keras"), ("MPLCONFIGDIR", "matplotlib")):
        if not os.environ.get(variable):
            os.environ[variable] = str(_cache() / name)


def _cache() -> Path:
    from .settings import Settings

    try:
        return Settings().runs.absolute() / "cache"
    except (ValueError, OSError, WrongArguments):
        # a setting that cannot be used is refused where settings are asked for, in one line
        return Path(tempfile.gettempdir()) / f"second-read-{os.getpid()}"
