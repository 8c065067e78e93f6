"""`[[situation]]` on OpenAI's Images API: fixtures, and servers that behave in their own way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from sandbox.openai_images.situations import BEHAVIOURS, FOLDER, OPERATIONS, OTHER_NAMES, known_names
from tests.sandbox.fixtures import assert_replayed, body_text, broken_transfer, load, name_of
from tests.sandbox.gemini_client import Client, png
from tests.sandbox.openai_client import (
    OPENAI_KEY,
    PROMPT,
    edit,
    error_of,
    events_of,
    generate,
    image_file,
    opened,
    pictures,
    post,
)

PATHS = sorted(path for path in FOLDER.glob("*/*.json") if path.parent.name in OPERATIONS)


def recorded(name: str) -> dict[str, Any]:
    (path,) = FOLDER.glob(f"*/{name}.json")
    response: dict[str, Any] = load(path)["response"]
    return response


def is_stream(response: dict[str, Any]) -> bool:
    return str(response["headers"].get("content-type")).startswith("text/event-stream")


def ask(client: Client, path: Path) -> requests.Response:
    """The answer to a request that names a situation, by its own operation, as a stream if it is one."""
    prompt = f"please show [[{path.stem}]]"
    streamed = is_stream(recorded(path.stem))
    if path.parent.name == "generations":
        body = {"prompt": prompt, "stream": streamed}
        return post(client, "generations", json=body, headers=OPENAI_KEY, stream=True)
    data = {"prompt": prompt, "stream": str(streamed).lower()}
    files = {"image": image_file(png())}
    return post(client, path.parent.name, data=data, files=files, headers=OPENAI_KEY, stream=True)


def test_names_are_unique() -> None:
    fixtures = {path.stem for path in PATHS}
    assert set(OTHER_NAMES.values()) <= fixtures
    assert known_names() == sorted([*fixtures, *OTHER_NAMES, *BEHAVIOURS])
    assert len(set(known_names())) == len(known_names())


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_every_fixture_can_be_asked_for(client: Client, path: Path) -> None:
    assert_replayed(ask(client, path), recorded(path.stem))


@pytest.mark.parametrize(("name", "fixture"), OTHER_NAMES.items())
def test_second_names(client: Client, name: str, fixture: str) -> None:
    streamed = is_stream(recorded(fixture))
    assert generate(client, prompt=f"[[{name}]]", stream=streamed).text == body_text(recorded(fixture))


def test_a_situation_answers_even_a_bad_request(client: Client) -> None:
    assert error_of(generate(client, prompt="[[insufficient_quota]]", n=77), 429)["code"] == "insufficient_quota"
    limited = generate(client, prompt="a hill [[ rate_limited ]]")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "12")


def test_the_key_is_repeated_where_openai_repeats_it(client: Client) -> None:
    answer = generate(client, headers={"authorization": 'Bearer sk-"quoted'}, prompt="[[api_key_incorrect]]")
    assert 'sk-"quoted' in error_of(answer, 401)["message"]


def test_variations_name_a_situation_where_there_is_no_prompt(client: Client) -> None:
    files = {"image": image_file(png())}
    answer = post(client, "variations", files=files, data={"user": "[[variations_gone]]"})
    assert error_of(answer, 404)["message"] == "This endpoint no longer accepts requests."


def test_a_whole_answer_as_events(client: Client) -> None:
    events = events_of(generate(client, prompt="[[two_pictures]]", stream=True))
    assert [event["type"] for event in events] == ["image_generation.completed"] * 2
    body = recorded("two_pictures")["body"]
    assert [{"b64_json": event["b64_json"]} for event in events] == body["data"]
    assert events[-1]["usage"] == body["usage"]
    (edited,) = events_of(edit(client, image_file(png()), prompt="[[png_with_usage]]", stream="true"))
    assert edited["type"] == "image_edit.completed"
    answer = generate(client, prompt="[[url]]", stream=True)
    assert answer.text == body_text(recorded("url"))  # an event has no URL


def test_events_as_a_whole_answer(client: Client) -> None:
    body = generate(client, prompt="[[streamed_two_pictures]]").json()
    assert [opened(item).size for item in body["data"]] == [(24, 16), (16, 24)]
    assert body["usage"]["input_tokens_details"] == {"image_tokens": 0, "text_tokens": 28}
    assert error_of_event(generate(client, prompt="[[streamed_refusal]]"), 400) == "moderation_blocked"
    assert error_of_event(generate(client, prompt="[[error_mid_stream]]"), 500) == "image_generation_failed"


def error_of_event(response: requests.Response, status: int) -> str:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    code: str = response.json()["error"]["code"]
    return code


def test_an_unknown_situation_lists_the_known_ones(client: Client) -> None:
    error = error_of(generate(client, prompt="[[no_such_thing]]"), 400)
    assert (error["code"], error["param"]) == ("invalid_value", "prompt")
    assert all(name in error["message"] for name in known_names())
    assert "model_list" not in error["message"]
    assert error_of(generate(client, prompt="[[..]]"), 400)


def test_several_situations_take_turns(client: Client) -> None:
    prompt = f"{PROMPT} [[rate_limited|png_with_usage|url_only]]"
    answers = [generate(client, prompt=prompt) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [429, 200, 200] * 2
    assert list(answers[2].json()["data"][0]) == ["url"]


def test_models(client: Client) -> None:
    assert error_of(client.get("/v1/models/[[unknown_model]]", OPENAI_KEY), 404)["code"] == "model_not_found"
    assert client.get("/v1/models/[[model_list]]", OPENAI_KEY).json() == recorded("model_list")["body"]
    message = error_of(client.get("/v1/models/[[png_with_usage]]", OPENAI_KEY), 400)["message"]
    assert "model_list" in message and "url_only" not in message


def behaving(client: Client, name: str, **fields: Any) -> requests.Response:
    return generate(client, prompt=f"{PROMPT} [[{name}]]", **fields)


def test_a_server_that_answers_with_urls_only(client: Client) -> None:
    data = behaving(client, "url_only", response_format="b64_json", n=2).json()["data"]
    assert all(list(item) == ["url"] for item in data)
    assert [Image.open(client.session.get(item["url"], stream=True).raw).size for item in data] == [(96, 64)] * 2


def test_a_server_that_puts_the_picture_into_the_url(client: Client) -> None:
    (item,) = behaving(client, "data_url", response_format="url", output_format="webp").json()["data"]
    head, _, text = item["url"].partition(",")
    assert head == "data:image/webp;base64"
    assert opened({"b64_json": text}).size == (96, 64)


def test_a_server_that_reports_no_tokens(client: Client) -> None:
    assert "usage" not in behaving(client, "no_usage").json()
    assert "usage" not in events_of(behaving(client, "no_usage", stream=True))[0]


def test_a_server_that_reports_the_prompt_it_drew(client: Client) -> None:
    items = behaving(client, "revised_prompt", n=2).json()["data"]
    assert all(list(item) == ["revised_prompt", "b64_json"] and PROMPT in item["revised_prompt"] for item in items)


def test_a_server_with_one_picture_one_size_and_no_stream(client: Client) -> None:
    assert len(pictures(behaving(client, "one_picture", n=4))) == 1
    assert len(events_of(behaving(client, "one_picture", n=4, stream=True))) == 1
    sized = behaving(client, "own_size", size="96x64")
    assert (pictures(sized)[0].size, sized.json()["size"]) == ((512, 512), "512x512")
    assert len(pictures(behaving(client, "no_stream", stream=True))) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_server_that_breaks_the_connection_within_a_picture(served: Client, streamed: bool) -> None:
    body = {"prompt": f"{PROMPT} [[cut_in_picture]]", "size": "512x512", "stream": streamed}
    answer = post(served, "generations", json=body, headers=OPENAI_KEY, stream=True)
    received = broken_transfer(answer)
    assert "b64_json" in received and len(received) > 50_000
    assert received.count('"') % 2 == 1


def test_a_behaviour_of_an_edit(client: Client) -> None:
    (item,) = edit(client, image_file(png()), prompt="in blue [[url_only]]").json()["data"]
    assert client.session.get(item["url"]).status_code == 200
