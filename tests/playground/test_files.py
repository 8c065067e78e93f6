"""How the page is served: no browser is needed to see that."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from compat.models_file import read_models_file
from proxy.playground import FOLDER, read_page_files
from proxy.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".css", ".js", ".svg"))


@pytest.fixture
def client(tmp_path) -> FlaskClient:
    return create_app(Settings(image_store_url=str(tmp_path))).test_client()


@pytest.mark.parametrize("path", ["/", *(f"/playground/{name}" for name in FILES)])
def test_every_file_has_strict_headers_and_an_etag(client: FlaskClient, path: str):
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_file_is_compressed_for_clients_that_accept_it(client: FlaskClient):
    plain = client.get("/playground/main.js")
    zipped = client.get("/playground/main.js", headers={"Accept-Encoding": "gzip, br"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert gzip.decompress(zipped.data) == plain.data


def test_the_whole_page_is_small():
    files = read_page_files("{}").values()
    assert sum(len(file.content) for file in files) < 200_000
    assert sum(len(file.compressed) for file in files) < 65_000


def test_the_page_names_every_file_and_only_those_that_exist():
    named = set(re.findall(r'"playground/([\w.]+)"', (FOLDER / "page.html").read_text()))
    assert named == set(FILES)


@pytest.mark.parametrize("name", ["nothing.js", "page.html", "__init__.py", "..%2Fsettings.py"])
def test_nothing_else_is_served(client: FlaskClient, name: str):
    response = client.get(f"/playground/{name}")
    assert response.status_code == 404
    assert json.loads(response.data)["error"]["message"]


def bootstrap_of(tmp_path: Path, **settings: Any) -> Any:
    """What the page knows of a service with these settings."""
    page = create_app(Settings(image_store_url=str(tmp_path), **settings)).test_client().get("/").text
    return json.loads(re.search(r'id="bootstrap">(.*?)</script>', page)[1])


def test_the_page_knows_its_models_and_the_sandboxs_situations(tmp_path: Path):
    known = bootstrap_of(tmp_path, sandbox=True)
    [model, *_] = known["models"]
    assert (model["id"], model["title"], model["server"]) == ("gemini-2.5-flash-image", "Nano Banana", "Google")
    assert known["sandbox"] and "refused_image_safety" in known["situations"]["gemini"]
    assert "url_only" in known["situations"]["openai"]
    assert bootstrap_of(tmp_path)["situations"] == {}


def test_the_address_of_a_private_server_is_not_in_the_page(tmp_path: Path):
    row = (
        '[[model]]\nname = "mine"\ntitle = "</script>Mine"\nupstream = "openai"\nkey = "none"\n'
        'base_url = "http://10.0.0.5:8091/v1"\npixels = {"1:1" = "64x64"}\n'
    )
    known = bootstrap_of(tmp_path, models_file=read_models_file(f"only = true\n{row}"))
    [mine] = known["models"]
    assert (mine["server"], mine["key"], mine["api"]) == ("</script>Mine", "operator", "openai")
    assert "10.0.0.5" not in json.dumps(known)


def test_both_languages_say_the_same_things():
    words = (FOLDER / "words.js").read_text()
    english, korean = (
        re.search(rf"^  {language}: {{\n(.*?)^  }},$", words, re.MULTILINE | re.DOTALL)[1] for language in ("en", "ko")
    )
    assert placeholders(english) == placeholders(korean)
    said = {*re.findall(r'data-words(?:-\w+)?="(\w+)"', (FOLDER / "page.html").read_text())}
    for path in FOLDER.glob("*.js"):
        said |= set(re.findall(r'\bsay\("(\w+)"', path.read_text()))
    assert said <= placeholders(english).keys()


def placeholders(words: str) -> dict[str, list[str]]:
    """What each sentence has filled in."""
    return {
        key: sorted(set(re.findall(r"\{(\w+)\}", text)))
        for key, text in re.findall(r'^    (\w+): "(.*)",$', words, re.MULTILINE)
    }


def test_every_kind_of_error_is_explained():
    """Every code of the OpenAI dialect and every kind in Google's has its row; parameters are known by their status."""
    from compat.errors import ErrorKind
    from compat.openai_envelope import ENVELOPES

    source = (FOLDER / "errors.js").read_text()
    rows = dict(re.findall(r'^  (\w+): "(\w+)",$', source, re.MULTILINE))
    troubles = set(re.findall(r"^  (\w+): \{$", (FOLDER / "words.js").read_text(), re.MULTILINE))
    assert set(rows.values()) <= troubles
    for kind in ErrorKind:
        status, _, code = ENVELOPES[kind]
        if code and status != 400:
            assert code in rows or code == "unsupported_media_type", kind
