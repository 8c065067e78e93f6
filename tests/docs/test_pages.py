"""What the pages say of the code is true of the code."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from compat import image_models
from compat.errors import ErrorKind
from compat.gemini_content.error import ENVELOPES as GOOGLE_ENVELOPES
from compat.image_models import ImageModel, ModelCatalogue, Prices
from compat.images import Usage
from compat.openai_envelope import ENVELOPES as OPENAI_ENVELOPES
from proxy.observation import metrics
from proxy.observation.logs import fields_of
from proxy.observation.record import Observation
from proxy.settings import Settings
from spec import reference
from tests.docs.pages import (
    KOREAN,
    PROJECT,
    README,
    anchors_of,
    blocks_of,
    headings_of,
    links_of,
    pages,
    prose_of,
    tables_of,
)

DOCS = PROJECT / "docs"
CODE = re.compile(r"`([^`]+)`")
PATH = re.compile(r"(?:[\w.]+/)+(?:[\w.]+\.(?:py|json|md))?")
OTHER_ADDRESSES = ("http://", "https://", "mailto:")
SETTINGS = {field.name.upper() for field in dataclasses.fields(Settings) if field.metadata}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path):
    for link in links_of(page):
        if link.startswith(OTHER_ADDRESSES):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), f"{page.name}: {link}"


def test_the_readmes_lead_to_each_other():
    assert KOREAN.name in links_of(README)[:3]
    assert README.name in links_of(KOREAN)[:3]


def test_the_korean_readme_is_as_deep_as_the_english_one():
    assert [level for level, _ in headings_of(KOREAN)] == [level for level, _ in headings_of(README)]
    assert shape_of_blocks(KOREAN) == shape_of_blocks(README)
    assert shape_of_tables(KOREAN) == shape_of_tables(README)


def shape_of_blocks(page: Path) -> list[tuple[str, int]]:
    return [(block.language, block.text.count("\n")) for block in blocks_of(page)]


def shape_of_tables(page: Path) -> list[list[int]]:
    return [[len(row) for row in table] for table in tables_of(page)]


def settings_in(page: Path) -> set[str]:
    """The variables in a page's table of settings, which is the one that has PORT."""
    [names] = [
        names
        for table in tables_of(page)
        if "PORT" in (names := {name for row in table[1:] for name in CODE.findall(row[0])})
    ]
    return names


def test_the_page_of_settings_lists_every_setting():
    assert settings_in(DOCS / "settings.md") == SETTINGS


@pytest.mark.parametrize("page", [README, KOREAN], ids=lambda page: page.name)
def test_the_settings_of_a_readme_exist(page: Path):
    assert settings_in(page) < SETTINGS


def test_the_api_reference_is_current():
    assert (DOCS / "api.md").read_text(encoding="utf-8") == reference.page(), "run `python -m spec.reference`"


def test_every_error_code_is_documented_with_its_status():
    documented = {
        (int(row[0]), None if row[1] == "null" else row[1].strip("`"))
        for table in tables_of(DOCS / "errors.md")
        for row in table
        if row[0].isdigit() and len(row) == 4 and not row[1].isupper() and (row[1] == "null" or row[1][1:-1].islower())
    }
    assert documented == {(status, code) for status, _, code in OPENAI_ENVELOPES.values()}


def test_errors_of_the_gemini_surface_are_documented():
    page = DOCS / "errors.md"
    rows = [row for table in tables_of(page) for row in table if row[0].isdigit() and row[1][1:-1].isupper()]
    assert rows
    for status, name, reason, _ in rows:
        kind = ErrorKind[reason.strip("`").replace("API_KEY_INVALID", "INVALID_KEY")]
        assert GOOGLE_ENVELOPES[kind] == (int(status), name.strip("`")), reason
    names = set(CODE.findall("\n".join(prose_of(page)).partition("## On Google's surface")[2]))
    assert {kind.name for kind in ErrorKind} <= names


def test_every_metric_is_documented():
    documented = {name for table in tables_of(DOCS / "operations.md") for row in table for name in CODE.findall(row[0])}
    collectors = [one for one in vars(metrics).values() if hasattr(one, "describe") and hasattr(one, "_name")]
    names = {one._name + ("_total" if one._type == "counter" else "") for one in collectors}
    assert names
    assert {name for name in documented if name.startswith("twinlens_")} == names


def test_every_field_of_the_log_is_documented():
    [table] = [table for table in tables_of(DOCS / "operations.md") if table[0][0] == "field"]
    documented = {name for row in table[1:] for name in CODE.findall(row[0])}
    assert documented == {*names_of_fields(), "time", "level", "message"}


def names_of_fields() -> set[str]:
    """Every field that a line can have."""
    observation = Observation("an-id", "POST", model="a-model", prices=Prices(1, 1, 1), key="a-key", error="cut")
    observation.first_byte = observation.charged = 1.0
    observation.key_name = "a-name"
    times = observation.call()
    times.first_byte = times.total = 1.0
    observation.usage = Usage(1, 1, 1, 1)
    return set(fields_of(observation))


@pytest.mark.parametrize("page", [DOCS / "architecture.md", DOCS / "operations.md"], ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path):
    names = {name for name in CODE.findall("\n".join(prose_of(page))) if PATH.fullmatch(name)}
    assert names
    assert not [name for name in names if not (PROJECT / name).exists()]


def test_a_new_model_is_one_row(monkeypatch: pytest.MonkeyPatch):
    """As architecture.md says: the row is served as the target of UPSTREAM_MODELS, and decides ratios and prices."""
    row = ImageModel("a-new-model", "New", {"1:1": (64, 64)}, "image/png", prices=Prices(1, 2, 3))
    monkeypatch.setattr(image_models, "MODELS", (*image_models.MODELS, row))
    served = ModelCatalogue(upstream_models={"gemini-2.5-flash-image": "a-new-model"}).resolve(None)
    assert (served.name, served.upstream) == ("gemini-2.5-flash-image", row)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("compat/image_models.py", "MODELS"),
        ("compat/image_models.py", "SERVED_BY_DEFAULT"),
        ("compat/openai_images/request.py", "COMMON"),
        ("compat/images.py", "class ImageRequest"),
        ("compat/gemini_content/request.py", "def build_request"),
        ("compat/gemini_content/response.py", "BLOCKED"),
        ("compat/errors.py", "class ErrorKind"),
        ("compat/openai_envelope.py", "ENVELOPES"),
        ("compat/gemini_content/error.py", "ENVELOPES"),
        ("proxy/settings.py", "class Settings"),
    ],
)
def test_what_architecture_says_to_touch_is_there(file: str, name: str):
    assert re.search(rf"^{name}\b", (PROJECT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert name.split()[-1] in (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_the_table_of_needs_is_what_its_code_prints():
    page = DOCS / "scaling.md"
    [block] = [block for block in blocks_of(page) if block.language == "python"]
    done = subprocess.run([sys.executable, "-c", block.text], capture_output=True, text=True, check=True)
    printed = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert printed == [line for line in prose_of(page) if line.startswith("|")]
