"""Write the tables of commands, settings, outputs and the model card in docs/ from the program.

Run ``python docs/make_reference.py`` after a change of any of them; a test compares the pages with what this would
write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import typer
from pydantic_core import PydanticUndefined

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reference_tables import CARD_TABLES, OUTPUT_TABLES

from cxr_core.cli.main import app
from cxr_core.settings import Settings

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    """Write the pages anew."""
    for name in PAGES:
        (FOLDER / name).write_text(reference(name))
    return 0


def reference(name: str) -> str:
    """Return a page with its tables as the program has them now; SystemExit where the page has no place for one."""
    text = (FOLDER / name).read_text()
    for table, make in PAGES[name].items():
        made = make()
        mark = f"<!-- {table}: made by python docs/make_reference.py -->"
        end = f"<!-- end of {table} -->"
        pattern = re.compile(f"{re.escape(mark)}.*?{re.escape(end)}", re.DOTALL)
        text, number = pattern.subn(lambda _, new=f"{mark}\n\n{made}\n\n{end}": new, text)
        if number != 1:
            raise SystemExit(f"{name}: the marks of the table {table} are missing.")
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


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "command-line.md": {"commands": command_table},
    "settings.md": {"settings": setting_table},
    "output.md": OUTPUT_TABLES,
    "card.md": CARD_TABLES,
}
"""Each page with its tables, by the names in their marks."""

if __name__ == "__main__":
    sys.exit(main())
