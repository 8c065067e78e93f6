"""The settings of the service, read once from the environment and checked at start."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from compat.image_models import (
    CALLERS_KEY,
    MODELS,
    OPENAI_NAMES,
    SERVED_BY_DEFAULT,
    Api,
    ImageModel,
    ModelCatalogue,
    bare_name,
)
from compat.models_file import ENVIRONMENT, ModelsFile, base_of, read_models_file
from proxy.limits import MIB

Network = IPv4Network | IPv6Network
SANDBOX_KEY = "sandbox"
GOOGLE = "https://generativelanguage.googleapis.com"
NONE = "none"
HTTP_URL = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[^\s?#@]*)?")

SQLITE_URL = re.compile(r"sqlite:///(?!:memory:)[^?#]+")
POSTGRESQL_URL = re.compile(
    r"postgresql://([^\s@/?#]*@)?([A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[^\s/?#]*)?(\?[^\s#]*)?"
)


class SettingsError(ValueError):
    """A variable of the environment has a value that cannot be used; the message names it."""


def text(value: str) -> str:
    return value


def switch(value: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in known:
        raise ValueError("it must be 1 or 0")
    return known[value.lower()]


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Reads a whole number within bounds, both included."""

    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) <= 18 and lowest <= int(value) <= highest):
            raise ValueError(f"it must be a whole number from {lowest} to {highest}")
        return int(value)

    return read


def http_url(value: str) -> str:
    if not HTTP_URL.fullmatch(value) or urlsplit(value).port == 0:
        raise ValueError("it must be a URL such as https://host or http://host:port/path")
    return value.rstrip("/")


def gemini_url(value: str) -> str:
    """A base URL without a version, which is added to it."""
    url = http_url(value)
    if (base := base_of(url)) != url:
        raise ValueError(f"the version is added to it: write GEMINI_BASE_URL={base}")
    return url


def store_url(value: str) -> str:
    if "://" in value and not value.startswith(("file:///", "s3://", "gs://", "az://")):
        raise ValueError("it must be a folder, as a path or as file:///path, or a bucket: s3://, gs:// or az://")
    return value


def database_url(value: str) -> str:
    if not SQLITE_URL.fullmatch(value) and not POSTGRESQL_URL.fullmatch(value):
        raise ValueError(
            "it must be sqlite:///path or postgresql://user:password@host:port/name, its password percent-encoded"
        )
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"it must be one of {', '.join(choices)}")
        return value

    return read


def pairs(value: str) -> Mapping[str, str]:
    """`a=b,c=d`."""
    found = {}
    for pair in filter(None, (one.strip() for one in value.split(","))):
        name, equals, target = pair.partition("=")
        if not (name.strip() and equals and target.strip()):
            raise ValueError(f"'{pair}' must have the form name=model")
        found[name.strip()] = target.strip()
    return found


def aliases(value: str) -> Mapping[str, str]:
    """`a=b,c=d`. `none` among them stands for OpenAI's names, which are accepted otherwise."""
    items = [one.strip() for one in value.split(",")]
    found = pairs(",".join(one for one in items if one != NONE))
    return {**found, OPENAI_NAMES: ""} if NONE in items or found.get(OPENAI_NAMES) == NONE else found


def served_models(value: str) -> tuple[str, ...]:
    """Names of built-in models, or `all`."""
    known = tuple(row.name for row in MODELS)
    names = tuple(dict.fromkeys(bare_name(one.strip()) for one in value.split(",") if one.strip()))
    if names == ("all",):
        return known
    if not names or not set(names) <= set(known):
        raise ValueError(f"it must be all, or some of {', '.join(known)}")
    return names


def origins(value: str) -> tuple[str, ...]:
    """`https://a.example,https://b.example`, or `*`."""
    found = tuple(one.strip() for one in value.split(",") if one.strip())
    for one in found:
        if one != "*" and not (HTTP_URL.fullmatch(one) and one.count("/") == 2):
            raise ValueError("each must be an origin such as https://app.example, or *")
    return found


def networks(value: str) -> tuple[Network, ...]:
    return tuple(ip_network(one.strip(), strict=False) for one in value.split(",") if one.strip())


def secrets(value: str) -> tuple[str, ...]:
    """`key,key`: several keys of one service."""
    found = tuple(one.strip() for one in value.split(",") if one.strip())
    if not found or len(set(found)) < len(found) or any(not one.isprintable() or " " in one for one in found):
        raise ValueError("it must be one key, or several with commas between them, each once")
    return found


def models_file(value: str) -> ModelsFile:
    """The models of the file at a path."""
    try:
        return read_models_file(Path(value).read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8") from None


def setting(read: Callable[[str], Any], default: Any, secret: bool = False) -> Any:
    """A field that is read from the variable of its name in capitals. A secret value is never repeated."""
    return field(default_factory=lambda: default, metadata={"read": read}, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """What an operator decides. Each field is the variable of the same name in capitals."""

    host: str = setting(text, "127.0.0.1")
    port: int = setting(whole(0, 65535), 8000)
    web_concurrency: int = setting(whole(1, 512), 2)
    gemini_base_url: str = setting(gemini_url, GOOGLE)
    gemini_api_version: str = setting(one_of("v1beta", "v1"), "v1beta")  # a superset of v1, whatever callers use
    sandbox: bool = setting(switch, False)
    public_base_url: str | None = setting(http_url, None)
    trusted_proxies: tuple[Network, ...] = setting(networks, ())
    image_store_url: str = setting(store_url, "images")
    database_url: str = setting(database_url, "sqlite:///twinlens.sqlite3", secret=True)
    image_ttl_seconds: int = setting(whole(1, 10 * 365 * 86400), 3600)
    default_response_format: str = setting(one_of("url", "b64_json"), "url")
    chat_images: str = setting(one_of("images", "markdown"), "images")
    served_models: tuple[str, ...] = setting(served_models, ())
    follow_successors: bool = setting(switch, True)
    model_aliases: Mapping[str, str] = setting(aliases, {})
    upstream_models: Mapping[str, str] = setting(pairs, {})
    models_file: ModelsFile = setting(models_file, ModelsFile())  # noqa: RUF009
    upstream_gzip: bool = setting(switch, False)
    upstream_timeout_seconds: int = setting(whole(1, 3600), 300)
    idempotency_seconds: int = setting(whole(60, 30 * 86400), 86400)
    access: str = setting(one_of("passthrough", "keys"), "passthrough")
    gemini_api_keys: tuple[str, ...] = setting(secrets, (), secret=True)
    cors_origins: tuple[str, ...] = setting(origins, ())
    log_format: str = setting(one_of("text", "json"), "text")
    log_salt: str = setting(text, "")
    max_request_bytes: int = setting(whole(1024, 2**40), 100 * MIB)
    max_answer_bytes: int = setting(whole(1024, 2**40), 200 * MIB)
    max_in_flight: int = setting(whole(1, 100_000), 1000)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # the operator's, by `env:NAME`

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Reads and checks all variables; an empty one counts as not set. Raises SettingsError: a line for each."""
        values, wrong = {}, []
        for column in fields(cls):
            name = column.name.upper()
            if column.metadata and (value := environ.get(name, "").strip()):
                try:
                    values[column.name] = column.metadata["read"](value)
                except ValueError as error:
                    shown = " has a password in it" if "@" in value else f" is '{value}'" if column.repr else ""
                    wrong.append(f"{name}{shown}: {error}")
        if wrong:
            raise SettingsError("\n".join(wrong))
        settings = cls(**values)
        if settings.served_models and settings.models_file.only:
            raise SettingsError("SERVED_MODELS: MODELS_FILE has only = true, which serves no built-in model")
        no_names: dict[str, Any] = {"model_aliases": {}, "upstream_models": {}}
        for name in no_names:  # one at a time, so that the error names the right one
            try:
                replace(settings, **{**no_names, name: getattr(settings, name)}).catalogue()
            except ValueError as error:
                raise SettingsError(f"{name.upper()}: {error}") from None
        settings.check_access()
        return replace(settings, keys=dict(read_keys(settings.models_file, environ)))

    def check_access(self) -> None:
        """Raises SettingsError if callers with keys of ours could not be served, or would give them away."""
        if self.access != "keys":
            if self.gemini_api_keys:
                raise SettingsError("GEMINI_API_KEYS: these keys are used with ACCESS=keys only")
            return
        with_callers_key = [model for model in self.catalogue().models() if model.upstream.key == CALLERS_KEY]
        for model in with_callers_key:
            if model.upstream.openai:
                raise SettingsError(
                    f"MODELS_FILE: with ACCESS=keys the row {model.name} would give the keys of this service to "
                    'another server: set its key to "none" or "env:NAME"'
                )
        if with_callers_key and not self.gemini_api_keys:
            raise SettingsError(
                "GEMINI_API_KEYS: ACCESS=keys needs at least one Google API key (or, with SANDBOX=1, the word sandbox)"
            )

    def catalogue(self) -> ModelCatalogue:
        """The models that are served."""
        file = self.models_file
        built_in = self.served_models or (() if file.only else (SERVED_BY_DEFAULT,))
        return ModelCatalogue(self.model_aliases, self.upstream_models, file.rows, built_in=built_in)

    def server_of(self, row: ImageModel) -> tuple[Api, str]:
        """The API and the base URL, with its version, of the server that draws for a row."""
        if row.openai:
            return Api.OPENAI, row.openai.base_url
        return Api.GEMINI, f"{row.base_url or self.gemini_base_url}/{self.gemini_api_version}"

    def key_of(self, row: ImageModel, callers_key: str) -> str | None:
        """The key that travels to the server of a row: the caller's, the operator's, or None.

        The sandbox's key always goes with its calls: they stay in this process.
        """
        return self.keys.get(row.key) if self.has_key_of_its_own(row, callers_key) else callers_key

    def has_key_of_its_own(self, row: ImageModel, callers_key: str) -> bool:
        """Whether the server of a row gets the operator's key, or none, instead of the caller's."""
        return row.key != CALLERS_KEY and not (self.sandbox and callers_key == SANDBOX_KEY)

    def servers(self) -> dict[str, Api]:
        """The base URLs of all servers that draw for served models, each with its API."""
        return {url: api for api, url in (self.server_of(model.upstream) for model in self.catalogue().models())}


def read_keys(file: ModelsFile, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The operator's keys that rows name as `env:NAME`, by that name. Raises SettingsError."""
    for row in file.rows:
        if row.key.startswith(ENVIRONMENT):
            name = row.key.removeprefix(ENVIRONMENT)
            key = environ.get(name, "").strip()
            if not key:
                raise SettingsError(f"MODELS_FILE: {row.name} takes its key from {name}, and {name} is not set")
            yield row.key, key
