"""`models.list` and `models.get` through google-genai."""

from __future__ import annotations

from google.genai import errors

from contract.suite.row import BOTH_GOOGLE, GEMINI, HTTP, row
from contract.suite.trial import Trial, body_of

GROUP = "Models"
OPERATION = "gemini/models"


@row(GROUP, GEMINI, BOTH_GOOGLE, "the list of models contains the model", operation=OPERATION)
def listed(trial: Trial) -> None:
    pager = trial.ask("models.list")
    names = [model.name or "" for model in pager.page]
    trial.claim("the model is listed", f"models/{trial.model}" in names, names[:20])
    found = next((model for model in pager.page if model.name == f"models/{trial.model}"), None)
    trial.claim("it supports generateContent", found and "generateContent" in (found.supported_actions or []), found)


@row(GROUP, GEMINI, BOTH_GOOGLE, "one model can be retrieved", operation=OPERATION)
def retrieved(trial: Trial) -> None:
    model = trial.ask("models.get", model=trial.model)
    trial.equal("its name", f"models/{trial.model}", model.name)
    trial.claim("its input token limit", model.input_token_limit, model)


@row(GROUP, GEMINI, BOTH_GOOGLE, "an unknown model raises ClientError", operation=OPERATION)
def not_there(trial: Trial) -> None:
    error = trial.raises(errors.ClientError, "models.get", model="no-such-model")
    trial.equal("code 404", 404, getattr(error, "code", None))
    trial.equal("status NOT_FOUND", "NOT_FOUND", getattr(error, "status", None))


@row(GROUP, GEMINI, HTTP, "`/v1/models` with `x-goog-api-key` answers in Google's form", operation="v1:models")
def googles_form(trial: Trial) -> None:
    answer = trial.http("GET", "/v1/models", "x-goog-api-key")
    trial.equal("status 200", 200, answer.status_code)
    body = body_of(answer)
    models = body.get("models") if isinstance(body, dict) else None
    trial.claim("a list called `models`", isinstance(models, list), answer.text[:99])
