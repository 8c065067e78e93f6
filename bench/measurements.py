"""What is measured: CPU of whole process trees per answer, memory, waiting callers, latency, growth."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import load, pictures, servers
from bench.load import Load, Request
from bench.processes import PeakMemory, Process
from bench.servers import PLAIN, TUNED, Server

CALLERS = 64
PAYING = 16  # callers, with a budget and without
EDITORS = 8  # callers that each send a picture of 4 MB
PICTURE = 1.4  # MB
EDITED = 4  # MB
DELAY = 5  # seconds until the waiting upstream answers
SIZES = (0.2, 1.4, 8)
CALLER_COUNTS = (10, 100, 1000)
MILLI = 1000
WARMING_SECONDS = 1
SETTLE_SECONDS = 15
QUIET_SECONDS = 0.3
CROWD_SECONDS = 30  # longer than it takes to answer all callers of a crowd once
BEFORE = ", before"


@dataclass(frozen=True)
class Plan:
    """How long and how often to measure."""

    folder: Path
    rounds: int
    seconds: float  # of one burst
    held_callers: int
    held_seconds: int
    with_litellm: bool
    before: Path | None = None  # another checkout, to be measured in turns with this one


@dataclass(frozen=True)
class Contender:
    """A server, the request that it gets, and its name in the tables."""

    name: str
    server: Server
    request: Request
    callers: int = CALLERS


@dataclass(frozen=True)
class Burst:
    """The cost of a burst of load."""

    load: Load
    cpu: float  # milliseconds per answer, of the whole process tree
    peak: int  # bytes


@dataclass(frozen=True)
class Held:
    """The answers that waiting callers got."""

    load: Load
    possible: int
    peak: int

    @property
    def share(self) -> float:
        return self.load.answers / self.possible


def burst(contender: Contender, folder: Path, callers: int, seconds: float) -> Burst:
    """Load for some seconds, after a second that is not counted, to warm up. Exits if a caller gets an error."""
    process = contender.server.process
    load.drive(contender.server.url, contender.request, folder, callers, WARMING_SECONDS)
    settle(process)
    before = process.cpu_seconds()
    with PeakMemory(process) as memory:
        done = load.drive(contender.server.url, contender.request, folder, callers, seconds)
        cpu = process.cpu_seconds() - before  # without what becomes of the answers that the callers left at the end
    servers.empty_store(folder)
    if done.errors or not done.answers:
        raise SystemExit(f"{contender.name}: {done}\n{process.log.read_text(errors='replace')[-2000:]}")
    return Burst(done, cpu / done.answers * MILLI, memory.most)


def settle(process: Process) -> None:
    """Wait until a server is done with the callers of the previous burst, which hung up during an answer."""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end:
        before = process.cpu_seconds()
        time.sleep(QUIET_SECONDS)
        if process.cpu_seconds() - before <= QUIET_SECONDS / 10:
            return


def surfaces(server: Server) -> list[Contender]:
    """The three ways in which our server delivers a picture."""
    requests = (load.native(), load.generation("b64_json"), load.generation("url"))
    return [Contender(request.name, server, request) for request in requests]


def cpu_by_round(plan: Plan) -> dict[str, list[Burst]]:
    """Every contender in turns, round after round; the first round is not counted."""
    with contenders(plan) as compared:
        return by_round(compared, plan)


def chat_by_round(plan: Plan) -> dict[str, list[Burst]]:
    """Chats beside `b64_json` of the same server, in turns: whole, as a stream, and with the picture by its URL."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    requests = (
        load.generation("b64_json"),
        load.chat("chat"),
        load.chat("chat, streamed", stream=True),
        load.chat("chat, Markdown", image_output="markdown"),
    )
    with servers.instant_upstream(plan.folder, answer) as upstream, servers.twinlens(plan.folder, upstream) as ours:
        check(Contender("chat", ours, load.chat("chat")), pictures.png(PICTURE))
        return by_round([Contender(request.name, ours, request) for request in requests], plan)


def by_round(ways: list[Contender], plan: Plan) -> dict[str, list[Burst]]:
    results: dict[str, list[Burst]] = {}
    for number in range(plan.rounds + 1):
        for contender in ways:
            one = burst(contender, plan.folder, contender.callers, plan.seconds)
            if number:
                results.setdefault(contender.name, []).append(one)
    return results


def cpu_of_keys(plan: Plan) -> dict[str, list[Burst]]:
    """Answers to requests with an idempotency key, and to those without, in turns."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    with (
        servers.instant_upstream(plan.folder, answer) as upstream,
        servers.twinlens(plan.folder, upstream) as ours,
    ):
        ways = [Contender(request.name, ours, request) for request in (load.generation("b64_json"), load.keyed())]
        return by_round(ways, plan)


def cpu_before(plan: Plan) -> dict[str, list[Burst]]:
    """The same of this checkout and of another one, in turns."""
    assert plan.before
    answer = pictures.write_answer(plan.folder, PICTURE)
    form = load.edit(*pictures.edit_form(pictures.png(EDITED, seed=1)))
    with ExitStack() as stack:
        instant = stack.enter_context(servers.instant_upstream(plan.folder, answer))
        reading = stack.enter_context(servers.waiting_upstream(plan.folder, answer, 0))
        ways: list[Contender] = []
        for name, project in (("", servers.PROJECT), (BEFORE, plan.before)):
            plain, reads = (
                stack.enter_context(servers.twinlens(plan.folder, upstream, project=project))
                for upstream in (instant, reading)
            )
            ways += [Contender(one.name + name, one.server, one.request) for one in surfaces(plain)]
            ways.append(Contender("edit" + name, reads, form, EDITORS))
        half = len(ways) // 2
        return by_round([way for pair in zip(ways[:half], ways[half:], strict=True) for way in pair], plan)


def cpu_through_tls(plan: Plan) -> dict[str, list[Burst]]:
    """The same with an upstream that answers as Google's servers do: over TLS and in chunks."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    with (
        servers.secure_upstream(plan.folder, answer) as upstream,
        servers.reverse_proxy(plan.folder, upstream, PLAIN) as proxy,
        servers.reverse_proxy(plan.folder, upstream, TUNED) as tuned,
        servers.twinlens(plan.folder, upstream, REQUESTS_CA_BUNDLE=str(servers.certificate_of(plan.folder))) as ours,
    ):
        ways = [Contender("nginx", proxy, load.native()), Contender("nginx, tuned", tuned, load.native())]
        for contender in surfaces(ours):
            check(contender, pictures.png(PICTURE))
            ways.append(contender)
        return by_round(ways, plan)


def cpu_of_budgets(plan: Plan) -> dict[str, list[Burst]]:
    """Callers with the upstream's keys, and with keys of ours that have a budget, in turns."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    with (
        servers.instant_upstream(plan.folder, answer) as upstream,
        servers.twinlens(plan.folder, upstream) as ours,
        servers.twinlens_with_keys(plan.folder, upstream) as (with_keys, key),
    ):
        ways = []
        for request, paid in (
            (load.native(), load.native(key)),
            (load.generation("b64_json"), load.generation("b64_json", key)),
        ):
            ways.append(Contender(request.name, ours, request, PAYING))
            ways.append(Contender(f"{request.name}, paid", with_keys, paid, PAYING))
        for contender in ways:
            check(contender, pictures.png(PICTURE))
        return by_round(ways, plan)


@contextmanager
def contenders(plan: Plan) -> Iterator[list[Contender]]:
    """All servers that are compared. They run side by side; only one is under load at a time."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    openai_answer = pictures.write_answer(plan.folder, PICTURE, pictures.openai_answer)
    form = load.edit(*pictures.edit_form(pictures.png(EDITED, seed=1)))
    with ExitStack() as stack:

        def start(context):  # type: ignore[no-untyped-def]
            return stack.enter_context(context)

        instant = start(servers.instant_upstream(plan.folder, answer))
        reading = start(servers.waiting_upstream(plan.folder, answer, 0))  # reads the whole request before it answers
        ours = start(servers.twinlens(plan.folder, instant))
        ours_reading = start(servers.twinlens(plan.folder, reading))
        openai_upstream = start(servers.instant_upstream(plan.folder, openai_answer))
        ours_with_openai = start(servers.twinlens_with_openai_upstream(plan.folder, openai_upstream))
        found = [
            Contender("nginx", start(servers.reverse_proxy(plan.folder, instant, PLAIN)), load.native()),
            Contender("nginx, tuned", start(servers.reverse_proxy(plan.folder, instant, TUNED)), load.native()),
            *surfaces(ours),
            Contender("nginx, edit", start(servers.reverse_proxy(plan.folder, reading, PLAIN)), form, EDITORS),
            Contender("nginx, edit, tuned", start(servers.reverse_proxy(plan.folder, reading, TUNED)), form, EDITORS),
            Contender("edit", ours_reading, form, EDITORS),
            Contender("native, by OpenAI", ours_with_openai, load.native()),
            Contender("b64_json, by OpenAI", ours_with_openai, load.generation("b64_json")),
        ]
        if plan.with_litellm:
            request = load.generation("b64_json", key=servers.LITELLM_KEY)
            found.append(Contender("LiteLLM", start(servers.litellm(plan.folder, instant)), request))
        for contender in found:
            if "nginx" not in contender.name and contender.name != "edit":
                check(contender, pictures.png(PICTURE))
        yield found


def check(contender: Contender, picture: bytes) -> None:
    """Exits unless the picture of one answer is the upstream's, bit by bit."""
    sent = contender.request
    request = urllib.request.Request(  # noqa: S310
        contender.server.url + sent.path, sent.body, dict(sent.headers), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        body = json.load(response)
    if "candidates" in body:
        data = base64.b64decode(body["candidates"][0]["content"]["parts"][0]["inlineData"]["data"])
    elif "choices" in body:
        data = base64.b64decode(body["choices"][0]["message"]["images"][0]["image_url"]["url"].partition(",")[2])
    elif body["data"][0].get("url"):
        data = urllib.request.urlopen(body["data"][0]["url"], timeout=30).read()  # noqa: S310
    else:
        data = base64.b64decode(body["data"][0]["b64_json"])
    if hashlib.sha256(data).digest() != hashlib.sha256(picture).digest():
        raise SystemExit(f"{contender.name} delivers a picture that is not the upstream's")


def latency(plan: Plan) -> dict[str, float]:
    """The median latency of one caller in milliseconds, by contender."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    latencies: dict[str, list[float]] = {}
    with (
        servers.instant_upstream(plan.folder, answer) as upstream,
        servers.reverse_proxy(plan.folder, upstream) as proxy,
        servers.twinlens(plan.folder, upstream) as ours,
    ):
        ways = [Contender("direct", upstream, load.native()), Contender("nginx", proxy, load.native()), *surfaces(ours)]
        for number in range(plan.rounds + 1):
            for way in ways:
                one = burst(way, plan.folder, 1, plan.seconds)
                if number:
                    latencies.setdefault(way.name, []).append(one.load.p50)
    return {name: median(times) for name, times in latencies.items()}


def growth_with_bytes(plan: Plan) -> dict[str, list[float]]:
    """Milliseconds of CPU per answer for each size."""
    results: dict[str, list[float]] = {}
    for size in SIZES:
        answer = pictures.write_answer(plan.folder, size)
        with (
            servers.instant_upstream(plan.folder, answer) as upstream,
            servers.reverse_proxy(plan.folder, upstream, TUNED) as proxy,
            servers.twinlens(plan.folder, upstream) as ours,
        ):
            for contender in (Contender("nginx, tuned", proxy, load.native()), *surfaces(ours)):
                burst(contender, plan.folder, 10, 1)
                done = [burst(contender, plan.folder, 10, plan.seconds).cpu for _ in range(plan.rounds)]
                results.setdefault(contender.name, []).append(median(done))
    return results


def growth_with_callers(plan: Plan) -> dict[str, list[float]]:
    """Milliseconds of CPU per answer for each number of callers."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    results: dict[str, list[float]] = {}
    with (
        servers.instant_upstream(plan.folder, answer) as upstream,
        servers.reverse_proxy(plan.folder, upstream, PLAIN) as proxy,
        servers.twinlens(plan.folder, upstream) as ours,
    ):
        for contender in (Contender("nginx", proxy, load.native()), *surfaces(ours)):
            for callers in CALLER_COUNTS:
                # Many callers need a longer burst: answers that are unfinished at its end have a cost too.
                done = [
                    burst(contender, plan.folder, callers, max(plan.seconds, callers / 100)).cpu
                    for _ in range(min(plan.rounds, 3))
                ]
                results.setdefault(contender.name, []).append(median(done))
    return results


def held(plan: Plan) -> dict[str, Held]:
    """Many callers that each wait for a slow upstream."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    results = {}
    with servers.waiting_upstream(plan.folder, answer, DELAY) as upstream:
        for request in (load.native(), load.generation("b64_json"), load.generation("url")):
            with servers.twinlens(plan.folder, upstream) as ours, pictures_removed(plan.folder):
                results[request.name] = hold(plan, ours, request)
        if plan.with_litellm:
            with servers.litellm(plan.folder, upstream) as other:
                results["LiteLLM"] = hold(plan, other, load.generation("b64_json", key=servers.LITELLM_KEY))
    return results


def answered_at_once(plan: Plan) -> dict[str, Held]:
    """Many callers that wait for their answers, which all come at the same moment, again and again."""
    answer = pictures.write_answer(plan.folder, PICTURE)
    results = {}
    callers = plan.held_callers
    with servers.waiting_upstream(plan.folder, answer, 0, together=callers) as upstream:
        for request in (load.native(), load.generation("b64_json"), load.generation("url")):
            with servers.twinlens(plan.folder, upstream) as ours, pictures_removed(plan.folder):
                with PeakMemory(ours.process) as memory:
                    done = load.drive(ours.url, request, plan.folder, callers, CROWD_SECONDS)
                results[request.name] = Held(done, callers, memory.most)
    return results


def hold(plan: Plan, server: Server, request: Request) -> Held:
    """Many callers for a while, and what they got."""
    with PeakMemory(server.process) as memory:
        done = load.drive(server.url, request, plan.folder, plan.held_callers, plan.held_seconds)
    return Held(done, plan.held_callers * (plan.held_seconds // DELAY - 1), memory.most)


@contextmanager
def pictures_removed(folder: Path) -> Iterator[None]:
    """Remove complete pictures from the store until the block ends."""
    over = threading.Event()

    def remove() -> None:
        while not over.wait(0.5):
            for picture in servers.store_of(folder).glob("*.png"):
                picture.unlink(missing_ok=True)

    thread = threading.Thread(target=remove, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        servers.empty_store(folder)
