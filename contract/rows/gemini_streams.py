"""`generate_content_stream` through google-genai."""

from __future__ import annotations

from google.genai import errors

from contract.suite.row import BOTH_GOOGLE, GEMINI, GOOGLE_SDK, HTTP, row
from contract.suite.trial import Trial, body_of

GROUP = "Streams"
OPERATION = "streamGenerateContent"
STREAM = "models.generate_content_stream"


@row(GROUP, GEMINI, BOTH_GOOGLE, "a stream delivers the whole picture", operation=OPERATION)
def whole_picture(trial: Trial) -> None:
    chunks = trial.ask(STREAM, model=trial.model, contents=trial.prompt())
    trial.gemini_pictures(chunks)
    trial.upstream_calls(1)


@row(GROUP, GEMINI, BOTH_GOOGLE, "the last event of a stream has the finish reason and the usage", operation=OPERATION)
def finish_reason(trial: Trial) -> None:
    chunks = trial.ask(STREAM, model=trial.model, contents=trial.prompt())
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    trial.claim("more than one event", len(chunks) > 1, f"{len(chunks)} events")
    trial.equal("finish reason STOP", "STOP", reasons[-1].name if reasons and reasons[-1] else None)
    trial.claim("the last event has the usage", chunks[-1].usage_metadata)


@row(GROUP, GEMINI, BOTH_GOOGLE, "a streamed chat", operation=OPERATION)
def chat(trial: Trial) -> None:
    trial.requests.append("chats.create, then send_message_stream")
    talk = trial.client.chats.create(model=trial.model)
    trial.gemini_pictures(trial.run(lambda: talk.send_message_stream(trial.prompt())))


@row(GROUP, GEMINI, HTTP, "with `alt=sse` the stream is server-sent events", operation=OPERATION)
def sse(trial: Trial) -> None:
    answer = trial.post_method(OPERATION, params={"alt": "sse"}, json=body_for(trial))
    trial.equal("status 200", 200, answer.status_code)
    content_type = answer.headers.get("content-type", "")
    trial.claim("content type text/event-stream", content_type.startswith("text/event-stream"), content_type)
    trial.claim("the body starts with `data: `", answer.text.startswith("data: "), answer.text[:40])


@row(GROUP, GEMINI, HTTP, "without `alt=sse` the stream is one JSON array", operation=OPERATION)
def array(trial: Trial) -> None:
    answer = trial.post_method(OPERATION, json=body_for(trial))
    trial.equal("status 200", 200, answer.status_code)
    content_type = answer.headers.get("content-type", "")
    trial.claim("content type application/json", content_type.startswith("application/json"), content_type)
    trial.claim("a list of answers", isinstance(body_of(answer), list), answer.text[:40])


@row(GROUP, GEMINI, GOOGLE_SDK, "a model that is not served raises ClientError on a stream", operation=OPERATION)
def unknown_model(trial: Trial) -> None:
    error = trial.raises(errors.ClientError, STREAM, model="no-such-model-image", contents=trial.prompt())
    trial.equal("code 404", 404, getattr(error, "code", None))


def body_for(trial: Trial) -> dict[str, object]:
    """The body of a request over HTTP."""
    return {"contents": [{"role": "user", "parts": [{"text": trial.prompt()}]}]}
