"""What libraries may do on their own account: report nothing to anybody, and keep their files in our folder.

Runs once, when ``cxr_core`` is imported, and so before any library that a module of ours imports, in every process:
the app, commands, decoders, readers of an archive, and Ray's workers all import ``cxr_core`` first.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import suppress
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
    unnamed = [variable for variable in _CACHES if not os.environ.get(variable)]
    if unnamed:
        folder = _cache() or _passing_folder()
        for variable in unnamed:
            os.environ[variable] = str(folder / _CACHES[variable])
    sys.meta_path.insert(0, _ClosedFolders())


_CACHES = {"KERAS_HOME": "keras", "MPLCONFIGDIR": "matplotlib"}
"""Variable by which a library is told its folder, and the name of both."""


class _ClosedFolders:
    """Makes the folder of caches, open to its owner alone, when a library that writes there is first imported.

    The libraries would make it themselves by the umask. It finds no module: the next finder does.
    """

    def __init__(self) -> None:
        self._variables = {name: variable for variable, name in _CACHES.items()}

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        variable = self._variables.pop(fullname, None)
        cache = _cache() if variable is not None else None
        # named by us, or by the process of ours that started this one; a folder of somebody's own stays as it is
        if variable is None or cache is None or os.environ.get(variable) != str(cache / fullname):
            return
        folder = cache
        from .private_files import make_private, private_folder

        # where it cannot be made the library takes a folder of its own, and says so
        with suppress(OSError):
            make_private(private_folder(folder))
            make_private(private_folder(folder / fullname))


def _cache() -> Path | None:
    from .settings import Settings

    try:
        return Settings().runs.absolute() / "cache"
    except (ValueError, OSError, WrongArguments):
        # a setting that cannot be used is refused where settings are asked for, in one line
        return None


def _passing_folder() -> Path:
    """Return a new folder of this process, open to its owner alone; its name cannot be foreseen."""
    folder = tempfile.mkdtemp(prefix="second-read-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
