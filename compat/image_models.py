"""One row per image model, and the names that callers may use for it.

Pixels, tiers and prices as documented by Google (image generation and pricing pages, 2026-03-23 and 2026-09-08);
retirement dates from the deprecations page (2026-10). Prices are USD per million tokens (pricing page and LiteLLM
1.110.2's table, 2026-11-30).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
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
    retires: date | None = None  # the announced end, past or to come
    successor: str | None = None  # the name of the row that draws once the server has ended this model
    sampling: bool = True  # whether it takes `seed` and `temperature`
    draws_drafts: bool = False
    owner: str = "google"
    aliases: tuple[str, ...] = ()  # further public names
    upstream_name: str | None = None  # its name at its server; None: the same
    base_url: str | None = None  # of a Gemini server other than GEMINI_BASE_URL
    openai: OpenAIServer | None = None  # its server, if it speaks OpenAI's API
    key: str = CALLERS_KEY  # which one is sent: `caller`, `none`, or `env:NAME` for an environment variable's

    def has_ended(self, today: date) -> bool:
        """Whether its announced end has passed."""
        return self.retires is not None and self.retires <= today

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

SUCCESSOR = "gemini-nano-banana-2.1"  # of Google's retired image models (deprecations page, 2026-10-06)
MODELS: tuple[ImageModel, ...] = (
    ImageModel(
        name="gemini-2.5-flash-image",
        title="Nano Banana",
        pixels=PIXELS_2_5,
        output_mime_type="image/png",
        prices=Prices(0.30, 2.50, 30),
        image_tokens={"": 1290},
        retires=date(2026, 10, 2),
        successor=SUCCESSOR,
    ),
    ImageModel(
        name="gemini-nano-banana-2.1",
        title="Nano Banana 2.1",
        pixels=PIXELS_3_1,
        output_mime_type="image/jpeg",
        tiers=TIERS_3_1,
        prices=Prices(1.50, 7.50, 30),
        image_tokens={"1K": 1120, "2K": 1680, "4K": 3780},
        input_tokens=131072,
        max_input_images=14,
        sampling=False,  # 400 for seed, temperature, topP and topK (two public reports, 2026-11)
        draws_drafts=True,
    ),
    ImageModel(  # deprecated without a date: the end that was announced for 2026-10-29 has been withdrawn
        name="gemini-3.1-flash-image",
        title="Nano Banana 2",
        pixels=PIXELS_3_1,
        output_mime_type="image/jpeg",
        tiers={"512": PIXELS_3_1_512, **TIERS_3_1},
        prices=Prices(0.50, 3, 60),
        image_tokens={"512": 747, "1K": 1120, "2K": 1680, "4K": 2520},
        input_tokens=65536,
        max_input_images=14,
        successor=SUCCESSOR,
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
        output_tokens=4096,
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
# OpenAI's own names (openai-python 3.57.0, ImageModel, and the retired ids): `openai` in MODEL_ALIASES.
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
    successor: ImageModel | None = None  # of the upstream model, unless the operator has chosen that one

    @property
    def is_openai_alias(self) -> bool:
        """Whether the caller used one of OpenAI's own names."""
        return self.requested_name in OPENAI_IMAGE_MODELS

    def succeeded(self) -> ServedModel:
        """The same model, drawn by its successor, which has none in turn."""
        assert self.successor
        name = self.successor.upstream_name or self.successor.name
        return replace(self, upstream_name=name, upstream=self.successor, successor=None)


OPENAI_NAMES = "openai"  # among aliases: all of OpenAI's image models


class ModelCatalogue:
    """The models that are served, by all of their names."""

    def __init__(
        self,
        aliases: Mapping[str, str] | None = None,
        upstream_models: Mapping[str, str] | None = None,
        own: Sequence[ImageModel] = (),
        *,
        built_in: Sequence[str] = (SERVED_BY_DEFAULT,),
    ):
        """`aliases` maps further names to served ones, `upstream_models` served names to names of rows.

        `own` are the operator's rows, served beside the `built_in` ones; a row with the name of a built-in one
        replaces it. The first of all is the default, which draws for OpenAI's names too, unless `aliases` has
        `openai`, for another model or, if that is empty, for none. Raises ValueError for a name that is not served.
        """
        self.rows = {model.name: model for model in (*MODELS, *own)}
        self.upstreams = {name: self.rows[name] for name in (*built_in, *(row.name for row in own))}
        self.aliases = {alias: row.name for row in own for alias in row.aliases}
        chosen: set[str] = set()  # public names whose upstream model the operator has chosen
        self.retired: Collection[str] = ()  # upstream models whose successors draw
        self.instead: str | None = None  # the model that is meant, whatever name is asked for
        self.unlisted: Mapping[str, str] = {}  # OpenAI's names, accepted by default
        for name, upstream_name in (upstream_models or {}).items():
            public = self.upstreams[self.known(name)]
            upstream_name = bare_name(upstream_name)
            self.upstreams[public.name] = self.rows.get(upstream_name) or unknown_upstream(upstream_name, public)
            chosen.add(public.name)
        named = dict(aliases or {})
        openai = named.pop(OPENAI_NAMES, None)
        given = {bare_name(alias): self.known(name) for alias, name in named.items()}
        if openai:
            given = {**dict.fromkeys(OPENAI_IMAGE_MODELS, self.known(openai)), **given}
        self.aliases = {**given, **self.aliases}
        self.successors = {
            name: self.successor_of(row) for name, row in self.upstreams.items() if row.successor and name not in chosen
        }
        if openai is None:
            self.unlisted = dict.fromkeys(OPENAI_IMAGE_MODELS, next(iter(self.upstreams)))

    def known(self, name: str) -> str:
        """The public name, if it is served."""
        public = self.public_name(bare_name(name))
        if public is None:
            raise ValueError(f"{name} is not served; served are {', '.join(self.upstreams)}")
        return public

    def public_name(self, name: str) -> str | None:
        """The public name behind a name without prefixes: rows come before aliases, and those before OpenAI's names."""
        return name if name in self.upstreams else self.aliases.get(name) or self.unlisted.get(name)

    def models(self) -> list[ServedModel]:
        """Every served model by its public name."""
        return [self.resolve(name) for name in self.upstreams]

    def with_successors(self, retired: Collection[str]) -> ModelCatalogue:
        """The same models, drawn by their successors where the upstream model is one of these."""
        if not retired:
            return self
        other = copy(self)
        other.retired = retired
        return other

    def with_only(self, name: str) -> ModelCatalogue:
        """The same models, of which this one is meant whatever name is asked for."""
        other = copy(self)
        other.instead = name
        return other

    def resolve(self, name: str | None) -> ServedModel:
        """The model of this name; without a name the first one. Raises MODEL_NOT_FOUND."""
        name = self.instead or name
        requested_name = bare_name(name) if name else next(iter(self.upstreams))
        public = self.public_name(requested_name)
        if public is None:
            raise ApiError(ErrorKind.MODEL_NOT_FOUND, self.not_found(name or "", requested_name), param="model")
        upstream = self.upstreams[public]
        successor = self.successors.get(public)
        model = ServedModel(public, requested_name, upstream.upstream_name or upstream.name, upstream, successor)
        return model.succeeded() if successor and upstream.name in self.retired else model

    def successor_of(self, upstream: ImageModel) -> ImageModel:
        """The row that succeeds another, at the same server and with the same key."""
        assert upstream.successor
        row = self.rows.get(upstream.successor) or unknown_upstream(upstream.successor, upstream)
        return replace(row, base_url=upstream.base_url, openai=upstream.openai, key=upstream.key)

    def not_found(self, name: str, bare: str) -> str:
        """What a caller reads that asks for a model which is not served."""
        message = f"The model '{name}' does not exist or is not served here. "
        if bare in OPENAI_IMAGE_MODELS:  # which are served unless they are turned off
            message += (
                "The operator of this proxy has turned OpenAI's names off (MODEL_ALIASES=none): "
                f"MODEL_ALIASES={bare}={next(iter(self.upstreams))} accepts this one. "
            )
        elif any(row.name == bare for row in MODELS):
            message += "The operator of this proxy can add it to SERVED_MODELS. "
        return f"{message}Served: {', '.join([*self.upstreams, *self.aliases])}."


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
