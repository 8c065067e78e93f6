"""The tables, in one place. A change of them is a new migration too, which a test compares with this module."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, Table, Text, UniqueConstraint

REVISION = "0001"  # the last migration; revisions are numbers in order, and a later one still serves this release

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
