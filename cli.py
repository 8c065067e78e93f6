"""The command line: `python -m proxy --help`."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import requests

from app import open_upstreams
from compat.base64_stream import decode_whole
from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import names_model
from compat.image_models import CALLERS_KEY, Api, ServedModel, bare_name
from compat.images import MOST_PICTURES, Event, Failure, ImageStart
from compat.openai_images.error import OPENAI
from compat.openai_images.request import parse_generation
from proxy.access import commands as keys
from proxy.caller import without_key
from proxy.generation.generation import generate
from proxy.generation.languages import LANGUAGES
from proxy.generation.successors import Successors
from proxy.generation.target import Target
from proxy.limits import JOB_POLL_SECONDS, SPOOL_MEMORY
from proxy.observation.readiness import can_connect
from proxy.pictures.reencoding import reencode_pictures
from proxy.pictures.replacing import picture_bytes
from proxy.pictures.spool import SpoolMemory
from proxy.pictures.store import open_store
from proxy.settings import SANDBOX_KEY, Settings, SettingsError
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
    draw = command("generate", draw_pictures, "draw pictures, directly or through a running server")
    draw.add_argument("prompt", nargs="?", help="not needed with --job")
    draw.add_argument(
        "-o", "--output", type=Path, default=Path("picture.png"), help="where to write it; its ending says the format"
    )
    draw.add_argument("--force", action="store_true", help="replace a file that exists")
    draw.add_argument("--size", default="auto", help="pixels such as 1344x768, or an aspect ratio")
    draw.add_argument("--model", help="a served model")
    draw.add_argument(
        "-n", type=picture_count, default=1, help="how many pictures, 1 to 10: NAME-1.png, NAME-2.png, ..."
    )
    draw.add_argument(
        "--image", type=Path, action="append", default=[], help="a picture to start from; may be given several times"
    )
    draw.add_argument("--seed", type=int, help="the same seed asks for the same picture")
    draw.add_argument(
        "--url", help="a running server, such as http://127.0.0.1:8000; without it Google is called directly"
    )
    draw.add_argument("--key", help=f"a Google API key (else {' or '.join(KEY_VARIABLES)}); `sandbox` with SANDBOX=1")
    draw.add_argument(
        "--async",
        dest="as_job",
        action="store_true",
        help="as a job of the running server: it goes on if this command is left, and --job takes it up again",
    )
    draw.add_argument("--job", metavar="ID", help="take up a job again")
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
        is_absent = answer.status == HTTPStatus.NOT_FOUND
        where = f" (GET {url}: is the base URL right, with its version?)" if is_absent else ""
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


def picture_count(text: str) -> int:
    """The value of -n."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_PICTURES):
        raise argparse.ArgumentTypeError(f"it must be a whole number from 1 to {MOST_PICTURES}")
    return int(text)


def draw_pictures(options: argparse.Namespace, settings: Settings) -> int:
    """Draws pictures and writes each whole or not at all. Returns 1 if one is missing."""
    key = key_of(options)
    if not key:
        return complain(f"a key is needed: give --key or set {KEY_VARIABLES[0]}")
    is_job = options.as_job or options.job
    if is_job and not options.url:
        return complain("a job needs a running server: give --url")
    if (options.prompt is None) == (options.job is None):
        return complain("give a prompt, or the id of a job with --job")
    outputs = output_files(options.output, options.n)
    if not options.output.parent.is_dir():
        return complain(f"{options.output.parent} is not a folder")
    for output in outputs:
        if output.is_dir() or (output.exists() and not options.force):
            return complain(f"{output} exists: give another name, or --force to replace a file")
    unfinished = [output.with_name(f".{output.name}.part") for output in outputs]
    try:
        for part in unfinished:
            part.touch()  # before anything is bought
        body = order(options)
        with elapsed_time():
            if is_job:
                drawn = draw_as_job(options.url, options.job, body, key)
            elif options.url:
                drawn = draw_at(options.url, body, key)
            else:
                drawn = draw_directly(body, key, settings)
        outputs += further_files(options.output, len(outputs), len(drawn.pictures))
        for picture, output in zip(drawn.pictures, outputs, strict=False):
            part = output.with_name(f".{output.name}.part")
            part.write_bytes(picture)
            part.replace(output)
            print(f"{output}: {len(picture)} bytes")
    except ApiError as error:
        return complain(error.message)
    except OSError as error:
        words = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return complain(words.replace(key, "[key]"))
    finally:
        for part in unfinished:
            part.unlink(missing_ok=True)
    return max((complain(trouble) for trouble in drawn.troubles), default=0)


def output_files(output: Path, count: int) -> list[Path]:
    """The file of each picture: the one that was named, or, of several, one for each number."""
    if count == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{number}") for number in range(1, count + 1)]


def further_files(output: Path, named: int, count: int) -> list[Path]:
    """Files that do not exist, for the pictures that an answer has beyond those that were asked for."""
    candidates = (output.with_stem(f"{output.stem}-{number}") for number in itertools.count(named + 1))
    return list(itertools.islice((path for path in candidates if not path.exists()), max(0, count - named)))


def order(options: argparse.Namespace) -> dict[str, Any]:
    """The request of the Images API that the options stand for. Raises OSError for a picture that cannot be read."""
    body: dict[str, Any] = {"prompt": options.prompt, "size": options.size, "response_format": "b64_json"}
    if options.model:
        body["model"] = options.model
    if options.n > 1:
        body["n"] = options.n
    if options.seed is not None:
        body["seed"] = options.seed
    if options.image:
        body["images"] = [{"image_url": b64encode(path.read_bytes()).decode()} for path in options.image]
    if ending := options.output.suffix.removeprefix("."):
        body["output_format"] = ending
    return body


class Drawn(NamedTuple):
    """The pictures of a request, and what went wrong with those that are missing."""

    pictures: list[bytes]
    troubles: list[str]


def draw_at(url: str, body: dict[str, Any], key: str) -> Drawn:
    """Pictures from a running server. Raises ApiError with words, whatever went wrong."""
    return drawn_of(ask_server(requests.post, url, "images/generations", key, json=body, timeout=330))


def draw_as_job(url: str, id: str | None, body: dict[str, Any], key: str) -> Drawn:
    """Pictures from a job of a running server: from a new one, or from the one of that id. Raises ApiError.

    Whoever leaves is given the id to take it up again with.
    """
    if id is None:
        prefer = {"Prefer": "respond-async"}
        started = ask_server(requests.post, url, "images/generations", key, headers=prefer, json=body, timeout=330)
        id = str(started["id"])
        print(f"job {id}", file=sys.stderr)
    try:
        job = wait_for_job(url, id, key)
    except KeyboardInterrupt:
        raise ApiError(ErrorKind.INVALID_ARGUMENT, f"left; take the job up again with --job {id}") from None
    if job["status"] != "completed":
        message = (job["error"] or {}).get("message", "the job was cancelled")
        raise ApiError(ErrorKind.INVALID_ARGUMENT, message)
    return drawn_of(job["result"])


def wait_for_job(url: str, id: str, key: str) -> dict[str, Any]:
    """A job that is over. A line that breaks, or a server that starts again, loses nothing: it is asked again."""
    while True:
        try:
            job = ask_server(requests.get, url, f"images/jobs/{id}", key, headers={"Prefer": "wait=10"}, timeout=60)
        except ApiError as error:
            if error.kind is not ErrorKind.UPSTREAM_BROKEN:
                raise
            time.sleep(JOB_POLL_SECONDS)
            continue
        if job["status"] not in ("queued", "in_progress"):
            return job
        time.sleep(0.2)  # should a server not wait


def ask_server(
    send: Callable[..., requests.Response],
    url: str,
    path: str,
    key: str,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The JSON that a running server answers with. Raises ApiError: UPSTREAM_BROKEN if the answer is not Twinlens'."""
    headers = {"Authorization": f"Bearer {key}", **(headers or {})}
    try:
        response = send(f"{url.rstrip('/').removesuffix('/v1')}/v1/{path}", headers=headers, **options)
    except requests.RequestException as error:
        raise ApiError(ErrorKind.UPSTREAM_BROKEN, words_for(url, error)) from None
    try:
        answer: dict[str, Any] = response.json()
        if response.ok:
            return answer
        message = answer["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = f"{url} answered with status {response.status_code}, and not as Twinlens does"
        raise ApiError(ErrorKind.UPSTREAM_BROKEN, message) from None
    raise ApiError(ErrorKind.INVALID_ARGUMENT, message)


def drawn_of(answer: Mapping[str, Any]) -> Drawn:
    """The pictures of an answer of the Images API. Raises ApiError for one that cannot be fetched."""
    pictures = []
    for item in answer["data"]:
        if "b64_json" in item:
            pictures.append(decode_whole(item["b64_json"]))
            continue
        try:
            pictures.append(requests.get(item["url"], timeout=60).content)
        except requests.RequestException as error:
            raise ApiError(ErrorKind.UPSTREAM_BROKEN, words_for(item["url"], error)) from None
    return Drawn(pictures, [error["message"] for error in answer.get("errors", [])])


def words_for(url: str, error: requests.RequestException) -> str:
    """Why a server could not be asked, in a sentence."""
    if isinstance(error, requests.exceptions.Timeout):
        return f"{url} did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{url} has no certificate that is trusted here, or speaks no TLS"
    if isinstance(
        error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema)
    ):
        return f"{url} is no address of a server: it must begin with http:// or https://"
    if isinstance(error, requests.exceptions.ConnectionError):
        return f"{url} cannot be reached: is the server running there?"
    return f"the answer of {url} broke off"


def draw_directly(body: dict[str, Any], key: str, settings: Settings) -> Drawn:
    """Pictures from the upstream. Raises ApiError."""
    asked = parse_generation(body, settings.catalogue(), "b64_json")
    if key == SANDBOX_KEY and not settings.sandbox and asked.model.upstream.key == CALLERS_KEY:
        message = "the key `sandbox` is for a server that runs the sandbox: give its --url, or set SANDBOX=1"
        raise ApiError(ErrorKind.INVALID_KEY, message)
    successors = Successors(are_followed=settings.follow_successors)
    upstreams = open_upstreams(settings)

    def draw(model: ServedModel) -> Drawn:
        order, row = asked if model is asked.model else asked.drawn_by(model), model.upstream
        url = settings.server_of(row)[1]
        upstream, key_up = upstreams[url], settings.key_of(row, key)
        target = Target(upstream, model, key_up, OPENAI, follows=successors.are_followed)
        events = generate(target, order.image_request, SpoolMemory(SPOOL_MEMORY))
        events = reencode_pictures(events, order.output, lambda function, *arguments: function(*arguments))
        try:
            return collected(events)
        except ApiError as error:
            if error.kind is ErrorKind.UPSTREAM_BROKEN:
                raise replace(error, message=f"{url}: {error.message}") from None
            raise

    return successors.follow("", asked.model, draw)


def collected(events: Iterator[Event]) -> Drawn:
    """All pictures of an answer, decoded, and the errors in it."""
    drawn = Drawn([], [])
    for event in events:
        if isinstance(event, ImageStart):
            drawn.pictures.append(b"".join(picture_bytes(events)))
        elif isinstance(event, Failure):
            drawn.troubles.append(event.error.message)
    return drawn


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
