"""The command line: its commands, and the one place where an error becomes a line and a status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from typer._click import Command, Context  # typer brings its own click
from typer._click.exceptions import ClickException, NoArgsIsHelpError
from typer.core import TyperGroup

from ..errors import CxrError
from ..labels import NOTICE
from ..shown import shown_name

__all__ = ["app", "main"]

PROGRAM = "python -m cxr_core"
INTERRUPTED = 130

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
    try:
        status = app(arguments, prog_name=PROGRAM, standalone_mode=False)
    except CxrError as error:
        return _say(str(error), error.exit_status)
    except NoArgsIsHelpError as error:
        print(error.ctx.get_help())
        return 2
    except ClickException as error:
        return _say(f"{error.format_message()} See: {error.ctx.command_path if error.ctx else PROGRAM} --help", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _say("Stopped.", INTERRUPTED)
    except BrokenPipeError:
        # the reader of our output has gone; what it wanted, it has
        sys.stderr.close()
        return 0
    return status if isinstance(status, int) else 0


def _say(message: str, status: int) -> int:
    print(f"Error: {shown_name(' '.join(message.split()))}", file=sys.stderr)
    return status
