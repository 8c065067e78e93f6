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
from compat.validation import Array, Boolean, Choice, Integer, JsonField, Number, Object, String, invalid, problems

MOST_ROWS = 1000
MOST_IMAGE_TOKENS = 1_000_000
ENVIRONMENT = "env:"  # before the name of the variable that holds a key
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,199}", re.ASCII)  # no colon: a method follows one in Google's paths
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
BASE_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
TOO_LONG = {  # ends of base URLs that are added to them
    Api.GEMINI: re.compile(r"(/v\d+((alpha|beta)\d*)?(/openai)?(/models(/[^/]*)?)?|/models(/[^/]*)?)/*$"),
    Api.OPENAI: re.compile(r"/(images(/(generations|edits|variations))?|chat/completions|models)/*$"),
}
RATIO = re.compile(r"[1-9]\d?:[1-9]\d?", re.ASCII)
FIELD_NAME = re.compile(r"\w{1,64}", re.ASCII)
GEMINI_COLUMNS = ("sampling", "successor")
OPENAI_COLUMNS = ("edits", "most_pictures", "response_format", "urls", "image_urls", "streams", "fields")


def base_of(url: str, api: Api = Api.GEMINI) -> str:
    """A base URL without what is added to it: the version of Google's API, and the paths of both."""
    return TOO_LONG[api].sub("", url)


class ModelsFileError(ValueError):
    """The file cannot be used; the message names the row and the column."""


class Matching(String):
    """A string that matches a pattern, which `description` describes."""

    def __init__(self, pattern: re.Pattern[str], description: str, **options: Any):
        super().__init__(**options)
        self.pattern = pattern
        self.description = description

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if not self.pattern.fullmatch(text):
            raise invalid(ErrorKind.INVALID_VALUE, f"'{{param}}' is '{text}': it must be {self.description}.")
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
                raise invalid(ErrorKind.INVALID_VALUE, f"'{{param}}' is '{value}': built-in models are {known}.")
            return row.pixels
        if not isinstance(value, dict) or not value:
            raise invalid(ErrorKind.INVALID_TYPE, '\'{param}\' must be a table such as { "16:9" = "1344x768" }.')
        return {ratio: pixels_of(ratio, size) for ratio, size in value.items()}


def pixels_of(ratio: str, size: Any) -> Pixels:
    pixels = parse_pixels(size) if isinstance(size, str) else None
    if not RATIO.fullmatch(ratio) or not pixels:
        raise invalid(
            ErrorKind.INVALID_VALUE,
            f"'{{param}}' has '{ratio}' = '{size}': it must be such as \"16:9\" = \"1344x768\".",
        )
    return pixels


class Tiers(JsonField):
    """Image sizes, each with pixels by aspect ratio."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> dict[str, Mapping[str, Pixels]]:
        if not isinstance(value, dict):
            raise invalid(ErrorKind.INVALID_TYPE, "'{param}' must be a table of tables: one for each image size.")
        return {tier: PixelTable().read(table) for tier, table in value.items()}


class ImageTokens(JsonField):
    """Tokens of an output picture: one number, or a table by image size."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> dict[str, int]:
        table = value if isinstance(value, dict) else {"": value}
        if not table or not all(type(tokens) is int and 0 < tokens < MOST_IMAGE_TOKENS for tokens in table.values()):
            raise invalid(
                ErrorKind.INVALID_TYPE, "'{param}' must be a number such as 1290, or a table such as { 1K = 1120 }."
            )
        return dict(table)


class Day(JsonField):
    """A TOML date."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> date:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise invalid(ErrorKind.INVALID_TYPE, "'{param}' must be a date such as 2027-01-31, without quotes.")
        return value


PUBLIC_NAME = Matching(NAME, "letters, digits and . _ - / @, beginning with a letter or digit", required=True)
AMOUNT = Number(minimum=0, required=True)


class RowSchema(Schema):
    """The columns of a row."""

    class Meta:
        unknown = RAISE

    name = PUBLIC_NAME
    title = String(max_length=200)
    owner = String(max_length=200)
    aliases = Array(PUBLIC_NAME)
    upstream = Choice(*(api.value for api in Api), required=True)
    base_url = Matching(BASE_URL, "a URL such as http://127.0.0.1:8080/v1, without a query or password")
    upstream_name = String(not_empty=True, max_length=200)
    key = String()
    pixels = PixelTable(required=True)
    tiers = Tiers()
    output_format = Choice(*(known.name for known in OUTPUTS))
    prices = Object({"input": AMOUNT, "text_output": AMOUNT, "image_output": AMOUNT})
    image_tokens = ImageTokens()
    price_per_picture = Number(minimum=0)
    input_tokens = Integer(minimum=1)
    output_tokens = Integer(minimum=1)
    max_input_images = Integer(minimum=0, maximum=16)
    retires = Day()
    successor = Matching(NAME, "the name of a model")
    sampling = Boolean()
    draws_drafts = Boolean()
    edits = Boolean()
    most_pictures = Integer(minimum=1, maximum=10)
    response_format = Boolean()
    urls = Boolean()
    image_urls = Boolean()
    streams = Boolean()
    server_fields = Array(Matching(FIELD_NAME, "the name of a field"), data_key="fields")


class FileSchema(Schema):
    """The whole file."""

    class Meta:
        unknown = RAISE

    only_these = Boolean(data_key="only")
    model = Array(Object(required=True), required=True, min_length=1, max_length=MOST_ROWS)


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
                raise ModelsFileError(f"the name {name} is used twice: by {names[name]} and by {row.name}")
            names[name] = row.name
    for row in rows:
        if any(other.openai and other.name == row.successor for other in rows):
            raise ModelsFileError(f"the successor of {row.name} is {row.successor}, whose server speaks OpenAI's API")
    return ModelsFile(rows, checked.get("only_these") or False)


def load(schema: Schema, content: Mapping[str, Any], place: str) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(content)
    except ValidationError as error:
        path, problem = next(problems(error))
        text = problem.replace("{param}", path)
        raise ModelsFileError(f"{place}: {f'{path}: {text}' if path not in text else text}") from None
    return {name: value for name, value in loaded.items() if value is not None}


def read_row(row: Mapping[str, Any], place: int) -> ImageModel:
    """One row. Raises ModelsFileError."""
    where = f"row {place}" + (f" ({row['name']})" if isinstance(row.get("name"), str) else "")
    columns = load(RowSchema(), row, where)
    upstream, base_url = Api(columns["upstream"]), columns.get("base_url", "").rstrip("/")
    if upstream is Api.OPENAI and not base_url:
        raise ModelsFileError(f"{where}: Missing required parameter: 'base_url', of a server that speaks OpenAI's API.")
    if upstream is Api.GEMINI and (wrong := [name for name in OPENAI_COLUMNS if name in row]):
        raise ModelsFileError(f"{where}: '{wrong[0]}' is a column for upstream = \"openai\" only.")
    if upstream is Api.OPENAI and (wrong := [name for name in GEMINI_COLUMNS if name in row]):
        raise ModelsFileError(f"{where}: '{wrong[0]}' is a column for upstream = \"gemini\" only.")
    if (base := base_of(base_url, upstream)) != base_url:
        what = "the version" if upstream is Api.GEMINI else "the path of each call"
        raise ModelsFileError(f"{where}: {what} is added to 'base_url': write base_url = \"{base}\"")
    name = bare_name(columns["name"])
    prices = columns.get("prices")
    if prices and "price_per_picture" in columns:
        raise ModelsFileError(f"{where}: give either 'prices' or 'price_per_picture'.")
    if "image_tokens" in columns and not prices:
        raise ModelsFileError(f"{where}: 'image_tokens' counts together with 'prices' only.")
    return ImageModel(
        name=name,
        title=columns.get("title", name),
        owner=columns.get("owner", "google" if upstream is Api.GEMINI else "twinlens"),
        aliases=tuple(bare_name(alias) for alias in columns.get("aliases", ())),
        upstream_name=columns.get("upstream_name"),
        base_url=base_url or None if upstream is Api.GEMINI else None,
        key=read_key(columns.get("key", CALLERS_KEY), where),
        openai=read_server(columns, base_url) if upstream is Api.OPENAI else None,
        pixels=columns["pixels"],
        tiers=columns.get("tiers", {}),
        output_mime_type=BY_NAME[columns.get("output_format", "png")].mime_type,
        prices=Prices(**{name: float(price) for name, price in prices.items()}) if prices else None,
        successor=bare_name(columns["successor"]) if "successor" in columns else None,
        **{
            column: columns[column]
            for column in (
                *("image_tokens", "price_per_picture", "input_tokens", "output_tokens", "max_input_images"),
                *("retires", "sampling", "draws_drafts"),
            )
            if column in columns
        },
    )


def read_server(columns: Mapping[str, Any], base_url: str) -> OpenAIServer:
    options = {name: columns[name] for name in OPENAI_COLUMNS[:-1] if name in columns}
    return OpenAIServer(base_url, **options, fields=frozenset(columns.get("server_fields", ())))


def read_key(key: str, where: str) -> str:
    """Which key is sent: `caller`, `none`, or the name of the variable in `env:NAME`."""
    if key in (CALLERS_KEY, NO_KEY):
        return key
    if not key.startswith(ENVIRONMENT) or not VARIABLE.fullmatch(key.removeprefix(ENVIRONMENT)):
        raise ModelsFileError(
            f'{where}: \'key\' must be "caller", "none", or "env:NAME" with the name of a variable, and never a key.'
        )
    return key
