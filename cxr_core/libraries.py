"""Restrictions on libraries: no telemetry, no settings from the home directory, and caches in the program's folder.

Runs once, when ``cxr_core`` is imported, and so before any library that our modules import, in every process: the app,
commands, decoders, readers of an archive, and Ray's workers all import ``cxr_core`` first.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from .errors import WrongArguments

__all__ = ["confine"]


def confine() -> None:
    """Switch off the telemetry of OpenVINO and Ray, and set the cache folders of Keras and matplotlib.

    reportlab executes ``~/.reportlab_mods`` and ``~/.reportlab_settings`` when it is imported, unless it finds modules
    ``reportlab_mods`` and ``reportlab_settings``, which it also seeks in the working directory: they are given to it
    empty.

    OpenVINO sends an event to an analytics server whenever it is imported, and more when it converts a model, through
    the package ``openvino_telemetry``. A program cannot switch that off: only a file in the home directory, or the
    variable ``CI``, does. Where the package cannot be imported, OpenVINO uses a stub that does nothing; None in
    ``sys.modules`` makes the import fail (Python reference, "The module cache"), whatever is installed and whatever the
    environment says.
    """
    # a copy that was imported before has sent its event already; nothing more is sent through it
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    for name in ("reportlab_mods", "reportlab_settings"):
        sys.modules[name] = ModuleType(name)
    # read by Ray in every process that it starts
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # both would write to the home directory; a folder that the user has set is kept
    unnamed = [variable for variable in _CACHES if not os.environ.get(variable)]
    if unnamed:
        folder = _cache() or _temporary_folder()
        for variable in unnamed:
            os.environ[variable] = str(folder / _CACHES[variable])
    sys.meta_path.insert(0, _ClosedFolders())


_CACHES = {"KERAS_HOME": "keras", "MPLCONFIGDIR": "matplotlib"}
"""Environment variable of each library's cache folder, and the library's name."""


class _ClosedFolders:
    """Makes the cache folder, accessible to its owner only, when a library that writes there is first imported.

    The libraries would make it with the umask. This finder finds no module; the next one does.
    """

    def __init__(self) -> None:
        self._variables = {name: variable for variable, name in _CACHES.items()}

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        variable = self._variables.pop(fullname, None)
        cache = _cache() if variable is not None else None
        # set by this program or a parent process of it; a folder that the user has set is not changed
        if variable is None or cache is None or os.environ.get(variable) != str(cache / fullname):
            return
        folder = cache
        from .files import make_private, private_folder

        # where it cannot be made, the library uses another folder and reports it
        with suppress(OSError):
            make_private(private_folder(folder))
            make_private(private_folder(folder / fullname))


def _cache() -> Path | None:
    from .settings import Settings

    try:
        return Settings().runs.absolute() / "cache"
    except (ValueError, OSError, WrongArguments):
        # an invalid setting is reported where the settings are used
        return None


def _temporary_folder() -> Path:
    """Return a new folder of this process, accessible to its owner only, with an unpredictable name."""
    folder = tempfile.mkdtemp(prefix="second-read-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
