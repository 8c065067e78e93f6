"""How gunicorn serves the app: `gunicorn` in this folder is all that a production start needs."""

import gc
import os
import secrets
import shutil
import tempfile
from datetime import UTC, datetime

# The workers of one start share a folder for their metrics, which must be set before the metrics are imported, and a
# salt for the fingerprints of keys.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="twinlens-metrics-")
os.environ.setdefault("LOG_SALT", secrets.token_hex(16))

from prometheus_client.multiprocess import mark_process_dead

from proxy.limits import (
    HEADER_WAIT_SECONDS,
    LONGEST_HEADER,
    LONGEST_REQUEST_LINE,
    MORE_CONNECTIONS,
    MOST_HEADERS,
)
from proxy.observation.logs import configure as configure_logs
from proxy.pictures.store import is_remote, open_folder
from proxy.server.allocator import keep_freed_memory
from proxy.server.log import JsonLogger, QuietLogger
from proxy.server.open_files import raise_limit
from proxy.server.port import trouble_with_port
from proxy.server.welcome import welcome
from proxy.server.worker import Worker
from proxy.settings import Settings, SettingsError
from proxy.state.migrate import migrate_in_a_process

try:
    settings = Settings.from_environ()
    if not is_remote(settings.image_store_url):
        open_folder(settings.image_store_url, settings.image_ttl_seconds)
except SettingsError as error:
    raise SystemExit(f"Twinlens did not start. {error}") from None

wsgi_app = "app:create_app()"
worker_class = Worker
logger_class = JsonLogger if settings.log_format == "json" else QuietLogger
bind = f"{settings.host}:{settings.port}"
workers = settings.web_concurrency

# Requests above MAX_IN_FLIGHT must reach the app, which answers with an error, and so must /healthz.
worker_connections = settings.max_in_flight + MORE_CONNECTIONS
keepalive = HEADER_WAIT_SECONDS
graceful_timeout = settings.upstream_timeout_seconds + 30
timeout = 120

http_parser = "python"  # "auto" would change it with an installed package, and with it what is refused and how
limit_request_line = LONGEST_REQUEST_LINE
limit_request_fields = MOST_HEADERS
limit_request_field_size = LONGEST_HEADER

# Forwarded headers are read by the app, and only from TRUSTED_PROXIES.
forwarded_allow_ips = ""
forwarder_headers = ""

# Gunicorn's control socket would be in the home folder of the user who starts it.
control_socket_disable = True

# No preload_app: connections, threads and metrics are made after the fork.


def on_starting(server):
    """Before the workers start, which inherit the limit of open files and find the port free, the database migrated."""
    inherited = "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ  # sockets that listen already
    if not inherited and (trouble := trouble_with_port(settings)):
        raise SystemExit(f"Twinlens did not start. {trouble}")
    if shortage := raise_limit(settings.max_in_flight):
        server.log.warning(shortage)
    if trouble := migrate_in_a_process():
        server.log.warning(trouble)
    if is_remote(settings.image_store_url) and settings.database_url.startswith("sqlite:"):
        server.log.warning(
            "IMAGE_STORE_URL is shared by machines and DATABASE_URL is a file of this one: a caller who tries again on "
            "another machine buys again. Set DATABASE_URL=postgresql://..."
        )


def post_fork(server, worker):
    """Every worker logs in the format of the settings."""
    configure_logs(settings.log_format)


def post_worker_init(worker):
    """Exempts what is imported, and stays, from garbage collection, and keeps freed memory for reuse."""
    keep_freed_memory()
    gc.collect()
    gc.freeze()


def child_exit(server, worker):
    """Takes the calls of a worker that has ended out of the metrics."""
    mark_process_dead(worker.pid)


def on_exit(server):
    """Deletes the folder of the metrics."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def when_ready(server):
    """Prints what a new user can do next; with a log in JSON nobody reads it."""
    if settings.sandbox and settings.log_format == "text":
        print(welcome(settings, datetime.now(UTC).date()), flush=True)
