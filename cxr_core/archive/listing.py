"""Files of the paths given, listed one at a time: a folder may hold more paths than fit into memory.

A path that cannot be read is listed too, with its reason, and refused when it is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputRefused, PathUnusable
from ..formatting import shown_name
from ..imaging import is_archive, is_dicomdir, is_dicomdir_name, normalised_name, shared_decoder
from ..settings import settings

__all__ = ["InputFile", "as_text", "collect", "walk"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class InputFile:
    """One file to read.

    Attributes:
        path: as the user would write it.
        place: path below the folder given.
        member: number of a member of a zip archive; ``path`` is then that of the archive, followed by the name.
        refusal: reason why it cannot be read, if that is known already; else empty.
    """

    path: Path
    place: Path
    member: int | None = None
    refusal: str = ""

    def read(self) -> bytes:
        """Return its bytes, at most ``max_file_mb``; raises InputRefused where it cannot be read."""
        if self.refusal:
            raise InputRefused(self.refusal)
        if self.member is not None:
            return shared_decoder().member(self.path.parent, self.member)
        return _content(self.path)


def as_text(path: Path) -> str:
    """Return a path as text that can be written and shown, even if its bytes are not UTF-8."""
    return shown_name(os.fsencode(path).decode("utf-8", "backslashreplace"))


def collect(paths: Sequence[Path]) -> list[InputFile]:
    """Return the files of :func:`walk`, and the members of zip archives among the paths.

    Raises PathUnusable where there is no file at all.
    """
    files: list[InputFile] = []
    for path in paths:
        files += _members(path) or walk([path])
    if not files:
        raise PathUnusable("There is no file in the folders given.")
    return files


def walk(paths: Sequence[Path]) -> Iterator[InputFile]:
    """Yield the files of the paths; those of a folder in the order of their paths, without hidden ones.

    A DICOMDIR among the paths is replaced by the files that it lists. Links to files are followed. Links to folders are
    not: one that leads out of the folder given is refused, one that stays within is skipped, since its target is read
    anyway. A path that does not exist, cannot be opened, or is neither file nor folder, is a file with a refusal.
    """
    for path in paths:
        try:
            if stat.S_ISDIR(os.stat(path).st_mode):
                yield from _below(path, Path())
            else:
                yield from _listed(path) or [InputFile(path, Path(path.name))]
        except InputRefused as refusal:
            yield InputFile(path, Path(path.name), refusal=str(refusal))
        except (OSError, ValueError) as error:
            yield InputFile(path, Path(path.name), refusal=_reason(error))


def _below(folder: Path, place: Path) -> Iterator[InputFile]:
    """Yield the files of a folder and its subfolders, in the order of their paths."""
    # no recursion: folders may be nested more deeply than Python's calls
    waiting: list[Iterator[tuple[os.DirEntry[str], Path]]] = [_entries(folder, place)]
    while waiting:
        try:
            entry, here = next(waiting[-1])
            if entry.is_dir(follow_symlinks=False):
                waiting.append(_entries(folder, here))
            elif not _leads_within(entry, folder):
                yield InputFile(folder / here, here)
        except StopIteration:
            waiting.pop()
        except _Unreadable as error:
            waiting.pop()
            yield InputFile(folder / error.place, error.place, refusal=str(error))
        except OSError as error:
            yield InputFile(folder / here, here, refusal=_reason(error))


class _Unreadable(Exception):
    """A folder that cannot be read."""

    def __init__(self, place: Path, reason: str) -> None:
        super().__init__(reason)
        self.place = place


def _entries(folder: Path, place: Path) -> Iterator[tuple[os.DirEntry[str], Path]]:
    """Yield the entries of a folder in the order of their names, with their paths below the folder given."""
    try:
        with os.scandir(folder / place) as entries:
            # a DICOMDIR lists the files beside it, which are listed anyway
            ordered = sorted(
                (e for e in entries if not e.name.startswith(".") and not is_dicomdir_name(e.name)), key=_name
            )
    except OSError as error:
        raise _Unreadable(place, _reason(error, "folder")) from error
    for entry in ordered:
        yield entry, place / entry.name


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _leads_within(entry: os.DirEntry[str], folder: Path) -> bool:
    """Return whether an entry is a link to a folder inside the folder that is read, or to one that contains it."""
    try:
        if not entry.is_symlink() or not entry.is_dir():
            return False
        target, root = Path(entry.path).resolve(), folder.resolve()
    except (OSError, RuntimeError):
        return False
    return target.is_relative_to(root) or root.is_relative_to(target)


def _content(path: Path) -> bytes:
    max_mb = settings().max_file_mb
    try:
        _check_kind(path, os.stat(path).st_mode)
        with path.open("rb") as file:
            # it may have been replaced since
            status = os.fstat(file.fileno())
            _check_kind(path, status.st_mode)
            if status.st_size <= max_mb * 10**6:
                content = file.read(max_mb * 10**6 + 1)
                if len(content) <= max_mb * 10**6:
                    return content
    except (OSError, ValueError) as error:
        raise InputRefused(_reason(error)) from error
    raise InputRefused(f"File of {status.st_size / 1e6:.0f} MB: {max_mb} MB are accepted. Give one image per file.")


def _check_kind(path: Path, mode: int) -> None:
    """Refuse anything other than a file before it is opened: opening a pipe waits for its writer."""
    for is_kind, kind in _KINDS:
        if is_kind(mode):
            link = "link to " if path.is_symlink() else ""
            raise InputRefused(f"Not a file but {link}{kind}. Give image files, or the folder itself.")


def _reason(error: OSError | ValueError, what: str = "file") -> str:
    """Return in one line why a path cannot be read, without the system's own message."""
    code = getattr(error, "errno", None)
    if code in (errno.ENOENT, errno.ENOTDIR):
        return "No such file or folder, or a broken link. Check the path."
    if code == errno.ELOOP:
        return "A circular link. Give the file itself."
    if code in (errno.EACCES, errno.EPERM):
        return f"The {what} cannot be opened. Check file permissions."
    if code == errno.ENAMETOOLONG or isinstance(error, ValueError):
        return "The path is not valid on this file system. Check the path."
    return f"The {what} cannot be read: the disk or the network reports an error. Copy it and try again."


def _listed(path: Path) -> list[InputFile]:
    """Return the images that a DICOMDIR lists, existing or not; an empty list for any other file.

    Raises InputRefused for a DICOMDIR that is broken, OSError for a file that cannot be opened.
    """
    _check_kind(path, os.stat(path).st_mode)
    with path.open("rb") as file:
        if not is_dicomdir(file.read(1024)):
            return []
    folders: dict[Path, _Names] = {}
    return [_on_medium(path.parent, place, folders) for place in shared_decoder().directory(_content(path))]


class _Names:
    """Names in a folder of a medium, in any spelling.

    A DICOMDIR lists names in upper case. A medium that was copied through another system may have them in lower case,
    with ``;1`` (a version, ISO 9660 7.5.1) or with ``.dcm`` appended.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._exact = sorted(os.listdir(folder), reverse=True)
        except OSError:
            self._exact = []
        self._by_normalised = {normalised_name(name): name for name in self._exact}

    def find(self, name: str) -> str | None:
        """Return the name on the disk: the exact one where it exists, else one in another spelling."""
        return name if name in self._exact else self._by_normalised.get(normalised_name(name))


def _on_medium(root: Path, place: Path, folders: dict[Path, _Names]) -> InputFile:
    """Return the file that a DICOMDIR names.

    Args:
        root: folder of the directory.
        place: as listed.
        folders: already read.
    """
    path = Path()
    for part in place.parts:
        here = root / path
        if here not in folders:
            folders[here] = _Names(here)
        name = folders[here].find(part)
        if name is None:
            return InputFile(
                root / place, place, refusal="The file is missing: the DICOMDIR lists it. Copy the medium again."
            )
        path = path / name
    return InputFile(root / path, path)


def _members(path: Path) -> list[InputFile]:
    """Return the members of a zip archive among the paths; an empty list for any other file, or a broken archive.

    Each is unpacked when it is read. An archive inside a folder is refused by name like any other file.
    """
    try:
        _check_kind(path, os.stat(path).st_mode)
        with path.open("rb") as file:
            if not is_archive(file.read(4)):
                return []
        members = shared_decoder().listed(path)
    except (InputRefused, OSError, ValueError):
        # the reason is reported when the file is read
        return []
    names = _unique_names([name for name, _ in members])
    return [InputFile(path / name, Path(path.stem, name), member=number) for number, name in enumerate(names)]


def _unique_names(names: list[str]) -> list[str]:
    """Number the repetitions of equal names: ``a``, ``a (2)``."""
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique
