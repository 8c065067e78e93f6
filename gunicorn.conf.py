"""How gunicorn serves the app: `gunicorn` in this folder is all that a production start needs."""

import gc
import os
import secrets
import shutil
import tempfile

# Workers count together in a folder of this start, which has to be known before the metrics are imported, and
# fingerprint keys with one salt.
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
from proxy.server.open_files import make_room
from proxy.server.welcome import welcome
from proxy.server.worker import JsonLogger, QuietLogger, Worker
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

# A caller above MAX_IN_FLIGHT must still reach the app, to be told so, and /healthz must not wait behind him.
worker_connections = settings.max_in_flight + MORE_CONNECTIONS
keepalive = HEADER_WAIT_SECONDS
graceful_timeout = settings.upstream_timeout_seconds + 30
timeout = 120

limit_request_line = LONGEST_REQUEST_LINE
limit_request_fields = MOST_HEADERS
limit_request_field_size = LONGEST_HEADER

# Forwarded headers are read by the app, and only from TRUSTED_PROXIES.
forwarded_allow_ips = ""
forwarder_headers = ""

# Gunicorn's control socket would lie in the home folder of whoever starts it.
control_socket_disable = True

# No preload_app: connections, threads and metrics belong behind the fork.


def on_starting(server):
    """Before there are workers: they inherit the limit of open files, and find the database migrated."""
    if shortage := make_room(settings.max_in_flight):
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
    """What was imported stays: the garbage collector need not look at it again and again. Memory is kept for reuse."""
    keep_freed_memory()
    gc.collect()
    gc.freeze()


def child_exit(server, worker):
    """What a worker that has ended was doing counts no longer."""
    mark_process_dead(worker.pid)


def on_exit(server):
    """The folder of the metrics goes with its start."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def when_ready(server):
    """Tells a new user what to do next; whoever wants JSON is none."""
    if settings.sandbox and settings.log_format == "text":
        print(welcome(settings), flush=True)
