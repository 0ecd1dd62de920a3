"""Imported by every Python that has this folder on its path: notes what leaves the machine, and what is written where.

``SECOND_READ_TEST_NOTES`` names the file of the notes: a line of JSON each, ``["net" | "write", event, what]``. The
hook sees what Python itself does; a test looks at the home directory as well, for what libraries in C write.
"""

import json
import os
import sys

_NOTES = os.environ.get("SECOND_READ_TEST_NOTES")
_LOOK_UPS = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0, "socket.getnameinfo": 0}
_SENDS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.bind": 1}
_PATHS = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0, "shutil.copyfile": 1}


def _note(kind, event, what):
    line = json.dumps([kind, event, str(what)]) + "\n"
    os.write(_FILE, line.encode())


def _hook(event, args):
    if event in _LOOK_UPS:
        _note("net", event, args[0])
    elif event in _SENDS and len(args) > 1 and args[1] is not None:
        address = args[1]
        _note("net", event, address[0] if isinstance(address, tuple) else f"unix:{address!r}")
    elif event in _PATHS and not isinstance(args[_PATHS[event]], int):
        _note("write", event, os.path.abspath(os.fsdecode(args[_PATHS[event]])))
    elif event == "open" and not isinstance(args[0], int):
        path, mode, flags = args
        writes = any(letter in mode for letter in "wax+") if mode else flags & (os.O_WRONLY | os.O_RDWR)
        if writes:
            _note("write", event, os.path.abspath(os.fsdecode(path)))
    elif event == "sqlite3.connect":
        _note("write", event, os.path.abspath(str(args[0])))


if _NOTES:
    _FILE = os.open(_NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    _note("hook", "", "")
    sys.addaudithook(_hook)
