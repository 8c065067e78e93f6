"""Every variable, good and bad. A wrong value stops the start with a message that names it."""

from dataclasses import FrozenInstanceError, fields, replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from compat.image_models import MODELS, Api
from proxy.settings import Settings, SettingsError

DEFAULTS = {
    "host": "127.0.0.1",
    "port": 8000,
    "web_concurrency": 2,
    "gemini_base_url": "https://generativelanguage.googleapis.com",
    "sandbox": False,
    "public_base_url": None,
    "trusted_proxies": (),
    "image_ttl_seconds": 3600,
    "default_response_format": "url",
    "served_models": (),
    "follow_successors": True,
    "model_aliases": {},
    "upstream_models": {},
    "upstream_timeout_seconds": 300,
    "max_request_bytes": 100 * 1024 * 1024,
    "max_in_flight": 1000,
}

GOOD = [
    ("HOST", "0.0.0.0", "0.0.0.0"),
    ("HOST", "::", "::"),
    ("PORT", "0", 0),
    ("PORT", "65535", 65535),
    ("PORT", " 80 ", 80),
    ("WEB_CONCURRENCY", "1", 1),
    ("GEMINI_BASE_URL", "http://localhost:8080/", "http://localhost:8080"),
    ("GEMINI_BASE_URL", "https://gateway.test/gemini/", "https://gateway.test/gemini"),
    ("GEMINI_BASE_URL", "http://[::1]:8080", "http://[::1]:8080"),
    ("SANDBOX", "1", True),
    ("SANDBOX", "TRUE", True),
    ("SANDBOX", "on", True),
    ("SANDBOX", "0", False),
    ("SANDBOX", "No", False),
    ("PUBLIC_BASE_URL", "https://pictures.test/lens/", "https://pictures.test/lens"),
    ("TRUSTED_PROXIES", "10.0.0.1", (ip_network("10.0.0.1/32"),)),
    ("TRUSTED_PROXIES", "10.1.2.3/8, fd00::/8,", (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))),
    ("IMAGE_STORE_URL", "/var/lib/twinlens", "/var/lib/twinlens"),
    ("IMAGE_STORE_URL", "file:///var/lib/twinlens", "file:///var/lib/twinlens"),
    ("DATABASE_URL", "sqlite:///twinlens.sqlite3", "sqlite:///twinlens.sqlite3"),
    ("DATABASE_URL", "sqlite:////var/lib/a folder/x.db", "sqlite:////var/lib/a folder/x.db"),
    ("DATABASE_URL", "postgresql:///twinlens", "postgresql:///twinlens"),
    (
        "DATABASE_URL",
        "postgresql://u:p%40ss@h:5432/n?sslmode=require",
        "postgresql://u:p%40ss@h:5432/n?sslmode=require",
    ),
    ("DATABASE_URL", "postgresql://u@[::1]/n", "postgresql://u@[::1]/n"),
    ("IMAGE_TTL_SECONDS", "1", 1),
    ("DEFAULT_RESPONSE_FORMAT", "b64_json", "b64_json"),
    ("MODEL_ALIASES", "a=gemini-2.5-flash-image", {"a": "gemini-2.5-flash-image"}),
    ("MODEL_ALIASES", "none", {"openai": ""}),
    ("MODEL_ALIASES", "a=gemini-2.5-flash-image, none", {"a": "gemini-2.5-flash-image", "openai": ""}),
    ("MODEL_ALIASES", "openai=none", {"openai": ""}),
    ("SERVED_MODELS", "gemini-3-pro-image", ("gemini-3-pro-image",)),
    (
        "SERVED_MODELS",
        "google/gemini-nano-banana-2.1, gemini-2.5-flash-image,gemini-2.5-flash-image",
        ("gemini-nano-banana-2.1", "gemini-2.5-flash-image"),
    ),
    ("SERVED_MODELS", "all", tuple(model.name for model in MODELS)),
    ("FOLLOW_SUCCESSORS", "0", False),
    (
        "MODEL_ALIASES",
        " openai = gemini-2.5-flash-image , b=google/gemini-2.5-flash-image,",
        {"openai": "gemini-2.5-flash-image", "b": "google/gemini-2.5-flash-image"},
    ),
    (
        "UPSTREAM_MODELS",
        "gemini-2.5-flash-image=gemini-nano-banana-2.1",
        {"gemini-2.5-flash-image": "gemini-nano-banana-2.1"},
    ),
    ("UPSTREAM_MODELS", "gemini-2.5-flash-image=not-yet-known", {"gemini-2.5-flash-image": "not-yet-known"}),
    ("UPSTREAM_TIMEOUT_SECONDS", "600", 600),
    ("MAX_REQUEST_BYTES", "1024", 1024),
    ("MAX_ANSWER_BYTES", "1048576", 1048576),
    ("MAX_IN_FLIGHT", "1", 1),
]

BAD = [
    ("MODELS_FILE", "/nowhere/models.toml"),
    ("MODELS_FILE", "/"),
    ("PORT", "http"),
    ("PORT", "-1"),
    ("PORT", "65536"),
    ("PORT", "80.0"),
    ("PORT", "8_0"),
    ("PORT", "٨٠"),
    ("WEB_CONCURRENCY", "0"),
    ("WEB_CONCURRENCY", "auto"),
    ("GEMINI_BASE_URL", "generativelanguage.googleapis.com"),
    ("GEMINI_BASE_URL", "ftp://host"),
    ("GEMINI_BASE_URL", "https://"),
    ("GEMINI_BASE_URL", "https://host?x=1"),
    ("GEMINI_BASE_URL", "https://host#x"),
    ("GEMINI_BASE_URL", "https://user:word@host"),
    ("GEMINI_BASE_URL", "https://:word@host"),
    ("GEMINI_BASE_URL", "http://[::1"),
    ("GEMINI_BASE_URL", "http://host:port"),
    ("GEMINI_BASE_URL", "http://host:99999"),
    ("GEMINI_BASE_URL", "http://a host"),
    ("SANDBOX", "maybe"),
    ("SANDBOX", "2"),
    ("PUBLIC_BASE_URL", "pictures.test"),
    ("PUBLIC_BASE_URL", "/lens"),
    ("PUBLIC_BASE_URL", "https://pictures.test:port"),
    ("TRUSTED_PROXIES", "proxy.internal"),
    ("TRUSTED_PROXIES", "10.0.0.0/33"),
    ("TRUSTED_PROXIES", "*"),
    ("IMAGE_STORE_URL", "ftp://bucket"),
    ("IMAGE_STORE_URL", "file://host/folder"),
    ("DATABASE_URL", "twinlens.sqlite3"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", "sqlite:///x?mode=memory"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "mysql://u:hunter2@h/n"),
    ("DATABASE_URL", "postgres://u:hunter2@h/n"),
    ("DATABASE_URL", "postgresql+asyncpg://u:hunter2@h/n"),
    ("DATABASE_URL", "postgresql://u:hunter2/x@h/n"),
    ("DATABASE_URL", "postgresql://u:hunter2@h:port/n"),
    ("DATABASE_URL", "postgresql://h/n#x?password=hunter2"),
    ("IMAGE_TTL_SECONDS", "0"),
    ("IMAGE_TTL_SECONDS", "1h"),
    ("DEFAULT_RESPONSE_FORMAT", "base64"),
    ("DEFAULT_RESPONSE_FORMAT", "URL"),
    ("GEMINI_BASE_URL", "https://generativelanguage.googleapis.com/v1beta"),
    ("SERVED_MODELS", "gpt-5"),
    ("SERVED_MODELS", "all,gemini-3-pro-image"),
    ("SERVED_MODELS", ","),
    ("FOLLOW_SUCCESSORS", "never"),
    ("MODEL_ALIASES", "dall-e-3"),
    ("MODEL_ALIASES", "none=none"),
    ("MODEL_ALIASES", "=gemini-2.5-flash-image"),
    ("MODEL_ALIASES", "dall-e-3="),
    ("MODEL_ALIASES", "dall-e-3=gpt-5"),
    ("UPSTREAM_MODELS", "gpt-5=gemini-nano-banana-2.1"),
    ("UPSTREAM_MODELS", "gemini-2.5-flash-image"),
    ("UPSTREAM_TIMEOUT_SECONDS", "0"),
    ("UPSTREAM_TIMEOUT_SECONDS", "3601"),
    ("UPSTREAM_TIMEOUT_SECONDS", "000000000000000001999999"),
    ("MAX_REQUEST_BYTES", "1023"),
    ("MAX_REQUEST_BYTES", "100MB"),
    ("MAX_ANSWER_BYTES", "99999999999999999999999999"),
    ("MAX_IN_FLIGHT", "0"),
]


@pytest.mark.parametrize("name", DEFAULTS)
def test_without_an_environment_everything_has_its_documented_default(name: str):
    assert getattr(Settings.from_environ({}), name) == DEFAULTS[name]


@pytest.mark.parametrize(("variable", "value", "expected"), GOOD)
def test_a_good_value_is_read(variable: str, value: str, expected: object):
    assert getattr(Settings.from_environ({variable: value}), variable.lower()) == expected


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_value_stops_the_start_and_the_message_names_the_variable(variable: str, value: str):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({variable: value})
    assert variable in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("one", [one for one in fields(Settings) if one.metadata], ids=lambda one: one.name)
@pytest.mark.parametrize("empty", ["", "  ", "\t\n"], ids=ascii)
def test_an_empty_variable_counts_as_not_set(one: object, empty: str):
    name = one.name
    assert getattr(Settings.from_environ({name.upper(): empty}), name) == getattr(Settings.from_environ({}), name)


def test_every_setting_that_can_be_wrong_is_tried_here_both_ways():
    free = {"host"}
    tried = {variable.lower() for variable, *_ in GOOD}, {variable.lower() for variable, _ in BAD}
    known = {"gemini_api_version", "upstream_gzip", "log_salt", *tried[0]}
    assert tried[1] | free >= tried[0]
    for one in fields(Settings):
        if one.metadata and one.name not in known:
            with pytest.raises(SettingsError, match=one.name.upper()):
                Settings.from_environ({one.name.upper(): "https://\x00 nonsense,=,"})


def test_other_variables_do_not_matter():
    assert Settings.from_environ({"PATH": "/bin", "port": "no", "GEMINI_API_KEY": "k"}) == Settings.from_environ({})


def test_a_message_does_not_repeat_a_password():
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"GEMINI_BASE_URL": "https://user:hunter2@host"})
    assert "hunter2" not in str(caught.value)


def test_the_settings_do_not_show_the_address_of_the_database():
    assert "hunter2" not in repr(Settings.from_environ({"DATABASE_URL": "postgresql://u:hunter2@h/n"}))


def test_every_wrong_variable_is_named_in_a_line_of_its_own():
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"PORT": "many", "HOST": "x", "MAX_IN_FLIGHT": "0"})
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == ["PORT", "MAX_IN_FLIGHT"]


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://google.test/v1beta", "https://google.test"),
        ("https://google.test/v1beta/", "https://google.test"),
        ("https://google.test/v1", "https://google.test"),
        ("https://google.test/v1alpha", "https://google.test"),
        ("https://google.test/v1beta/models", "https://google.test"),
        ("https://google.test/v1beta/models/gemini-2.5-flash-image:generateContent", "https://google.test"),
        ("https://google.test/v1beta/openai/", "https://google.test"),
        ("https://google.test/models", "https://google.test"),
        ("http://gateway:8080/gemini/v1beta1", "http://gateway:8080/gemini"),
    ],
)
def test_a_base_url_with_a_version_stops_the_start_with_the_line_to_write(url: str, base: str):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"GEMINI_BASE_URL": url})
    assert str(caught.value).endswith(f"write GEMINI_BASE_URL={base}")


@pytest.mark.parametrize("url", ["https://gateway.test/v1/account/google-ai-studio", "http://h/v", "http://v1.test"])
def test_a_base_url_may_have_a_version_in_its_middle(url: str):
    assert Settings.from_environ({"GEMINI_BASE_URL": url}).gemini_base_url == url


def test_built_in_models_are_not_served_where_the_models_file_is_all_there_is(tmp_path: Path):
    (tmp_path / "models.toml").write_text("only = true\n" + OWN.replace("env:HOUSE_KEY", "none"))
    with pytest.raises(SettingsError, match="SERVED_MODELS: MODELS_FILE has only = true"):
        Settings.from_environ({"MODELS_FILE": str(tmp_path / "models.toml"), "SERVED_MODELS": "all"})


def test_settings_do_not_change():
    settings = Settings.from_environ({})
    with pytest.raises(FrozenInstanceError):
        settings.port = 1


def test_the_catalogue_knows_aliases_and_upstream_models():
    catalogue = Settings.from_environ(
        {"MODEL_ALIASES": "a=gemini-2.5-flash-image", "UPSTREAM_MODELS": "gemini-2.5-flash-image=gemini-9"}
    ).catalogue()
    assert catalogue.resolve("a").upstream_name == "gemini-9"


# The operator's own models

OWN = """
[[model]]
name = "house"
upstream = "openai"
base_url = "http://10.0.0.5:8080/v1"
key = "env:HOUSE_KEY"
pixels = { "1:1" = "1024x1024" }
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The variables of a service with a model of the operator's."""
    file = tmp_path / "models.toml"
    file.write_text(OWN)
    return {"MODELS_FILE": str(file), "HOUSE_KEY": "a-key-of-the-house"}


def test_the_file_of_models_is_read_and_its_servers_are_known(environ: dict[str, str]):
    settings = Settings.from_environ(environ)
    assert [model.name for model in settings.catalogue().models()] == ["gemini-2.5-flash-image", "house"]
    assert settings.servers() == {
        "https://generativelanguage.googleapis.com/v1beta": Api.GEMINI,
        "http://10.0.0.5:8080/v1": Api.OPENAI,
    }


@pytest.mark.parametrize(
    ("key", "callers", "travels"),
    [
        ("caller", "a-caller", "a-caller"),
        ("env:HOUSE_KEY", "a-caller", "a-key-of-the-house"),
        ("none", "a-caller", None),
        ("env:HOUSE_KEY", "sandbox", "sandbox"),
        ("none", "sandbox", "sandbox"),
    ],
)
def test_the_key_that_is_sent_is_the_one_that_the_row_names(
    environ: dict[str, str], key: str, callers: str, travels: str | None
):
    settings = Settings.from_environ({**environ, "SANDBOX": "1"})
    row = replace(settings.catalogue().resolve("house").upstream, key=key)
    assert settings.key_of(row, callers) == travels


def test_a_key_that_is_not_set_stops_the_start_and_the_message_names_its_variable(environ: dict[str, str]):
    with pytest.raises(SettingsError, match="house takes its key from HOUSE_KEY"):
        Settings.from_environ({**environ, "HOUSE_KEY": " "})


def test_the_operators_keys_are_not_shown(environ: dict[str, str]):
    assert "a-key-of-the-house" not in repr(Settings.from_environ(environ))


def test_a_wrong_row_stops_the_start_and_the_message_names_file_and_row(environ: dict[str, str]):
    file = Path(environ["MODELS_FILE"])
    file.write_text(OWN.replace("1024x1024", "big"))
    with pytest.raises(SettingsError, match=rf"MODELS_FILE is '{file}': row 1 \(house\)"):
        Settings.from_environ(environ)


def test_a_model_can_be_moved_to_a_row_of_the_file(environ: dict[str, str]):
    settings = Settings.from_environ({**environ, "UPSTREAM_MODELS": "gemini-2.5-flash-image=house"})
    assert settings.catalogue().resolve(None).upstream.api is Api.OPENAI


ROW = """
[[model]]
name = "own"
upstream = "openai"
base_url = "http://127.0.0.1:1/v1"
pixels = "gemini-2.5-flash-image"
key = "{}"
"""


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ACCESS": "open"}, "ACCESS is 'open'"),
        ({"ACCESS": "keys"}, "GEMINI_API_KEYS: ACCESS=keys needs at least one"),
        ({"GEMINI_API_KEYS": "AIza-secret"}, "used with ACCESS=keys only"),
        ({"ACCESS": "keys", "GEMINI_API_KEYS": "AIza-secret,AIza-secret"}, "each once"),
        ({"ACCESS": "keys", "GEMINI_API_KEYS": "AIza-secret", "row": "caller"}, "the row own would give the keys"),
    ],
)
def test_keys_of_ours_without_keys_of_the_upstream_stop_the_start(environ: dict[str, str], words: str, tmp_path: Path):
    file = tmp_path / "models.toml"
    file.write_text(ROW.format(environ.pop("row", "none")))
    with pytest.raises(SettingsError) as error:
        Settings.from_environ({"MODELS_FILE": str(file), **environ})
    assert words in str(error.value)
    assert "AIza-secret" not in str(error.value)


def test_the_keys_of_the_upstream_are_read_and_not_shown():
    settings = Settings.from_environ({"ACCESS": "keys", "GEMINI_API_KEYS": " AIza-one, AQ.two ,"})
    assert settings.gemini_api_keys == ("AIza-one", "AQ.two")
    assert "AIza-one" not in repr(settings)
