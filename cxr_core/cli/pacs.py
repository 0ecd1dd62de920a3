"""``pacs``: the DICOM network."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import WrongArguments
from ..pacs import association, dicomweb
from ..pacs.addresses import DimseAddress, parse_address
from ..settings import settings
from .pacs_administration import delete, retry, status
from .pacs_fetch import fetch
from .pacs_jobs import send, work
from .pacs_receive import receive

__all__ = ["app"]

app = typer.Typer(
    help="DICOM network: receive, fetch, read and delete images, send results, show the queue, verify a PACS answers.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("receive")(receive)
app.command("fetch")(fetch)
app.command("work")(work)
app.command("status")(status)
app.command("retry")(retry)
app.command("send")(send)
app.command("delete")(delete)


@app.command()
def echo(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="AE@host:port or DICOMweb address; by default SECOND_READ_PACS.")
    ] = "",
) -> None:
    """Verify that a PACS answers, by C-ECHO or by a DICOMweb search; exit status 4 where it does not.

    SECOND_READ_PACS_CREDENTIALS is sent to the address in SECOND_READ_PACS alone. Example:

      python -m cxr_core pacs echo ARCHIVE@127.0.0.1:4242
    """
    given = settings()
    if not address and not given.pacs:
        raise WrongArguments("No PACS is set: give an address, or set SECOND_READ_PACS.")
    target = parse_address(address or given.pacs or "")
    own = given.pacs is not None and target == parse_address(given.pacs)
    if isinstance(target, DimseAddress):
        association.echo(target)
    else:
        dicomweb.echo(target, given.pacs_credentials if own else None)
    print(f"{target} answers.")
