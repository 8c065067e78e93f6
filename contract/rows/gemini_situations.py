"""Every situation of the contract fixtures on Google's own surface. A new file is a new row.

What the SDK makes of the server's answer must be what it makes of the upstream's when it asks that directly.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import requests
from google.genai import errors

from contract.suite.clients import SECONDS
from contract.suite.row import GEMINI, GOOGLE_ASYNC, GOOGLE_SDK, row
from contract.suite.situations import COUNT, GENERATE, STREAM, Situation, situations
from contract.suite.trial import Trial, body_of, method_of

CALLS = {  # folder -> the SDK's method, the operation, and what the rows speak of
    GENERATE: ("models.generate_content", "generateContent", "Situations"),
    STREAM: ("models.generate_content_stream", "streamGenerateContent", "Situations of a stream"),
    COUNT: ("models.count_tokens", "countTokens", "Situations of counting"),
}
KEY_IN_ERRORS = "[key]"  # what stands where the upstream repeats the caller's key


def seen(trial: Trial, client: Any, path: str, prompt: str, model: str) -> dict[str, Any]:
    """All that a program learns from a call: the answer, or the exception with its members."""
    try:
        answer = trial.run(lambda: method_of(trial.half_of(client), path)(model=model, contents=prompt))
    except errors.APIError as error:
        return {"raised": type(error).__name__, "code": error.code, **told_of(error)}
    except Exception as error:
        return {"raised": "an error of the transfer or of its parsing", "kind": kind_of(error)}
    answers = answer if isinstance(answer, list) else [answer]
    return {"answers": [plain(one) for one in answers]}


def told_of(error: errors.APIError) -> dict[str, Any]:
    """What an error says. Where its body is none of Google's, the SDK tells the reason phrase of HTTP: anyone's own."""
    if not isinstance(error.details, dict) or "error" not in error.details:
        return {"message": error.message}
    return {"status": error.status, "message": error.message, "details": error.details}


def kind_of(error: Exception) -> str:
    """The class of an error; how exactly a transfer breaks is the transport's own matter."""
    package = type(error).__module__.split(".")[0]
    return "transport" if package in ("httpx", "httpx2", "aiohttp") else type(error).__name__


def plain(answer: Any) -> dict[str, Any]:
    """An answer as data, without the HTTP headers that came with it."""
    told: dict[str, Any] = answer.model_dump(mode="json", exclude_none=True, exclude={"sdk_http_response"})
    return told


def fingerprint(told: dict[str, Any]) -> str:
    """What was seen, short enough to be shown whole."""
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(expected: Any, came: Any, place: str = "") -> list[str]:
    """Where two values differ."""
    if isinstance(expected, dict) and isinstance(came, dict):
        names = [*expected, *(name for name in came if name not in expected)]
        found = (differences(expected.get(name), came.get(name), f"{place}.{name}".lstrip(".")) for name in names)
        return [one for some in found for one in some]
    if isinstance(expected, list) and isinstance(came, list) and len(expected) == len(came):
        found = (differences(*pair, f"{place}[{index}]") for index, pair in enumerate(zip(expected, came, strict=True)))
        return [one for some in found for one in some]
    return [] if expected == came else [f"{place}: {shown(expected)} became {shown(came)}"]


def shown(value: Any, longest: int = 120) -> str:
    """A value, or the beginning of a long one."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[:longest]}…"


def seen_by_hand(url: str, key: str, prompt: str) -> dict[str, Any]:
    """What an answer says that the SDK would follow, calling again for as long as it is told to."""
    body = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
    answer = requests.post(url, json=body, headers={"x-goog-api-key": key}, timeout=SECONDS)
    return {"status": answer.status_code, "answers": body_of(answer)}


def both_ways(trial: Trial, situation: Situation) -> tuple[dict[str, Any], dict[str, Any]]:
    """What comes from the upstream when it is asked directly, and what comes from the server."""
    path, operation, _ = CALLS[situation.operation]
    prompt = trial.prompt(situation=situation.name)
    directly = prompt.replace(trial.mark, "asked directly")
    trial.requests.append(f"{path}(model={trial.model!r}, contents={prompt!r})")
    reference = trial.server.reference.url
    if "continuationToken" in situation.text:
        address = trial.method_path(operation)
        return (
            seen_by_hand(reference + address, KEY_IN_ERRORS, directly),
            seen_by_hand(trial.server.gemini_root + address, trial.server.key, prompt),
        )
    return (
        seen(trial, trial.google(reference, KEY_IN_ERRORS), path, directly, trial.model),
        seen(trial, trial.google(), path, prompt, trial.model),
    )


def tried(trial: Trial, name: str, operation: str) -> None:
    """Ask the server and the upstream the same, and compare."""
    expected, came = both_ways(trial, Situation(operation, name))
    trial.saw(f"{shown(came, 600)} ({fingerprint(came)})")
    found = differences(expected, came)
    told = expected.get("raised") or "an answer"
    trial.claim(f"the same as from the upstream itself: {told}", not found, "; ".join(found[:6]))
    trial.went_up_times(1)


def outcome_of(situation: Situation) -> str:
    """What a user gets, in a few words."""
    if situation.status >= 500:
        return "raises ServerError"
    if situation.status >= 400:
        return "raises ClientError"
    return "breaks off" if situation.cut else "arrives as it is"


def register() -> None:
    """One row for each file of each operation; the SDK's two halves take turns."""
    for folder, (_, operation, group) in CALLS.items():
        for index, situation in enumerate(situations(folder)):
            sentence = f"{situation.sentence}: {outcome_of(situation)}"
            row(
                group,
                GEMINI,
                (GOOGLE_SDK, GOOGLE_ASYNC)[index % 2],
                sentence.replace("{", "{{").replace("}", "}}"),
                operation=operation,
                each=[{"name": situation.name, "operation": folder}],
                situations=True,
            )(tried)


register()
