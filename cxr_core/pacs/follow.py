"""Studies fetched as they arrive at a PACS, and the prior of each patient of whom a study has arrived here."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial

from ..errors import CxrError, PacsRefused, PacsUnavailable
from ..store.pacs_records import StoredInstance
from ..studies import read_study_header
from .changes import ChangeFeed
from .fetch import Fetched, PacsClient

__all__ = ["Follower"]

_LONGEST_WAIT = 600
"""Seconds."""

_DAY = timedelta(days=1)

_RECENT = timedelta(days=1)
"""Before the start, in which studies may have arrived whose priors were not fetched."""

_ATTEMPTS = 5
"""After which a study is skipped that a PACS cannot give while it answers otherwise: later ones would wait for it."""

_MOST = 10**5


class Follower:
    """Looks again and again for studies at a PACS, and fetches what is not here.

    Args:
        client: of the PACS.
        feed: its change feed; without one, studies are looked for by Study Date: those of yesterday, today and tomorrow
            by the clock of this program. In any time zone it is one of these days where that clock has UTC.
        priors: number of priors for each study, 0 for none.
        report: is given lines without patient data.
    """

    def __init__(
        self, client: PacsClient, feed: ChangeFeed | None, *, priors: int, report: Callable[[str], None]
    ) -> None:
        self._client, self._feed, self._priors, self._report = client, feed, priors, report
        self._sizes: dict[str, int | None] = {}
        self._since = (datetime.now(UTC) - _RECENT).isoformat()[:23]
        self._with_priors: set[str] = set()
        self._failures: Counter[tuple[str, str]] = Counter()

    def run(self, stop: threading.Event, seconds: float) -> None:
        """Look until stopped, and wait longer after each look that fails; raises WrongArguments."""
        failures, last = 0, ""
        while not stop.is_set():
            try:
                self.look()
                failures, last = 0, ""
            except CxrError as error:
                if error.exit_status == 2:
                    raise
                failures += 1
                if str(error) != last:
                    last = str(error)
                    self._report(last)
            stop.wait(min(seconds * 2**failures, max(seconds, _LONGEST_WAIT)))

    def look(self) -> None:
        """Fetch the studies that have arrived at the PACS, then the priors of those that have arrived here.

        Raises as :class:`.fetch.PacsClient`.
        """
        if self._feed is None:
            self._look_by_date()
        else:
            for studies in self._feed.completed_studies():
                self._fetch(studies)
        if self._priors:
            self._fetch_priors()

    def _look_by_date(self) -> None:
        today = date.today()
        found = self._client.of_days(today - _DAY, today + _DAY)
        # one whose number of instances is as before has nothing new
        self._fetch(
            [study.uid for study in found if study.instances is None or study.instances != self._sizes.get(study.uid)]
        )
        self._sizes = {study.uid: study.instances for study in found}

    def _fetch(self, studies: list[str]) -> None:
        self._attempt_all("Study", {uid: partial(self._study, uid) for uid in studies})

    def _study(self, uid: str) -> list[Fetched]:
        return [self._client.fetch(uid)]

    def _fetch_priors(self) -> None:
        arrived = self._client.store.instances(since=self._since, limit=_MOST)
        firsts = {
            instance.study_uid: instance for instance in arrived if not instance.is_prior and not instance.is_result
        }
        waiting = [instance for uid, instance in firsts.items() if uid not in self._with_priors]
        self._attempt_all("Prior", {one.study_uid: partial(self._priors_of, one) for one in waiting})
        # those of a look that has failed are asked for again
        self._with_priors = set(firsts)
        if arrived:
            self._since = arrived[0].received

    def _priors_of(self, instance: StoredInstance) -> list[Fetched]:
        header = read_study_header(self._client.store.load_instance(instance.sop_instance_uid))
        return [] if header is None else self._client.fetch_priors(header, self._priors)

    def _attempt_all(self, what: str, fetches: Mapping[str, Callable[[], list[Fetched]]]) -> None:
        """Do each, whatever becomes of the others; raises the last error where one is to be attempted again."""
        again: CxrError | None = None
        for uid, fetch in fetches.items():
            try:
                for fetched in fetch():
                    if fetched.stored or fetched.conflicts or fetched.missing:
                        self._report(f"{what}: {fetched}")
            except (PacsRefused, PacsUnavailable) as error:
                self._failures[what, uid] += 1
                if isinstance(error, PacsUnavailable) and self._failures[what, uid] < _ATTEMPTS:
                    again = error
                    continue
                self._report(f"{what} skipped. {error}")
            self._failures.pop((what, uid), None)
        if again is not None:
            raise again
