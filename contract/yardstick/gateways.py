"""The gateways that are compared, how each is installed and started, and those that cannot take part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PORT, UPSTREAM_PORT = 8740, 8741
LITELLM_CONFIGURATION = f"""\
model_list:
  - model_name: gemini-2.5-flash-image
    litellm_params:
      model: gemini/gemini-2.5-flash-image
      api_key: any-upstream-key
      api_base: http://127.0.0.1:{UPSTREAM_PORT}/v1beta
general_settings:
  master_key: sk-any-key
litellm_settings:
  drop_params: true # a parameter that Google does not have is dropped instead of refused
  telemetry: false
router_settings:
  disable_cooldowns: true # otherwise the first error disables the model for the rows after it
  num_retries: 0
"""


@dataclass(frozen=True)
class Gateway:
    """A gateway that takes part. `{folder}` in its commands is where it is installed, `{python}` a Python to use."""

    name: str
    version: str  # "" for the one in this repository
    key: str
    start: Sequence[str]
    environment: Mapping[str, str]
    ready: str  # a path that answers 200 when it has started
    install: Sequence[Sequence[str]] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    gemini_path: str = ""  # below the base URL
    remarks: Sequence[str] = ()

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip()


GATEWAYS: Sequence[Gateway] = (
    Gateway(
        name="Twinlens",
        version="",
        key="any-key-will-do",
        start=(".venv/bin/gunicorn",),
        environment={
            "HOST": "127.0.0.1",
            "PORT": str(PORT),
            "GEMINI_BASE_URL": f"http://127.0.0.1:{UPSTREAM_PORT}",
            "IMAGE_STORE_URL": "{folder}/images",
            "DATABASE_URL": "sqlite:///{folder}/twinlens.sqlite3",
        },
        ready="/healthz",
    ),
    Gateway(
        name="LiteLLM",
        version="1.108.7",
        key="sk-any-key",
        install=(
            ("{python}", "-m", "venv", "{folder}"),
            ("{folder}/bin/pip", "install", "--quiet", "litellm[proxy]==1.108.7"),
        ),
        files={"litellm.yaml": LITELLM_CONFIGURATION},
        start=("{folder}/bin/litellm", "--config", "{folder}/litellm.yaml", "--host", "127.0.0.1", "--port", str(PORT)),
        environment={
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "GEMINI_API_BASE": f"http://127.0.0.1:{UPSTREAM_PORT}",
            "GEMINI_API_KEY": "any-upstream-key",
        },
        ready="/health/liveliness",
        gemini_path="/gemini",
        remarks=(
            "The newest version whose proxy installs from PyPI: 1.108.8 to 1.110.2 require versions of "
            "`litellm-enterprise`, `litellm-proxy-extras` or `litellm-proxy` that are not there.",
            "Google's API is tested at its pass-through, `/gemini`, which passes more rows than its own `/v1beta`.",
            "`drop_params`, `disable_cooldowns` and `num_retries: 0` are set in its favour.",
        ),
    ),
)


@dataclass(frozen=True)
class Absent:
    """A gateway that does not take part, and why."""

    title: str
    reason: str


ABSENT: Sequence[Absent] = (
    Absent(
        "Portkey's gateway (npm `@portkey-ai/gateway` 1.15.2)",
        "It starts offline, but draws no picture with Google's models: `/v1/images/generations` answers "
        "`imageGenerate is not supported by google`, and a call that it passes on to Google's API "
        "(`/v1/models/...:generateContent` with `x-portkey-custom-host`) reaches the upstream and is then answered "
        "with 500, `Something went wrong` (its log: `TypeError: immutable` in `updateHeaders`), on Node 20 and 22.",
    ),
    Absent(
        "9router (npm, 0.5.69)",
        "It serves both surfaces, but the address of Google's API is fixed in its code: it cannot be tested offline.",
    ),
    Absent(
        "OmniRoute (npm `omniroute` 3.7.9)",
        "The address of Google's API is fixed in its code; pictures are asked for at Google's compatibility path "
        "(`/v1beta/openai/images/generations`), which the replaying upstream does not play.",
    ),
    Absent("any-llm (PyPI `any-llm-sdk` 1.40.2)", "The package is a client library; it contains no server."),
    Absent(
        "Google's compatibility path, `/v1beta/openai/`",
        "No recorded exchange of pictures with it is at hand, so nothing is said about it.",
    ),
)
