"""The tables, in one place. A change of them is a new migration too, which a test compares with this module."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, Table, Text, UniqueConstraint

REVISION = "0003"  # the last migration; revisions are numbers in order, and a later one still serves this release

metadata = MetaData()

purchases = Table(
    "purchases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),  # a hash of the caller's key, or the id of a key of ours
    Column("idempotency_key", Text),  # a hash; none for the kept answer of a call without a key
    Column("fingerprint", Text, nullable=False),  # of the request's content
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),  # the worker that runs the call
    Column("lease_until", Double, nullable=False),  # times are seconds since 1970, by the database's clock
    Column("joined", Integer, nullable=False, server_default="0"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("status", Integer),
    Column("headers", Text),  # JSON
    Column("body", Text),  # its name in the private store
    Column("bought", Text),
    Column("cost_micros", BigInteger),  # millionths of a USD
    UniqueConstraint("scope", "idempotency_key", name="purchases_key"),
    Index("purchases_content", "scope", "fingerprint", "state"),
    Index("purchases_expiry", "expires_at"),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("per", Text, nullable=False),  # month, day or total: the time that the budget is for
    Column("budget", BigInteger),  # in millionths of a USD, as all amounts of these tables
    Column("models", Text),  # public names, as JSON; none for all
    Column("requests_per_minute", Integer),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    UniqueConstraint("name", name="access_keys_name"),
)

access_hashes = Table(
    "access_hashes",
    metadata,
    Column("hash", Text, primary_key=True),  # SHA-256 of the key itself, which is nowhere
    Column("key_id", Text, nullable=False),
    Column("valid_until", Double),  # of a key that was replaced
    Index("access_hashes_key", "key_id"),
)

access_budgets = Table(  # what a key has spent in a month, on a day, or in total
    "access_budgets",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("period", Text, primary_key=True),  # 2026-11, 2026-11-30 or total
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),  # by calls that are open
)

access_calls = Table(  # the calls of about a day, one a row; older ones are in access_spending
    "access_calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("period", Text, nullable=False),  # of the budget that it is paid from
    Column("started_at", Double, nullable=False),
    Column("owner", Text, nullable=False),  # the worker that makes it
    Column("lease_until", Double, nullable=False),
    Column("state", Text, nullable=False),  # open, paid, or lost: its worker is gone
    Column("reserved", BigInteger, nullable=False),
    Column("cost", BigInteger),
    Column("pictures", Integer, nullable=False, server_default="0"),
    Index("access_calls_key", "key_id", "started_at"),
    Index("access_calls_lease", "state", "lease_until"),
)

access_spending = Table(
    "access_spending",
    metadata,
    Column("day", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("pictures", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
)
