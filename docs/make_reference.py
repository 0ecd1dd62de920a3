"""Write the tables of commands and settings in docs/command-line.md from the program.

Run ``python docs/make_reference.py`` after a change of either; a test compares the page with what this would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from pydantic_core import PydanticUndefined

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cxr_core.cli.main import app
from cxr_core.settings import Settings

PAGE = Path(__file__).resolve().parent / "command-line.md"


def main() -> int:
    """Write the page anew."""
    PAGE.write_text(reference(PAGE.read_text()))
    return 0


def reference(text: str) -> str:
    """Return the page with its tables as the program has them now."""
    for name, table in (("commands", command_table()), ("settings", setting_table())):
        mark = f"<!-- {name}: made by python docs/make_reference.py -->"
        pattern = re.compile(f"{re.escape(mark)}.*?<!-- end of {name} -->", re.DOTALL)
        text, number = pattern.subn(lambda _, new=f"{mark}\n\n{table}\n\n<!-- end of {name} -->": new, text)
        if number != 1:
            raise SystemExit(f"{PAGE.name}: the marks of the {name} are missing.")
    return text


def commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Yield (name, command) of every command, those of groups as ``runs list``."""

    def walk(command, names: tuple[str, ...]):
        if hasattr(command, "list_commands"):
            for name in command.list_commands(None):
                yield from walk(command.get_command(None, name), (*names, name))
        else:
            yield " ".join(names), command

    yield from walk(typer.main.get_command(app), ())


def command_table() -> str:
    """Return a table of all commands with the first sentence of their help."""
    rows = [f"| `{name}` | {command.help.split(chr(10))[0]} |" for name, command in sorted(commands())]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def setting_table() -> str:
    """Return a table of all settings with their defaults and descriptions."""
    rows = []
    # those of the DICOM network last
    for name, field in sorted(Settings.model_fields.items(), key=lambda item: item[0].startswith("pacs")):
        if field.default is PydanticUndefined:
            default = "see right"
        elif field.default in (None, ()):
            default = "none"
        else:
            default = f"`{field.default}`"
        rows.append(f"| `SECOND_READ_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(["| setting | default | what it is |", "|---|---|---|", *rows])


if __name__ == "__main__":
    sys.exit(main())
