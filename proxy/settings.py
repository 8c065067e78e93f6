"""The settings of the service, read once from the environment and checked at the start."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from compat.image_models import ModelCatalogue
from proxy.limits import MIB

Network = IPv4Network | IPv6Network
GOOGLE = "https://generativelanguage.googleapis.com"


HTTP_URL = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[^\s?#@]*)?")


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


def store_url(value: str) -> str:
    if "://" in value and not value.startswith(("file:///", "s3://", "gs://", "az://")):
        raise ValueError("it must be a folder, as a path or as file:///path, or a bucket: s3://, gs:// or az://")
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


def origins(value: str) -> tuple[str, ...]:
    """`https://a.example,https://b.example`, or `*`."""
    found = tuple(one.strip() for one in value.split(",") if one.strip())
    for one in found:
        if one != "*" and not (HTTP_URL.fullmatch(one) and one.count("/") == 2):
            raise ValueError("each must be an origin such as https://app.example, or *")
    return found


def networks(value: str) -> tuple[Network, ...]:
    return tuple(ip_network(one.strip(), strict=False) for one in value.split(",") if one.strip())


def setting(read: Callable[[str], Any], default: Any) -> Any:
    """A field that is read from the variable of its name in capitals."""
    return field(default_factory=lambda: default, metadata={"read": read})


@dataclass(frozen=True)
class Settings:
    """What an operator decides. Each field is the variable of the same name in capitals."""

    host: str = setting(text, "127.0.0.1")
    port: int = setting(whole(0, 65535), 8000)
    web_concurrency: int = setting(whole(1, 512), 2)
    gemini_base_url: str = setting(http_url, GOOGLE)
    gemini_api_version: str = setting(one_of("v1beta", "v1"), "v1beta")  # a superset of v1, whatever callers use
    sandbox: bool = setting(switch, False)
    public_base_url: str | None = setting(http_url, None)
    trusted_proxies: tuple[Network, ...] = setting(networks, ())
    image_store_url: str = setting(store_url, "images")
    image_ttl_seconds: int = setting(whole(1, 10 * 365 * 86400), 3600)
    default_response_format: str = setting(one_of("url", "b64_json"), "url")
    model_aliases: Mapping[str, str] = setting(pairs, {})
    upstream_models: Mapping[str, str] = setting(pairs, {})
    upstream_gzip: bool = setting(switch, False)
    upstream_timeout_seconds: int = setting(whole(1, 3600), 300)
    cors_origins: tuple[str, ...] = setting(origins, ())
    log_format: str = setting(one_of("text", "json"), "text")
    log_salt: str = setting(text, "")
    max_request_bytes: int = setting(whole(1024, 2**40), 100 * MIB)
    max_answer_bytes: int = setting(whole(1024, 2**40), 200 * MIB)
    max_in_flight: int = setting(whole(1, 100_000), 1000)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Reads and checks all variables; one that is empty counts as not set. Raises SettingsError."""
        values = {}
        for one in fields(cls):
            name = one.name.upper()
            if value := environ.get(name, "").strip():
                try:
                    values[one.name] = one.metadata["read"](value)
                except ValueError as error:
                    told = "has a password in it" if "@" in value else f"is '{value}'"
                    raise SettingsError(f"{name} {told}: {error}") from None
        settings = cls(**values)
        for name in ("model_aliases", "upstream_models"):
            try:
                ModelCatalogue(**{name.removeprefix("model_"): getattr(settings, name)})
            except ValueError as error:
                raise SettingsError(f"{name.upper()}: {error}") from None
        return settings

    def catalogue(self) -> ModelCatalogue:
        """The models that are served."""
        return ModelCatalogue(self.model_aliases, self.upstream_models)
