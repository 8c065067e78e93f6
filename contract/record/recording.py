"""Makes the calls, and makes fixtures of the answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from contract.record.calls import CALLS, NONE, WRONG, Call
from contract.record.scrubbing import Picture, assert_clean, shrunk, shrunk_stream, without_secrets

AT_HAND = Path(__file__).resolve().parents[2] / "contract_fixtures" / "gemini_content"
NO_ONES_KEY = "AIzaInvalidBecauseNoOneHasThisKey00000000"
KEPT_HEADERS = ("content-type", "content-disposition", "vary", "server-timing", "x-gemini-service-tier", "retry-after")
SECONDS = 300
SECONDS_TO_CONNECT = 10
DELAY = re.compile(r"(\d+(?:\.\d+)?)s")

Fixture = dict[str, Any]


class Stopped(Exception):
    """The recording cannot go on; nothing is written."""


@dataclass(frozen=True)
class Recorded:
    """A call, the fixture of its answer, and the pictures as they really came."""

    call: Call
    fixture: Fixture
    pictures: Sequence[Picture]


def record(
    upstream: str, key: str, model: str, today: date, calls: Sequence[Call] = CALLS, tell: Callable[[str], None] = print
) -> list[Recorded]:
    """Every call and its answer. Raises Stopped if the upstream fails, or does not take the key."""
    recorded = []
    with requests.Session() as session:
        session.auth = lambda request: request  # or requests would look for a password in ~/.netrc
        for number, call in enumerate(calls, 1):
            tell(f"  {number:>2}/{len(calls)} {call.name}")
            answer = ask(session, upstream, key, model, call)
            if number == 1 and answer.status_code >= 400:
                told = without_secrets(answer.text[:500], key)
                raise Stopped(f"the upstream answers {answer.status_code} to a call that costs nothing:\n{told}")
            recorded.append(made_of(call, answer, upstream, key, model, today))
    return recorded


def ask(session: requests.Session, upstream: str, key: str, model: str, call: Call) -> requests.Response:
    """The whole answer to one call. Raises Stopped."""
    credential = {NONE: {}, WRONG: {"x-goog-api-key": NO_ONES_KEY}}.get(call.key, {"x-goog-api-key": key})
    try:
        return session.request(
            "GET" if call.body is None else "POST",
            upstream + call.path(model),
            json=call.body,
            headers={**credential, **call.headers, "accept-encoding": "identity", "user-agent": "twinlens-record"},
            timeout=(SECONDS_TO_CONNECT, SECONDS),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        # The error's own words stay here: they may repeat what was sent.
        raise Stopped(f"{call.name}: the upstream gave no whole answer ({type(error).__name__})") from None


def made_of(call: Call, answer: requests.Response, upstream: str, key: str, model: str, today: date) -> Recorded:
    """The fixture of an answer, with nothing secret and nothing large in it."""
    answer.encoding = "utf-8"
    text = without_secrets(answer.text, key)
    seen: list[Picture] = []
    known = at_hand(call)
    headers = {name: without_secrets(answer.headers[name], key) for name in KEPT_HEADERS if name in answer.headers}
    body = body_of(text, headers.get("content-type", ""), seen)
    fixture = {
        "situation": known["situation"],
        "origin": f"recorded {today} from {urlsplit(upstream).hostname}, asked for {model}; {how_it_was_changed(seen)}",
        "request": {"path": call.path(model), "body": call.body},
        "response": {"status": answer.status_code, "headers": headers, **body},
    }
    fixture["expect"] = expectation(fixture, known)
    return Recorded(call, fixture, seen)


def how_it_was_changed(seen: Sequence[Picture]) -> str:
    sizes = ", ".join(f"{mime_type} of {width}x{height}" for mime_type, width, height in seen)
    return f"key, project and ids scrubbed{f'; pictures shrunk ({sizes})' if sizes else ''}"


def body_of(text: str, content_type: str, seen: list[Picture]) -> Mapping[str, Any]:
    """The body as a fixture holds it: JSON, or the very text."""
    if content_type.startswith("text/event-stream") and text.startswith("data:"):
        return {"body_text": shrunk_stream(text, seen)}
    try:
        return {"body": shrunk(json.loads(text), seen)}
    except ValueError:
        return {"body_text": text}


def at_hand(call: Call) -> Fixture:
    """The fixture that is there already."""
    found: Fixture = json.loads((AT_HAND / call.operation / f"{call.name}.json").read_text(encoding="utf-8"))
    return found


def answers_of(fixture: Fixture) -> list[Any]:
    """The JSON of an answer, or of each event of a stream; none if it is something else."""
    body = fixture["response"].get("body")
    if text := fixture["response"].get("body_text"):
        if text.startswith("data:"):
            return [json.loads(line) for line in re.findall(r"^data: ?(\{.*\})\r?$", text, re.MULTILINE)]
        try:
            body = json.loads(text)
        except ValueError:
            return []
    return body if isinstance(body, list) else [body]


def expectation(fixture: Fixture, known: Fixture) -> Fixture:
    """What a caller should get of an answer. What an error means is taken from the fixture at hand."""
    status, answers = fixture["response"]["status"], answers_of(fixture)
    if status >= 400:
        delays = [DELAY.fullmatch(str(one.get("retryDelay"))) for one in details_of(answers) if "retryDelay" in one]
        told = {"retry_after": float(delays[0][1])} if delays and delays[0] else {}
        return {"error": known["expect"].get("error", "UPSTREAM_REJECTED"), **told}
    last = answers[-1] if answers else {}
    if "totalTokens" in last:
        return {"total_tokens": last["totalTokens"]}
    if "models" in last or "name" in last:
        token = {"next_page_token": last["nextPageToken"]} if "nextPageToken" in last else {}
        return {"models": [model["name"] for model in last.get("models", [last])], **token}
    return pictures_and_words(answers, known)


def details_of(answers: Sequence[Any]) -> list[Any]:
    return [detail for answer in answers for detail in answer.get("error", {}).get("details", [])]


def pictures_and_words(answers: Sequence[Any], known: Fixture) -> Fixture:
    """What an answer shows; without a picture it is what the fixture at hand says, or no image."""
    parts = [
        part
        for answer in answers
        for candidate in answer.get("candidates", [])
        for part in (candidate.get("content") or {}).get("parts") or []
        if not part.get("thought")
    ]
    seen: list[Picture] = []
    shrunk(parts, seen)
    if not seen:
        return {"error": known["expect"].get("error", "NO_IMAGE")}
    pictures = [{"mime_type": mime_type, "width": width, "height": height} for mime_type, width, height in seen]
    words = "".join(part.get("text", "") for part in parts)
    counted = [answer["usageMetadata"] for answer in answers if "usageMetadata" in answer]
    usage = {"usage": usage_of(counted[-1])} if counted else {}
    return {"pictures": pictures, **({"text": words} if words else {}), **usage}


def usage_of(counted: Mapping[str, Any]) -> dict[str, int]:
    """Tokens by kind; what came out and is no picture is text, and so are thoughts."""
    pictures_in, pictures_out = (
        sum(one["tokenCount"] for one in counted.get(name, []) if one.get("modality") == "IMAGE")
        for name in ("promptTokensDetails", "candidatesTokensDetails")
    )
    return {
        "input_text_tokens": counted.get("promptTokenCount", 0) - pictures_in,
        "input_image_tokens": pictures_in,
        "output_text_tokens": counted.get("candidatesTokenCount", 0)
        - pictures_out
        + counted.get("thoughtsTokenCount", 0),
        "output_image_tokens": pictures_out,
    }


def write(recorded: Sequence[Recorded], folder: Path, key: str) -> None:
    """All fixtures at once: the folder appears whole or not at all. Raises KeyLeft."""
    files = {
        f"{one.call.operation}/{one.call.name}.json": json.dumps(one.fixture, indent=2, ensure_ascii=False) + "\n"
        for one in recorded
    }
    for text in files.values():
        assert_clean(text, key)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for name, text in files.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
