"""One row per image model, and the names that callers may use for it.

Pixels, tiers and prices as documented by Google (image generation and pricing pages, 2026-03-23 and 2026-09-08);
retirement dates from the deprecations page (2026-10). Prices are USD per million tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from compat.errors import ApiError, ErrorKind
from compat.formats import Pixels
from compat.images import Usage


@dataclass(frozen=True)
class Prices:
    """USD per million tokens. Output text and thoughts cost the same."""

    input: float
    text_output: float
    image_output: float

    def cost(self, usage: Usage) -> float:
        """The cost of these tokens, in USD."""
        inputs = (usage.input_text_tokens + usage.input_image_tokens) * self.input
        outputs = usage.output_text_tokens * self.text_output + usage.output_image_tokens * self.image_output
        return round((inputs + outputs) / 1_000_000, 9)


class Api(Enum):
    """The API that a model's server speaks."""

    GEMINI = "gemini"
    OPENAI = "openai"


@dataclass(frozen=True)
class OpenAIServer:
    """A server that speaks OpenAI's Images API, and what it supports."""

    base_url: str  # including the version: http://127.0.0.1:8080/v1
    edits: bool = True  # whether it has /images/edits
    most_pictures: int = 10  # that one call may ask for; more need several calls
    response_format: bool = True  # whether it accepts the field, which OpenAI's gpt-image models refuse
    urls: bool = False  # whether it answers with addresses that callers can reach; otherwise our store is used
    image_urls: bool = False  # whether it opens the addresses of input pictures
    streams: bool = False  # whether it is asked for a stream of events, which keeps a slow connection open
    fields: frozenset[str] = frozenset()  # that it supports beyond OpenAI's: seed, aspect_ratio, ...


DEFAULT_TIER = "1K"  # what Google's models draw if the request names no image size
CALLERS_KEY = "caller"
NO_KEY = "none"


@dataclass(frozen=True)
class ImageModel:
    """What one upstream model can do."""

    name: str  # the public one
    title: str
    pixels: Mapping[str, Pixels]  # by aspect ratio, at the default tier
    output_mime_type: str
    tiers: Mapping[str, Mapping[str, Pixels]] = field(default_factory=dict)  # image size -> aspect ratio -> pixels
    prices: Prices | None = None
    image_tokens: Mapping[str, int] = field(default_factory=dict)  # of an output picture, by image size; "" for others
    price_per_picture: float | None = None  # USD, at a server that does not report tokens
    input_tokens: int = 32768
    output_tokens: int = 32768
    max_input_images: int = 3  # recommended; more are passed on
    retires: date | None = None
    draws_drafts: bool = False
    owner: str = "google"
    aliases: tuple[str, ...] = ()  # further public names
    upstream_name: str | None = None  # its name at its server; None: the same
    base_url: str | None = None  # of a Gemini server other than GEMINI_BASE_URL
    openai: OpenAIServer | None = None  # its server, if it speaks OpenAI's API
    key: str = CALLERS_KEY  # which one is sent: `caller`, `none`, or `env:NAME` for an environment variable's

    @property
    def api(self) -> Api:
        """The API of its server."""
        return Api.OPENAI if self.openai else Api.GEMINI

    def tokens_of_picture(self, image_size: str | None) -> int | None:
        """The output tokens of a picture of a size, the most of any size if it is not known; None without a figure."""
        tokens = self.image_tokens
        return tokens.get(image_size or DEFAULT_TIER, max(tokens.values())) if tokens else None


PIXELS_2_5: Mapping[str, Pixels] = {
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:2": (1248, 832),
    "3:4": (864, 1184),
    "4:3": (1184, 864),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
}
PIXELS_3: Mapping[str, Pixels] = {
    "1:1": (1024, 1024),
    "2:3": (848, 1264),
    "3:2": (1264, 848),
    "3:4": (896, 1200),
    "4:3": (1200, 896),
    "4:5": (928, 1152),
    "5:4": (1152, 928),
    "9:16": (768, 1376),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
}
PIXELS_3_1: Mapping[str, Pixels] = {
    **PIXELS_3,
    "1:4": (512, 2048),
    "4:1": (2048, 512),
    "1:8": (384, 3072),
    "8:1": (3072, 384),
}
PIXELS_3_1_512: Mapping[str, Pixels] = {
    **{ratio: (width // 2, height // 2) for ratio, (width, height) in PIXELS_3_1.items()},
    "21:9": (792, 168),  # as documented; half of the 1K size would be 792x336
}


def times(factor: int, pixels: Mapping[str, Pixels]) -> Mapping[str, Pixels]:
    """The same aspect ratios with both sides multiplied."""
    return {ratio: (width * factor, height * factor) for ratio, (width, height) in pixels.items()}


TIERS_3 = {"1K": PIXELS_3, "2K": times(2, PIXELS_3), "4K": times(4, PIXELS_3)}
TIERS_3_1 = {"1K": PIXELS_3_1, "2K": times(2, PIXELS_3_1), "4K": times(4, PIXELS_3_1)}

MODELS: tuple[ImageModel, ...] = (
    ImageModel(
        name="gemini-2.5-flash-image",
        title="Nano Banana",
        pixels=PIXELS_2_5,
        output_mime_type="image/png",
        prices=Prices(0.30, 2.50, 30),
        image_tokens={"": 1290},
        retires=date(2026, 10, 2),
    ),
    ImageModel(
        name="gemini-nano-banana-2.1",
        title="Nano Banana 2.1",
        pixels=PIXELS_3_1,
        output_mime_type="image/jpeg",
        tiers=TIERS_3_1,
        image_tokens={"1K": 1120, "2K": 1680, "4K": 3780},
        input_tokens=65536,
        max_input_images=14,
        draws_drafts=True,
    ),
    ImageModel(
        name="gemini-3.1-flash-image",
        title="Nano Banana 2",
        pixels=PIXELS_3_1,
        output_mime_type="image/jpeg",
        tiers={"512": PIXELS_3_1_512, **TIERS_3_1},
        prices=Prices(0.50, 3, 60),
        image_tokens={"512": 747, "1K": 1120, "2K": 1680, "4K": 2520},
        input_tokens=65536,
        max_input_images=14,
        retires=date(2026, 10, 29),
        draws_drafts=True,
    ),
    ImageModel(
        name="gemini-3.1-flash-lite-image",
        title="Nano Banana 2 Lite",
        pixels=PIXELS_3_1,
        output_mime_type="image/jpeg",
        tiers={"1K": PIXELS_3_1},
        prices=Prices(0.25, 1.50, 30),
        image_tokens={"1K": 1120},
        input_tokens=65536,
        max_input_images=14,
        draws_drafts=True,
    ),
    ImageModel(
        name="gemini-3-pro-image",
        title="Nano Banana Pro",
        pixels=PIXELS_3,
        output_mime_type="image/jpeg",
        tiers=TIERS_3,
        prices=Prices(2.00, 12, 120),
        image_tokens={"1K": 1120, "2K": 1120, "4K": 2000},
        input_tokens=131072,
        max_input_images=14,
        draws_drafts=True,
    ),
)
SERVED_BY_DEFAULT = "gemini-2.5-flash-image"
SUCCESSOR = "gemini-nano-banana-2.1"  # of Google's retired image models (deprecations page, 2026-10-06)

# What `openai` stands for in MODEL_ALIASES (openai-python 3.54.0, ImageModel, and the retired ids).
OPENAI_IMAGE_MODELS = (
    "dall-e-2",
    "dall-e-3",
    "gpt-image-1",
    "gpt-image-1-mini",
    "gpt-image-1.5",
    "gpt-image-2",
    "gpt-image-2-2026-04-21",
    "gpt-image-2.5-sunburst",
    "gpt-image-2.5-sunburst-2026-09-08",
    "gpt-image-2.5-flare",
    "gpt-image-2.5-flare-2026-09-08",
    "gpt-image-2.6-sunburst",
    "gpt-image-2.6-flare",
    "chatgpt-image-latest",
)

NAME_PREFIXES = re.compile(r"(?:publishers/google/|models/|google/)*+")


def bare_name(name: str) -> str:
    """A model's name without the prefixes that SDKs and documents put before it."""
    name = name.strip("/")
    prefixes = NAME_PREFIXES.match(name)
    return name[prefixes.end() :] if prefixes else name


@dataclass(frozen=True)
class ServedModel:
    """A model as a caller sees it, and the upstream model behind it."""

    name: str  # the public name
    requested_name: str  # the name the caller used, without prefixes: the public name or an alias
    upstream_name: str
    upstream: ImageModel

    @property
    def is_openai_alias(self) -> bool:
        """Whether the caller used one of OpenAI's own names."""
        return self.requested_name in OPENAI_IMAGE_MODELS


class ModelCatalogue:
    """The models that are served, by all of their names."""

    def __init__(
        self,
        aliases: Mapping[str, str] | None = None,
        upstream_models: Mapping[str, str] | None = None,
        own: Sequence[ImageModel] = (),
        *,
        only_own: bool = False,
    ):
        """`aliases` maps further names to served ones, `upstream_models` served names to names of rows.

        `own` are the operator's rows, served beside the built-in model or, with `only_own`, instead of it; a row with
        its name replaces it. Raises ValueError for a name that is not served.
        """
        rows = {model.name: model for model in (*MODELS, *own)}
        served = [row.name for row in own] if only_own else [SERVED_BY_DEFAULT, *(row.name for row in own)]
        self.upstreams = {name: rows[name] for name in served}
        self.aliases = {alias: row.name for row in own for alias in row.aliases}
        for name, upstream_name in (upstream_models or {}).items():
            public = self.upstreams[self.known(name)]
            upstream_name = bare_name(upstream_name)
            self.upstreams[public.name] = rows.get(upstream_name) or unknown_upstream(upstream_name, public)
        for alias, name in (aliases or {}).items():
            for one in OPENAI_IMAGE_MODELS if alias == "openai" else (alias,):
                self.aliases[bare_name(one)] = self.known(name)

    def known(self, name: str) -> str:
        """The public name, if it is served."""
        public = self.aliases.get(bare_name(name), bare_name(name))
        if public not in self.upstreams:
            raise ValueError(f"{name} is not served; served are {', '.join(self.upstreams)}")
        return public

    def models(self) -> list[ServedModel]:
        """Every served model by its public name."""
        return [self.resolve(name) for name in self.upstreams]

    def resolve(self, name: str | None) -> ServedModel:
        """The model of this name; without a name the first one. Raises MODEL_NOT_FOUND."""
        requested_name = bare_name(name) if name else next(iter(self.upstreams))
        public = self.aliases.get(requested_name, requested_name)
        upstream = self.upstreams.get(public)
        if not upstream:
            names = ", ".join([*self.upstreams, *self.aliases])
            raise ApiError(
                ErrorKind.MODEL_NOT_FOUND,
                f"The model '{name}' does not exist or is not served here. Served: {names}.",
                param="model",
            )
        return ServedModel(public, requested_name, upstream.upstream_name or upstream.name, upstream)


def unknown_upstream(name: str, public: ImageModel) -> ImageModel:
    """A row for an upstream model that has none: with the public model's server and ratios, without tiers or prices."""
    return ImageModel(
        name=name,
        title=name,
        pixels=public.pixels,
        output_mime_type=public.output_mime_type,
        draws_drafts=not public.openai,
        base_url=public.base_url,
        openai=public.openai,
        key=public.key,
    )
