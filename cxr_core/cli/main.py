"""The command line: its commands, and the one place where an error becomes a line and a status."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

import typer
from typer._click import Command, Context  # typer brings its own click
from typer._click.exceptions import ClickException, NoArgsIsHelpError
from typer.core import TyperGroup

from ..errors import CxrError
from ..labels import NOTICE
from ..shown import shown_name
from ..whole_files import cannot_write

__all__ = ["app", "main"]

PROGRAM = "python -m cxr_core"
INTERRUPTED = 130

NO_MEMORY = (
    "The memory is not enough. Free some, raise the limit of this process (ulimit -v), or read smaller images with "
    "fewer --workers."
)
_OF_MEMORY = (
    "bad_alloc", "bad allocation", "failed to allocate", "unable to allocate", "cannot allocate memory",
    "could not allocate", "when allocating", "failed to map segment", "out of memory", "can't start new thread",
)  # fmt: skip

LEAST_ADDRESS_SPACE = 700 * 10**6
"""Bytes under which NumPy's and OpenVINO's libraries end the process, or wait for ever, instead of saying so."""

COMMANDS = {
    name: (name.replace("-", "_"), name.replace("-", "_"))
    for name in (
        "predict", "render", "train", "train-gate", "evaluate", "calibrate", "describe", "split", "audit", "bench",
    )
} | {
    "models": ("models", "app"), "runs": ("runs", "app"), "backup": ("backup", "backup"),
    "restore": ("backup", "restore"),
}  # fmt: skip
"""Name of each command, the module here that has it, and what it is called there."""


class _OneByOne(TyperGroup):
    """Imports a command when it is asked for: together they take seconds, and a film is read in less."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        found = getattr(import_module(f".{module}", __package__), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name=PROGRAM,
    cls=_OneByOne,
    help=f"Second Read: a second opinion on a chest X-ray. {NOTICE}\n\n"
    "Exit status: 0 done; 2 wrong arguments; 3 one or all inputs were refused or not found, each named, "
    "the rest done; 4 the model or the output cannot be used, or there is no input at all.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Without a callback of its own Typer finds nothing to run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; an error is one line on stderr, never a traceback."""
    _hold_standard_streams()
    if _address_space() < LEAST_ADDRESS_SPACE:
        return _say(NO_MEMORY, CxrError.exit_status)
    try:
        status = _run(arguments)
    except CxrError as error:
        return _say(NO_MEMORY if _lacks_memory(error.__cause__) else str(error), error.exit_status)
    except NoArgsIsHelpError as error:
        print(error.ctx.get_help())
        return 2
    except ClickException as error:
        return _say(f"{error.format_message()} See: {error.ctx.command_path if error.ctx else PROGRAM} --help", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _say("Stopped.", INTERRUPTED)
    except (BrokenPipeError, SystemExit) as error:
        # the reader of our output has gone, of which click makes an exit; what the reader wanted, it has
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        _give_up_output()
        return 0
    except OSError as error:
        _give_up_output()
        return _say(str(cannot_write("Output", error)), CxrError.exit_status)
    except Exception as error:
        if not _lacks_memory(error):
            raise
        return _say(NO_MEMORY, CxrError.exit_status)
    return status if isinstance(status, int) else 0


def _run(arguments: Sequence[str] | None) -> object:
    """Run a command and bring out what it printed: else a full disk would show at the interpreter's end only."""
    status = app(arguments, prog_name=PROGRAM, standalone_mode=False)
    if sys.stdout is not None:
        sys.stdout.flush()
    return status


def _address_space() -> float:
    """Return how many bytes this process may map; infinity where nothing limits it."""
    try:
        import resource
    except ImportError:
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if limit == resource.RLIM_INFINITY else limit


def _lacks_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that it comes from, is of memory; each library has words of its own for it.

    The system's errors have a number, and their words, as ours, may hold a path of any words: those are not asked.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            lacks = error.errno in (errno.ENOMEM, errno.EAGAIN)
        elif isinstance(error, CxrError):
            lacks = False
        else:
            lacks = isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OF_MEMORY)
        if lacks:
            return True
        error = error.__cause__ or error.__context__
    return False


def _hold_standard_streams() -> None:
    """Open what was closed of the three standard streams, to nowhere: else the next file would be taken for one."""
    number = 0
    while number < 3:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


def _give_up_output() -> None:
    """Send what is still to be printed nowhere, so that the interpreter does not fail of it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def _say(message: str, status: int) -> int:
    # a full disk may hold stderr too
    with suppress(OSError):
        print(f"Error: {shown_name(' '.join(message.split()))}", file=sys.stderr, flush=True)
    return status
