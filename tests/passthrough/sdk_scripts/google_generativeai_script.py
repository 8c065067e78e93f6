"""Runs in an environment of google-generativeai 0.8: reads questions from stdin, one JSON a line, and asks the SDK."""

import base64
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")

import google.generativeai as genai  # noqa: E402 - it warns on import that it is old
from google.api_core import exceptions  # noqa: E402
from google.generativeai import protos  # noqa: E402

ONCE = {"retry": None, "timeout": 20}  # left alone, it repeats a 503 for ten minutes


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        genai.configure(
            api_key=question["key"], transport="rest", client_options={"api_endpoint": question["base_url"]}
        )
        try:
            answer: dict[str, Any] = {"result": ACTIONS[question["do"]](question)}
        except Exception as error:  # whatever it is, the test judges it
            answer = {"error": fields_of(error)}
        print(json.dumps(answer), flush=True)


def fields_of(error: Exception) -> dict[str, Any]:
    report: dict[str, Any] = {"classes": [one.__name__ for one in type(error).__mro__], "text": str(error)}
    if isinstance(error, exceptions.GoogleAPICallError):
        body = error.response.json() if error.response is not None else None
        report |= {
            "code": int(error.code) if error.code is not None else None,
            "message": error.message,
            "details": body,
            "status": body["error"]["status"] if isinstance(body, dict) else None,
        }
    return report


def message(given: Any) -> Any:
    if not isinstance(given, list):
        return given
    return [
        one if isinstance(one, str) else {"mime_type": one["mime_type"], "data": base64.b64decode(one["data"])}
        for one in given
    ]


def described(answer: Any) -> dict[str, Any]:
    candidate = answer.candidates[0] if answer.candidates else None
    parts = candidate.content.parts if candidate else []
    return {
        "texts": [part.text for part in parts if part.text],
        "pictures": [
            {"mime_type": part.inline_data.mime_type, "data": base64.b64encode(part.inline_data.data).decode()}
            for part in parts
            if part.inline_data.data
        ],
        "finish_reason": candidate.finish_reason.name if candidate else None,
        "block_reason": answer.prompt_feedback.block_reason.name if answer.prompt_feedback.block_reason else None,
        "total_tokens": answer.usage_metadata.total_token_count,
    }


def model_of(question: dict[str, Any]) -> genai.GenerativeModel:
    config = question.get("config") or {}
    if "response_modalities" in config:
        # The old SDK has no name for modalities: its users set the proto's field.
        config = protos.GenerationConfig(**config)
    return genai.GenerativeModel(
        question["model"],
        generation_config=config or None,
        safety_settings=question.get("safety_settings"),
        system_instruction=question.get("system_instruction"),
    )


def generate(question: dict[str, Any]) -> Any:
    return described(model_of(question).generate_content(message(question["contents"]), request_options=ONCE))


def stream(question: dict[str, Any]) -> Any:
    chunks = model_of(question).generate_content(message(question["contents"]), stream=True, request_options=ONCE)
    return [described(chunk) for chunk in chunks]


def chat(question: dict[str, Any]) -> Any:
    conversation = model_of(question).start_chat()
    return [described(conversation.send_message(message(one), request_options=ONCE)) for one in question["messages"]]


def count(question: dict[str, Any]) -> Any:
    return model_of(question).count_tokens(message(question["contents"]), request_options=ONCE).total_tokens


def list_models(question: dict[str, Any]) -> Any:
    return [about(model) for model in genai.list_models(page_size=question.get("page_size", 50))]


def get_model(question: dict[str, Any]) -> Any:
    return about(genai.get_model(question["model"]))


def about(model: Any) -> dict[str, Any]:
    return {
        "name": model.name,
        "actions": list(model.supported_generation_methods),
        "input_token_limit": model.input_token_limit,
        "output_token_limit": model.output_token_limit,
    }


ACTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "version": lambda _: genai.__version__,
    "generate": generate,
    "stream": stream,
    "chat": chat,
    "count": count,
    "list": list_models,
    "get": get_model,
}

if __name__ == "__main__":
    main()
