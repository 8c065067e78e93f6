"""The faults: each replaces a line of the service, and names the rows that must notice it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RESPONSE = "compat.gemini_content.response"
PICTURE = "compat.picture_reader"
REQUEST = "compat.gemini_content.request"


@dataclass(frozen=True)
class Mutant:
    """A fault in one module. `rows` are patterns of row ids; at least one row of each pattern must fail.

    Without `rows` no row is about the fault yet: a gap in the suite, which `make mutants` reports.
    """

    module: str
    line: str
    instead: str
    rows: tuple[str, ...]

    def mutated(self, source: str) -> str:
        """The module's source with the fault. Raises ValueError unless it contains the line exactly once."""
        if source.count(self.line) != 1:
            raise ValueError(f"{self.module} contains {source.count(self.line)} times: {self.line}")
        return source.replace(self.line, self.instead)


MUTANTS: Mapping[str, Mutant] = {
    "two finish reasons swapped": Mutant(
        RESPONSE,
        '        "IMAGE_SAFETY",\n',
        '        "NO_IMAGE",\n',
        ("openai_situations/tried/refused_image_safety/*", "openai_situations/tried/no_image/*"),
    ),
    "text lost": Mutant(
        RESPONSE,
        "yield Text(text)",
        "yield from ()",
        ("openai_generations/text_beside_the_picture/*",),
    ),
    "second picture of an answer dropped": Mutant(
        RESPONSE,
        "self.picture = None if is_thought(part) else PictureReader()",
        "self.picture = None if is_thought(part) or self.pictures else PictureReader()",
        ("openai_situations/tried/two_pictures/*",),
    ),
    "drafts returned as results": Mutant(
        RESPONSE,
        'return isinstance(part, dict) and part.get("thought") is True',
        "return False",
        ("openai_situations/tried/draft_then_picture/*", "openai_situations/tried/only_a_draft/*"),
    ),
    "URL-safe base64 not translated": Mutant(
        PICTURE,
        "data = standard_alphabet(data)",
        "data = bytes(data)",
        ("openai_situations/tried/url_safe_base64/*",),
    ),
    "padding of base64 lost": Mutant(
        PICTURE,
        "self.decoded.append(self.decoder.finish())",
        "self.decoder.finish()",
        ("openai_situations/tried/url_safe_base64/*",),
    ),
    "thoughts not counted": Mutant(
        RESPONSE,
        'count(metadata.get("thoughtsTokenCount"))',
        "0",
        ("openai_situations/tried/draft_then_picture/*",),
    ),
    "second input picture dropped": Mutant(
        REQUEST,
        "for image in image_request.input_images:",
        "for image in image_request.input_images[:1]:",
        ("openai_edits/two_pictures/*", "openai_forms/two_files/*"),
    ),
    "mask dropped": Mutant(
        REQUEST,
        "yield build_image_part(image_request.mask)",
        "yield from ()",
        ("openai_edits/with_a_mask/*",),
    ),
    "prompt cut": Mutant(
        REQUEST,
        '    else:\n        yield {"text": image_request.prompt}',
        '    else:\n        yield {"text": image_request.prompt[:4000]}',
        ("openai_generations/long_prompt/*",),
    ),
    "quota of the day taken for one of the minute": Mutant(
        "compat.gemini_content.error",
        'PER_DAY = re.compile(r"per_?day", re.IGNORECASE)',
        'PER_DAY = re.compile(r"per_?year", re.IGNORECASE)',
        ("openai_situations/tried/quota_per_day/*",),  # the SDK does not retry here
    ),
    "aspect ratio of the previous row": Mutant(
        "compat.sizes",
        "ratio, far = nearest_aspect_ratio(pixels, model.pixels)",
        "far, ratio = 0, (names := list(model.pixels))[names.index(nearest_aspect_ratio(pixels, model.pixels)[0]) - 1]",
        ("openai_generations/size_gives_shape/1792x1024/*", "openai_generations/size_gives_shape/1024x1536/*"),
    ),
    "wrong size reported": Mutant(
        "compat.openai_images.response",
        'return f"{picture.width}x{picture.height}"',
        'return f"{picture.height}x{picture.width}"',
        ("openai_generations/size_is_the_pictures/*",),
    ),
    "usage not summed": Mutant(
        "compat.openai_images.response",
        "self.usage = self.usage + usage if self.usage else usage",
        "self.usage = usage",
        ("openai_generations/usage_is_summed/*",),
    ),
    "flat error in a stream": Mutant(
        "compat.openai_images.response",
        '{"type": "error", **build_error(failed)[1], "sequence_number": number}',
        '{"type": "error", **build_error(failed)[1]["error"], "sequence_number": number}',
        ("openai_streams/one_of_two/*",),
    ),
    "response_format not obeyed": Mutant(
        "compat.openai_images.request",
        'response_format=wanted_format(checked.get("response_format"), model, default_format)',
        "response_format=default_format",
        ("openai_generations/base64_on_request/*", "openai_edits/answers_with_an_address/*"),
    ),
    "Retry-After rounded down": Mutant(
        "compat.dialect",
        '"Retry-After": str(max(1, ceil(seconds)))',
        '"Retry-After": str(max(1, int(seconds)))',
        ("openai_repetition/rounded_up/*",),
    ),
    "x-should-retry lost": Mutant(
        "proxy.routes.errors",
        "if not error.may_repeat:",
        "if error.may_repeat:",
        ("openai_repetition/asked_once/html_502/*", "openai_repetition/asked_once/deadline_exceeded/*"),
    ),
    "dialects of errors swapped": Mutant(
        "proxy.routes.errors",
        "render_error(error, the_caller().dialect)",
        "render_error(error, *(DIALECTS - {the_caller().dialect}))",
        ("openai_mistakes/no_key/*", "gemini_mistakes/no_key/*"),
    ),
    "key sent twice": Mutant(
        "proxy.upstream.client",
        "return {name: scheme + key}",
        'return {name: scheme + key, "authorization": f"Bearer {key}"}',
        ("openai_generations/one_credential/*", "gemini_generate/one_credential/*"),
    ),
    "body of a passthrough changed": Mutant(
        "proxy.routes.gemini_content",
        "    body = read_body()\n",
        '    body = read_body().replace(b"generationConfig", b"generation_config")\n',
        ("gemini_wire/body_unchanged/*",),
    ),
}
