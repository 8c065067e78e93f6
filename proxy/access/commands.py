"""`python -m proxy keys ...`: keys are made, listed, changed, replaced and revoked, and what they spent is shown."""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from proxy.access.access import status_of
from proxy.access.periods import MICROS, PERIODS, usd, usd_text, utc_text
from proxy.caller import AccessKey
from proxy.settings import Settings
from proxy.state.database import Database, DatabaseUnavailable
from proxy.state.migrate import is_current, migrate

if TYPE_CHECKING:
    from proxy.access.key_records import KeyRecord, KeyRecords
    from proxy.access.ledger import Spent

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
AMOUNT = re.compile(r"\d{1,7}(?:\.\d{1,6})?", re.ASCII)
DURATION = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
NONE = "none"
EXAMPLES = """\
examples:
  python -m proxy keys create ann --budget 20              20 USD a month, then 429 insufficient_quota
  python -m proxy keys create ci --budget 2 --per day --requests-per-minute 30
  python -m proxy keys create intern --models gemini-2.5-flash-image --expires 2027-01-31
  python -m proxy keys list
  python -m proxy keys change ann --budget 30
  python -m proxy keys rotate ann --overlap 24h            the old key is accepted for a day
  python -m proxy keys revoke ann                          refused within 5 seconds, everywhere
  python -m proxy keys spend --by model --since 2026-11-01
The service uses the keys with ACCESS=keys. They are in DATABASE_URL: give this command the service's environment."""


class Refusal(Exception):
    """A command cannot be carried out; its text says why."""


def add_commands(commands: Any) -> None:
    """Adds `keys` and its commands to the parser of the command line; each sets `run`."""
    text = "keys for a team: hand out, limit, replace, revoke (ACCESS=keys)"
    raw = argparse.RawDescriptionHelpFormatter
    keys = commands.add_parser("keys", help=text, description=text, epilog=EXAMPLES, formatter_class=raw)
    actions = keys.add_subparsers(required=True, metavar="action")

    def action(name: str, run: Callable[..., Any], text: str, names: bool = True) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = actions.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}."
        )
        added.set_defaults(run=lambda options, settings: carry_out(run, options, settings))
        added.add_argument("--json", action="store_true", help="print JSON")
        if names:
            added.add_argument(
                "name", metavar="NAME", type=key_name, help="the name of the key: letters, digits, . _ @ -"
            )
        return added

    limits = action("create", create, "make a key and print it once")
    add_limits(limits)
    limits.add_argument("--per", choices=PERIODS, default="month", help="the time that the budget is for (month)")
    action("list", show_all, "show all keys: spent, left, last use", names=False)
    action("show", show, "show one key")
    add_limits(action("change", change, "change what a key may do; `none` takes a limit away"))
    rotate_key = action("rotate", rotate, "make a new key of the same name and budget, and print it once")
    rotate_key.add_argument(
        "--overlap", type=duration, default="24h", help="how long the old key is accepted: 30m, 24h, 7d, 0s (24h)"
    )
    action("revoke", revoke, "end a key for good; its name stays taken, so that what it spent can be read")
    spend = action("spend", show_spending, "show what was spent, in USD", names=False)
    spend.add_argument("--by", choices=("key", "model", "day"), default="key", help="what to add up (key)")
    spend.add_argument("--since", type=day, metavar="DATE", help="from this day on, UTC (the first of this month)")
    spend.add_argument("--csv", action="store_true", help="print a line for each day, key and model, with commas")


def add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", type=amount, metavar="USD", help="the most that it may spend (no limit)")
    parser.add_argument("--models", type=listed, metavar="MODEL,...", help="the models that it may use (all)")
    parser.add_argument(
        "--requests-per-minute", type=number, metavar="N", help="the most requests in any 60 seconds (no limit)"
    )
    parser.add_argument("--expires", type=moment, metavar="DATE", help="2027-01-31 or 2027-01-31T18:00, UTC (never)")


def carry_out(run: Callable[..., Any], options: argparse.Namespace, settings: Settings) -> int:
    """Runs one command with the tables made. Returns its exit status."""
    try:
        if not is_current(settings.database_url):
            migrate(settings.database_url)
        from proxy.access.key_records import KeyRecords

        run(options, settings, KeyRecords(Database(settings.database_url)))
    except DatabaseUnavailable as error:
        print(f"python -m proxy keys: DATABASE_URL: {error.explained()}", file=sys.stderr)
        return 1
    except Refusal as error:
        print(f"python -m proxy keys: {error}", file=sys.stderr)
        return 1
    return 0


# Values of options: argparse exits with 2 and the message.


def key_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise argparse.ArgumentTypeError("a name has 1 to 64 letters, digits and . _ @ -, a letter or digit first")
    return value


def amount(value: str) -> int | str:
    """Millionths of a USD, or `none`."""
    if value == NONE:
        return value
    whole, _, decimals = value.partition(".")
    if not AMOUNT.fullmatch(value) or not (micros := int(whole) * MICROS + int(decimals.ljust(6, "0"))):
        raise argparse.ArgumentTypeError("a budget is an amount in USD, such as 20 or 0.50")
    return micros


def number(value: str) -> int | str:
    if value == NONE:
        return value
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= 100_000):
        raise argparse.ArgumentTypeError("it is a whole number from 1 to 100000")
    return int(value)


def listed(value: str) -> tuple[str, ...] | str:
    names = tuple(one.strip() for one in value.split(",") if one.strip())
    if not names:
        raise argparse.ArgumentTypeError("it is one model, or several with commas between them")
    return NONE if names == (NONE,) else names


def duration(value: str) -> int:
    """Seconds."""
    found = DURATION.fullmatch(value)
    if not found:
        raise argparse.ArgumentTypeError("it is a number with s, m, h or d, such as 24h")
    return int(found[1]) * SECONDS[found[2]]


def day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError("it is a day such as 2026-11-30") from None


def moment(value: str) -> float | str:
    """Seconds since 1970, or `none`; a day ends at its midnight, UTC."""
    if value == NONE:
        return value
    try:
        found = datetime.fromisoformat(value)
        if len(value) <= len("2027-01-31"):
            found = found.replace(hour=23, minute=59, second=59)
    except ValueError:
        raise argparse.ArgumentTypeError("it is a day such as 2027-01-31, or a time such as 2027-01-31T18:00") from None
    seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if seconds <= time.time():
        raise argparse.ArgumentTypeError("this time has passed")
    return seconds


# The commands


def create(options: argparse.Namespace, settings: Settings, records: KeyRecords) -> None:
    from proxy.access.key_records import NameTaken

    key = limited(AccessKey("", options.name, options.per), options, settings)
    try:
        secret = records.create(key, time.time())
    except NameTaken:
        raise Refusal(
            f"there is a key '{options.name}' already (`keys show {options.name}`); `keys rotate` makes a new one of "
            "the same name, and a revoked one keeps its name"
        ) from None
    print_secret(options, named(records, options.name), secret)
    if settings.access != "keys":
        print("The service accepts it once it runs with ACCESS=keys and GEMINI_API_KEYS.", file=sys.stderr)


def change(options: argparse.Namespace, settings: Settings, records: KeyRecords) -> None:
    record = named(records, options.name, active=True)
    records.change(limited(record.key, options, settings))
    show(options, settings, records)


def rotate(options: argparse.Namespace, settings: Settings, records: KeyRecords) -> None:
    record = named(records, options.name, active=True)
    until = time.time() + options.overlap
    print_secret(options, record, records.rotate(record.key.id, until))
    if not options.json:
        print(f"The old key is accepted until {utc_text(until)}.")


def revoke(options: argparse.Namespace, settings: Settings, records: KeyRecords) -> None:
    record = named(records, options.name, active=True)
    records.revoke(record.key.id, time.time())
    if options.json:
        show(options, settings, records)
    else:
        print(f"The key '{options.name}' is revoked. It is refused within 5 seconds.")


def show(options: argparse.Namespace, settings: Settings, records: KeyRecords) -> None:
    described = description_of(named(records, options.name))
    if options.json:
        print(json.dumps(described, indent=2))
        return
    for name, value in described.items():
        shown = ", ".join(value) if isinstance(value, list) else "-" if value is None else value
        print(f"{name:<20} {shown}")


def show_all(options: argparse.Namespace, settings: Settings, records: KeyRecords) -> None:
    found = records.all(time.time())
    if options.json:
        print(json.dumps([description_of(record) for record in found], indent=2))
        return
    rows = [("NAME", "STATE", "SPENT", "LEFT", "BUDGET", "LAST USE")]
    for record in found:
        key, left = record.key, record.left
        budget = "-" if key.budget_micros is None else f"{usd_text(key.budget_micros)} / {key.per}"
        amounts = usd_text(record.spent), "-" if left is None else usd_text(left), budget
        rows.append((key.name, state_of(record), *amounts, utc_text(record.last_used_at) or "never"))
    print_table(rows)
    if not found:
        print("There are no keys yet: python -m proxy keys create NAME --budget 20")


def show_spending(options: argparse.Namespace, settings: Settings, records: KeyRecords) -> None:
    from proxy.access.ledger import Ledger

    since = options.since or datetime.now(UTC).date().replace(day=1).isoformat()
    spent = Ledger(records.database, "command").spent(since)
    if options.csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(("day", "key", "model", "requests", "pictures", "usd"))
        writer.writerows((*fields_of(one)[:5], usd_text(one.micros)) for one in spent)
        return
    sums = added_up(spent, options.by)
    if options.json:
        names = (options.by, "requests", "pictures", "usd")
        print(
            json.dumps(
                {"since": since, "by": options.by, "spent": [dict(zip(names, row, strict=True)) for row in sums]}
            )
        )
        return
    rows = [(options.by.upper(), "REQUESTS", "PICTURES", "USD")]
    rows += [
        (name, str(requests), str(pictures), usd_text(round(cost * MICROS))) for name, requests, pictures, cost in sums
    ]
    print_table(rows)
    print(f"since {since}: {usd_text(sum(one.micros for one in spent))} USD")


# What they are made of


def limited(key: AccessKey, options: argparse.Namespace, settings: Settings) -> AccessKey:
    """The key with the limits that the options name. Raises Refusal for a model that is not served."""

    def chosen(given: Any, before: Any) -> Any:
        return before if given is None else None if given == NONE else given

    models = chosen(options.models, key.models)
    if models is not None and models is not key.models:
        catalogue = settings.catalogue()
        try:
            models = frozenset(catalogue.known(name) for name in models)
        except ValueError as error:
            raise Refusal(str(error)) from None
    return replace(
        key,
        budget_micros=chosen(options.budget, key.budget_micros),
        models=models,
        requests_per_minute=chosen(options.requests_per_minute, key.requests_per_minute),
        expires_at=chosen(options.expires, key.expires_at),
    )


def named(records: KeyRecords, name: str, active: bool = False) -> KeyRecord:
    """The key of a name. Raises Refusal without one, or if it has to be active and is revoked."""
    record = records.named(name, time.time())
    if not record:
        raise Refusal(f"there is no key '{name}' (`keys list` shows all)")
    if active and record.revoked_at is not None:
        raise Refusal(f"the key '{name}' was revoked at {utc_text(record.revoked_at)}")
    return record


def print_secret(options: argparse.Namespace, record: KeyRecord, secret: str) -> None:
    """Prints a new key, alone on its line, so that a script can take the last word of the first line."""
    if options.json:
        print(json.dumps({"key": secret, **description_of(record)}, indent=2))
    else:
        print(secret)
        print(f"This is the key '{options.name}'. It is shown once, and stored nowhere.")


def description_of(record: KeyRecord) -> dict[str, Any]:
    """A key as `show` and `--json` write it."""
    return {
        "id": record.key.id,
        "state": state_of(record),
        **status_of(record, time.time()),
        "created_at": utc_text(record.created_at),
        "last_used_at": utc_text(record.last_used_at),
        "revoked_at": utc_text(record.revoked_at),
    }


def state_of(record: KeyRecord) -> str:
    expires_at = record.key.expires_at
    if record.revoked_at is not None:
        return "revoked"
    return "expired" if expires_at is not None and expires_at <= time.time() else "active"


def fields_of(one: Spent) -> tuple[Any, ...]:
    return one.day, one.key, one.model, one.requests, one.pictures, one.micros


def added_up(spent: Iterable[Spent], by: str) -> list[tuple[str, int, int, float]]:
    """Requests, pictures and USD by key, model or day; the most expensive first, days in order."""
    sums: dict[str, tuple[int, int, int]] = {}
    for one in spent:
        name = getattr(one, by)
        requests, pictures, micros = sums.get(name, (0, 0, 0))
        sums[name] = requests + one.requests, pictures + one.pictures, micros + one.micros
    rows = [(name, requests, pictures, usd(micros)) for name, (requests, pictures, micros) in sums.items()]
    return sorted(rows) if by == "day" else sorted(rows, key=lambda row: -row[3])


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
