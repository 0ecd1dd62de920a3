"""What the deployment under load has lost, and the table of the run."""

from __future__ import annotations

import statistics

from benchmarks.soak.deployment_faults import LIMIT_SECONDS, Soak, stored, until


async def settle(soak: Soak) -> list[str]:
    """Wait until nothing is due any more, open every worklist again, and return what is lost."""
    confirmed = {digest for person in soak.people for digest in person.sent}
    received = set(soak.sent)
    verified = "SELECT sop_instance_uid FROM pacs_jobs WHERE state = 'verified'"
    lost = []
    for what, expected, query in (
        ("images of readers without a stored read", confirmed, "SELECT image FROM reads"),
        ("studies of the PACS without verified results", received, verified),
    ):
        await until(lambda expected=expected, query=query: expected <= stored(soak, query), LIMIT_SECONDS)
        missing = expected - stored(soak, query)
        lost += [f"{len(missing)} {what}"] if missing else []
    for person in soak.people:
        await person.look()
    return lost


def table(soak: Soak, lost: list[str]) -> list[tuple[str, str]]:
    """Return the rows of the table."""
    wrong = sum(len(person.wrong) for person in soak.people)
    rows = [
        ("images uploaded and answered", str(sum(len(person.sent) for person in soak.people))),
        (
            "studies of the PACS confirmed; attempts that were refused or failed before",
            f"{len(soak.sent)}; {soak.refused}",
        ),
        ("lost, or with other findings than were shown", str(wrong + len(lost))),
        ("pages opened that did not list every image yet", str(sum(person.incomplete for person in soak.people))),
        ("objects in the PACS at the end", ", ".join(f"{n} {name}" for name, n in soak.pacs.counts().items())),
    ]
    for fault, following in zip(soak.faults, [*soak.faults[1:], None], strict=True):
        end = following.began if following else float("inf")
        gaps = [gap for person in soak.people for began, gap in person.gaps if fault.began - 1 <= began < end - 1]
        seconds = f"{statistics.median(gaps):.1f} s (median), {max(gaps):.1f} s (longest)" if gaps else "none"
        rows.append((f"{fault.what}: readers who lost the page", str(len(gaps))))
        rows.append((f"{fault.what}: from the loss to the next answer", seconds))
        if fault.stored:
            rows.append((f"{fault.what}: from then until all is stored", f"{fault.stored:.1f} s"))
    return rows
