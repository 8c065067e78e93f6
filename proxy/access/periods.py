"""The times that budgets are for: months and days, which begin at midnight UTC, and all time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

PERIODS = ("month", "day", "total")
MICROS = 1_000_000  # of a USD


def period_of(per: str, now: float) -> str:
    """The name of the period that a moment lies in: 2026-11, 2026-11-30 or total. `now` is in seconds since 1970."""
    formats = {"month": "%Y-%m", "day": "%Y-%m-%d", "total": "total"}
    return datetime.fromtimestamp(now, UTC).strftime(formats[per])


def end_of(per: str, now: float) -> datetime | None:
    """When the next period begins; None if it never does."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "day":
        return today + timedelta(days=1)
    if per == "month":
        return (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return None


def utc_text(moment: datetime | float | None) -> str | None:
    """A moment as RFC 3339 writes it, in whole seconds: 2026-12-01T00:00:00Z."""
    if isinstance(moment, float | int):
        moment = datetime.fromtimestamp(moment, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def usd(micros: int) -> float:
    """Millionths of a USD in USD."""
    return micros / MICROS


def usd_text(micros: int) -> str:
    """An amount for people: at least two decimals, and as many more as it has."""
    whole, _, decimals = f"{micros / MICROS:.6f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
