"""Files that belong together, opened as they were at one moment, while others add, replace and remove them.

A file that is open can be read to its end, whoever replaces or removes it meanwhile. So all files of a group are opened
first; where their names led to other files by then, the group is opened again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from ..errors import PathUnusable

__all__ = ["FileGroup", "files_below", "opened_group"]

_ATTEMPTS, _PAUSE_SECONDS = 20, 0.1


@dataclass(frozen=True)
class FileGroup:
    """Files that belong together, such as those of a run.

    Attributes:
        name: for messages.
        members: returns name in a backup and path of each file as they are now; empty where the group is not there.
        is_whole: whether opened files, by their names in the backup, belong together. A group that others are
            replacing file by file does not for a moment; one that was damaged never does.
    """

    name: str
    members: Callable[[], Sequence[tuple[str, Path]]]
    is_whole: Callable[[Mapping[str, BufferedReader]], bool] = lambda files: True


@contextmanager
def opened_group(group: FileGroup) -> Iterator[dict[str, BufferedReader]]:
    """Open all files of a group as they were at one moment, by their names in a backup.

    The result is empty where the group was removed. A group that is damaged, and stays so, is given as it is.

    Raises PathUnusable where a file cannot be read, or is replaced again and again.
    """
    for last in [*[False] * (_ATTEMPTS - 1), True]:
        with ExitStack() as stack:
            files = _opened(group, stack)
            if files is not None and (last or group.is_whole(files)):
                for file in files.values():
                    file.seek(0)
                yield files
                return
        time.sleep(_PAUSE_SECONDS)
    raise PathUnusable(f"Backup: {group.name} is being changed. Back up again when that is done.")


def _opened(group: FileGroup, stack: ExitStack) -> dict[str, BufferedReader] | None:
    """Open the files of a group; None where names and files were not the same before and after."""
    members = group.members()
    files: dict[str, BufferedReader] = {}
    for name, path in members:
        try:
            files[name] = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PathUnusable(f"Backup: {name} cannot be read. Check its owner, then back up again.") from error
    if list(group.members()) != list(members):
        return None
    try:
        is_same = all(os.path.samestat(os.fstat(files[name].fileno()), path.stat()) for name, path in members)
    except OSError:
        return None
    return files if is_same else None


def files_below(folder: Path) -> list[Path]:
    """Return the regular files in a folder and below it, sorted, without those that are being written.

    What is removed meanwhile is left out, where :meth:`pathlib.Path.rglob` would raise FileNotFoundError.
    """
    paths = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sorted(
        path for path in paths if path.is_file() and not (path.name.startswith(".") and path.suffix == ".part")
    )
