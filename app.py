"""The whole service, assembled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from flask import Flask, Request, Response
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter

from compat.image_models import CALLERS_KEY
from proxy.access.access import Access
from proxy.generation.successors import Successors
from proxy.greenlets import CallerGone, InterruptingLimit, Threads, run_in_thread
from proxy.jobs.jobs import Jobs
from proxy.jobs.queue import Queue
from proxy.jobs.webhooks import Webhooks
from proxy.limits import (
    INPUT_SECONDS,
    INPUT_THREADS,
    MOST_FORM_PARTS,
    SPOOL_MEMORY,
    STORE_ANSWER_SECONDS,
    STORE_THREADS,
    SWEEP_SECONDS,
)
from proxy.observation import metrics
from proxy.observation.readiness import OPTIONAL, Readiness
from proxy.pictures.spool import SpoolMemory
from proxy.pictures.store import Store, open_store
from proxy.purchases.purchases import Purchases
from proxy.routes import (
    EXTENSION,
    authentication,
    cors,
    description,
    errors,
    gemini_content,
    job_requests,
    models,
    monitoring,
    observing,
    openai_chat,
    openai_images,
    own_key,
    playground,
    stored_images,
)
from proxy.routes import jobs as image_jobs
from proxy.routes.flow import ClosingResponse
from proxy.routes.paths import CONVERTERS
from proxy.routes.request_body import limit_body_time
from proxy.service import Places, Service
from proxy.settings import Settings
from proxy.state.database import Database
from proxy.upstream import webhook_client
from proxy.upstream.client import Upstream


class TwinlensApp(Flask):
    """Flask, but a view raises no BaseException: gunicorn would answer it, and not in the caller's dialect."""

    response_class = ClosingResponse

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every function as it is: none is a coroutine, which Flask would find out seven times for each request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the view for a path. No host has paths of its own, and no address is built from a view."""
        if request is None:
            return None
        return self.url_map.bind("", path_info=request.path, default_method=request.method)

    def dispatch_request(self) -> ResponseReturnValue:
        try:
            return super().dispatch_request()
        except CallerGone:
            return Response(status=499)  # for the metrics, as nginx counts it; nobody reads it
        except (Exception, SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # such as gevent.Timeout
            raise RuntimeError(f"a view raised {type(error).__name__}") from error


def create_app(settings: Settings | None = None) -> Flask:
    """The Flask app for one worker. Without settings they are read from the environment. Raises SettingsError."""
    settings = settings or Settings.from_environ()
    app = TwinlensApp("twinlens", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_request_bytes
    app.config["MAX_FORM_PARTS"] = MOST_FORM_PARTS
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False
    app.url_map.converters.update(CONVERTERS)

    threads = Threads(STORE_THREADS, STORE_ANSWER_SECONDS)
    store = open_store(settings.image_store_url, settings.image_ttl_seconds, threads.run)
    database, memory = Database(settings.database_url), SpoolMemory(SPOOL_MEMORY)
    purchases = Purchases(database, store, memory, settings.idempotency_seconds)
    access = Access(settings, database) if settings.access == "keys" else None
    catalogue = settings.catalogue()
    jobs = open_jobs(app, settings, purchases, memory)
    start_sweeping(store, purchases, jobs, access)
    metrics.note_models(catalogue.models())
    app.extensions[EXTENSION] = Service(
        settings,
        catalogue,
        open_upstreams(settings),
        store,
        Places(settings.max_in_flight),
        Readiness(
            store.check,
            () if settings.sandbox else tuple(settings.servers()),
            database.trouble,
            () if access else OPTIONAL,
        ),
        memory,
        purchases,
        jobs,
        Threads(INPUT_THREADS, INPUT_SECONDS),
        Successors(are_followed=settings.follow_successors),
        access,
        sandbox_situations(settings),
    )

    app.before_request(authentication.identify_caller)
    app.before_request(observing.begin)
    app.before_request(limit_body_time)
    app.before_request(cors.answer_preflight)
    app.after_request(cors.allow_origin)
    app.after_request(observing.end)
    register_blueprints(app)
    errors.register(app)
    return app


def register_blueprints(app: Flask) -> None:
    """Every path that is served, those of one API together; the same blueprint may answer at several addresses."""
    app.register_blueprint(openai_images.blueprint, url_prefix="/v1")
    app.register_blueprint(openai_images.blueprint, url_prefix="/v1beta/openai", name="google_openai_images")
    app.register_blueprint(image_jobs.openai, url_prefix="/v1")
    app.register_blueprint(image_jobs.openai, url_prefix="/v1beta/openai", name="google_openai_image_jobs")
    app.register_blueprint(image_jobs.gemini)
    app.register_blueprint(openai_images.blueprint, url_prefix="/openai", name="azure_images")
    app.register_blueprint(openai_images.blueprint, url_prefix="/openai/v1", name="azure_v1_images")
    for name, version in (("azure_deployments", ""), ("azure_v1_deployments", "/v1")):
        prefix = f"/openai{version}/deployments/<model_name:deployment>"
        app.register_blueprint(openai_images.blueprint, url_prefix=prefix, name=name)
    app.register_blueprint(openai_chat.blueprint, url_prefix="/v1")
    app.register_blueprint(openai_chat.blueprint, url_prefix="/v1beta/openai", name="google_openai_chat")
    app.register_blueprint(models.blueprint)
    app.register_blueprint(own_key.blueprint)
    app.register_blueprint(gemini_content.blueprint)
    app.register_blueprint(stored_images.blueprint)
    app.register_blueprint(description.blueprint)
    app.register_blueprint(monitoring.blueprint)
    app.register_blueprint(playground.blueprint)


def open_upstreams(settings: Settings) -> dict[str, Upstream]:
    """The clients of all servers, by base URL; with SANDBOX=1 the key `sandbox` is answered in this process."""
    sandbox = None
    if settings.sandbox:
        from sandbox import create_app as create_sandbox
        from sandbox.transport import SandboxAdapter

        sandbox = SandboxAdapter(create_sandbox(), run=run_in_thread)
    return {
        url: Upstream(
            url,
            api=api,
            timeout=settings.upstream_timeout_seconds,
            max_answer_bytes=settings.max_answer_bytes,
            connections=settings.max_in_flight,
            sandbox=sandbox,
            wait_limit=InterruptingLimit,
        )
        for url, api in settings.servers().items()
    }


def open_jobs(app: Flask, settings: Settings, purchases: Purchases, memory: SpoolMemory) -> Jobs:
    """The jobs of this worker; those whose upstream key is the operator's can be anybody's."""
    queue = Queue(
        purchases.keeping,
        memory,
        settings.max_jobs,
        settings.job_seconds,
        settings.access == "keys" or any(model.upstream.key != CALLERS_KEY for model in settings.catalogue().models()),
        partial(job_requests.prepare, app),
        job_requests.renderer,
    )
    jobs = Jobs(queue, job_requests.renderer, calls_back=settings.webhook_url is not None)
    if settings.webhook_url and settings.webhook_secret:
        webhooks = Webhooks(jobs, settings.webhook_url, settings.webhook_secret, webhook_client.post)
        queue.others.append(webhooks.deliver_due)
    return jobs


def sandbox_situations(settings: Settings) -> Mapping[str, Sequence[str]]:
    """The situations that a prompt can name, by API; none without the sandbox."""
    if not settings.sandbox:
        return {}
    from sandbox import situations_of_pictures

    return situations_of_pictures()


def start_sweeping(store: Store, purchases: Purchases, jobs: Jobs, access: Access | None) -> None:
    """Starts a thread that deletes expired pictures and records of purchases now and every SWEEP_SECONDS.

    With keys it also settles what workers that are gone had reserved.
    """

    def sweep() -> None:
        pause = threading.Event()
        while True:
            try:
                store.sweep()
                metrics.note_store(store.size())
            except OSError:
                errors.log.warning("expired pictures could not be deleted")
            purchases.sweep()
            jobs.sweep()
            if access:
                access.sweep()
            pause.wait(SWEEP_SECONDS)

    threading.Thread(target=sweep, name="sweep", daemon=True).start()
