"""Paths to the files that they mean, one at a time: a folder may hold more than a memory does.

What cannot be read is one refused input among others: it is listed with its reason, which comes when it is its turn.
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
from ..imaging import decoder_apart, is_archive, is_directory, is_directory_name, plain_name
from ..settings import settings
from ..shown import shown_name

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
        place: below the folder that was given.
        member: where it lies in a zip archive, its number there; ``path`` is then that of the archive and its name.
        refusal: why it cannot be read, where that is known already.
    """

    path: Path
    place: Path
    member: int | None = None
    refusal: str = ""

    def read(self) -> bytes:
        """Return its bytes, ``max_file_mb`` at most; raises InputRefused where they cannot be had."""
        if self.refusal:
            raise InputRefused(self.refusal)
        if self.member is not None:
            return decoder_apart().member(self.path.parent, self.member)
        return _content(self.path)


def as_text(path: Path) -> str:
    """Return a path as text that can be written and shown, also where its bytes are no UTF-8."""
    return shown_name(os.fsencode(path).decode("utf-8", "backslashreplace"))


def collect(paths: Sequence[Path]) -> list[InputFile]:
    """Return the files that :func:`walk` gives, and those of a zip archive that was named.

    Raises PathUnusable where there is no file at all.
    """
    files = []
    for path in paths:
        files += _members(path) or walk([path])
    if not files:
        raise PathUnusable("There is no file in the folders given.")
    return files


def walk(paths: Sequence[Path]) -> Iterator[InputFile]:
    """Yield the files meant, a folder's in the order of their paths and without hidden ones.

    A DICOMDIR that is named stands for the files that it lists. Links to files are followed. Links to folders are
    not: one that leads out of the folder given is refused, one that stays within is left out, as what it leads to is
    read anyway. A path that is not there, cannot be opened, or is no file or folder, is a file with a refusal.
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
            yield InputFile(path, Path(path.name), refusal=_why(error))


def _below(folder: Path, place: Path) -> Iterator[InputFile]:
    """Yield a folder's files and those below, in the order of their parts."""
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
            yield InputFile(folder / here, here, refusal=_why(error))


class _Unreadable(Exception):
    """A folder that cannot be read."""

    def __init__(self, place: Path, why: str) -> None:
        super().__init__(why)
        self.place = place


def _entries(folder: Path, place: Path) -> Iterator[tuple[os.DirEntry[str], Path]]:
    """Yield what lies in a folder, by name, with its place."""
    try:
        with os.scandir(folder / place) as entries:
            # a directory of a medium lists the files beside it, which are found anyway
            found = sorted(
                (e for e in entries if not e.name.startswith(".") and not is_directory_name(e.name)), key=_name
            )
    except OSError as error:
        raise _Unreadable(place, _why(error, "folder")) from error
    for entry in found:
        yield entry, place / entry.name


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _leads_within(entry: os.DirEntry[str], folder: Path) -> bool:
    """Return whether an entry is a link to a folder that is read anyway, or that holds the one that is read."""
    try:
        if not entry.is_symlink() or not entry.is_dir():
            return False
        target, whole = Path(entry.path).resolve(), folder.resolve()
    except (OSError, RuntimeError):
        return False
    return target.is_relative_to(whole) or whole.is_relative_to(target)


def _content(path: Path) -> bytes:
    most = settings().max_file_mb
    try:
        _check_kind(path, os.stat(path).st_mode)
        with path.open("rb") as file:
            # it may have been exchanged since
            status = os.fstat(file.fileno())
            _check_kind(path, status.st_mode)
            if status.st_size <= most * 10**6:
                content = file.read(most * 10**6 + 1)
                if len(content) <= most * 10**6:
                    return content
    except (OSError, ValueError) as error:
        raise InputRefused(_why(error)) from error
    raise InputRefused(f"File of {status.st_size / 1e6:.0f} MB: {most} MB are accepted. Give one image a file.")


def _check_kind(path: Path, mode: int) -> None:
    """Refuse what is no file, before it is opened: opening a pipe waits for whoever writes to it."""
    for is_kind, words in _KINDS:
        if is_kind(mode):
            link = "link to " if path.is_symlink() else ""
            raise InputRefused(f"Not a file but {link}{words}. Give image files, or the folder itself.")


def _why(error: OSError | ValueError, what: str = "file") -> str:
    """Return in one line why a path cannot be read; nothing of the system's own words."""
    code = getattr(error, "errno", None)
    if code in (errno.ENOENT, errno.ENOTDIR):
        return "No such file or folder, or a link that leads to none. Check the path."
    if code == errno.ELOOP:
        return "A link that leads back to itself. Give the file that is meant."
    if code in (errno.EACCES, errno.EPERM):
        return f"The {what} cannot be opened. Check file permissions."
    if code == errno.ENAMETOOLONG or isinstance(error, ValueError):
        return "A path that no file system takes. Check the path."
    return f"The {what} cannot be read: the disk or the network says no. Copy it and try again."


def _listed(path: Path) -> list[InputFile]:
    """Return the images that a DICOMDIR lists, there or not; none for another file.

    Raises InputRefused for a DICOMDIR that is broken, OSError for a file that cannot be opened.
    """
    _check_kind(path, os.stat(path).st_mode)
    with path.open("rb") as file:
        if not is_directory(file.read(1024)):
            return []
    folders: dict[Path, _Names] = {}
    return [_on_medium(path.parent, place, folders) for place in decoder_apart().directory(_content(path))]


class _Names:
    """Names in a folder of a medium, in whatever letters they were copied to the disk.

    The directory names files in capitals. A medium that was copied by way of another system may have them in lower
    case, with ``;1`` (a version, ISO 9660 7.5.1) or with ``.dcm`` added.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._exact = sorted(os.listdir(folder), reverse=True)
        except OSError:
            self._exact = []
        self._alike = {plain_name(name): name for name in self._exact}

    def find(self, name: str) -> str | None:
        """Return the name on the disk that is meant; that very one where it is there."""
        return name if name in self._exact else self._alike.get(plain_name(name))


def _on_medium(root: Path, place: Path, folders: dict[Path, _Names]) -> InputFile:
    """Return the file that a DICOMDIR names.

    Args:
        root: folder of the directory.
        place: as it is listed.
        folders: those that were looked at already.
    """
    found = Path()
    for part in place.parts:
        here = root / found
        if here not in folders:
            folders[here] = _Names(here)
        name = folders[here].find(part)
        if name is None:
            return InputFile(
                root / place, place, refusal="The file is missing: it is listed, and not there. Copy the medium again."
            )
        found = found / name
    return InputFile(root / found, found)


def _members(path: Path) -> list[InputFile]:
    """Return the files of a zip archive that was named; none for another file, or a broken archive.

    Each is unpacked when it is its turn. An archive within a folder is one of its files, and refused by name.
    """
    try:
        _check_kind(path, os.stat(path).st_mode)
        with path.open("rb") as file:
            if not is_archive(file.read(4)):
                return []
        found = decoder_apart().listed(path)
    except (InputRefused, OSError, ValueError):
        # reading it says what is wrong, if anything is
        return []
    names = _told_apart([name for name, _ in found])
    return [InputFile(path / name, Path(path.stem, name), member=number) for number, name in enumerate(names)]


def _told_apart(names: list[str]) -> list[str]:
    """Return names of which each second and later one that is equal says which it is: ``a``, ``a (2)``."""
    seen: Counter[str] = Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return apart
