"""Pictures of a stream of events, held until they are whole: nothing of a broken one ever reaches a caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compat.images import Event, ImageData, ImageEnd, ImageStart
from proxy.pictures.spool import Spool, SpoolMemory


@dataclass
class HeldImage:
    """A whole picture, as the pieces it came in: in base64, or as bytes."""

    start: ImageStart
    data: Spool
    as_bytes: bool

    def events(self) -> Iterator[Event]:
        """Its events again, once: its pieces are let go of afterwards."""
        yield self.start
        for piece in self.data.drain():
            yield ImageData(None, (piece,)) if self.as_bytes else ImageData(piece)
        yield ImageEnd()


def hold_pictures(
    events: Iterable[Event], held: list[Event | HeldImage], memory: SpoolMemory, *, as_bytes: bool = False
) -> None:
    """Adds the events to a list, whole pictures as one member each, and drafts not at all.

    `as_bytes` holds pictures that will be stored: a quarter less, and decoded already.
    What the events raise is raised; the list then has what was whole before.
    """
    start: ImageStart | None = None
    spool = Spool(memory)
    for event in events:
        if isinstance(event, ImageStart):
            start, spool = event, Spool(memory)
        elif isinstance(event, ImageData):
            for piece in event.content or () if as_bytes else (event.data,):
                spool.append(piece)
        elif not isinstance(event, ImageEnd):
            held.append(event)
        elif start and not event.draft:
            held.append(HeldImage(start, spool, as_bytes))
        del event  # its bytes may be in a file now


def release(held: Iterable[Event | HeldImage]) -> Iterator[Event]:
    """The events that were held."""
    for one in held:
        if isinstance(one, HeldImage):
            yield from one.events()
        else:
            yield one
