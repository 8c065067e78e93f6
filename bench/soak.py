"""`make soak`: callers, kills and faults for ten minutes, and whether anything was lost, wrong, or grew.

Many callers ask in every way for pictures of which each is its own; the upstream breaks one answer in ten in one way
or another; every so often a worker is killed, the server reloaded, a crowd hangs up. Every picture that arrives is
compared by its hash with the one that was drawn for it, and every URL that was announced is fetched.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import servers
from bench.load import GENERATIONS, NATIVE
from bench.processes import Process, end_in_order, resident
from bench.servers import Server
from bench.soak_upstream import FAULTS, SoakUpstream, picture_of

CALLERS = 24
PART_WITH_TROUBLE = 0.4  # of the time; a worker that is replaced again and again would hide that it grows
CALM_SECONDS = 60  # after which nothing may grow any more
TROUBLE_SECONDS = 20.0  # between two blows from outside
LOOK_SECONDS = 2.0
GROWTH = 1.25  # of memory after the first minute: 25 % are noise of an allocator
FEW_FILES = 60  # descriptors that may come and go with connections
SETTLED_SECONDS = 5
TTL = 30  # seconds that pictures are kept


@dataclass
class Tally:
    """What came of all calls, and what nobody can explain."""

    counts: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def complain(self, what: str) -> None:
        with self.lock:
            self.counts["UNEXPLAINED"] += 1
            self.unexplained.append(f"{time.strftime('%H:%M:%S')} {what}")


@dataclass(frozen=True)
class Look:
    """The server at one moment."""

    seconds: float
    memory: int  # bytes of the largest worker
    files: int
    pictures: int


class Soak:
    """The server, its upstream, and all that is done to them."""

    def __init__(self, server: Server, upstream: SoakUpstream, folder: Path, seconds: float):
        self.server = server
        self.upstream = upstream
        self.folder = folder
        self.tally = Tally()
        self.started = time.monotonic()
        self.end = self.started + seconds
        self.peace = self.started + seconds * PART_WITH_TROUBLE
        self.blows: list[float] = []  # when a worker was killed
        self.looks: list[Look] = []

    def run(self) -> None:
        """Everything at once, until the time is over."""
        callers = [threading.Thread(target=self.call_again_and_again, args=(number,)) for number in range(CALLERS)]
        trouble = threading.Thread(target=self.make_trouble)
        for thread in (*callers, trouble):
            thread.start()
        self.watch()
        for thread in (*callers, trouble):
            thread.join()

    # Callers

    def call_again_and_again(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311
        ways: tuple[Callable[[str], None], ...] = (self.native, self.base64, self.url, self.two, self.hang_up)
        turn = 0
        while time.monotonic() < self.end:
            turn += 1
            fault = dice.choice(FAULTS) if dice.random() < 0.1 else "none"
            prompt = f"{number}-{turn} fault={fault}"
            way = dice.choice(ways)
            began = time.monotonic()
            try:
                way(prompt)
            except (OSError, http.client.HTTPException) as error:
                self.explain(f"{way.__name__} {prompt}: {type(error).__name__}", fault, began)

    def explain(self, what: str, fault: str, began: float) -> None:
        """A broken transfer is right where the upstream broke, and where a worker was killed meanwhile."""
        if fault != "none":
            self.tally.count("cut, as the upstream was")
        elif any(began - 1 <= blow <= time.monotonic() for blow in self.blows):
            self.tally.count("cut, as a worker was killed")
        else:
            self.tally.complain(what)

    def ask(self, path: str, body: dict[str, object], key: str = "soak-key") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", "Connection": "close"}
        headers |= {"x-goog-api-key": key} if path == NATIVE else {"Authorization": f"Bearer {key}"}
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def native(self, prompt: str) -> None:
        status, body = self.ask(NATIVE, {"contents": [{"parts": [{"text": prompt}]}]})
        if self.is_picture(status, body, prompt):
            part = json.loads(body)["candidates"][0]["content"]["parts"][0]
            self.compare(base64.b64decode(part["inlineData"]["data"]), prompt)

    def base64(self, prompt: str) -> None:
        self.generation(prompt, response_format="b64_json")

    def url(self, prompt: str) -> None:
        self.generation(prompt, response_format="url")

    def two(self, prompt: str) -> None:
        self.generation(prompt, n=2)

    def generation(self, prompt: str, **wishes: object) -> None:
        status, body = self.ask(GENERATIONS, {"prompt": prompt, **wishes})
        if self.is_picture(status, body, prompt):
            for item in json.loads(body)["data"]:
                picture = base64.b64decode(item["b64_json"]) if "b64_json" in item else self.fetch(item["url"])
                self.compare(picture, prompt)

    def fetch(self, url: str) -> bytes:
        """A picture that was announced. It must be there; a worker that is killed while it is fetched is no loss."""
        for _ in range(5):
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request("GET", url[url.index("/images/") :], headers={"Connection": "close"})
                response = connection.getresponse()
                picture = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.explain(f"GET of a picture: {type(error).__name__}", "none", began)
                time.sleep(0.5)
                continue
            finally:
                connection.close()
            if response.status != 200:
                self.tally.complain(f"LOST: {url} is {response.status}")
            return picture
        return b""

    def hang_up(self, prompt: str) -> None:
        """Asks, and leaves in the middle."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                "POST", GENERATIONS, json.dumps({"prompt": prompt}), {"Authorization": "Bearer soak-key"}
            )
            time.sleep(0.02)
        finally:
            connection.close()
        self.tally.count("hung up")

    def is_picture(self, status: int, body: bytes, prompt: str) -> bool:
        """Whether there is a picture to compare; an error must be that of the fault that was asked for."""
        fault = prompt.partition("fault=")[2]
        if status == 200 and fault in ("none", "slow"):
            return True
        if status == 200 and b"candidates" in body[:200]:  # the window passes an odd answer as it is
            self.tally.count(f"native answer to {fault}")
        elif fault != "none" and status >= 400 and (b'"error"' in body or (fault, status) == ("html", 502)):
            self.tally.count(f"{status} for {fault}")
        else:
            self.tally.complain(f"{prompt}: {status} {body[:200]!r}; {self.upstream.account_of(prompt)}")
        return False

    def compare(self, picture: bytes, prompt: str) -> None:
        if not picture:
            return
        if hashlib.sha256(picture).digest() == hashlib.sha256(picture_of(prompt)).digest():
            self.tally.count("right picture")
        else:
            self.tally.complain(f"WRONG picture of {len(picture)} bytes for {prompt}")

    # Trouble from outside

    def make_trouble(self) -> None:
        """A worker is killed, the server is told to reload, in turns; then peace, in which nothing may grow."""
        blows = (self.kill_a_worker, self.reload)
        turn = 0
        while time.monotonic() + TROUBLE_SECONDS < self.peace:
            time.sleep(TROUBLE_SECONDS)
            blows[turn % len(blows)]()
            turn += 1

    def kill_a_worker(self) -> None:
        workers = [pid for pid in self.server.process.workers() if resident(pid)]
        if workers:
            self.blows.append(time.monotonic())
            os.kill(random.choice(workers), signal.SIGKILL)  # noqa: S311
            self.tally.count("workers killed")

    def reload(self) -> None:
        os.kill(self.server.process.pid, signal.SIGHUP)
        self.tally.count("reloads")

    # Watching

    def watch(self) -> None:
        told = time.monotonic()
        while time.monotonic() < self.end:
            time.sleep(LOOK_SECONDS)
            self.looks.append(self.look())
            if time.monotonic() - told >= 30:
                told = time.monotonic()
                self.tell(self.looks[-1])

    def look(self) -> Look:
        process = self.server.process
        memory = max(map(resident, process.workers()), default=0)
        pictures = sum(1 for _ in servers.store_of(self.folder).iterdir())
        return Look(time.monotonic() - self.started, memory, process.open_files(), pictures)

    def tell(self, look: Look) -> None:
        with self.tally.lock:
            right, odd = self.tally.counts["right picture"], self.tally.counts["UNEXPLAINED"]
            calls = sum(self.tally.counts.values())
        print(
            f"{look.seconds:5.0f} s  {calls} calls, {right} right pictures, {odd} unexplained; "
            f"{look.memory / 2**20:.0f} MiB in the largest worker, {look.files} descriptors, {look.pictures} pictures",
            flush=True,
        )

    def verdict(self) -> list[str]:
        """What speaks against the server; nothing if all is well."""
        faults = [f"unexplained: {one}" for one in self.tally.unexplained[:20]]
        calm = max(CALM_SECONDS, self.peace - self.started + SETTLED_SECONDS)
        later = [look for look in self.looks if look.seconds > calm]
        half = len(later) // 2
        if half:
            first, last = later[:half], later[half:]
            if typical(last, "memory") > typical(first, "memory") * GROWTH:
                faults.append(f"memory grew from {typical(first, 'memory')} to {typical(last, 'memory')} bytes")
            if typical(last, "files") > typical(first, "files") + FEW_FILES:
                faults.append(f"descriptors grew from {typical(first, 'files')} to {typical(last, 'files')}")
        if not self.tally.counts["right picture"]:
            faults.append("not one right picture")
        return faults + self.left_behind()

    def left_behind(self) -> list[str]:
        """When all callers are gone, nothing of them may remain."""
        time.sleep(SETTLED_SECONDS)
        faults = []
        unfinished = [path for path in servers.store_of(self.folder).glob("*.part") if not self.of_the_killed(path)]
        if unfinished:
            faults.append(f"{len(unfinished)} unfinished pictures were left")
        flying = in_flight(self.port)
        if flying:
            faults.append(f"{flying:.0f} calls are still counted as in flight")
        if self.upstream.connected() > CALLERS * 4:
            faults.append(f"{self.upstream.connected()} connections to the upstream are still open")
        return faults

    def of_the_killed(self, path: Path) -> bool:
        """Whether a killed worker may have left the file; the sweep takes it after an hour."""
        age = time.time() - path.stat().st_mtime
        return any(abs(time.monotonic() - age - blow) < 5 for blow in self.blows)


def typical(looks: list[Look], name: str) -> int:
    values = sorted(getattr(look, name) for look in looks)
    return int(values[len(values) // 2])


def in_flight(port: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
    finally:
        connection.close()
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("twinlens_in_flight"))


TRACEBACK = re.compile(r"^Traceback .*\n(?:[ \t].*\n|\n)*.*", re.MULTILINE)
SEVERE = re.compile(r"^.* (?:ERROR|CRITICAL) .*", re.MULTILINE)


def tracebacks(process: Process) -> list[str]:
    """What the server has written that it should never have to write."""
    text = process.log.read_text(errors="replace")
    return SEVERE.findall(text) + TRACEBACK.findall(text)


def main() -> int:
    """`python -m bench.soak [--seconds 600]`; 1 if anything was found."""
    end_in_order()
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="twinlens-soak-") as name, SoakUpstream() as upstream:
        folder = Path(name)
        settings = {"IMAGE_TTL_SECONDS": str(TTL), "UPSTREAM_TIMEOUT_SECONDS": "5"}
        with servers.twinlens(folder, upstream, **settings) as server:  # type: ignore[arg-type]
            soak = Soak(server, upstream, folder, options.seconds)
            soak.run()
            faults = soak.verdict()
            errors = [line for line in tracebacks(server.process) if "SIGKILL" not in line]
        faults += [f"the server logged: {line}" for line in errors[:10]]
        print("\n".join(f"{count:8}  {what}" for what, count in soak.tally.counts.most_common()))
    print("\n".join(["", *faults, "SOAK: " + ("FAILED" if faults else "passed")]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
