"""The HTTP client: a body goes out with one key, and a status and a stream of bytes come back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from http.cookiejar import DefaultCookiePolicy
from traceback import walk_tb
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ReadTimeoutError
from urllib3.util import Retry

from compat.errors import ApiError, Bought, ErrorKind, broken
from compat.image_models import Api
from proxy.limits import CONNECT_SECONDS, LONGEST_ERROR_BODY, READ_CHUNK
from proxy.observation.record import UpstreamTimes
from proxy.settings import SANDBOX_KEY
from proxy.upstream.connections import Adapter
from proxy.upstream.wait_limit import WaitLimit

SANDBOX = "http://sandbox.invalid"  # a name that is never resolved (RFC 6761)
SANDBOX_URLS = {Api.GEMINI: f"{SANDBOX}/v1beta", Api.OPENAI: f"{SANDBOX}/v1"}
KEY_HEADERS = {Api.GEMINI: ("x-goog-api-key", ""), Api.OPENAI: ("authorization", "Bearer ")}  # header, before the key

ALWAYS_SENT = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "twinlens"}

# Only the making of a connection is repeated: nothing can have been sent on it.
RETRY = Retry(total=None, connect=1, read=0, redirect=0, status=0, other=0, backoff_factor=0.1)

KEY = re.compile(r"[\x21-\x7e\x80-\xff][\x20-\x7e\x80-\xff]*")  # what a header can hold
Body = bytes | tuple[bytes | memoryview, ...]  # in one piece or in several


@dataclass
class UpstreamAnswer:
    """A status, headers by lower-case name, and the body as a stream that is read once. It must be closed."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    response: requests.Response
    limit: WaitLimit
    key: str | None = None  # that the call was made with

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def read_error(self) -> bytes:
        """The body of an error, up to a limit."""
        body = bytearray()
        for chunk in self.chunks:
            body += chunk
            if len(body) > LONGEST_ERROR_BODY:
                break
        return bytes(body[:LONGEST_ERROR_BODY])

    def close(self) -> None:
        """Gives the connection back if the body has been read to its end; otherwise closes it."""
        self.limit.close()
        self.response.close()


class Upstream:
    """A session to one server, with its pool of connections. To be made after the fork."""

    def __init__(
        self,
        base_url: str,
        *,
        api: Api = Api.GEMINI,
        timeout: float,
        max_answer_bytes: int,
        connections: int,
        sandbox: BaseAdapter | None = None,
        wait_limit: type[WaitLimit] = WaitLimit,
    ):
        """`base_url` includes the API's version; `timeout` is in seconds, for all the waiting of one call.

        `sandbox` answers the calls with the sandbox's key. `wait_limit` may be a class that interrupts waits.
        """
        self.base_url = base_url
        self.api = api
        self.timeout = timeout
        self.max_answer_bytes = max_answer_bytes
        self.wait_limit = wait_limit
        self.has_sandbox = sandbox is not None
        self.session = requests.Session()
        self.session.auth = leave_as_is  # or requests would look for a password in ~/.netrc
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.headers.clear()
        adapter = Adapter(pool_connections=4, pool_maxsize=connections, max_retries=RETRY)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        if sandbox:
            self.session.mount(SANDBOX, sandbox)

    def call(
        self,
        path: str,
        body: Body,
        key: str | None,
        *,
        content_type: str = "application/json",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        decode: bool = True,
        times: UpstreamTimes | None = None,
    ) -> UpstreamAnswer:
        """Posts a body to a path below the base URL and returns as soon as the answer's headers have arrived.

        The key is sent in the header of the server's API; None sends none. With `decode` a compressed answer is
        decompressed; errors always are. `times` gets how long was waited. Raises an ApiError when there is no answer;
        reading `chunks` raises one when the answer breaks off.
        """
        url = f"{self.base_for(key)}/{path}{'?' if query else ''}{query}"
        length = len(body) if isinstance(body, bytes) else sum(map(len, body))
        described = {"content-type": content_type, "content-length": str(length), **(headers or {})}
        answer = self.ask("POST", url, body, {**described, **self.credential(key)}, decode, times)
        answer.key = key
        return answer

    def base_for(self, key: str | None) -> str:
        """The base URL for a key: the sandbox's key leads to the sandbox."""
        return SANDBOX_URLS[self.api] if self.has_sandbox and key == SANDBOX_KEY else self.base_url

    def get(self, url: str, key: str | None) -> UpstreamAnswer:
        """Gets an address of this server."""
        return self.ask("GET", url, None, self.credential(key))

    def ask(
        self,
        method: str,
        url: str,
        body: Body | None,
        headers: Mapping[str, str],
        decode: bool = True,
        times: UpstreamTimes | None = None,
    ) -> UpstreamAnswer:
        sent = {**ALWAYS_SENT, **headers}
        limit = self.wait_limit(self.timeout, partial(too_late, self.timeout))
        try:
            with limit:
                response = self.send(method, url, body, sent)
        except BaseException as error:
            limit.close()
            if isinstance(error, requests.RequestException):
                raise without_answer(error, limit) from None
            raise
        times = times or UpstreamTimes()
        times.first_byte = times.total = limit.waited
        return UpstreamAnswer(
            response.status_code,
            {name.lower(): response.headers[name] for name in response.headers},
            self.read(response, limit, times, decode or response.status_code >= 400),
            response,
            limit,
        )

    def credential(self, key: str | None) -> dict[str, str]:
        """The header that holds the key. Raises INVALID_KEY for one that no header can hold."""
        if key is None:
            return {}
        if not KEY.fullmatch(key):
            raise ApiError(ErrorKind.INVALID_KEY, "API key not valid. Please pass a valid API key.")
        name, scheme = KEY_HEADERS[self.api]
        return {name: scheme + key}

    def send(self, method: str, url: str, body: Body | None, headers: Mapping[str, str]) -> requests.Response:
        """The response as soon as its headers have arrived. The URL is sent as it is; requests would normalize it."""
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url, prepared.hooks = method, url, {}
        prepared.body = body  # type: ignore[assignment]  # pieces are sent one after another
        prepared.headers = CaseInsensitiveDict(headers)
        # A limit that interrupts needs no other for each wait, and gevent makes an object for each.
        timeout: Any = (min(CONNECT_SECONDS, self.timeout), None if self.wait_limit.interrupts else self.timeout)
        return self.session.get_adapter(url).send(prepared, stream=True, timeout=timeout, **self.surroundings)

    @cached_property
    def surroundings(self) -> dict[str, Any]:
        """What the environment says of proxies and certificates, read once: all calls go to one server."""
        options = self.session.merge_environment_settings(self.base_url, {}, None, None, None)
        return {name: options[name] for name in ("proxies", "verify", "cert")}

    def read(
        self, response: requests.Response, limit: WaitLimit, times: UpstreamTimes, decode: bool
    ) -> Iterator[bytes]:
        """The body as it comes. The limit counts the waiting for the upstream, not that for the caller.

        Raises an ApiError when it breaks off, takes too long or grows too large.
        """
        decode = decode and "content-encoding" in response.headers  # otherwise urllib3 would only copy the body
        length, read = 0, response.raw.read1
        try:
            while True:
                with limit:
                    chunk = read(READ_CHUNK, decode_content=decode)
                if not chunk:
                    return
                length += len(chunk)
                if length > self.max_answer_bytes:
                    raise broken(
                        f"The upstream's answer is larger than {self.max_answer_bytes} bytes (MAX_ANSWER_BYTES)."
                    )
                if limit.waited > limit.seconds:
                    raise limit.error()
                yield chunk
                del chunk  # so that a thousand callers do not hold one each while they wait for the next
        except (ReadTimeoutError, TimeoutError):
            raise limit.error() from None
        except (HTTPError, OSError):
            raise broken("The upstream's answer broke off.") from None
        finally:
            times.total = limit.waited
            limit.close()
            response.close()


def leave_as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def without_answer(error: Exception, limit: WaitLimit) -> ApiError:
    """The error of a call without an answer. The original message is dropped: it may contain a URL."""
    if nothing_was_sent(error):
        return ApiError(ErrorKind.UPSTREAM_BROKEN, "The upstream could not be reached.")
    if isinstance(error, requests.Timeout):
        return limit.error()
    if isinstance(error, requests.exceptions.SSLError):
        return broken("No secure connection to the upstream could be made.")
    return broken("The connection to the upstream broke before it answered.")


def nothing_was_sent(error: Exception) -> bool:
    """Whether no connection was made, or its TLS handshake did not end in time."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = error.args[0] if error.args else None
    if isinstance(cause, ReadTimeoutError) and isinstance(cause.__cause__, TimeoutError):
        # urllib3 raises the same error for a stalled handshake and a stalled answer: only the traceback differs.
        return any(frame.f_code.co_name == "do_handshake" for frame, _ in walk_tb(cause.__cause__.__traceback__))
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def too_late(seconds: float) -> ApiError:
    message = f"The upstream did not answer within {seconds:g} seconds (UPSTREAM_TIMEOUT_SECONDS)."
    return ApiError(ErrorKind.UPSTREAM_TIMEOUT, message, bought=Bought.UNKNOWN)
