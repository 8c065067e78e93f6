"""Answers with pictures, whole or as events, in OpenAI's form."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

from sandbox.drawing.styles import unfinished
from sandbox.openai_images.pictures import PictureJob, StoredPictures, encoded
from sandbox.openai_images.situations import ServerBehaviour, event_text
from sandbox.tokens import text_tokens

# Tokens of a drawn picture of 1024x1024, by quality: those of gpt-image-1's price list, the last two extrapolated.
TOKENS_PER_PICTURE = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 6240, "max": 8320}
TOKENS_PER_INPUT = 323  # 65 and 129 for each of two tiles
EVENTS = {"generations": "image_generation", "edits": "image_edit"}


@dataclass(frozen=True)
class Answer:
    """The answer to one request. Pictures are drawn when they are needed."""

    job: PictureJob
    stored: StoredPictures
    url_of: Callable[[str], str]  # the URL of a stored picture, by its name
    behaviour: ServerBehaviour

    @property
    def count(self) -> int:
        return 1 if self.behaviour.one_picture else self.job.request.count

    def whole(self) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        body: dict[str, Any] = {"created": int(time.time()), "data": [self._item(i) for i in range(self.count)]}
        if self.job.request.operation == "variations":
            return body  # OpenAI reports nothing else of these
        body.update(self._properties())
        if not self.behaviour.no_usage:
            body["usage"] = self._usage(self.count, details=True)
        return body

    def events(self) -> Iterator[bytes]:
        """The body of a stream: for each picture the partial images that are asked for, then the whole one."""
        request = self.job.request
        kind = EVENTS[request.operation]
        for index in range(self.count):
            image = self.job.draw(index)
            for step in range(request.partial_images):
                partial = encoded(unfinished(image.convert("RGB"), step), request)
                yield self._event(f"{kind}.partial_image", partial, {"partial_image_index": step})
            usage = {} if self.behaviour.no_usage else {"usage": self._usage(1)}
            yield self._event(f"{kind}.completed", encoded(image, request), usage)

    def _item(self, index: int) -> dict[str, Any]:
        request = self.job.request
        data = encoded(self.job.draw(index), request)
        item: dict[str, Any] = {}
        if self.behaviour.revised_prompt:
            item["revised_prompt"] = f"{request.prompt}, in the light of a clear morning"
        if self.behaviour.data_url:
            item["url"] = f"data:image/{request.output_format};base64,{b64encode(data).decode()}"
        elif request.by_url or self.behaviour.url_only:
            self.stored.store(self.job.name(index), data)
            item["url"] = self.url_of(self.job.name(index))
        else:
            item["b64_json"] = b64encode(data).decode()
        return item

    def _event(self, kind: str, data: bytes, more: dict[str, Any]) -> bytes:
        event = {"type": kind, "b64_json": b64encode(data).decode(), "created_at": int(time.time())}
        return event_text({**event, **self._properties(), **more}).encode()

    def _properties(self) -> dict[str, Any]:
        """How the pictures were really drawn."""
        request = self.job.request
        found = {
            "background": request.background,
            "output_format": request.output_format,
            "quality": request.quality,
            "size": "{}x{}".format(*self.job.size),
        }
        return {**found, "safety_identifier": request.safety_identifier} if request.safety_identifier else found

    def _usage(self, count: int, details: bool = False) -> dict[str, Any]:
        request, size = self.job.request, self.job.size
        text = text_tokens(request.prompt)
        images = TOKENS_PER_INPUT * (len(request.inputs) + (1 if request.mask else 0))
        output = count * ceil(TOKENS_PER_PICTURE[request.quality] * size[0] * size[1] / (1024 * 1024))
        usage: dict[str, Any] = {
            "input_tokens": text + images,
            "input_tokens_details": {"image_tokens": images, "text_tokens": text},
            "output_tokens": output,
            "total_tokens": text + images + output,
        }
        if details:
            usage["output_tokens_details"] = {"image_tokens": output, "text_tokens": 0}
        return usage
