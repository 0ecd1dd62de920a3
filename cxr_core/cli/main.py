"""The command line: its commands, and the one place where an error becomes a line and a status."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer._click.exceptions import ClickException  # typer brings its own click

from ..errors import CxrError
from ..labels import NOTICE
from . import audit, bench, calibrate, describe, evaluate, models, predict, render, runs, split, train, train_gate

__all__ = ["app", "main"]

PROGRAM = "python -m cxr_core"
INTERRUPTED = 130

app = typer.Typer(
    name=PROGRAM,
    help=f"Second Read: a second opinion on a chest X-ray. {NOTICE}\n\n"
    "Exit status: 0 done; 2 wrong arguments; 3 one or all inputs were refused, each named, the rest done; "
    "4 the model, an input path or the output cannot be used.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("predict")(predict.predict)
app.command("render")(render.render)
app.command("train")(train.train)
app.command("train-gate")(train_gate.train_gate)
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("describe")(describe.describe)
app.command("split")(split.split)
app.command("audit")(audit.audit)
app.command("bench")(bench.bench)
app.add_typer(models.app, name="models")
app.add_typer(runs.app, name="runs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; an error is one line on stderr, never a traceback."""
    try:
        status = app(arguments, prog_name=PROGRAM, standalone_mode=False)
    except CxrError as error:
        return _say(str(error), error.exit_status)
    except ClickException as error:
        return _say(f"{error.format_message()} See: {PROGRAM} --help", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _say("Stopped.", INTERRUPTED)
    except BrokenPipeError:
        # the reader of our output has gone; what it wanted, it has
        sys.stderr.close()
        return 0
    return status if isinstance(status, int) else 0


def _say(message: str, status: int) -> int:
    print(f"Error: {' '.join(message.split())}", file=sys.stderr)
    return status
