"""The command line: its commands, and the one place where an error becomes a line and a status."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import typer
from typer._click import Command, Context  # typer brings its own click
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError
from typer.core import TyperGroup

from ..errors import CxrError
from ..files import cannot_write
from ..formatting import shown_name
from ..labels import NOTICE

__all__ = ["app", "main"]

PROGRAM = "second-read" if Path(sys.argv[0]).stem == "second-read" else "python -m cxr_core"
INTERRUPTED = 130

NO_MEMORY = (
    "Out of memory. Free memory, raise the limit of this process (ulimit -v), or read smaller images with "
    "fewer --workers."
)
_OUT_OF_MEMORY = (
    "bad_alloc", "bad allocation", "failed to allocate", "unable to allocate", "cannot allocate memory",
    "could not allocate", "when allocating", "failed to map segment", "out of memory", "can't start new thread",
)  # fmt: skip

MIN_ADDRESS_SPACE = 13 * 10**8 + 10**8 * (os.cpu_count() or 1)
"""Address space in bytes that a command which reads images maps at most before it reads one.

With less, native code of NumPy and OpenVINO crashes or waits for ever where a library or the stack of one of its
threads, a number that grows with the processors, finds no room. 1.28e9 bytes were needed on two processors.
"""

COMMANDS = {
    "predict": ("predict", "predict"), "render": ("render", "render"), "app": ("serve", "serve"),
    "train": ("train", "train"), "train-gate": ("train", "train_gate"), "calibrate": ("calibrate", "calibrate"),
    "evaluate": ("evaluate", "evaluate"), "runs": ("runs", "app"), "models": ("models", "app"),
    "describe": ("datasets", "describe"), "split": ("datasets", "split"), "audit": ("administration", "audit"),
    "reads": ("reads", "app"), "pacs": ("pacs", "app"),
    "backup": ("administration", "backup"), "restore": ("administration", "restore"), "bench": ("bench", "bench"),
    "doctor": ("doctor", "doctor"),
}  # fmt: skip
"""Name of each command, with its module in this package and its name there."""


class _LazyGroup(TyperGroup):
    """Imports the module of a command when the command is used: importing all takes seconds."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        commands = getattr(import_module(f".{module}", __package__), attribute)
        if not isinstance(commands, typer.Typer):
            function, commands = commands, typer.Typer(add_completion=False, rich_markup_mode=None)
            commands.command(cmd_name)(function)
        command = typer.main.get_command(commands)
        command.name = cmd_name
        return command


app = typer.Typer(
    name=PROGRAM,
    cls=_LazyGroup,
    help=f"Second Read: a second opinion on a chest X-ray. {NOTICE}\n\n"
    "Exit status: 0 success; 2 wrong arguments; 3 some or all inputs were refused or not found (each is named, "
    "the others are processed); 4 the model or the output cannot be used, or there is no input at all.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Typer needs a callback where no command is registered with it directly."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; print an error as one line on stderr, never as a traceback."""
    _open_standard_streams()
    if _address_space() < MIN_ADDRESS_SPACE:
        return _report_error(NO_MEMORY, CxrError.exit_status)
    try:
        status = _run(arguments)
    except CxrError as error:
        return _report_error(NO_MEMORY if _is_out_of_memory(error.__cause__) else str(error), error.exit_status)
    except NoArgsIsHelpError as error:
        print(error.ctx.get_help())
        return 2
    except ClickException as error:
        context = error.ctx if isinstance(error, UsageError) else None
        return _report_error(f"{error.format_message()} See: {context.command_path if context else PROGRAM} --help", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _report_error("Stopped.", INTERRUPTED)
    except (BrokenPipeError, SystemExit) as error:
        # the reader of our output has closed it (`| head`), which click turns into an exit
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        _discard_output()
        return 0
    except OSError as error:
        _discard_output()
        return _report_error(str(cannot_write("Output", error)), CxrError.exit_status)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        return _report_error(NO_MEMORY, CxrError.exit_status)
    return status if isinstance(status, int) else 0


def _run(arguments: Sequence[str] | None) -> object:
    """Run a command and flush its output, so that a full disk is an error here and not at the interpreter's exit."""
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


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one in its chain of causes, is a lack of memory; libraries word it differently.

    An OSError is judged by its number and a CxrError never: the text of either may hold an arbitrary path.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            out_of_memory = error.errno in (errno.ENOMEM, errno.EAGAIN)
        elif isinstance(error, CxrError):
            out_of_memory = False
        else:
            out_of_memory = isinstance(error, MemoryError) or any(text in str(error).lower() for text in _OUT_OF_MEMORY)
        if out_of_memory:
            return True
        error = error.__cause__ or error.__context__
    return False


def _open_standard_streams() -> None:
    """Open closed standard streams on the null device; else the next file opened would take their number."""
    number = 0
    while number < 3:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


def _discard_output() -> None:
    """Discard buffered output, so that the interpreter does not fail to flush it at exit."""
    with suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def _report_error(message: str, status: int) -> int:
    # a full disk may hold stderr too
    with suppress(OSError):
        print(f"Error: {shown_name(' '.join(message.split()))}", file=sys.stderr, flush=True)
    return status
