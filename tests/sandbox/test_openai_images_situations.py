"""`[[situation]]` at the sandbox that speaks OpenAI's Images API: fixtures, and the habits of a server."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from urllib3.exceptions import ProtocolError

from sandbox.openai_images.situations import FOLDER, HABITS, OTHER_NAMES, PICTURES, known_names
from tests.sandbox.openai_clients import (
    OPENAI_KEY,
    PROMPT,
    edit,
    error_of,
    events_of,
    generate,
    opened,
    picture,
    pictures,
    post,
)
from tests.sandbox.sandbox_clients import Client, png

PATHS = sorted(path for path in FOLDER.glob("*/*.json") if path.parent.name in PICTURES)


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def recorded(name: str) -> dict[str, Any]:
    (path,) = FOLDER.glob(f"*/{name}.json")
    response: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["response"]
    return response


def text_of(response: dict[str, Any]) -> str:
    text = response["body_text"] if "body_text" in response else json.dumps(response["body"], indent=2) + "\n"
    return str(text).replace("[[key]]", "sandbox")


def is_stream(response: dict[str, Any]) -> bool:
    return str(response["headers"].get("content-type")).startswith("text/event-stream")


def ask(client: Client, path: Path, **options: Any) -> requests.Response:
    """Ask for a situation by the operation that it was written for, as a stream if it is one."""
    words = f"please show [[{path.stem}]]"
    streamed = is_stream(recorded(path.stem))
    if path.parent.name == "generations":
        body = {"prompt": words, "stream": streamed}
        return post(client, "generations", json=body, headers=OPENAI_KEY, **options)
    data = {"prompt": words, "stream": str(streamed).lower()}
    files = {"image": picture(png())}
    return post(client, path.parent.name, data=data, files=files, headers=OPENAI_KEY, **options)


def broken_transfer(shown: requests.Response) -> bytes:
    """What arrives of an answer whose transfer must break."""
    received: list[bytes] = []
    with pytest.raises(ProtocolError):
        received.extend(iter(partial(shown.raw.read1, 4096), b""))
    return b"".join(received)


def test_no_name_means_two_things() -> None:
    fixtures = {path.stem for path in PATHS}
    assert set(OTHER_NAMES.values()) <= fixtures
    assert fixtures.isdisjoint(OTHER_NAMES) and fixtures.isdisjoint(HABITS) and set(OTHER_NAMES).isdisjoint(HABITS)
    assert known_names() == sorted(fixtures | set(OTHER_NAMES) | set(HABITS))


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_every_fixture_can_be_asked_for(adapted: Client, path: Path) -> None:
    response = recorded(path.stem)
    if response.get("cut"):
        assert broken_transfer(ask(adapted, path, stream=True)).decode() == text_of(response)
        return
    shown = ask(adapted, path)
    assert shown.status_code == response["status"]
    assert shown.content.decode() == text_of(response)
    for header, value in response["headers"].items():
        assert shown.headers[header] == value


@pytest.mark.parametrize("name", ["moderation_blocked", "rate_limited", "html_502", "streamed_partial_then_error"])
def test_fixtures_through_a_socket(served: Client, name: str) -> None:
    (path,) = FOLDER.glob(f"*/{name}.json")
    shown = ask(served, path)
    assert (shown.status_code, shown.content.decode()) == (recorded(name)["status"], text_of(recorded(name)))


@pytest.mark.parametrize(("name", "fixture"), OTHER_NAMES.items())
def test_second_names(adapted: Client, name: str, fixture: str) -> None:
    streamed = is_stream(recorded(fixture))
    assert generate(adapted, prompt=f"[[{name}]]", stream=streamed).text == text_of(recorded(fixture))


def test_the_latest_word_of_a_broken_request_counts(client: Client) -> None:
    assert error_of(generate(client, prompt="[[insufficient_quota]]", n=77), 429)["code"] == "insufficient_quota"
    limited = generate(client, prompt="a hill [[ rate_limited ]]")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "12")


def test_the_key_is_repeated_where_openai_repeats_it(client: Client) -> None:
    shown = generate(client, headers={"authorization": 'Bearer sk-"quoted'}, prompt="[[api_key_incorrect]]")
    assert 'sk-"quoted' in error_of(shown, 401)["message"]


def test_variations_name_a_situation_where_there_is_no_prompt(client: Client) -> None:
    files = {"image": picture(png())}
    shown = post(client, "variations", files=files, data={"user": "[[variations_gone]]"})
    assert error_of(shown, 404)["message"] == "This endpoint no longer accepts requests."


def test_a_whole_answer_as_events(client: Client) -> None:
    told = events_of(generate(client, prompt="[[two_pictures]]", stream=True))
    assert [event["type"] for event in told] == ["image_generation.completed"] * 2
    body = recorded("two_pictures")["body"]
    assert [{"b64_json": event["b64_json"]} for event in told] == body["data"]
    assert told[-1]["usage"] == body["usage"]
    (edited,) = events_of(edit(client, picture(png()), prompt="[[png_with_usage]]", stream="true"))
    assert edited["type"] == "image_edit.completed"
    shown = generate(client, prompt="[[url]]", stream=True)
    assert shown.text == text_of(recorded("url"))  # a stream knows no addresses


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


def test_models(client: Client) -> None:
    assert error_of(client.get("/v1/models/[[unknown_model]]", OPENAI_KEY), 404)["code"] == "model_not_found"
    assert client.get("/v1/models/[[model_list]]", OPENAI_KEY).json() == recorded("model_list")["body"]
    message = error_of(client.get("/v1/models/[[png_with_usage]]", OPENAI_KEY), 400)["message"]
    assert "model_list" in message and "url_only" not in message


def habit(client: Client, name: str, **fields: Any) -> requests.Response:
    return generate(client, prompt=f"{PROMPT} [[{name}]]", **fields)


def test_a_server_that_knows_addresses_only(client: Client) -> None:
    data = habit(client, "url_only", response_format="b64_json", n=2).json()["data"]
    assert all(list(item) == ["url"] for item in data)
    assert [Image.open(client.session.get(item["url"], stream=True).raw).size for item in data] == [(96, 64)] * 2


def test_a_server_that_puts_the_picture_where_an_address_belongs(adapted: Client) -> None:
    (item,) = habit(adapted, "data_url", response_format="url", output_format="webp").json()["data"]
    head, _, text = item["url"].partition(",")
    assert head == "data:image/webp;base64"
    assert opened({"b64_json": text}).size == (96, 64)


def test_a_server_that_counts_no_tokens(adapted: Client) -> None:
    assert "usage" not in habit(adapted, "no_usage").json()
    assert "usage" not in events_of(habit(adapted, "no_usage", stream=True))[0]


def test_a_server_that_tells_what_it_drew(adapted: Client) -> None:
    items = habit(adapted, "revised_prompt", n=2).json()["data"]
    assert all(list(item) == ["revised_prompt", "b64_json"] and PROMPT in item["revised_prompt"] for item in items)


def test_a_server_that_draws_one_picture_of_one_size_in_one_piece(adapted: Client) -> None:
    assert len(pictures(habit(adapted, "one_picture", n=4))) == 1
    assert len(events_of(habit(adapted, "one_picture", n=4, stream=True))) == 1
    sized = habit(adapted, "own_size", size="96x64")
    assert (pictures(sized)[0].size, sized.json()["size"]) == ((512, 512), "512x512")
    assert len(pictures(habit(adapted, "no_stream", stream=True))) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_server_that_breaks_off_within_a_picture(served: Client, streamed: bool) -> None:
    body = {"prompt": f"{PROMPT} [[cut_in_picture]]", "size": "512x512", "stream": streamed}
    shown = post(served, "generations", json=body, headers=OPENAI_KEY, stream=True)
    received = broken_transfer(shown)
    assert b"b64_json" in received and len(received) > 50_000
    assert received.count(b'"') % 2 == 1


def test_habits_in_an_edit(client: Client) -> None:
    (item,) = edit(client, picture(png()), prompt="in blue [[url_only]]").json()["data"]
    assert client.session.get(item["url"]).status_code == 200
