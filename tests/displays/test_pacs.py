"""Throughput of the DICOM network, by hour and in the reader's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cxr_core.displays import ThroughputDisplay, plotly_figure
from cxr_core.store.pacs_records import HourlyCounts

UNTIL = datetime(2026, 11, 27, 5, 30, tzinfo=UTC)
COUNTS = (
    HourlyCounts("2026-11-26T04", 7, 70, 7, 0),
    HourlyCounts("2026-11-27T03", 4, 40_000_000, 3, 0),
    HourlyCounts("2026-11-27T05", 2, 20_000_000, 1, 1),
)


def test_every_hour_has_its_bars_and_earlier_ones_are_left_out():
    display = ThroughputDisplay.of(COUNTS, UNTIL, hours=4)
    assert display.table().to_numpy().tolist() == [
        ["2026-11-27T02", 0, 0, 0, 0],
        ["2026-11-27T03", 4, 40_000_000, 3, 0],
        ["2026-11-27T04", 0, 0, 0, 0],
        ["2026-11-27T05", 2, 20_000_000, 1, 1],
    ]
    chart = display.chart()
    received, verified, parked = plotly_figure(chart).data
    assert (list(received.y), list(verified.y)) == ([0, 4, 0, 2], [0, 3, 0, 1])
    assert (list(parked.x), list(parked.y)) == ([3], [1])
    assert "6 images received, 4 jobs verified, 1 parked; 0.06 GB" in chart.footer()[0]
    assert "6 images received, 4 jobs verified, 1 parked" in chart.alt


def test_hours_are_named_in_the_time_zone_of_the_reader():
    display = ThroughputDisplay.of(COUNTS, UNTIL, hours=24, zone=ZoneInfo("Asia/Tokyo"))
    panel = display.chart().panels[0]
    assert "2026-11-27 12:00: 4 received, 40 MB" in panel.marks[0].hover
    # 15:00 in Tokyo was the last hour, 06:00 in UTC has not begun
    assert panel.x.ticks[-1] == (21.0, "12:00")


def test_nothing_received_is_said_instead_of_drawn():
    chart = ThroughputDisplay.of((), UNTIL).chart()
    assert not any(panel.marks for panel in chart.panels)
    assert chart.panels[0].message == "nothing was received in the last 24 hours"
