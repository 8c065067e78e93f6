"""One call and several at once, with an upstream in this process that waits as greenlets do."""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.socket
import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from compat.errors import ApiError, ErrorKind
from compat.image_models import Api, ModelCatalogue, ServedModel
from compat.images import Event, Failure, Finish, ImageData, ImageEnd, ImageRequest, ImageStart, Silence, Text, encoded
from compat.openai_images.error import OPENAI
from proxy.generation.generation import generate
from proxy.generation.languages import LANGUAGES
from proxy.generation.target import Target
from proxy.greenlets import CallerGone, InterruptingLimit, Threads, interrupt_when_gone, run_in_thread, time_limit
from proxy.limits import MIB
from proxy.pictures.spool import SpoolMemory
from proxy.upstream.client import Upstream
from tests.support.gemini_answers import (
    DRAWN,
    PICTURE,
    PICTURE_BASE64,
    answer,
    as_bytes,
    error,
    picture_part,
    png,
    quota_detail,
    retry_detail,
)
from tests.support.upstream import http, slowly, upstream_that

KEY = "AIzaSy-a-key-that-nobody-may-see"


class Body(io.RawIOBase):
    """A body whose pieces come with pauses; an exception among them is raised."""

    def __init__(self, pieces: list[bytes | float | BaseException]):
        self.pieces = pieces
        self.closings = 0

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        while self.pieces:
            piece = self.pieces.pop(0)
            if isinstance(piece, BaseException):
                raise piece
            if isinstance(piece, bytes):
                return piece
            gevent.sleep(piece)
        return b""

    read = read1

    def close(self) -> None:
        self.closings += 1
        super().close()


class Scene:
    """What the upstream does with one call: it waits, fails, or answers with a body."""

    def __init__(self, *pieces: Any, status: int = 200, wait: float = 0, trouble: BaseException | None = None):
        self.body = Body([as_bytes(piece) if isinstance(piece, dict) else piece for piece in pieces])
        self.status = status
        self.wait = wait
        self.trouble = trouble


class Stage(BaseAdapter):
    """An upstream in this process: one scene per call; the last one is repeated."""

    def __init__(self, *scenes: Scene | Callable[[], Scene]):
        super().__init__()
        self.scenes = list(scenes)
        self.requests: list[requests.PreparedRequest] = []
        self.played: list[Scene] = []

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        self.requests.append(request)
        scene = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
        scene = scene() if callable(scene) else scene
        self.played.append(scene)
        gevent.sleep(scene.wait)
        if scene.trouble:
            raise scene.trouble
        response = requests.Response()
        response.status_code = scene.status
        response.headers["Content-Type"] = "application/json; charset=UTF-8"
        response.raw = HTTPResponse(body=scene.body, status=scene.status, preload_content=False)
        return response

    def close(self) -> None:
        """Nothing is open."""


def drawing(stage: Stage, count: int = 1, *, model: ServedModel | None = None, **options: Any) -> Iterator[Event]:
    """The events of so many pictures from this upstream."""
    upstream = Upstream("http://gemini.invalid/v1beta", timeout=5, max_answer_bytes=10**7, connections=10)
    upstream.session.mount("http://gemini.invalid", stage)
    image_request = ImageRequest("a cat", count=count)
    target = Target(upstream, model or ModelCatalogue().resolve(None), KEY, OPENAI)
    return generate(target, image_request, SpoolMemory(MIB), **options)


def error_of(stage: Stage, count: int = 1) -> ApiError:
    """The error of drawing so many pictures."""
    with pytest.raises(ApiError) as caught:
        list(drawing(stage, count))
    return caught.value


def widths(events: list[Event]) -> list[int]:
    """The widths of the pictures of an answer."""
    return [event.width for event in events if isinstance(event, ImageStart)]


def failures(events: list[Event]) -> list[ErrorKind]:
    """The errors among the events."""
    return [event.error.kind for event in events if isinstance(event, Failure)]


def of_width(width: int, wait: float = 0) -> Scene:
    """An answer with a picture of this width."""
    return Scene(answer(picture_part(png(width, 1))), wait=wait)


@pytest.fixture(autouse=True)
def no_test_hangs() -> Iterator[None]:
    """A test that hangs fails."""
    with gevent.Timeout(2, AssertionError("two seconds are over")):
        yield


# One picture


def test_one_picture_is_one_call_and_flows_as_it_comes():
    stage = Stage(Scene(answer({"text": "Here: "}, picture_part(PICTURE))))
    start, data, end, finish = [event for event in drawing(stage) if not isinstance(event, Text)]
    assert (start, end) == (ImageStart("image/png", 4, 3), ImageEnd())
    assert isinstance(data, ImageData) and b"".join(encoded(data.data)) == PICTURE_BASE64.encode()
    assert isinstance(finish, Finish) and finish.finish_reason == "STOP"
    [request] = stage.requests
    assert str(request.url).endswith("/v1beta/models/gemini-2.5-flash-image:generateContent")
    assert json.loads(b"".join(request.body or ()))["contents"][0]["parts"] == [{"text": "a cat"}]


def test_no_call_is_made_before_events_are_read():
    stage = Stage(Scene(DRAWN))
    for count in (1, 3):
        drawing(stage, count).close()
    assert not stage.requests


def test_nothing_of_a_picture_comes_before_it_is_whole():
    whole = as_bytes(answer(picture_part(png(weight=5000))))
    stage = Stage(Scene(whole[:3000], ConnectionResetError("broken in the middle")))
    with pytest.raises(ApiError) as caught:
        next(drawing(stage))
    assert caught.value.kind is ErrorKind.UPSTREAM_BROKEN


def test_an_error_of_the_upstream_keeps_its_kind():
    assert error_of(Stage(Scene(error(503, "UNAVAILABLE", "Busy."), status=503))).kind is ErrorKind.UPSTREAM_UNAVAILABLE


def test_an_error_does_not_repeat_the_key():
    failure = error_of(Stage(Scene(error(403, "PERMISSION_DENIED", f"The key {KEY} of {KEY} is denied."), status=403)))
    assert failure.message == "The key [key] of [key] is denied."


@pytest.mark.parametrize("count", [1, 2])
def test_the_text_of_the_model_does_not_repeat_the_key_either(count: int):
    assert KEY not in error_of(Stage(lambda: Scene(answer({"text": f"your key is {KEY}"}))), count).message


def test_a_failure_among_pictures_does_not_repeat_the_key():
    denied = Scene(error(403, "PERMISSION_DENIED", f"The key {KEY} is denied."), status=403)
    [failure] = [event for event in drawing(Stage(of_width(1), denied), 2) if isinstance(event, Failure)]
    assert KEY not in failure.error.message


def test_the_error_about_a_retired_model_names_the_setting():
    gone = Scene(error(404, "NOT_FOUND", "models/x is not found."), status=404)
    assert "UPSTREAM_MODELS=gemini-2.5-flash-image=" in error_of(Stage(gone)).message


@pytest.mark.parametrize("end", ["whole", "error", "killed"])
def test_an_answer_is_closed_however_it_ends(end: str):
    whole = as_bytes(answer(picture_part(png(weight=5000))))
    scene = {"whole": Scene(whole), "error": Scene(b"{}", status=500), "killed": Scene(whole[:3000], 9.0)}[end]
    caller = gevent.spawn(lambda: list(drawing(Stage(scene))))
    caller.join(0.2)
    caller.kill()
    assert scene.body.closings


# Several pictures


def seeds_of(upstream_name: str, seed: int | None, count: int) -> list[int | None]:
    """The seeds of the calls for so many pictures."""
    model = ModelCatalogue(built_in=[upstream_name]).resolve(None)
    calls = LANGUAGES[Api.GEMINI].write(ImageRequest("a cat", count=count, seed=seed, temperature=1), model, False)
    return [json.loads(b"".join(call.body))["generationConfig"].get("seed") for call in calls]


def test_every_picture_has_a_seed_of_its_own():
    assert seeds_of("gemini-2.5-flash-image", 7, 3) == [7, 8, 9]
    assert seeds_of("gemini-2.5-flash-image", 2**31 - 1, 2) == [2**31 - 1, -(2**31)]
    assert seeds_of("gemini-2.5-flash-image", -1, 2) == [-1, 0]
    assert seeds_of("gemini-2.5-flash-image", 7, 1) == [7]
    assert seeds_of("gemini-2.5-flash-image", None, 2) == [None, None]
    assert seeds_of("gemini-nano-banana-2.1", 7, 2) == [None, None]


def test_several_pictures_are_calls_at_once():
    started = time.monotonic()
    events = list(drawing(Stage(lambda: Scene(DRAWN, wait=0.3)), 4))
    assert len(widths(events)) == 4
    assert time.monotonic() - started < 0.9, "four calls of 0.3 s one after another take 1.2 s"


def test_pictures_come_in_the_order_in_which_they_arrive():
    stage = Stage(of_width(3, wait=0.3), of_width(1, wait=0.1), of_width(2, wait=0.2))
    assert widths(list(drawing(stage, 3))) == [1, 2, 3]


def test_a_picture_comes_as_soon_as_it_is_whole_and_not_when_all_are():
    events = drawing(Stage(of_width(1), of_width(2, wait=1.5)), 2)
    started = time.monotonic()
    assert next(events) == ImageStart("image/png", 1, 1)
    assert time.monotonic() - started < 1
    events.close()


def test_the_events_of_several_answers_do_not_mix():
    whole = [as_bytes(answer(picture_part(png(width, 1, weight=500)))) for width in (1, 2)]
    stage = Stage(*(Scene(one[:400], 0.05, one[400:700], 0.05, one[700:]) for one in whole))
    events = list(drawing(stage, 2))
    assert [type(event) for event in events if not isinstance(event, ImageData)] == [ImageStart, ImageEnd, Finish] * 2


def test_a_failure_comes_last_and_the_other_pictures_are_kept():
    failed = Scene(error(429, "RESOURCE_EXHAUSTED", "Slow down."), status=429)
    events = list(drawing(Stage(failed, of_width(1, wait=0.1), of_width(2, wait=0.2)), 3))
    assert widths(events) == [1, 2]
    assert failures(events) == [ErrorKind.RATE_LIMITED]
    assert isinstance(events[-1], Failure)


@pytest.mark.parametrize(
    "trouble",
    [
        Scene(as_bytes(DRAWN)[:100]),
        Scene(b"<html>"),
        Scene(trouble=requests.ConnectionError("reset")),
        Scene(trouble=requests.ReadTimeout("late")),
        Scene(answer({"text": "no"}, reason="IMAGE_SAFETY")),
        Scene(trouble=RuntimeError("a fault of ours")),
        Scene(as_bytes(DRAWN)[:100], ConnectionResetError("in the middle")),
    ],
    ids=["cut", "html", "no connection", "late", "refused", "a fault of ours", "reset"],
)
def test_whatever_the_error_of_one_call_the_other_picture_is_kept(trouble: Scene):
    events = list(drawing(Stage(trouble, of_width(1, wait=0.05)), 2))
    assert widths(events) == [1]
    assert len(failures(events)) == 1


def test_a_whole_picture_is_kept_although_its_answer_breaks_off_later():
    events = list(drawing(Stage(Scene(as_bytes(DRAWN)[:-40]), of_width(1, wait=0.05)), 2))
    assert widths(events) == [4, 1]
    assert failures(events) == [ErrorKind.UPSTREAM_BROKEN]


def test_when_all_fail_the_error_that_forbids_a_retry_is_raised():
    busy = Scene(error(503, "UNAVAILABLE", "Busy."), status=503)
    spent = Scene(error(429, "RESOURCE_EXHAUSTED", "Spent.", [quota_detail("RequestsPerDay")]), status=429, wait=0.1)
    failure = error_of(Stage(busy, spent), 2)
    assert (failure.kind, failure.may_repeat) == (ErrorKind.QUOTA_EXHAUSTED, False)


def test_when_all_fail_alike_the_first_error_is_raised():
    slow_down = Scene(error(429, "RESOURCE_EXHAUSTED", "Later.", [retry_detail("7s")]), status=429)
    failure = error_of(Stage(slow_down, Scene(error(503, "UNAVAILABLE", "Busy."), status=503, wait=0.1)), 2)
    assert (failure.kind, failure.retry_after) == (ErrorKind.RATE_LIMITED, 7)


@pytest.mark.parametrize("trouble", [gevent.Timeout(1), gevent.GreenletExit()], ids=["a timeout", "a kill"])
def test_a_call_that_ends_without_an_outcome_does_not_keep_the_others_waiting(trouble: BaseException):
    events = list(drawing(Stage(Scene(trouble=trouble), of_width(1, wait=0.05)), 2))
    assert widths(events) == [1]
    assert len(failures(events)) == 1


def test_closing_the_events_ends_the_running_calls():
    stage = Stage(of_width(1), *(Scene(as_bytes(DRAWN)[:50], 9.0) for _ in range(3)))
    events = drawing(stage, 4)
    next(events)
    assert [scene.body.closings for scene in stage.played[1:]] == [0, 0, 0]
    events.close()
    gevent.sleep(0.05)
    assert all(scene.body.closings for scene in stage.played)


def test_calls_that_have_not_begun_are_not_made_after_closing():
    stage = Stage(lambda: Scene(DRAWN))
    events = drawing(stage, 3, silence=0.0)
    next(events)
    events.close()
    gevent.sleep(0.05)
    assert len(stage.requests) in (0, 3)
    assert all(scene.body.closings for scene in stage.played)


# Drafts and silence

DRAFT_MODEL = ModelCatalogue(upstream_models={"gemini-2.5-flash-image": "gemini-3.1-flash-image"}).resolve(None)


@pytest.mark.parametrize("flag_first", [True, False], ids=["flag first", "flag last"])
@pytest.mark.parametrize("count", [1, 2])
def test_drafts_of_a_model_that_draws_them_are_dropped(flag_first: bool, count: int):
    draft = picture_part(png(9, 9), thought=True)
    if flag_first:
        draft = dict(reversed(draft.items()))
    stage = Stage(
        lambda: Scene(answer({"text": "hm", "thought": True}, draft, {"text": "so: "}, picture_part(PICTURE)))
    )
    events = list(drawing(stage, count, model=DRAFT_MODEL))
    assert widths(events) == [4] * count
    assert not any(isinstance(event, ImageEnd) and event.draft for event in events)
    assert sum(isinstance(event, Text) for event in events) == count


def test_an_answer_with_a_draft_only_has_no_picture():
    with pytest.raises(ApiError) as caught:
        list(drawing(Stage(Scene(answer(picture_part(PICTURE, thought=True)))), model=DRAFT_MODEL))
    assert caught.value.kind is ErrorKind.NO_IMAGE


@pytest.mark.parametrize("count", [1, 2])
def test_a_silence_comes_while_nothing_happens(count: int):
    events = list(drawing(Stage(lambda: Scene(DRAWN, wait=0.35)), count, silence=0.1))
    silences = [isinstance(event, Silence) for event in events]
    assert silences[:3] == [True] * 3, "0.35 s hold three silences of 0.1 s"
    assert not any(silences[4:])
    assert len(widths(events)) == count


def test_a_silence_comes_between_pictures_too():
    events = list(drawing(Stage(of_width(1), of_width(2, wait=0.25)), 2, silence=0.1))
    assert isinstance(events[0], ImageStart)
    assert any(isinstance(event, Silence) for event in events)
    assert widths(events) == [1, 2]


def test_there_is_no_silence_unless_it_is_requested():
    assert not any(isinstance(event, Silence) for event in drawing(Stage(lambda: Scene(DRAWN, wait=0.1)), 2))


# Real sockets, in a process whose sockets wait as greenlets

SCRIPT = """
from gevent import monkey; monkey.patch_all()
import json, sys, time
from compat.image_models import ModelCatalogue
from compat.images import ImageRequest, ImageStart
from compat.openai_images.error import OPENAI
from proxy.generation.generation import generate
from proxy.generation.target import Target
from proxy.pictures.spool import SpoolMemory
from proxy.upstream.client import Upstream

upstream = Upstream(sys.argv[1] + "/v1beta", timeout=5, max_answer_bytes=10**7, connections=10)
started = time.monotonic()
target = Target(upstream, ModelCatalogue().resolve(None), "a-key", OPENAI)
events = list(generate(target, ImageRequest("a cat", count=4), SpoolMemory(2**26)))
print(json.dumps([time.monotonic() - started, sum(isinstance(event, ImageStart) for event in events)]))
"""


def test_four_pictures_over_real_sockets_take_as_long_as_one(project: Any):
    with upstream_that(slowly(http(as_bytes(DRAWN)), pause=0.3)) as upstream:
        printed = subprocess.run(
            [sys.executable, "-c", SCRIPT, upstream.url], cwd=project, capture_output=True, text=True, timeout=20
        )
    assert printed.returncode == 0, printed.stderr
    took, pictures = json.loads(printed.stdout)
    assert (pictures, len(upstream.calls)) == (4, 4)
    assert 0.3 <= took < 0.9


# Threads, and callers that hang up


def test_what_runs_in_a_thread_leaves_the_others_running():
    ticks: list[int] = []
    ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.02) or 1) for _ in range(5)])
    assert run_in_thread(lambda seconds: (time.sleep(seconds), "done")[1], 0.3) == "done"
    ticker.kill()
    assert len(ticks) == 5


def test_what_is_raised_in_a_thread_is_raised_here_and_not_printed(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ZeroDivisionError):
        run_in_thread(lambda: 1 // 0)
    assert capfd.readouterr().err == ""


def test_a_thread_pool_has_a_time_limit_and_does_not_block_the_other():
    threads, held, started = Threads(2, 0.3), threading.Event(), time.monotonic()
    waiting = [gevent.spawn(threads.run, held.wait, 5) for _ in range(4)]
    gevent.sleep(0.1)
    assert run_in_thread(lambda: "at once") == "at once"
    assert time.monotonic() - started < 0.2
    gevent.joinall(waiting)
    assert [type(one.exception) for one in waiting] == [TimeoutError] * 4
    assert time.monotonic() - started < 1
    held.set()
    assert threads.run(lambda: "again") == "again"


class Wait:
    """A greenlet that waits for an answer while a caller may hang up."""

    def __init__(self) -> None:
        self.caller, self.ours = gevent.socket.socketpair()
        self.stop: Callable[[], None] | None = None
        self.greenlet = gevent.spawn(self.run)
        gevent.sleep(0.02)

    def run(self) -> str:
        self.stop = interrupt_when_gone(self.ours)
        try:
            gevent.sleep(0.2)
        except CallerGone:
            return "CallerGone"
        return "answered"


@pytest.mark.parametrize("how", [gevent.socket.SHUT_WR, gevent.socket.SHUT_RDWR, None], ids=["half", "both", "close"])
def test_a_caller_that_hangs_up_interrupts_at_once(how: int | None):
    wait = Wait()
    started = time.monotonic()
    if how is None:
        wait.caller.close()
    else:
        wait.caller.shutdown(how)
    assert wait.greenlet.get(timeout=1) == "CallerGone"
    assert time.monotonic() - started < 0.15


def test_a_caller_that_stays_does_not_interrupt():
    assert Wait().greenlet.get(timeout=1) == "answered"


def test_a_caller_that_sends_more_does_not_interrupt_and_is_still_read():
    wait = Wait()
    wait.caller.sendall(b"GET / HTTP/1.1")
    assert wait.greenlet.get(timeout=1) == "answered"
    assert wait.ours.recv(3) == b"GET"


def test_the_watch_goes_on_after_what_the_caller_sent_was_read_elsewhere(monkeypatch: pytest.MonkeyPatch):
    wait = Wait()
    ours, spawn = wait.ours, gevent.spawn
    monkeypatch.setattr("proxy.greenlets.gevent.spawn", lambda look: (ours.recv(1), spawn(look)))
    wait.caller.sendall(b"x")
    gevent.sleep(0.02)
    monkeypatch.undo()
    wait.caller.close()
    assert wait.greenlet.get(timeout=1) == "CallerGone"


def test_nothing_is_interrupted_after_the_watch():
    wait = Wait()
    assert wait.stop
    wait.stop()
    wait.caller.close()
    assert wait.greenlet.get(timeout=1) == "answered"


@pytest.mark.parametrize("stopped", [True, False])
def test_a_late_look_at_the_connection_does_not_delay_the_next_request(stopped: bool, monkeypatch: pytest.MonkeyPatch):
    ours, theirs = gevent.socket.socketpair()
    looks: list[Any] = []
    monkeypatch.setattr("proxy.greenlets.gevent.spawn", looks.append)
    stop = interrupt_when_gone(ours)
    theirs.sendall(b"x")
    gevent.sleep(0.05)
    assert ours.recv(1) == b"x"
    if stopped:
        stop()
    [look] = looks
    with gevent.Timeout(1):
        look()
    assert ours.gettimeout() is None
    if not stopped:
        stop()


def too_slow() -> ApiError:
    return ApiError(ErrorKind.UPSTREAM_TIMEOUT, "too slow")


def raising_limit(seconds: float, error: Callable[[], ApiError]) -> gevent.Timeout:
    return time_limit(seconds, error())


@pytest.mark.parametrize("limit", [raising_limit, InterruptingLimit])
def test_a_time_limit_interrupts_a_wait(limit: Any):
    with pytest.raises(ApiError, match="too slow"), limit(0.05, too_slow):
        gevent.sleep(5)
    with limit(0.05, too_slow):
        pass
    gevent.sleep(0.1)


@pytest.mark.parametrize("limit", [raising_limit, InterruptingLimit])
def test_data_that_came_in_time_is_not_too_late_because_the_worker_was_busy(limit: Any):
    ours, theirs = gevent.socket.socketpair()

    def read() -> bytes:
        with limit(0.05, too_slow):
            return ours.recv(1)

    reading = gevent.spawn(read)
    gevent.sleep(0)
    theirs.send(b"x")
    time.sleep(0.2)  # nothing is patched here: it keeps all greenlets from running
    assert reading.get(timeout=1) == b"x"


def test_all_waits_for_an_answer_count_and_the_time_between_them_does_not():
    limit = InterruptingLimit(0.2, too_slow)
    started = time.monotonic()

    def wait_now_and_then() -> None:
        for _ in range(10):
            with limit:
                gevent.sleep(0.05)
            gevent.sleep(0.15)  # in which the timer rings without effect

    with pytest.raises(ApiError, match="too slow"):
        wait_now_and_then()
    assert 0.19 < limit.waited < 0.3
    assert time.monotonic() - started > limit.waited + 0.15  # on a busy machine a wait is longer, and they are fewer
    limit.close()
    assert limit.timer is None


def test_a_closed_time_limit_does_not_ring():
    limit = InterruptingLimit(0.05, too_slow)
    with limit:
        limit.close()
        gevent.sleep(0.1)
