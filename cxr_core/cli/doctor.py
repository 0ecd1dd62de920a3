"""``doctor``: what is set, installed, reachable, writable and verified, and what to do about the rest."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..access import provider_responds
from ..errors import CxrError
from ..formatting import shown_name
from ..operations.checks import CHECKS, Check
from ..operations.doctor import CheckResult, State, diagnose, report, worst
from ..settings import settings

__all__ = ["doctor"]

_STYLES: dict[State, str] = {"ok": "green", "warning": "yellow", "failed": "bold red"}
_WIDTH = 120
"""Of the table where the output is no terminal."""


def check_sign_in() -> Iterator[CheckResult]:
    """Check the settings of sign-in, and whether each provider returns its metadata."""
    # imported here: it brings Streamlit, which reads the secrets
    from ..ui.visitor import providers, sign_in_is_set_up, sign_in_problem, use_secrets_of_the_server

    use_secrets_of_the_server()
    if problem := sign_in_problem():
        raise CxrError(problem)
    if not sign_in_is_set_up():
        yield CheckResult("Sign-in", "ok", "not set: single-user mode, this machine only")
        return
    for name, address in providers().items():
        title = f"Sign-in provider {name or 'default'}"
        if provider_responds(address):
            yield CheckResult(title, "ok", "returns its metadata")
        else:
            action = "Check server_metadata_url in the secrets of sign-in, the network, and the provider."
            yield CheckResult(title, "failed", "returns no usable metadata", action)


MADE = (
    *(check for check in CHECKS if check.area),
    # needs Streamlit, which reads the secrets: it is not among those of every process
    Check("sign-in", check_sign_in, "Network"),
)
"""The checks that are made, in the order of their areas."""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check what is set, installed, reachable, writable and verified; exit status 4 where something is not.

    Each line is ok, a warning, or failed with what to do. Secrets are never printed. PACS and sign-in providers are
    asked where they are set; nothing else leaves this machine. Example:

      python -m cxr_core doctor
    """
    # one that cannot be used is one line, instead of one in every area
    settings()
    results = (made for check in MADE for made in diagnose({check.area: check.make}))
    if as_json:
        made = list(results)
        print(json.dumps(report(made)))
    else:
        made = _print(results)
    return CxrError.exit_status if worst(result for _, result in made) == "failed" else 0


def _print(results: Iterable[tuple[str, CheckResult]]) -> list[tuple[str, CheckResult]]:
    """Print a table of each area, and what it comes to; return all results."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    made = list(results)
    for area in dict.fromkeys(area for area, _ in made):
        table = Table(title=area, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0), expand=False)
        for width in (7, 26, None):
            table.add_column(overflow="fold", min_width=width)
        for _, result in (row for row in made if row[0] == area):
            action = f"\n{shown_name(result.action)}" if result.action and result.state != "ok" else ""
            table.add_row(
                Text(result.state, style=_STYLES[result.state]),
                Text(shown_name(result.name)),
                Text(shown_name(result.text)).append(action, style="italic"),
            )
        console.print(table)
        console.print()
    counts = Counter(result.state for _, result in made)
    console.print(Text(", ".join(f"{counts[state]} {state}" for state in _STYLES)))
    return made
