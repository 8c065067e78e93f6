"""An SDK times out and asks again: one purchase, and its picture arrives."""

import base64
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.money.conftest import Google, Service
from tests.money.node import run_node
from tests.support import pictures
from tests.support.leftovers import until
from tests.support.upstream import Answer

SLOW = 3.0  # seconds that a picture takes; the SDK waits two
IMPATIENT: dict[str, Any] = {"timeout": 2.0, "max_retries": 6}  # more than two: a busy machine is slower
PNG = pictures.plain_png(32, 32)


def decoded(response: Any) -> list[bytes]:
    return [base64.b64decode(item.b64_json) for item in response.data]


def generate(client: openai.OpenAI) -> list[bytes]:
    return decoded(client.images.generate(prompt="a cat", response_format="b64_json"))


def edit(client: openai.OpenAI) -> list[bytes]:
    return decoded(client.images.edit(prompt="make it blue", image=("a.png", PNG, "image/png")))


def several(client: openai.OpenAI) -> list[bytes]:
    return decoded(client.images.generate(prompt="four cats", response_format="b64_json", n=4))


def stream(client: openai.OpenAI) -> list[bytes]:
    events = client.images.generate(prompt="a cat", stream=True, model="gemini-2.5-flash-image")
    return [base64.b64decode(event.b64_json) for event in events]


def chat(client: openai.OpenAI) -> list[bytes]:
    messages: Any = [{"role": "user", "content": "a cat"}]
    answer = client.chat.completions.create(model="gemini-2.5-flash-image", messages=messages)
    images = (answer.choices[0].message.model_extra or {})["images"]
    return [base64.b64decode(image["image_url"]["url"].partition(",")[2]) for image in images]


def all_drawn(google: Google, drawn: list[list[bytes]]) -> None:
    """All of them are there, and none was sold twice."""
    assert sorted(picture for pictures in drawn for picture in pictures) == sorted(google.made)
    assert [len(pictures) for pictures in drawn[:4]] == [1, 1, 4, 1]
    assert google.asked == google.sold == len(google.made)


def test_openai_python_gets_what_its_first_try_bought(one_machine: Service, google: Google):
    google.seconds = SLOW
    ways = (generate, edit, several, stream, chat)
    with ThreadPoolExecutor(len(ways)) as pool:
        calls = [pool.submit(ask, one_machine.openai(**IMPATIENT)) for ask in ways]
        all_drawn(google, [call.result() for call in calls])
    until(lambda: one_machine.saved() == 5, "a purchase that was not counted as saved")


def test_a_retry_that_reaches_another_machine_gets_it_too(two_machines: Service, google: Google):
    google.seconds = SLOW
    with pytest.raises(openai.APITimeoutError):
        generate(two_machines.openai(0, timeout=1.0, max_retries=0))
    retry = {"x-stainless-retry-count": "1"}
    response = two_machines.openai(1, max_retries=0).images.generate(
        prompt="a cat", response_format="b64_json", extra_headers=retry
    )
    assert decoded(response) == google.made
    assert google.asked == 1


NODE = """
import OpenAI, { toFile } from 'openai';
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.KEY, timeout: 2000, maxRetries: 6 });
const picture = Buffer.from(process.env.PICTURE, 'base64');
const ways = [
    () => client.images.generate({ prompt: 'a cat', response_format: 'b64_json' }),
    async () => {
        const image = await toFile(picture, 'a.png', { type: 'image/png' });
        return client.images.edit({ prompt: 'make it blue', image });
    },
    () => client.images.generate({ prompt: 'four cats', response_format: 'b64_json', n: 4 }),
    async () => {
        const events = await client.images.generate({ prompt: 'a cat', stream: true, model: 'gemini-2.5-flash-image' });
        const data = [];
        for await (const event of events) data.push(event);
        return { data };
    },
];
const answers = await Promise.all(ways.map((way) => way()));
console.log(JSON.stringify(answers.map((answer) => answer.data.map((item) => item.b64_json))));
"""


def test_openai_node_gets_what_its_first_try_bought(one_machine: Service, google: Google):
    google.seconds = SLOW
    drawn = json.loads(run_node(NODE, one_machine, PICTURE=pictures.base64_of(PNG)))
    all_drawn(google, [[base64.b64decode(one) for one in answer] for answer in drawn])


def ask_on_a_socket(service: Service, connection: str, count: int) -> socket.socket:
    """A request on a socket of its own, whose answer has arrived and is not read."""
    body = json.dumps({"prompt": "a cat", "response_format": "b64_json"}).encode()
    lines = (
        "POST /v1/images/generations HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {service.key}",
        f"Connection: {connection}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"x-stainless-retry-count: {count}",
    )
    caller = socket.create_connection(("127.0.0.1", service.servers[0].port), 20)
    caller.sendall("\r\n".join((*lines, "\r\n")).encode() + body)
    assert caller.recv(1, socket.MSG_PEEK)
    return caller


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_an_answer_that_arrives_as_its_caller_runs_out_of_patience_is_not_lost(
    two_machines: Service, google: Google, connection: str
):
    caller = ask_on_a_socket(two_machines, connection, 0)
    time.sleep(0.1)  # all of it has been sent
    caller.close()
    retry = two_machines.generate(1, headers={"x-stainless-retry-count": "1"}, timeout=20)
    assert base64.b64decode(retry.json()["data"][0]["b64_json"]) == google.made[0]
    assert google.asked == google.sold == 1
    read = ask_on_a_socket(two_machines, connection, 0)
    time.sleep(0.1)
    assert read.recv(1_000_000).startswith(b"HTTP/1.1 200")
    read.close()
    assert two_machines.generate(1, headers={"x-stainless-retry-count": "1"}, timeout=20).ok
    assert google.asked == google.sold == 3, "an answer that was read is kept for nobody"


def test_a_caller_that_does_not_come_back_ends_its_call(one_machine: Service, google: Google):
    google.seconds = 60
    began = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        generate(one_machine.openai(timeout=1.0, max_retries=0))
    [call] = google.upstream.wait_for(1)
    assert 3.0 < call.end_within(8, since=began) < 8, "a second after which it leaves, and three for a retry"
    assert google.sold == 0


def test_a_caller_without_marks_ends_its_call_at_once(one_machine: Service, google: Google):
    google.seconds = 60
    began = time.monotonic()
    with pytest.raises(IOError, match="timed out"):
        one_machine.generate(timeout=1)
    [call] = google.upstream.wait_for(1)
    assert call.end_within(2.5, since=began) < 2.5


def test_equal_first_tries_are_purchases_of_their_own(one_machine: Service, google: Google):
    client = one_machine.openai()
    assert [generate(client), generate(client)] == [[google.made[0]], [google.made[1]]]


@pytest.mark.parametrize("way", [generate, stream])
def test_an_upstream_that_breaks_in_the_middle_of_a_picture_is_asked_once(
    one_machine: Service, google: Google, way: Any
):
    google.first = [Answer(pictures.drawn(pictures.picture_part(pictures.heavy_png())), cut_after=300_000)]
    with pytest.raises(openai.APIError) as caught:
        way(one_machine.openai())
    assert google.asked == 1
    assert "broke off" in json.dumps(caught.value.body) + str(caught.value)
