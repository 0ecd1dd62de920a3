"""A real PostgreSQL for tests and benchmarks, on a folder and a Unix socket of its own, where nobody else finds it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PostgreSQL", "lacking", "postgresql_server"]


def lacking() -> str | None:
    """Return what a PostgreSQL for tests needs and this machine has not, or None."""
    if _programs() is None:
        return "PostgreSQL is not installed"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (requirements-dev.txt)"
    return None


def _programs() -> Path | None:
    """Return the folder of the programs of the newest PostgreSQL, or None."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    programs += [Path(found).resolve() for found in [shutil.which("postgres")] if found]
    return programs[-1].parent if programs else None


class PostgreSQL:
    """One server: its address in SQLAlchemy's form, and its start and stop.

    Args:
        folder: short, for the path of a socket has 107 bytes at most.
        options: of the server, as on its command line.
    """

    def __init__(self, folder: Path, options: str = "-c fsync=off -c shared_buffers=16MB") -> None:
        programs = _programs()
        if programs is None:
            raise RuntimeError("PostgreSQL is not installed")
        self._folder, self._programs, self._options = folder, programs, options
        # it refuses to run as root
        self._user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(folder, "postgres")
        self.url = f"postgresql+psycopg://reader@/postgres?host={folder}"
        data = str(folder / "data")
        initdb = [programs / "initdb", "-D", data, "-U", "reader", "-A", "trust", "--no-sync", "--no-instructions"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **self._user)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        self._control(
            "-l", self._folder / "log", "-o", f"-k {self._folder} -c listen_addresses='' {self._options}", "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: ``immediate``, as a crash does, or ``fast``, as a restart of the service does."""
        self._control("-m", mode, "stop")

    def _control(self, *arguments: object) -> None:
        command = [self._programs / "pg_ctl", "-D", self._folder / "data", "-w", "-s", *arguments]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._user)


@contextlib.contextmanager
def postgresql_server(**options: str) -> Iterator[PostgreSQL]:
    """Run a PostgreSQL until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        server = PostgreSQL(Path(name), **options)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop()
