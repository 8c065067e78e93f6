"""The operator's own models: a TOML file with one `[[model]]` table per row, read into ImageModel."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError

from compat.errors import ErrorKind
from compat.formats import BY_NAME, OUTPUTS, Pixels
from compat.image_models import CALLERS_KEY, MODELS, NO_KEY, Api, ImageModel, OpenAIServer, Prices, bare_name
from compat.sizes import parse_pixels
from compat.validation import Choice, Flag, Integer, JsonField, Listed, Mapped, Number, Text, complain, complaints

MOST_ROWS = 1000
ENVIRONMENT = "env:"  # before the name of the variable that holds a key
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,199}", re.ASCII)  # no colon: a method follows one in Google's paths
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
BASE_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
RATIO = re.compile(r"[1-9]\d?:[1-9]\d?", re.ASCII)
FIELD_NAME = re.compile(r"\w{1,64}", re.ASCII)
OF_OPENAI_ONLY = ("edits", "most_pictures", "response_format", "urls", "image_urls", "streams", "fields")


class ModelsFileError(ValueError):
    """The file cannot be used; the message names the row and the column."""


class Matching(Text):
    """A string of a form that `told` describes."""

    def __init__(self, form: re.Pattern[str], told: str, **options: Any):
        super().__init__(**options)
        self.form = form
        self.told = told

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if not self.form.fullmatch(text):
            raise complain(ErrorKind.INVALID_VALUE, f"'{{param}}' is '{text}': it must be {self.told}.")
        return text


class PixelTable(JsonField):
    """Pixels by aspect ratio (`"16:9" = "1344x768"`), or the name of a built-in model that has the same."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Mapping[str, Pixels]:
        return self.read(value)

    def read(self, value: Any) -> Mapping[str, Pixels]:
        """The pixels by aspect ratio."""
        if isinstance(value, str):
            row = next((row for row in MODELS if row.name == bare_name(value)), None)
            if not row:
                known = ", ".join(row.name for row in MODELS)
                raise complain(ErrorKind.INVALID_VALUE, f"'{{param}}' is '{value}': built-in models are {known}.")
            return row.pixels
        if not isinstance(value, dict) or not value:
            raise complain(ErrorKind.INVALID_TYPE, '\'{param}\' must be a table such as { "16:9" = "1344x768" }.')
        return {ratio: pixels_of(ratio, size) for ratio, size in value.items()}


def pixels_of(ratio: str, size: Any) -> Pixels:
    pixels = parse_pixels(size) if isinstance(size, str) else None
    if not RATIO.fullmatch(ratio) or not pixels:
        raise complain(
            ErrorKind.INVALID_VALUE,
            f"'{{param}}' has '{ratio}' = '{size}': it must be such as \"16:9\" = \"1344x768\".",
        )
    return pixels


class Tiers(JsonField):
    """Image sizes, each with pixels by aspect ratio."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> dict[str, Mapping[str, Pixels]]:
        if not isinstance(value, dict):
            raise complain(ErrorKind.INVALID_TYPE, "'{param}' must be a table of tables: one for each image size.")
        return {tier: PixelTable().read(table) for tier, table in value.items()}


class Day(JsonField):
    """A TOML date."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> date:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise complain(ErrorKind.INVALID_TYPE, "'{param}' must be a date such as 2027-01-31, without quotes.")
        return value


PUBLIC_NAME = Matching(NAME, "letters, digits and . _ - / @, beginning with a letter or digit", required=True)
AMOUNT = Number(lowest=0, required=True)


class RowSchema(Schema):
    """The columns of a row."""

    class Meta:
        unknown = RAISE

    name = PUBLIC_NAME
    title = Text(longest=200)
    owner = Text(longest=200)
    aliases = Listed(PUBLIC_NAME)
    upstream = Choice(*(api.value for api in Api), required=True)
    base_url = Matching(BASE_URL, "a URL such as http://127.0.0.1:8080/v1, without a query or password")
    upstream_name = Text(filled=True, longest=200)
    key = Text()
    pixels = PixelTable(required=True)
    tiers = Tiers()
    output_format = Choice(*(known.name for known in OUTPUTS))
    prices = Mapped({"input": AMOUNT, "text_output": AMOUNT, "image_output": AMOUNT})
    input_tokens = Integer(lowest=1)
    output_tokens = Integer(lowest=1)
    max_input_images = Integer(lowest=0, highest=16)
    retires = Day()
    draws_drafts = Flag()
    edits = Flag()
    most_pictures = Integer(lowest=1, highest=10)
    response_format = Flag()
    urls = Flag()
    image_urls = Flag()
    streams = Flag()
    fields_understood = Listed(Matching(FIELD_NAME, "the name of a field"), data_key="fields")


class FileSchema(Schema):
    """The whole file."""

    class Meta:
        unknown = RAISE

    only_these = Flag(data_key="only")
    model = Listed(Mapped(required=True), required=True, shortest=1, longest=MOST_ROWS)


@dataclass(frozen=True)
class ModelsFile:
    """The rows of a file; with `only`, no built-in model is served beside them."""

    rows: tuple[ImageModel, ...] = ()
    only: bool = False


def read_models_file(text: str) -> ModelsFile:
    """The rows of a models file. Raises ModelsFileError, whose message names the row and the column."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelsFileError(f"it is not TOML: {error}") from None
    checked = load(FileSchema(), content, "the file")
    rows = tuple(read_row(row, place) for place, row in enumerate(checked["model"], 1))
    names: dict[str, str] = {}
    for row in rows:
        for name in (row.name, *row.aliases):
            if name in names:
                raise ModelsFileError(f"the name {name} is told twice: by {names[name]} and by {row.name}")
            names[name] = row.name
    return ModelsFile(rows, checked.get("only_these") or False)


def load(schema: Schema, content: Mapping[str, Any], place: str) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(content)
    except ValidationError as error:
        path, text = next(complaints(error))
        told = text.replace("{param}", path)
        raise ModelsFileError(f"{place}: {f'{path}: {told}' if path not in told else told}") from None
    return {name: value for name, value in loaded.items() if value is not None}


def read_row(row: Mapping[str, Any], place: int) -> ImageModel:
    """One row. Raises ModelsFileError."""
    where = f"row {place}" + (f" ({row['name']})" if isinstance(row.get("name"), str) else "")
    told = load(RowSchema(), row, where)
    upstream, base_url = Api(told["upstream"]), told.get("base_url", "").rstrip("/")
    if upstream is Api.OPENAI and not base_url:
        raise ModelsFileError(f"{where}: Missing required parameter: 'base_url', of a server that speaks OpenAI's API.")
    if upstream is Api.GEMINI and (wrong := [name for name in OF_OPENAI_ONLY if name in row]):
        raise ModelsFileError(f"{where}: '{wrong[0]}' says something of upstream = \"openai\" only.")
    name = bare_name(told["name"])
    return ImageModel(
        name=name,
        title=told.get("title", name),
        owner=told.get("owner", "google" if upstream is Api.GEMINI else "twinlens"),
        aliases=tuple(bare_name(alias) for alias in told.get("aliases", ())),
        upstream_name=told.get("upstream_name"),
        base_url=base_url or None if upstream is Api.GEMINI else None,
        key=read_key(told.get("key", CALLERS_KEY), where),
        openai=read_server(told, base_url) if upstream is Api.OPENAI else None,
        pixels=told["pixels"],
        tiers=told.get("tiers", {}),
        output_mime_type=BY_NAME[told.get("output_format", "png")].mime_type,
        prices=Prices(**{name: float(price) for name, price in told["prices"].items()}) if "prices" in told else None,
        **{
            column: told[column]
            for column in ("input_tokens", "output_tokens", "max_input_images", "retires", "draws_drafts")
            if column in told
        },
    )


def read_server(told: Mapping[str, Any], base_url: str) -> OpenAIServer:
    columns = {name: told[name] for name in OF_OPENAI_ONLY[:-1] if name in told}
    return OpenAIServer(base_url, **columns, fields=frozenset(told.get("fields_understood", ())))


def read_key(told: str, where: str) -> str:
    """Whose key travels: `caller`, `none`, or the variable's name of `env:NAME`."""
    variable = told.removeprefix(ENVIRONMENT)
    if told in (CALLERS_KEY, NO_KEY):
        return told
    if not told.startswith(ENVIRONMENT) or not VARIABLE.fullmatch(variable):
        raise ModelsFileError(
            f'{where}: \'key\' must be "caller", "none", or "env:NAME" with the name of a variable, and never a key.'
        )
    return told
