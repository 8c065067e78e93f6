"""Answers by a model or, where its server has ended it, by its successor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from compat.errors import ApiError
from compat.image_models import ServedModel
from compat.images import Chunk
from proxy.purchases.call import Made
from proxy.routes import the_caller, the_observation, the_service


def follow(model: ServedModel, make: Callable[[ServedModel], Made]) -> Callable[[], Made]:
    """What makes the answer to the current request with a model, or with its successor if the model is not there.

    `make` is called without the context of the request, and once more for the successor.
    """
    service, caller, observation = the_service(), the_caller(), the_observation()
    successors = service.successors

    def begun(one: ServedModel) -> Made:
        observation.note_model(one)
        made = make(one)
        chunks = made.chunks
        if successors.may_follow(model):
            chunks = resume(next(chunks, b""), chunks)  # what is not there is known with the first chunk
        return replace(made, headers={**made.headers, **observation.model_header()}, chunks=chunks)

    def followed() -> Made:
        try:
            return successors.follow(caller.fingerprint, model, begun)
        except ApiError as error:
            if error.missing_model == model.upstream_name:
                observation.note_model(model)  # its successor is not there either
            raise

    return followed


def resume(first: Chunk, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks again after the first of them was taken."""
    try:
        yield first
        yield from chunks
    finally:
        if isinstance(chunks, Generator):
            chunks.close()
