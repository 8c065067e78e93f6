"""The servers of a measurement: nginx as the upstream, nginx as a plain reverse proxy, Twinlens, LiteLLM."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Process, free_port, running
from contract.yardstick.gateways import GATEWAYS
from contract.yardstick.running import installed

PROJECT = Path(__file__).resolve().parents[1]
WORKERS = 2
LITELLM_KEY = "sk-bench"

NGINX = """
daemon off;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {folder}/{name}.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/{name}-body;
    proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi;
    uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
    default_type application/json;
    keepalive_requests 1000000;
    keepalive_timeout 300s;
    client_max_body_size 0;
    sendfile on;
    tcp_nopush on;
{inside}
}}
"""

# Every POST is answered at once with the file and its Content-Length.
UPSTREAM = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {answer.parent};
        location / {{ error_page 405 =200 /{answer.name}; return 405; }}
        location = /{answer.name} {{ }}
    }}
"""

# The same over TLS and in chunks, as Google's servers answer. nginx sends chunks where a filter could change the body.
SECURE_UPSTREAM = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen 127.0.0.1:{secure_port} ssl backlog=4096;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        root {answer.parent};
        location / {{ error_page 405 =200 /{answer.name}; return 405; }}
        location = /{answer.name} {{ sub_filter_types *; sub_filter "no such words" ""; }}
    }}
"""

PROXY = """
    upstream google {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass {scheme}://google;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_read_timeout 300s;
            {tuning}
        }}
    }}
"""

# The limits are ratios to nginx with its defaults: it buffers, and what does not fit into 64 KiB goes through a file.
# Tuned for pictures it costs a third of that; the bench shows both.
PLAIN = ""
TUNED = (
    "proxy_buffering off; proxy_buffer_size 256k; proxy_buffers 8 256k; "
    "client_body_buffer_size 16m; proxy_request_buffering on;"
)


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: Process
    url: str


@contextmanager
def nginx(folder: Path, name: str, port: int, inside: str, workers: int) -> Iterator[Server]:
    """An nginx that does not use the machine's configuration."""
    configuration = folder / f"{name}.conf"
    configuration.write_text(NGINX.format(folder=folder, name=name, inside=inside, workers=workers))
    command = [program("nginx"), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, name, url) as process:
        yield Server(process, url)


def program(name: str) -> str:
    """The path of a program. Exits if it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise SystemExit(f"`make bench` needs {name} (Debian: apt-get install nginx wrk openssl)")
    return found


@contextmanager
def instant_upstream(folder: Path, answer: Path) -> Iterator[Server]:
    """A Google that answers at once."""
    port = free_port()
    with nginx(folder, f"upstream-{answer.stem}", port, UPSTREAM.format(port=port, answer=answer), 1) as server:
        yield server


@contextmanager
def secure_upstream(folder: Path, answer: Path) -> Iterator[Server]:
    """The same over TLS and in chunks. Its certificate is `certificate_of(folder)`."""
    port, secure_port = free_port(), free_port()
    certificate = certificate_of(folder)
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [program("openssl"), "req", *options, *names, "-keyout", f"{certificate}.key", "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    with certificate.open("a") as file:
        file.write(Path(f"{certificate}.key").read_text())
    inside = SECURE_UPSTREAM.format(port=port, secure_port=secure_port, certificate=certificate, answer=answer)
    with nginx(folder, f"secure-{answer.stem}", port, inside, 1) as server:
        yield Server(server.process, f"https://127.0.0.1:{secure_port}")


def certificate_of(folder: Path) -> Path:
    """The file with the certificate of `secure_upstream` and its key."""
    return folder / "upstream.pem"


@contextmanager
def waiting_upstream(folder: Path, answer: Path, seconds: float, together: int = 0) -> Iterator[Server]:
    """A Google that reads the whole request and answers after some seconds, or when so many requests have come."""
    port = free_port()
    command = [sys.executable, str(PROJECT / "bench" / "waiting_upstream.py"), str(port), str(answer), str(seconds)]
    command += [str(together)] if together else []
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, f"waiting-{seconds}", url) as process:
        yield Server(process, url)


@contextmanager
def reverse_proxy(folder: Path, upstream: Server, tuning: str = PLAIN) -> Iterator[Server]:
    """nginx as a plain reverse proxy."""
    port = free_port()
    scheme, _, upstream_port = upstream.url.partition("://127.0.0.1:")
    inside = PROXY.format(port=port, scheme=scheme, upstream=upstream_port, tuning=tuning)
    with nginx(folder, f"proxy-{port}", port, inside, WORKERS) as server:
        yield server


@contextmanager
def twinlens(
    folder: Path,
    upstream: Server,
    configuration: str = "gunicorn.conf.py",
    workers: int = WORKERS,
    project: Path = PROJECT,
    **settings: str,
) -> Iterator[Server]:
    """Twinlens as an operator starts it, of this checkout or of another one."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PWD": str(project),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "GEMINI_BASE_URL": upstream.url,
        "IMAGE_STORE_URL": str(store_of(folder)),
        "DATABASE_URL": f"sqlite:///{folder.absolute()}/twinlens.sqlite3",
        **settings,
    }
    command = [sys.executable, "-m", "gunicorn", "--config", configuration, "--log-level", "warning"]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, f"twinlens-{port}", f"{url}/healthz", environment) as process:
        yield Server(process, url)


@contextmanager
def twinlens_with_keys(folder: Path, upstream: Server) -> Iterator[tuple[Server, str]]:
    """Twinlens with keys of its own, and one of them, which has a budget."""
    settings = {
        "ACCESS": "keys",
        "GEMINI_API_KEYS": "bench-key",
        "DATABASE_URL": f"sqlite:///{folder.absolute()}/keys.sqlite3",
    }
    command = [sys.executable, "-m", "proxy", "keys", "create", "bench", "--budget", "1000000"]
    environment = {"PATH": os.environ["PATH"], **settings}
    made = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=PROJECT)  # noqa: S603
    with twinlens(folder, upstream, **settings) as server:
        yield server, made.stdout.splitlines()[0]


@contextmanager
def twinlens_with_openai_upstream(folder: Path, upstream: Server) -> Iterator[Server]:
    """Twinlens with an upstream that speaks OpenAI's API."""
    file = folder / "models.toml"
    file.write_text(
        'only = true\n[[model]]\nname = "gemini-2.5-flash-image"\nupstream = "openai"\n'
        f'base_url = "{upstream.url}/v1"\npixels = "gemini-2.5-flash-image"\n'
    )
    with twinlens(folder, upstream, MODELS_FILE=str(file)) as server:
        yield server


def store_of(folder: Path) -> Path:
    """The folder in which Twinlens stores pictures."""
    return folder / "pictures"


def empty_store(folder: Path) -> None:
    """Remove the stored pictures, so that each round finds the same disk."""
    for picture in store_of(folder).glob("*"):
        picture.unlink(missing_ok=True)


@contextmanager
def litellm(folder: Path, upstream: Server) -> Iterator[Server]:
    """LiteLLM's proxy with two workers, from the environment that the yardstick installs."""
    home = installed(next(one for one in GATEWAYS if one.name == "LiteLLM"))
    configuration = folder / "litellm.yaml"
    configuration.write_text(
        "model_list:\n- model_name: gemini-2.5-flash-image\n  litellm_params:\n"
        f"    model: gemini/gemini-2.5-flash-image\n    api_key: bench\n    api_base: {upstream.url}/v1beta\n"
        "litellm_settings:\n  telemetry: false\n  drop_params: true\n"
    )
    port = free_port()
    command = [str(home / "bin" / "litellm"), "--config", str(configuration), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", str(WORKERS)]
    environment = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "PWD": str(folder)}
    environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": LITELLM_KEY}
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, "litellm", f"{url}/health/liveliness", environment) as process:
        yield Server(process, url)
