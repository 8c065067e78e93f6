"""A call that goes on by itself: its answer is made in a greenlet of its own, and callers may come and go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from compat.errors import ApiError, Bought, ErrorKind
from compat.images import Chunk
from proxy.greenlets import Event, Signal, Stopped, Task
from proxy.pictures.spool import Spool, SpoolMemory

INTERNAL_MESSAGE = "The server had an error while processing your request."

log = logging.getLogger("twinlens")


@dataclass(frozen=True)
class Made:
    """An answer as it is made: status and headers, and the chunks of its body, which may still have to come."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[Chunk]
    flows: bool = False  # whether its caller gets the first chunk before the last one is there
    bought: Bought = Bought.YES
    refusal: ApiError | None = None  # what an upstream's error means that passes as it came


running: set[object] = set()  # calls, and those who wait to keep their answers: before, no worker stops


class Call:
    """One call, and what it has brought so far."""

    def __init__(self, make: Callable[[], Made], memory: SpoolMemory, on_end: Callable[[Call], None] | None = None):
        """`make` asks the upstream and may raise an ApiError; `on_end` is called in the same greenlet at the end."""
        self.at_end: list[Callable[[], None]] = [partial(on_end, self)] if on_end else []
        self.is_recorded = on_end is not None  # by `on_end`, which goes on before those who wait for the answer
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.body = Spool(memory)
        self.flows = False
        self.was_ended = False  # by `stop`
        self.bought = Bought.UNKNOWN  # until it is over
        self.failure: ApiError | None = None
        self.refusal: ApiError | None = None
        self.begun = Signal()  # status and headers are there, or the failure
        self.over = Event()
        self.recorded = Event()  # all that is to be done at its end is done
        self.grown = Event()  # replaced with each chunk
        running.add(self)
        self.task = Task(self.run, make)

    def run(self, make: Callable[[], Made]) -> None:
        """Makes the answer."""
        chunks: Iterator[Chunk] = iter(())
        try:
            made = make()
            chunks, self.flows, self.refusal = made.chunks, made.flows, made.refusal
            if made.flows:
                first = next(chunks, b"")
                self.begin(made)
                self.append(first)
                self.begun.set(at_once=not self.is_recorded)
            for chunk in chunks:
                self.append(chunk)
            self.begin(made)
            self.bought = made.bought
        except ApiError as error:
            self.failure = error.with_traceback(None)  # which would keep this frame, and all that is in it
        except Stopped:
            self.was_ended = True
            self.failure = ApiError(ErrorKind.INTERNAL, "The call was ended.", bought=Bought.UNKNOWN)
        except BaseException:
            log.exception("a call failed unexpectedly")
            self.failure = ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE, bought=Bought.UNKNOWN)
        finally:
            if self.failure:
                self.bought = self.failure.bought
            self.close_chunks(chunks)
            self.over.set()
            self.grown.set()
            if self.is_recorded:  # which may take longer than anybody should wait
                self.begun.set(at_once=False)
            while self.at_end:
                self.at_end.pop()()
            self.recorded.set()
            running.discard(self)
            with suppress(Stopped):  # too late
                self.begun.set()  # last: whoever goes on now finds that nothing is left to be done

    def when_over(self, function: Callable[[], None]) -> None:
        """Calls the function once the call is over and recorded: at once, if it is."""
        if self in running:
            self.at_end.insert(0, function)
        else:
            function()

    def begin(self, made: Made) -> None:
        """The answer can be sent; one that is whole says how long it is."""
        self.status, self.headers = made.status, made.headers
        if not made.flows:
            others = {name: value for name, value in made.headers.items() if name.lower() != "content-length"}
            self.headers = {**others, "Content-Length": str(self.body.length)}

    def append(self, chunk: Chunk) -> None:
        self.body.append(chunk)
        if self.flows:
            grown, self.grown = self.grown, Event()
            grown.set()

    def close_chunks(self, chunks: Iterator[Chunk]) -> None:
        """Ends the call upstream if its answer was left before its end."""
        with suppress(Exception):
            chunks.close()  # type: ignore[attr-defined]

    def wait(self) -> None:
        """Waits until the answer can be sent. Raises the ApiError that it failed with before that."""
        self.begun.wait()
        if self.failure and not self.status:
            raise self.failure

    def chunks(self) -> Iterator[bytes]:
        """The body from its beginning, as far as it is there and then as it comes. Raises what breaks it off."""
        body, index = self.body, 0
        while True:
            grown = self.grown
            while index < len(body.pieces):
                yield from body.bytes_of(body.pieces[index])
                index += 1
            if self.over.is_set():
                break
            grown.wait()
        if self.failure:
            raise self.failure

    def stop(self) -> None:
        """Ends the call, and with it what it asked of the upstream."""
        self.task.stop()
