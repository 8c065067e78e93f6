"""Months and days begin at midnight UTC."""

from datetime import UTC, datetime

import pytest

from proxy.access.periods import end_of, period_of, usd_text, utc_text


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("per", "moment", "period", "end"),
    [
        ("month", "2026-11-30T23:59:59", "2026-11", "2026-12-01T00:00:00Z"),
        ("month", "2026-12-01T00:00:00", "2026-12", "2027-01-01T00:00:00Z"),
        ("month", "2028-01-31T12:00:00", "2028-01", "2028-02-01T00:00:00Z"),
        ("day", "2028-02-28T23:59:59", "2028-02-28", "2028-02-29T00:00:00Z"),
        ("total", "2026-11-30T23:59:59", "total", None),
    ],
)
def test_a_period_and_its_end(per: str, moment: str, period: str, end: str | None):
    assert period_of(per, seconds(moment)) == period
    assert utc_text(end_of(per, seconds(moment))) == end


def test_amounts_for_people():
    assert [usd_text(micros) for micros in (0, 20_000_000, 38_700, 500_000, 1)] == [
        *("0.00", "20.00", "0.0387", "0.50", "0.000001")
    ]
