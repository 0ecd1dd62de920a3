"""What goes through the DICOM network as a figure: images received, and jobs verified or parked, by hour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..store.pacs_records import HourlyCounts
from .marks import BLUE, GREEN, RED, Axis, Bars, Chart, Dots, Panel

__all__ = ["ThroughputDisplay"]

_HOUR = "%Y-%m-%dT%H"
_TICK_HOURS = 4
_WIDTH = 0.38


@dataclass(frozen=True)
class ThroughputDisplay:
    """Images and jobs of the last hours.

    Attributes:
        counts: of every hour, the first one first; those without anything too.
        zone: time zone of the axis.
    """

    counts: tuple[HourlyCounts, ...]
    zone: tzinfo

    @classmethod
    def of(
        cls, counts: Iterable[HourlyCounts], until: datetime, *, hours: int = 24, zone: tzinfo = UTC
    ) -> ThroughputDisplay:
        """Return the display of the hours that end with the one of a time.

        Args:
            counts: by hour in UTC; earlier and later ones are ignored.
            until: a time in the last hour, with a time zone.
            hours: number of hours.
            zone: time zone of the axis.
        """
        known = {one.hour: one for one in counts}
        names = [f"{until.astimezone(UTC) - timedelta(hours=back):{_HOUR}}" for back in reversed(range(hours))]
        return cls(tuple(known.get(name) or HourlyCounts(name, 0, 0, 0, 0) for name in names), zone)

    def table(self) -> pd.DataFrame:
        """Return one row per hour, in UTC: images received and their bytes, jobs verified and parked."""
        columns = ["hour", "received", "received_bytes", "verified", "parked"]
        return pd.DataFrame([[getattr(one, name) for name in columns] for one in self.counts], columns=columns)

    def chart(self) -> Chart:
        """Return bars of images received and jobs verified, and dots where jobs were parked."""
        title = f"Images received and jobs verified, last {len(self.counts)} hours"
        hours = [datetime.strptime(one.hour, _HOUR).replace(tzinfo=UTC).astimezone(self.zone) for one in self.counts]
        x = np.arange(len(hours), dtype=np.float64)
        received, verified, parked = (
            np.array([getattr(one, name) for one in self.counts], dtype=np.float64)
            for name in ("received", "verified", "parked")
        )
        if not (received.any() or verified.any() or parked.any()):
            message = f"nothing was received in the last {len(hours)} hours"
            return Chart(title, (Panel(Axis(), Axis(), message=message),), alt=f"{title}: none.")
        megabytes = [f", {one.received_bytes / 1e6:,.0f} MB" for one in self.counts]
        marks: list[Bars | Dots] = [
            Bars(
                x - _WIDTH / 2,
                received,
                "images received",
                BLUE,
                _hover(hours, received, "received", megabytes),
                _WIDTH,
            ),
            Bars(x + _WIDTH / 2, verified, "jobs verified", GREEN, _hover(hours, verified, "verified"), _WIDTH),
        ]
        if (at := parked > 0).any():
            hover = tuple(text for text, there in zip(_hover(hours, parked, "parked"), at, strict=True) if there)
            marks.append(Dots(x[at], parked[at], "jobs parked", RED, "diamond", hover=hover))
        ticks = tuple((float(n), f"{hour:%H:%M}") for n, hour in enumerate(hours) if hour.hour % _TICK_HOURS == 0)
        top = 1.08 * float(max(received.max(), verified.max(), parked.max()))
        totals = [f"{int(many.sum()):,}" for many in (received, verified, parked)]
        text = "{} images received, {} jobs verified, {} parked".format(*totals)
        return Chart(
            title,
            (Panel(Axis("hour from", -0.6, len(hours) - 0.4, ticks=ticks), Axis("in the hour", 0, top), tuple(marks)),),
            alt=f"{title}: {text}.",
            height=250,
            caption=f"{text}; {sum(one.received_bytes for one in self.counts) / 1e9:.2f} GB.",
        )


def _hover(
    hours: list[datetime], numbers: NDArray[np.float64], what: str, more: list[str] | None = None
) -> tuple[str, ...]:
    more = more or [""] * len(hours)
    return tuple(
        f"{hour:%Y-%m-%d %H:%M}: {number:,.0f} {what}{beside}"
        for hour, number, beside in zip(hours, numbers, more, strict=True)
    )
