"""What ACCESS=keys needs in one worker: who a caller is, what it pays, and the keys that its calls are made with."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from compat.errors import ApiError, ErrorKind
from proxy.access.key_pool import KeyPool
from proxy.access.payments import Payments
from proxy.access.periods import end_of, usd, utc_text
from proxy.access.recognition import Recognition
from proxy.caller import AccessKey, Caller, fingerprint_of
from proxy.observation.metrics import note_budget
from proxy.settings import SANDBOX_KEY, Settings
from proxy.state.database import Database, DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.access.key_records import KeyRecord

log = logging.getLogger("twinlens")


class Access:
    """The keys of ours and of the upstream, as one worker uses them."""

    def __init__(self, settings: Settings, database: Database):
        """To be made after the fork. It opens nothing."""
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"
        self.has_sandbox = settings.sandbox
        self.recognition = Recognition(database)
        self.payments = Payments(database, owner)
        self.pool = KeyPool(settings.gemini_api_keys, partial(fingerprint_of, salt=settings.log_salt))

    def recognize(self, caller: Caller) -> AccessKey | None:
        """Whose key a caller brings; None for the sandbox's, which is open. Raises INVALID_KEY."""
        if self.has_sandbox and caller.key == SANDBOX_KEY:
            return None
        return self.recognition.recognize(caller.key)

    def status_of(self, key: AccessKey | None) -> dict[str, Any]:
        """What a key may spend, and has spent, as `GET /v1/key` answers it. Raises STATE_UNAVAILABLE.

        Amounts are in USD, times in RFC 3339. Without a key: that of the sandbox, which costs nothing.
        """
        now = time.time()
        if key is None:
            return {**dict.fromkeys(STATUS), "name": SANDBOX_KEY, "spent_usd": 0.0, "reserved_usd": 0.0}
        try:
            record = self.recognition.records.named(key.name, now)
        except DatabaseUnavailable as error:
            raise ApiError(ErrorKind.STATE_UNAVAILABLE, f"The budget cannot be looked at now: {error}") from None
        assert record, "a key is never deleted"
        return status_of(record, now)

    def sweep(self) -> None:
        """What dead workers had reserved becomes a cost, and metrics get the budgets."""
        try:
            self.payments.ledger.sweep()
            for record in self.recognition.records.all(time.time()):
                if record.key.budget_micros is not None and record.revoked_at is None:
                    note_budget(record.key.name, record.key.per, usd(record.key.budget_micros), usd(record.spent))
        except DatabaseUnavailable as error:
            log.warning("reserved budgets cannot be looked through: %s", error)


STATUS = (
    *("name", "budget_usd", "per", "spent_usd", "reserved_usd", "left_usd", "resets_at", "models", "expires_at"),
    "requests_per_minute",
)


def status_of(record: KeyRecord, now: float) -> dict[str, Any]:
    """A key and its spending, for its caller and its operator."""
    key, budget, left = record.key, record.key.budget_micros, record.left
    return {
        "name": key.name,
        "budget_usd": None if budget is None else usd(budget),
        "per": key.per,
        "spent_usd": usd(record.spent),
        "reserved_usd": usd(record.reserved),
        "left_usd": None if left is None else usd(left),
        "resets_at": None if budget is None else utc_text(end_of(key.per, now)),
        "models": None if key.models is None else sorted(key.models),
        "expires_at": utc_text(key.expires_at),
        "requests_per_minute": key.requests_per_minute,
    }
