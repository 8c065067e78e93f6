"""Pictures in a stream of events, replaced one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from compat.errors import ApiError, Bought, broken
from compat.images import Event, Failure, ImageData, ImageEnd, ImageStart

Replace = Callable[[ImageStart, Iterator[bytes]], Iterable[Event]]


class Draft(Exception):
    """The picture that is being read is a draft."""


def replace_pictures(
    events: Iterator[Event], wanted: Callable[[ImageStart], bool], replace: Replace
) -> Iterator[Event]:
    """The events with every wanted picture as `replace` makes it from its start and its bytes, and without drafts.

    A broken picture does not spoil the others: it becomes a Failure at the end, or is raised if no picture is left.
    """
    failures: list[ApiError] = []
    kept = 0
    for event in events:
        if not isinstance(event, ImageStart) or not wanted(event):
            kept += isinstance(event, ImageStart)
            yield event
            continue
        data = picture_bytes(events)
        try:
            replaced = replace(event, data)
        except Draft:
            continue
        except ApiError as error:
            failures.append(error)
            skip(data)
            continue
        kept += 1
        yield from replaced
    if failures and not kept:
        raise failures[0]
    yield from map(Failure, failures)


def picture_bytes(events: Iterator[Event]) -> Iterator[bytes]:
    """The bytes of the picture that has begun, up to its end. Raises Draft, and UPSTREAM_BROKEN if it has no end."""
    for event in events:
        if isinstance(event, ImageData):
            yield from (event.content,) if isinstance(event.content, bytes) else event.content.content()
        elif isinstance(event, ImageEnd):
            if event.draft:
                raise Draft
            return
    raise broken_picture("it has no end")


def skip(data: Iterator[bytes]) -> None:
    """Reads the rest of a picture that is not used."""
    try:
        for _ in data:
            pass
    except Draft:
        pass


def broken_picture(why: str) -> ApiError:
    """A picture that cannot be used. It is paid for, and another request would pay again."""
    return broken(f"The upstream's picture cannot be used: {why}.", Bought.YES)
