"""Makes the calls, and turns the answers into fixtures."""

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
from contract.suite.situations import FOLDER

INVALID_KEY = "AIzaInvalidBecauseNoOneHasThisKey00000000"
KEPT_HEADERS = ("content-type", "content-disposition", "vary", "server-timing", "x-gemini-service-tier", "retry-after")
SECONDS = 300
SECONDS_TO_CONNECT = 10
DELAY = re.compile(r"(\d+(?:\.\d+)?)s")

Fixture = dict[str, Any]


class Stopped(Exception):
    """The recording cannot continue; nothing is written."""


@dataclass(frozen=True)
class Recorded:
    """A call, the fixture of its answer, and its pictures before they were made small."""

    call: Call
    fixture: Fixture
    pictures: Sequence[Picture]


def record(
    upstream: str, key: str, model: str, today: date, calls: Sequence[Call] = CALLS, log: Callable[[str], None] = print
) -> list[Recorded]:
    """Every call and its answer. Raises Stopped if the upstream fails or refuses the key."""
    recorded = []
    with requests.Session() as session:
        session.auth = lambda request: request  # otherwise requests reads a password from ~/.netrc
        for number, call in enumerate(calls, 1):
            log(f"  {number:>2}/{len(calls)} {call.name}")
            answer = ask(session, upstream, key, model, call)
            if number == 1 and answer.status_code >= 400:
                text = without_secrets(answer.text[:500], key)
                raise Stopped(f"the upstream answers {answer.status_code} to a call that costs nothing:\n{text}")
            recorded.append(fixture_of(call, answer, upstream, key, model, today))
    return recorded


def ask(session: requests.Session, upstream: str, key: str, model: str, call: Call) -> requests.Response:
    """The whole answer to one call. Raises Stopped."""
    credential = {NONE: {}, WRONG: {"x-goog-api-key": INVALID_KEY}}.get(call.key, {"x-goog-api-key": key})
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
        # The message of the error is not shown: it may repeat what was sent.
        raise Stopped(f"{call.name}: the upstream gave no whole answer ({type(error).__name__})") from None


def fixture_of(call: Call, answer: requests.Response, upstream: str, key: str, model: str, today: date) -> Recorded:
    """The fixture of an answer, without secrets and large pictures."""
    answer.encoding = "utf-8"
    text = without_secrets(answer.text, key)
    pictures: list[Picture] = []
    known = known_fixture(call)
    headers = {name: without_secrets(answer.headers[name], key) for name in KEPT_HEADERS if name in answer.headers}
    body = body_of(text, headers.get("content-type", ""), pictures)
    fixture = {
        "situation": known["situation"],
        "origin": f"recorded {today} from {urlsplit(upstream).hostname}, asked for {model}; {changes(pictures)}",
        "request": {"path": call.path(model), "body": call.body},
        "response": {"status": answer.status_code, "headers": headers, **body},
    }
    fixture["expect"] = expectation(fixture, known)
    return Recorded(call, fixture, pictures)


def changes(pictures: Sequence[Picture]) -> str:
    """What was changed in an answer, in words."""
    sizes = ", ".join(f"{mime_type} of {width}x{height}" for mime_type, width, height in pictures)
    return f"key, project and ids scrubbed{f'; pictures shrunk ({sizes})' if sizes else ''}"


def body_of(text: str, content_type: str, pictures: list[Picture]) -> Mapping[str, Any]:
    """The body as a fixture has it: JSON, or the exact text."""
    if content_type.startswith("text/event-stream") and text.startswith("data:"):
        return {"body_text": shrunk_stream(text, pictures)}
    try:
        return {"body": shrunk(json.loads(text), pictures)}
    except ValueError:
        return {"body_text": text}


def known_fixture(call: Call) -> Fixture:
    """The existing fixture of a call."""
    found: Fixture = json.loads((FOLDER / call.operation / f"{call.name}.json").read_text(encoding="utf-8"))
    return found


def answers_of(fixture: Fixture) -> list[Any]:
    """The JSON of an answer, or of each event of a stream; empty for anything else."""
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
    """What a caller should get. The kind of an error is that of the existing fixture."""
    status, answers = fixture["response"]["status"], answers_of(fixture)
    if status >= 400:
        delays = [DELAY.fullmatch(str(one.get("retryDelay"))) for one in details_of(answers) if "retryDelay" in one]
        delay = {"retry_after": float(delays[0][1])} if delays and delays[0] else {}
        return {"error": known["expect"].get("error", "UPSTREAM_REJECTED"), **delay}
    last = answers[-1] if answers else {}
    if "totalTokens" in last:
        return {"total_tokens": last["totalTokens"]}
    if "models" in last or "name" in last:
        token = {"next_page_token": last["nextPageToken"]} if "nextPageToken" in last else {}
        return {"models": [model["name"] for model in last.get("models", [last])], **token}
    return pictures_and_text(answers, known)


def details_of(answers: Sequence[Any]) -> list[Any]:
    return [detail for answer in answers for detail in answer.get("error", {}).get("details", [])]


def pictures_and_text(answers: Sequence[Any], known: Fixture) -> Fixture:
    """Pictures, text and usage of an answer; without a picture, the error of the existing fixture, or NO_IMAGE."""
    parts = [
        part
        for answer in answers
        for candidate in answer.get("candidates", [])
        for part in (candidate.get("content") or {}).get("parts") or []
        if not part.get("thought")
    ]
    found: list[Picture] = []
    shrunk(parts, found)
    if not found:
        return {"error": known["expect"].get("error", "NO_IMAGE")}
    pictures = [{"mime_type": mime_type, "width": width, "height": height} for mime_type, width, height in found]
    text = "".join(part.get("text", "") for part in parts)
    counted = [answer["usageMetadata"] for answer in answers if "usageMetadata" in answer]
    usage = {"usage": usage_of(counted[-1])} if counted else {}
    return {"pictures": pictures, **({"text": text} if text else {}), **usage}


def usage_of(counted: Mapping[str, Any]) -> dict[str, int]:
    """Tokens by kind; output tokens that are not of pictures count as text, thoughts too."""
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
    """Write all fixtures; the folder appears complete or not at all. Raises KeyLeft."""
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
