"""`models.list` and `models.retrieve`."""

from __future__ import annotations

from contextlib import suppress

import openai

from contract.suite.row import BOTH_OPENAI, HTTP, OPENAI, OPENAI_SDK, row
from contract.suite.trial import Trial

GROUP = "Models"
OPERATION = "models"


@row(GROUP, OPENAI, BOTH_OPENAI, "the list of models contains the model", operation=OPERATION)
def listed(trial: Trial) -> None:
    page = trial.ask("models.list")
    names = [model.id for model in page.data]
    trial.claim("the model is listed", trial.model in names, names[:20])
    trial.claim("each has the object type `model`", all(model.object == "model" for model in page.data))


@row(GROUP, OPENAI, BOTH_OPENAI, "one model can be retrieved", operation=OPERATION)
def retrieved(trial: Trial) -> None:
    model = trial.ask("models.retrieve", model=trial.model)
    trial.equal("`id` is its name", trial.model, model.id)
    trial.equal("`object` is `model`", "model", model.object)


@row(GROUP, OPENAI, OPENAI_SDK, "a model can be retrieved with Google's prefix", operation=OPERATION)
def retrieved_with_a_prefix(trial: Trial) -> None:
    model = trial.ask("models.retrieve", model=f"google/{trial.model}")
    trial.claim("`id` is its name", trial.model in model.id, model.id)


@row(GROUP, OPENAI, OPENAI_SDK, "an unknown model raises NotFoundError", operation=OPERATION)
def not_there(trial: Trial) -> None:
    trial.raises(openai.NotFoundError, "models.retrieve", model="no-such-model")


@row(GROUP, OPENAI, HTTP, "`/v1/models` with a Bearer key answers in OpenAI's form", operation=OPERATION)
def openais_form(trial: Trial) -> None:
    answer = trial.http("GET", "/v1/models")
    trial.equal("status 200", 200, answer.status_code)
    body = {}
    with suppress(ValueError):
        body = answer.json()
    trial.equal("`object` is `list`", "list", body.get("object"))
