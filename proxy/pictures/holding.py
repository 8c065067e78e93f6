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
            yield ImageData(None, piece) if self.as_bytes else ImageData(piece)
        yield ImageEnd()


def hold_pictures(events: Iterable[Event], held: list[Event | HeldImage], memory: SpoolMemory) -> None:
    """Adds the events to a list, whole pictures as one member each, and drafts not at all.

    What the events raise is raised; the list then has what was whole before.
    """
    image: HeldImage | None = None
    for event in events:
        if isinstance(event, ImageStart):
            image = HeldImage(event, Spool(memory), as_bytes=False)
        elif isinstance(event, ImageData):
            if image:
                image.as_bytes = event.content is not None
                image.data.append(event.content or event.data)
        elif not isinstance(event, ImageEnd):
            held.append(event)
        elif image and not event.draft:
            held.append(image)
        del event  # its bytes may be in a file now


def release(held: Iterable[Event | HeldImage]) -> Iterator[Event]:
    """The events that were held."""
    for one in held:
        if isinstance(one, HeldImage):
            yield from one.events()
        else:
            yield one
