"""Pictures of a stream of events, held until they are whole: nothing of a broken one ever reaches a caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compat.images import Event, ImageData, ImageEnd, ImageStart
from proxy.pictures.spool import Spool, SpoolMemory


@dataclass
class HeldImage:
    """A whole picture."""

    start: ImageStart
    data: Spool

    @property
    def length(self) -> int:
        """The number of its bytes."""
        return self.data.length

    def content(self) -> Iterator[bytes]:
        """Its bytes, in pieces. They can be read several times."""
        return self.data.read()

    def events(self) -> Iterator[Event]:
        """Its events again, with all of its data in one."""
        yield self.start
        yield ImageData(self)
        yield ImageEnd()


def hold_pictures(events: Iterable[Event], held: list[Event | HeldImage], memory: SpoolMemory) -> None:
    """Adds the events to a list, whole pictures as one member each, and drafts not at all.

    What the events raise is raised; the list then has what was whole before.
    """
    image: HeldImage | None = None
    for event in events:
        if isinstance(event, ImageStart):
            image = HeldImage(event, Spool(memory))
        elif isinstance(event, ImageData):
            if image:
                image.data.append(event.content)
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
