"""A key of ours with a budget that the soak cannot use up, and whether its sums agree with what the upstream sold."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from bench.servers import PROJECT
from bench.soak.connection import use_key
from bench.soak.faults import ENDS, End, Ends

NAME = "soak"
PICTURE = 1290 * 30 / 1_000_000  # USD, as the row of the model says
LEASES_END = 90.0  # seconds within which nothing is reserved any more: a lease, and the time between two sweeps
CENT = 0.01
SETTINGS = {"ACCESS": "keys", "GEMINI_API_KEYS": "soak-key"}


class Budget:
    """The key that all callers use."""

    def __init__(self, database_url: str):
        ENDS["quota"] = Ends(End.QUOTA, End.QUOTA)  # of one of the operator's keys: the error is our own
        self.environment = {**SETTINGS, "DATABASE_URL": database_url}
        use_key(self.keys("create", NAME, "--budget", "1000000")["key"])

    def keys(self, *arguments: str) -> Mapping[str, Any]:
        """What a command of `python -m proxy keys` prints."""
        command = [sys.executable, "-m", "proxy", "keys", *arguments, "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT, env=self.environment)  # noqa: S603
        printed: Mapping[str, Any] = json.loads(done.stdout)
        return printed

    def findings(self, sold: int) -> list[str]:
        """What does not agree at the end: nothing is reserved, and all that was sold is paid, in both sums."""
        end = time.monotonic() + LEASES_END
        while (key := self.keys("show", NAME))["reserved_usd"] and time.monotonic() < end:
            time.sleep(1)
        [line] = self.keys("spend", "--since", "2020-01-01")["spent"]
        print(f"{key['spent_usd']:8.2f}  USD spent for {sold} pictures sold, in {line['requests']} requests")
        found = []
        if key["reserved_usd"]:
            found.append(f"{key['reserved_usd']} USD are still reserved")
        if abs(key["spent_usd"] - line["usd"]) > CENT / 1000:
            found.append(f"the budget has spent {key['spent_usd']} USD, and its calls {line['usd']} USD")
        if key["spent_usd"] < sold * PICTURE - CENT:
            found.append(
                f"{sold} pictures were sold for {sold * PICTURE:.2f} USD, and {key['spent_usd']} USD are spent"
            )
        return found
