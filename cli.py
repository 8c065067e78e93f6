"""The command line: `python -m proxy --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import requests

from app import open_upstreams
from compat.base64_stream import decode, decode_whole
from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import names_model
from compat.image_models import CALLERS_KEY, Api, ServedModel, bare_name
from compat.images import Event, ImageData, ImageEnd
from compat.openai_images.error import OPENAI
from compat.openai_images.request import parse_generation
from proxy.access import commands as keys
from proxy.caller import without_key
from proxy.generation.generation import generate
from proxy.generation.languages import LANGUAGES
from proxy.generation.successors import Successors
from proxy.generation.target import Target
from proxy.limits import SPOOL_MEMORY
from proxy.observation.readiness import can_connect
from proxy.pictures.reencoding import reencode_pictures
from proxy.pictures.spool import SpoolMemory
from proxy.pictures.store import open_store
from proxy.settings import Settings, SettingsError
from proxy.state.database import Database, DatabaseUnavailable
from proxy.upstream.client import Upstream

KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
PROJECT = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns its exit status: 0 for success, 1 for failure; argparse exits with 2."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options, Settings.from_environ())
    except SettingsError as error:
        if options.run is check_all:
            return max(report("settings", line) for line in str(error).splitlines())
        return complain(str(error))
    return status


def parser() -> argparse.ArgumentParser:
    """The arguments of `python -m proxy`."""
    root = argparse.ArgumentParser(prog="python -m proxy", description="Twinlens: one image model behind two APIs.")
    commands = root.add_subparsers(required=True, metavar="command")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    command("serve", serve, "start the service, like `gunicorn` in the project's folder")
    check = command("check", check_all, "check settings, store, database, upstream and key")
    check.add_argument("--key", help=f"a Google API key to try (else {' or '.join(KEY_VARIABLES)}, if set)")
    command("models", list_models, "the models that are served, with ratios and prices")
    draw = command("generate", draw_picture, "draw a picture, directly or through a running server")
    draw.add_argument("prompt")
    draw.add_argument(
        "-o", "--output", type=Path, default=Path("picture.png"), help="where to write it; its ending says the format"
    )
    draw.add_argument("--force", action="store_true", help="replace a file that exists")
    draw.add_argument("--size", default="auto", help="pixels such as 1344x768, or an aspect ratio")
    draw.add_argument("--model", help="a served model")
    draw.add_argument(
        "--url", help="a running server, such as http://127.0.0.1:8000; without it Google is called directly"
    )
    draw.add_argument("--key", help=f"a Google API key (else {' or '.join(KEY_VARIABLES)}); `sandbox` with SANDBOX=1")
    keys.add_commands(commands)
    images = command("images", None, "stored pictures").add_subparsers(required=True, metavar="clean")
    clean = images.add_parser("clean", help="delete expired pictures", description="Deletes expired pictures now.")
    clean.set_defaults(run=clean_images)
    return root


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Replaces this process with gunicorn."""
    os.chdir(PROJECT)
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn"])  # noqa: S606


def check_all(options: argparse.Namespace, settings: Settings) -> int:
    """Checks everything that the service needs."""
    print("settings  ok")
    return max([check_store(settings), check_database(settings), check_servers(settings, key_of(options))])


def check_store(settings: Settings) -> int:
    try:
        open_store(settings.image_store_url, settings.image_ttl_seconds).check()
    except SettingsError as error:
        return report("store", str(error))
    except OSError as error:
        return report("store", f"{settings.image_store_url} cannot be written ({error.strerror}). Set IMAGE_STORE_URL.")
    return report("store")


def check_database(settings: Settings) -> int:
    try:
        Database(settings.database_url).check()
    except DatabaseUnavailable as error:
        return report("database", error.explained())
    return report("database")


def check_servers(settings: Settings, key: str | None) -> int:
    """Asks every server that draws for a served model: whether it is there, takes the key, and has its models."""
    findings, upstreams = [0], open_upstreams(settings)
    served: dict[tuple[str, str], list[ServedModel]] = {}
    for model in settings.catalogue().models():
        served.setdefault((settings.server_of(model.upstream)[1], model.upstream.key), []).append(model)
    for (url, key_name), models in served.items():
        is_callers = key_name == CALLERS_KEY
        pooled = settings.gemini_api_keys if is_callers else ()  # with ACCESS=keys
        for number, key_up in enumerate(pooled or (key if is_callers else settings.keys.get(key_name),), 1):
            name = f"key {number}/{len(pooled)}" if pooled else "key"
            findings += check_server(upstreams[url], url, key_up, name, models, settings)
            if not key_up and is_callers:
                print(f"key       not tried on {url}: give --key or set {KEY_VARIABLES[0]}")
    return max(findings)


def check_server(
    upstream: Upstream, url: str, key: str | None, name: str, models: list[ServedModel], settings: Settings
) -> list[int]:
    """Whether a server is there, takes a key, which is called by its name, and has the models."""
    if upstream.base_for(key) != url:  # the sandbox, which is in this process
        print(f"upstream  {url} is not asked: the key is the sandbox's")
    elif not can_connect(url):
        return [report("upstream", f"{url} cannot be reached. Look at the network, or a proxy.")]
    else:
        print(f"upstream  {url} can be reached")
    if models[0].upstream.key == CALLERS_KEY and not key:
        return []
    listed, trouble = models_at(upstream, key)
    findings = [report(name if key else "upstream", trouble)] if key or trouble else []
    if not trouble:
        findings += [check_model(upstream, model, key, listed, settings) for model in models]
    return findings


def models_at(upstream: Upstream, key: str | None) -> tuple[list[str], str]:
    """The names of a server's models, without prefixes, and what is wrong if it does not list them."""
    paged = "?pageSize=1000" if upstream.api is Api.GEMINI else ""
    url = f"{upstream.base_for(key)}/models"
    try:
        answer = upstream.get(f"{url}{paged}", key)
        body = answer.read_error()
        answer.close()
    except ApiError as error:
        return [], error.message
    if answer.status != HTTPStatus.OK:
        found = LANGUAGES[upstream.api].read_error(answer.status, body, answer.headers)
        where = f" (GET {url})" if answer.status == HTTPStatus.NOT_FOUND else ""
        return [], without_key(f"{one_line(found.message)}{where}", key)
    try:
        content = json.loads(body)
        rows = content["models"] if upstream.api is Api.GEMINI else content["data"]
        return [bare_name(row["name" if upstream.api is Api.GEMINI else "id"]) for row in rows], ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return [], f"GET {url} does not answer with a list of models: is the base URL right?"


def check_model(
    upstream: Upstream, model: ServedModel, key: str | None, listed: Collection[str], settings: Settings
) -> int:
    """Whether a server has the model of a row."""
    trouble = trouble_with(upstream, model, key, listed)
    words, successor = model.upstream_name, model.succeeded() if model.successor else None
    if model.upstream.has_ended(datetime.now(UTC).date()):
        words += f" (its announced end, {model.upstream.retires}, has passed)"
    if not trouble:
        return report("model", f"{words} ok", failed=False)
    is_gone = trouble.missing_model == model.upstream_name
    if successor and is_gone and settings.follow_successors and not trouble_with(upstream, successor, key, listed):
        return report("model", f"{words} is not there: its successor {successor.upstream_name} draws", failed=False)
    advice = f" Set UPSTREAM_MODELS={model.name}={successor.upstream_name}." if successor and is_gone else ""
    return report("model", f"{words}: {one_line(without_key(trouble.message, key))}{advice}")


def trouble_with(upstream: Upstream, model: ServedModel, key: str | None, listed: Collection[str]) -> ApiError | None:
    """What a server says of a model, if it is an error. Google's counts a text, which costs nothing; others list it."""
    name = model.upstream_name
    if upstream.api is Api.OPENAI:
        is_there = not listed or bare_name(name) in listed
        message = f"the server has {', '.join(listed)}"
        return None if is_there else ApiError(ErrorKind.MODEL_NOT_FOUND, message, missing_model=name)
    request = b'{"contents": [{"parts": [{"text": "hello"}]}]}'
    try:
        answer = upstream.call(f"models/{name}:countTokens", request, key)
        body = answer.read_error()
        answer.close()
    except ApiError as error:
        return error
    if answer.status < HTTPStatus.BAD_REQUEST:
        return None
    found = LANGUAGES[upstream.api].read_error(answer.status, body, answer.headers)
    is_gone = found.kind is ErrorKind.MODEL_NOT_FOUND and names_model(found.message, name)
    return replace(found, missing_model=name if is_gone else None)


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def report(what: str, words: str = "", *, failed: bool | None = None) -> int:
    """Prints a line about one thing. Words say what is wrong with it, unless it has not failed."""
    print(f"{what:<9} {words or 'ok'}")
    return int(bool(words) if failed is None else failed)


def list_models(options: argparse.Namespace, settings: Settings) -> int:
    """Prints a block for each served model."""
    catalogue = settings.catalogue()
    for model in catalogue.models():
        row = model.upstream
        names = [alias for alias, name in catalogue.aliases.items() if name == model.name]
        at = f" at {row.openai.base_url}" if row.openai else ""
        print(f"{model.name}  (drawn by {model.upstream_name}{at}, {row.title})")
        print(f"  ratios   {', '.join(f'{ratio} {w}x{h}' for ratio, (w, h) in row.pixels.items())}")
        if row.tiers:
            print(f"  sizes    {', '.join(row.tiers)}")
        if row.prices:
            prices = f"{row.prices.input} in, {row.prices.text_output} text out, {row.prices.image_output} image out"
            print(f"  prices   {prices} (USD per 1M tokens)")
        if row.retires:
            passed = " (has passed)" if row.has_ended(datetime.now(UTC).date()) else ""
            print(f"  ends     {row.retires.isoformat()}{passed}")
        if model.successor:
            print(f"  then     {model.successor.name}{'' if settings.follow_successors else ' (not followed)'}")
        if names:
            print(f"  aliases  {', '.join(names)}")
    return 0


def draw_picture(options: argparse.Namespace, settings: Settings) -> int:
    """Draws one picture and writes it whole or not at all."""
    key = key_of(options)
    if not key:
        return complain(f"a key is needed: give --key or set {KEY_VARIABLES[0]}")
    output: Path = options.output
    body = {"prompt": options.prompt, "size": options.size, "response_format": "b64_json"}
    if options.model:
        body["model"] = options.model
    if ending := output.suffix.removeprefix("."):
        body["output_format"] = ending
    if output.is_dir() or (output.exists() and not options.force):
        return complain(f"{output} exists: give another name, or --force to replace a file")
    unfinished = output.with_name(f".{output.name}.part")
    try:
        unfinished.touch()  # before anything is bought
        with elapsed_time():
            picture = draw_at(options.url, body, key) if options.url else draw_directly(body, key, settings)
        unfinished.write_bytes(picture)
        unfinished.replace(output)
    except ApiError as error:
        return complain(error.message)
    except OSError as error:
        return complain(str(error).replace(key, "[key]"))
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"{output}: {len(picture)} bytes")
    return 0


def draw_at(url: str, body: dict[str, str], key: str) -> bytes:
    """A picture from a running server."""
    headers = {"Authorization": f"Bearer {key}"}
    response = requests.post(f"{url.rstrip('/')}/v1/images/generations", json=body, headers=headers, timeout=330)
    if not response.ok:
        try:
            message = response.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = f"the server answered with status {response.status_code}"
        raise ApiError(ErrorKind.INVALID_ARGUMENT, message)
    return decode_whole(response.json()["data"][0]["b64_json"])


def draw_directly(body: dict[str, str], key: str, settings: Settings) -> bytes:
    """A picture from the upstream."""
    asked = parse_generation(body, settings.catalogue(), "b64_json")
    successors = Successors(are_followed=settings.follow_successors)
    upstreams = open_upstreams(settings)

    def draw(model: ServedModel) -> bytes:
        order, row = asked if model is asked.model else asked.drawn_by(model), model.upstream
        upstream, key_up = upstreams[settings.server_of(row)[1]], settings.key_of(row, key)
        target = Target(upstream, model, key_up, OPENAI, follows=successors.are_followed)
        events = generate(target, order.image_request, SpoolMemory(SPOOL_MEMORY))
        events = reencode_pictures(events, order.output, lambda function, *arguments: function(*arguments))
        return b"".join(decode(first_picture(events)))

    return successors.follow("", asked.model, draw)


def first_picture(events: Iterator[Event]) -> Iterator[bytes]:
    """The base64 of the first picture. The rest is read too, so that a broken answer is noticed."""
    reading = True
    for event in events:
        if reading and isinstance(event, ImageData):
            yield event.data
        reading = reading and not isinstance(event, ImageEnd)


@contextmanager
def elapsed_time() -> Iterator[None]:
    """Shows the elapsed time on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    done, started = threading.Event(), time.monotonic()

    def show() -> None:
        while not done.wait(0.5):
            print(f"\rdrawing ... {time.monotonic() - started:.0f} s", end="", file=sys.stderr, flush=True)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def clean_images(options: argparse.Namespace, settings: Settings) -> int:
    """Deletes expired pictures."""
    swept = open_store(settings.image_store_url, settings.image_ttl_seconds).sweep()
    print(f"{swept} expired files deleted")
    return 0


def key_of(options: argparse.Namespace) -> str | None:
    """The key that is given, or the one in the environment."""
    given: str | None = options.key
    return given or next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)


def complain(message: str) -> int:
    print(f"python -m proxy: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
