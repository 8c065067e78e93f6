"""Answers with pictures, whole or as events, in OpenAI's form."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

from sandbox.openai_images.pictures import Commission, Gallery
from sandbox.openai_images.situations import Habit
from sandbox.tokens import text_tokens

# Tokens of a drawn picture of 1024x1024, by quality: those of gpt-image-1's price list, the last two carried on.
TOKENS_PER_PICTURE = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 6240, "max": 8320}
TOKENS_PER_INPUT = 323  # 65 and 129 for each of two tiles
EVENTS = {"generations": "image_generation", "edits": "image_edit"}


@dataclass(frozen=True)
class Answer:
    """Everything that one order is answered with. Pictures are drawn when they are needed."""

    commission: Commission
    gallery: Gallery
    address: Callable[[str], str]  # where a picture of that name waits
    habit: Habit

    @property
    def count(self) -> int:
        return 1 if self.habit.one_picture else self.commission.order.count

    def whole(self) -> dict[str, Any]:
        """The body of an answer that is no stream."""
        body: dict[str, Any] = {"created": int(time.time()), "data": [self._item(i) for i in range(self.count)]}
        if self.commission.order.operation == "variations":
            return body  # these were never told more
        body.update(self._looks())
        if not self.habit.no_usage:
            body["usage"] = self._usage(self.count, details=True)
        return body

    def events(self) -> Iterator[bytes]:
        """The body of a stream: unfinished pictures where they are wanted, then each whole one."""
        order = self.commission.order
        kind = EVENTS[order.operation]
        for index in range(self.count):
            for step in range(order.partial_pictures):
                data = self.gallery.unfinished_picture(self.commission, index, step)
                yield self._event(f"{kind}.partial_image", data, {"partial_image_index": step})
            _, data = self.gallery.picture(self.commission, index)
            usage = {} if self.habit.no_usage else {"usage": self._usage(1)}
            yield self._event(f"{kind}.completed", data, usage)

    def _item(self, index: int) -> dict[str, Any]:
        name, data = self.gallery.picture(self.commission, index)
        order = self.commission.order
        item: dict[str, Any] = {}
        if self.habit.revised_prompt:
            item["revised_prompt"] = f"{order.prompt}, seen in the light of a clear morning"
        if self.habit.data_url:
            item["url"] = f"data:image/{order.output_format};base64,{b64encode(data).decode()}"
        elif order.by_url or self.habit.url_only:
            item["url"] = self.address(name)
        else:
            item["b64_json"] = b64encode(data).decode()
        return item

    def _event(self, kind: str, data: bytes, more: dict[str, Any]) -> bytes:
        event = {"type": kind, "b64_json": b64encode(data).decode(), "created_at": int(time.time())}
        text = json.dumps({**event, **self._looks(), **more}, separators=(",", ":"))
        return f"event: {kind}\ndata: {text}\n\n".encode()

    def _looks(self) -> dict[str, Any]:
        """What is told of the pictures, as they were really drawn."""
        order = self.commission.order
        looks = {
            "background": order.background,
            "output_format": order.output_format,
            "quality": order.quality,
            "size": "{}x{}".format(*self.commission.size),
        }
        return {**looks, "safety_identifier": order.safety_identifier} if order.safety_identifier else looks

    def _usage(self, count: int, details: bool = False) -> dict[str, Any]:
        order, size = self.commission.order, self.commission.size
        read = text_tokens(order.prompt)
        looked_at = TOKENS_PER_INPUT * (len(order.inputs) + (1 if order.mask else 0))
        out = count * ceil(TOKENS_PER_PICTURE[order.quality] * size[0] * size[1] / (1024 * 1024))
        usage: dict[str, Any] = {
            "input_tokens": read + looked_at,
            "input_tokens_details": {"image_tokens": looked_at, "text_tokens": read},
            "output_tokens": out,
            "total_tokens": read + looked_at + out,
        }
        if details:
            usage["output_tokens_details"] = {"image_tokens": out, "text_tokens": 0}
        return usage
