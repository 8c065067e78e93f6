"""Every code sample of the user's document runs as written: only base URL, key and the picture's path are filled in."""

import contextlib
import io
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.end_to_end import users_document
from tests.support import pictures
from tests.support.keys import new_key
from tests.support.processes import PROJECT
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import NO_ANSWER, Answer, Call, ScriptedUpstream, knows_only

DOCUMENTS = sorted((PROJECT.parent / "shared" / "seed").glob("*.txt"))


@dataclass
class Reader:
    """A user who copies the samples into one Python session, with their base URL, key and picture."""

    base_url: str
    key: str
    picture: Path

    def __post_init__(self) -> None:
        self.session: dict[str, Any] = {}

    def fills_in(self, sample: str) -> str:
        """The sample with what the document leaves to its reader."""
        sample = sample.replace(users_document.BASE_URL, self.base_url).replace(users_document.KEY, self.key)
        sample = sample.replace(users_document.MIGRATION_KEY, self.key)
        return sample.replace(users_document.PICTURE_PATH, str(self.picture))

    def runs(self, *samples: str) -> str:
        """Run the samples one after the other, and hand back what the last one printed."""
        for sample in samples:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(self.fills_in(sample), "<the user's document>", "exec"), self.session)
        return printed.getvalue()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """The picture that the reader wants to change."""
    path = tmp_path / "image.png"
    path.write_bytes(pictures.plain_png(640, 640, "orange"))
    return path


@pytest.fixture(params=["sandbox", "chain", "replaying upstream"])
def reader(request: pytest.FixtureRequest, upstream: ScriptedUpstream, picture: Path) -> Reader:
    """A reader of the document: in front of the sandbox, of a second Twinlens that has it and is spoken to in OpenAI's
    API, and of an upstream that draws what is asked for."""
    if request.param in ("sandbox", "chain"):
        upstream.answers(Answer(pictures.API_KEY_INVALID, status=400))
        server = "sandbox_server" if request.param == "sandbox" else "chain_server"
        return Reader(request.getfixturevalue(server).url, "sandbox", picture)
    key = new_key()
    upstream.answers(knows_only(key, draws))
    return Reader(request.getfixturevalue("server").url, key, picture)


@pytest.fixture
def replayed(server: ProxyServer, upstream: ScriptedUpstream, picture: Path) -> Reader:
    """A reader in front of the replaying upstream."""
    reader = Reader(server.url, new_key(), picture)
    upstream.answers(knows_only(reader.key, draws))
    return reader


def draws(call: Call) -> Answer:
    """What the model does: a picture in the pixels of the ratio that was asked for."""
    return Answer(
        pictures.drawn(pictures.picture_part(pictures.plain_png(*pictures.PIXELS[call.aspect_ratio or "1:1"])))
    )


def pixels_at(printed: str, reader: Reader) -> tuple[int, int]:
    """Fetch the one URL that was printed, and open the picture."""
    (url,) = printed.split()
    assert url.startswith(f"{reader.base_url}/images/")
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] in ("image/png", "image/jpeg")
    return pictures.pixels_of(answer.content)


def the_number_in(printed: str, pattern: str) -> int:
    """The one number of the one line that was printed."""
    found = re.fullmatch(pattern, printed.strip())
    assert found, printed
    return int(found.group(1))


def test_the_basic_generation_prints_a_url_with_a_square_picture(reader: Reader) -> None:
    printed = reader.runs(users_document.OPENAI_GENERATE)
    assert pixels_at(printed, reader) == (1024, 1024)


def test_aspect_ratio_in_extra_body_gives_a_picture_of_that_ratio(reader: Reader) -> None:
    printed = reader.runs(users_document.OPENAI_CLIENT, users_document.OPENAI_ASPECT_RATIO)
    assert pixels_at(printed, reader) == (1344, 768)


def test_an_image_in_extra_body_is_edited(reader: Reader) -> None:
    printed = reader.runs(users_document.OPENAI_CLIENT, users_document.OPENAI_EDIT)
    assert pixels_at(printed, reader) == (1024, 1024)


def test_the_asynchronous_client_prints_a_url(reader: Reader) -> None:
    printed = reader.runs(users_document.OPENAI_ASYNC)
    assert pixels_at(printed, reader) == (1024, 1024)


def test_google_text_to_image_prints_the_size_of_the_picture(reader: Reader) -> None:
    printed = reader.runs(users_document.GOOGLE_GENERATE)
    assert the_number_in(printed, r"Generated image: (\d+) bytes") == len(reader.session["image_data"])
    assert pictures.pixels_of(reader.session["image_data"]) == (1024, 1024)


def test_google_edit_of_a_pil_image_prints_the_size_of_the_picture(reader: Reader) -> None:
    printed = reader.runs(users_document.GOOGLE_EDIT)
    assert the_number_in(printed, r"Edited image: (\d+) bytes") == len(reader.session["image_data"])
    assert pictures.pixels_of(reader.session["image_data"]) == (1024, 1024)


def test_google_usage_metadata_is_printed(reader: Reader) -> None:
    printed = reader.runs(users_document.GOOGLE_CLIENT, users_document.GOOGLE_USAGE)
    found = re.fullmatch(r"Prompt tokens: (\d+)\nTotal tokens: (\d+)\nCompletion tokens: (\d+)\n", printed)
    assert found, printed
    prompt, total, completion = map(int, found.groups())
    assert prompt > 0
    assert completion == total - prompt >= 1290


def test_the_error_samples_print_a_url_and_a_size_when_all_goes_well(reader: Reader) -> None:
    assert pixels_at(reader.runs(users_document.OPENAI_ERRORS), reader) == (1024, 1024)
    assert the_number_in(reader.runs(users_document.GOOGLE_ERRORS), r"Success: (\d+) bytes") > 1000


def test_a_wrong_key_is_an_authentication_error(reader: Reader) -> None:
    reader.key = new_key()
    assert reader.runs(users_document.OPENAI_ERRORS) == "인증 실패: API 키를 확인하세요.\n"


def test_a_wrong_key_is_an_exception_of_googles_sdk(reader: Reader) -> None:
    reader.key = new_key()
    printed = reader.runs(users_document.GOOGLE_ERRORS)
    assert printed.startswith("오류 발생: 400 INVALID_ARGUMENT")
    assert "API key not valid" in printed


@pytest.mark.parametrize(
    "details",
    [
        (),
        (pictures.retry_info("0.2s"),),
        (pictures.quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),),
    ],
    ids=["no delay", "a short delay", "the quota of a day"],
)
def test_a_rate_limit_is_a_rate_limit_error(replayed: Reader, upstream: ScriptedUpstream, details: tuple) -> None:
    upstream.answers(Answer(pictures.error(429, "RESOURCE_EXHAUSTED", "Resource exhausted.", *details), status=429))
    assert replayed.runs(users_document.OPENAI_ERRORS) == "속도 제한 초과: 잠시 후 다시 시도하세요.\n"


def test_a_refused_prompt_is_an_api_error_that_says_why(replayed: Reader, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(pictures.refused("IMAGE_SAFETY", "It violated the policy.")))
    printed = replayed.runs(users_document.OPENAI_ERRORS)
    assert printed.startswith("API 오류: Error code: 400")
    assert "IMAGE_SAFETY" in printed
    assert "It violated the policy." in printed
    assert len(upstream.calls) == 1


def test_an_upstream_that_breaks_off_is_an_api_error(replayed: Reader, upstream: ScriptedUpstream) -> None:
    upstream.answers(NO_ANSWER)
    assert replayed.runs(users_document.OPENAI_ERRORS).startswith("API 오류: Error code: 502")
    assert replayed.runs(users_document.GOOGLE_ERRORS).startswith("오류 발생: 502")


@pytest.mark.parametrize(
    ("situation", "printed"),
    [
        ("api_key_expired", "인증 실패: API 키를 확인하세요."),
        ("quota_limit_zero", "속도 제한 초과: 잠시 후 다시 시도하세요."),
        ("refused_safety", "API 오류: Error code: 400"),
        ("html_502", "API 오류: Error code: 502"),
    ],
)
def test_the_sandbox_shows_every_branch_of_the_error_sample(
    sandbox_server: ProxyServer, picture: Path, situation: str, printed: str
) -> None:
    reader = Reader(sandbox_server.url, "sandbox", picture)
    sample = users_document.OPENAI_ERRORS.replace("테스트 이미지", f"테스트 이미지 [[{situation}]]")
    assert reader.runs(sample).startswith(printed)


def in_the_shell(monkeypatch: pytest.MonkeyPatch, exports: str) -> None:
    """Let a shell read the `export` lines, and take its two variables."""
    script = f'{exports}\nprintf "%s\\n%s" "$GOOGLE_API_KEY" "$OPENAI_BASE_URL"'
    key, base_url = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split("\n")
    monkeypatch.setenv("GOOGLE_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)


def test_the_environment_variables_configure_the_openai_client(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_shell(monkeypatch, reader.fills_in(users_document.EXPORTS))
    printed = reader.runs(users_document.ENVIRONMENT_OPENAI, users_document.OPENAI_ASPECT_RATIO)
    assert pixels_at(printed, reader) == (1344, 768)


def test_the_environment_variables_configure_the_google_client(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_shell(monkeypatch, reader.fills_in(users_document.EXPORTS))
    assert "Total tokens: " in reader.runs(users_document.ENVIRONMENT_GOOGLE, users_document.GOOGLE_USAGE)


def test_a_migrated_client_gets_its_picture_through_the_proxy(reader: Reader) -> None:
    imported = "from openai import OpenAI"
    printed = reader.runs(imported, users_document.MIGRATION, users_document.OPENAI_ASPECT_RATIO)
    assert pixels_at(printed, reader) == (1344, 768)


def test_the_upstream_gets_the_prompt_the_ratio_and_the_picture(replayed: Reader, upstream: ScriptedUpstream) -> None:
    replayed.runs(users_document.OPENAI_CLIENT, users_document.OPENAI_ASPECT_RATIO)
    replayed.runs(users_document.OPENAI_EDIT)
    landscape, edit = upstream.calls
    assert landscape.aspect_ratio == "16:9"
    assert landscape.json["contents"][0]["parts"] == [{"text": "광활한 알프스 산맥의 풍경, 초현실적인 스타일"}]
    assert edit.aspect_ratio is None
    source, prompt = edit.json["contents"][0]["parts"]
    assert source == pictures.picture_part(replayed.picture.read_bytes())
    assert prompt == {"text": "이 이미지를 파란색 톤으로 변환해주세요"}


def post(reader: Reader, path: str, headers: dict[str, str], body: dict[str, Any]) -> requests.Response:
    """A call without any SDK."""
    return requests.post(reader.base_url + path, headers=headers, json=body, timeout=20)


@pytest.mark.parametrize("named", [{}, {"model": "gemini-2.5-flash-image"}], ids=["no model", "the model's short name"])
def test_the_parameter_table_of_images_generations_holds_for_raw_http(reader: Reader, named: dict[str, str]) -> None:
    body = {
        "prompt": "숲",
        "n": 1,
        "size": "1024x1024",
        **named,
        "image": pictures.base64_of(reader.picture.read_bytes()),
    }
    answer = post(reader, "/v1/images/generations", {"Authorization": f"Bearer {reader.key}"}, body)
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["data"]
    assert pixels_at(item["url"], reader) == (1024, 1024)


@pytest.mark.parametrize("name", ["gemini-2.5-flash-image", "google/gemini-2.5-flash-image"])
def test_the_parameter_table_of_generate_content_holds_for_raw_http(reader: Reader, name: str) -> None:
    inline_data = {"mime_type": "image/png", "data": pictures.base64_of(reader.picture.read_bytes())}
    body = {"contents": [{"parts": [{"text": "숲"}, {"inline_data": inline_data}]}]}
    answer = post(reader, f"/v1beta/models/{name}:generateContent", {"x-goog-api-key": reader.key}, body)
    assert answer.status_code == 200, answer.text
    assert any("inlineData" in part for part in answer.json()["candidates"][0]["content"]["parts"])


def without_white_space(text: str) -> str:
    """The characters that survive a document which loses its indentation."""
    return re.sub(r"\s+", "", text)


needs_the_document = pytest.mark.skipif(
    not DOCUMENTS, reason="the user's document does not lie in ../shared/seed beside this clone"
)


@needs_the_document
@pytest.mark.parametrize("name", sorted(users_document.SAMPLES))
def test_a_sample_stands_in_the_users_document_word_for_word(name: str) -> None:
    document = DOCUMENTS[0].read_text()
    assert without_white_space(users_document.SAMPLES[name]) in without_white_space(document)


@needs_the_document
@pytest.mark.parametrize(
    "landmark",
    ["import ", "OpenAI(", "genai.Client(", "images.generate(", "generate_content(", "print(", "export ", "def "],
)
def test_no_sample_of_the_users_document_is_missing(landmark: str) -> None:
    document = DOCUMENTS[0].read_text()
    code = "\n".join(users_document.SAMPLES.values())
    prose = {"images.generate(": 1, "generate_content(": 1}  # where the two endpoints are introduced
    assert code.count(landmark) == document.count(landmark) - prose.get(landmark, 0)


def test_every_sample_is_used_by_a_test() -> None:
    source = Path(__file__).read_text()
    unused = [name for name in users_document.SAMPLES if not re.search(rf"users_document\.{name}\b", source)]
    assert unused == []
