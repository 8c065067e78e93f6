"""Two services behind nginx share a bucket, and one is killed under load, as a machine that loses power.

Only its own calls fail; nothing is asked of Google twice; the other serves every picture that an answer named, whole.
"""

import base64
import os
import signal
import ssl
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import openai
import pytest
import requests
from google import genai
from google.genai import errors, types

from proxy.pictures.store import NAME
from tests.support import pictures
from tests.support.keys import new_key
from tests.support.nginx import Nginx, prepared, running_nginx
from tests.support.object_store import BUCKET, object_store
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, Call, ScriptedUpstream

CALLERS = 16
DYING = 1.0  # seconds until the last of its processes has ended
MANY = 16  # pictures before the kill, and after it
DRAWING = 0.25  # seconds that a picture takes
Result = str | bytes | tuple[int, str | None]  # a URL; or a picture; or a status, and whether to try again
Ask = Callable[[str], Result]
CUT = httpx2.HTTPError  # what the SDKs let through of a transfer that breaks
CUT_OFF = (200, None)  # what that looks like
PICTURES = [pictures.heavy_png(seed) for seed in range(3)]
DRAWN = [pictures.as_google_writes(pictures.drawn(pictures.picture_part(picture))) for picture in PICTURES]


def number_of(prompt: str) -> int:
    """Which picture is drawn for a prompt."""
    return zlib.crc32(prompt.encode()) % len(PICTURES)


def prompt_of(call: Call) -> str:
    return str(call.json["contents"][0]["parts"][-1]["text"])


@dataclass
class Pair:
    """Two services, distinguished by the path below which they call Google, and what is in front of and behind them."""

    one: ProxyServer
    other: ProxyServer
    nginx: Nginx
    google: ScriptedUpstream
    bucket: Path


@pytest.fixture
def pair(deploy: Path, tmp_path: Path) -> Iterator[Pair]:
    (tmp_path / "nginx").mkdir()
    with ScriptedUpstream() as google, object_store(tmp_path / "s3") as environment:
        google.answers(lambda call: Answer(DRAWN[number_of(prompt_of(call))], delay=DRAWING))
        shared = {**environment, "IMAGE_STORE_URL": f"s3://{BUCKET}/twinlens", "TRUSTED_PROXIES": "127.0.0.1"}
        with (
            ProxyServer(tmp_path / "one", GEMINI_BASE_URL=f"{google.url}/one", **shared) as one,
            ProxyServer(tmp_path / "other", GEMINI_BASE_URL=f"{google.url}/other", **shared) as other,
            running_nginx(prepared(deploy / "nginx.conf", tmp_path / "nginx", one.port, other.port)) as nginx,
        ):
            yield Pair(one, other, nginx, google, tmp_path / "s3" / BUCKET / "twinlens")


@dataclass(frozen=True)
class Failure:
    """A call that brought no picture: when it began and ended, and its status."""

    began: float
    ended: float
    status: int
    should_retry: str | None


@dataclass
class Load:
    """Callers who ask again as soon as they are answered, each in one of four ways."""

    nginx: Nginx
    urls: dict[str, str] = field(default_factory=dict)  # by prompt
    pictures: dict[str, bytes] = field(default_factory=dict)  # those that came in the answer
    failures: dict[str, Failure] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def wait_for_more(self, count: int, seconds: float = 20) -> None:
        """Returns when answers have named so many more pictures, and as many have come in answers."""
        wanted, end = len(self.urls) + count, time.monotonic() + seconds
        several = len(self.pictures) + count
        while len(self.urls) < wanted or len(self.pictures) < several:
            assert time.monotonic() < end, f"no {count} pictures in {seconds} s"
            time.sleep(0.02)

    def call(self, caller: int) -> None:
        """One caller's calls."""
        ways = (self.without_sdk, self.with_openais_sdk, self.as_base64, self.with_googles_sdk)
        ask = ways[caller % len(ways)]()
        for count in range(10_000):
            if self.over.is_set():
                return
            prompt, began = f"caller {caller}, picture {count}", time.monotonic()
            result = ask(prompt)
            if isinstance(result, bytes):
                self.pictures[prompt] = result
            elif isinstance(result, str):
                self.urls[prompt] = result
                if count % 3 == 0 and not self.is_served_at_last(prompt):
                    self.missing.append(prompt)
            else:
                self.failures[prompt] = Failure(began, time.monotonic(), *result)

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.nginx.authority)

    def openais_client(self) -> openai.OpenAI:
        """OpenAI's SDK, which is to try nothing again."""
        http_client = openai.DefaultHttpxClient(verify=self.context())
        return openai.OpenAI(base_url=f"{self.nginx.url}/v1", api_key=new_key(), max_retries=0, http_client=http_client)

    def with_openais_sdk(self) -> Ask:
        """How a prompt is asked with OpenAI's SDK."""
        client = self.openais_client()

        def ask(prompt: str) -> Result:
            try:
                return client.images.generate(prompt=prompt, response_format="url").data[0].url
            except openai.APIStatusError as error:
                return error.status_code, error.response.headers.get("x-should-retry")

        return ask

    def as_base64(self) -> Ask:
        """Asks OpenAI's SDK for a picture that is streamed, and may break off."""
        client = self.openais_client()

        def ask(prompt: str) -> Result:
            try:
                answer = client.images.generate(prompt=prompt, response_format="b64_json")
            except openai.APIStatusError as error:
                return error.status_code, error.response.headers.get("x-should-retry")
            except (openai.APIConnectionError, CUT):
                return CUT_OFF
            return base64.b64decode(answer.data[0].b64_json, validate=True)

        return ask

    def with_googles_sdk(self) -> Ask:
        """How a prompt is asked with Google's SDK, which tries nothing again. Its picture flows too."""
        options = types.HttpOptions(base_url=self.nginx.url, client_args={"verify": self.context()})
        client = genai.Client(api_key=new_key(), http_options=options)

        def ask(prompt: str) -> Result:
            try:
                answer = client.models.generate_content(model="gemini-2.5-flash-image", contents=prompt)
            except errors.APIError as error:
                return error.code, error.response.headers.get("x-should-retry")
            except CUT:
                return CUT_OFF
            return answer.parts[0].inline_data.data

        return ask

    def without_sdk(self) -> Ask:
        """How a prompt is asked without any SDK."""
        session, headers = requests.Session(), {"Authorization": f"Bearer {new_key()}"}
        url, verify = f"{self.nginx.url}/v1/images/generations", self.nginx.authority

        def ask(prompt: str) -> Result:
            body = {"prompt": prompt, "response_format": "url"}
            answer = session.post(url, json=body, headers=headers, verify=verify, timeout=20)
            if answer.status_code == 200:
                return answer.json()["data"][0]["url"]
            return answer.status_code, answer.headers.get("x-should-retry")

        return ask

    def is_served(self, prompt: str) -> bool:
        """Whether the picture that was named is there: the right one, and all of it."""
        answer = requests.get(self.urls[prompt], verify=self.nginx.authority, timeout=20)
        return answer.status_code == 200 and answer.content == PICTURES[number_of(prompt)]

    def is_served_at_last(self, prompt: str) -> bool:
        """The same, where a transfer that the kill has cut, and shows to be cut, is begun again."""
        try:
            return self.is_served(prompt)
        except requests.exceptions.ChunkedEncodingError:
            return self.is_served(prompt)


def kill(server: ProxyServer) -> float:
    """Ends all of its processes at once; says when."""
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    return time.monotonic()


def test_only_calls_of_the_machine_that_dies_fail(pair: Pair):
    load = Load(pair.nginx)
    with ThreadPoolExecutor(CALLERS) as threads:
        calls = [threads.submit(load.call, caller) for caller in range(CALLERS)]
        load.wait_for_more(MANY)
        killed = kill(pair.one)
        load.wait_for_more(MANY)
        load.over.set()
        for call in calls:
            call.result()
        sent = {prompt_of(call): call.target.split("/")[1] for call in pair.google.calls}
        times = Counter(prompt_of(call) for call in pair.google.calls)
        seconds = [failure.ended - killed for failure in load.failures.values()]
        assert 0 < len(load.failures) <= CALLERS, load.failures

        # What fails was in flight on the one that died, ended with it, and is not to be repeated.
        assert {sent.get(prompt, "one") for prompt in load.failures} == {"one"}
        assert max(failure.began for failure in load.failures.values()) < killed + DYING
        assert -DYING < min(seconds) <= max(seconds) < 2 * DYING, seconds
        outcomes = {(failure.status, failure.should_retry) for failure in load.failures.values()}
        assert (502, "false") in outcomes
        assert outcomes <= {(502, "false"), CUT_OFF}, "a picture that flowed is cut, and nothing else"

        # No call was paid for twice, whether it failed or not.
        assert set(times.values()) == {1}
        drawn = load.urls.keys() | load.pictures.keys()
        assert times.keys() == drawn | (load.failures.keys() & times.keys())
        assert {sent[prompt] for prompt in load.urls} == {sent[prompt] for prompt in load.pictures} == {"one", "other"}

        # Every picture that came in an answer came whole.
        assert all(picture == PICTURES[number_of(prompt)] for prompt, picture in load.pictures.items())

        # Every picture that was named is there, from the other one, and none is there in part.
        assert not load.missing
        assert all(threads.map(load.is_served, load.urls))
        for path in pair.bucket.iterdir():
            served = requests.get(f"{pair.other.url}/images/{path.name}", timeout=10)
            assert NAME.fullmatch(path.name) and served.status_code == 200
            assert served.content in PICTURES, f"{path.name} is half a picture"
