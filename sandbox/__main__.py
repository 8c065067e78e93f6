"""`python -m sandbox`: the sandbox as a server, for tests and for other gateways."""

from __future__ import annotations

import argparse
import io
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from socketserver import ThreadingMixIn
from typing import IO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sandbox import create_app


class SandboxServer(ThreadingMixIn, WSGIServer):
    """A thread for each connection. The server does not wait for them when it stops."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self.address_family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Binds without a reverse look-up of the host's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Logs an error without the request. A client that hangs up is not logged."""
        error = sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            print(f"sandbox: {type(error).__name__}: {error}", file=sys.stderr)


class QuietHandler(WSGIRequestHandler):
    """Logs the method, the path and the status: no query, no header, no key."""

    timeout = 120  # seconds that a silent connection is kept

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        path = getattr(self, "path", "-").partition("?")[0]
        print(f"sandbox: {getattr(self, 'command', '-')} {path} {code}", file=sys.stderr)

    def log_message(self, format: str, *arguments: object) -> None:
        """Logs nothing else."""


def with_chunked_bodies(app: WSGIApplication) -> WSGIApplication:
    """The app for clients that send a chunked body (OpenAI's SDK for Node does), which wsgiref does not decode."""

    def with_whole_body(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            body = b"".join(_chunks(environ["wsgi.input"]))
            environ = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return app(environ, start_response)

    return with_whole_body


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while size := int(file.readline().partition(b";")[0], 16):
        yield file.read(size)
        file.readline()
    while file.readline().strip():
        pass  # trailers


def make_server(host: str = "127.0.0.1", port: int = 0, latency: float = 0.0) -> SandboxServer:
    """A server that is bound and does not serve yet."""
    server = SandboxServer((host, port), QuietHandler)
    server.set_app(with_chunked_bodies(create_app(latency=latency)))
    return server


def server_url(server: SandboxServer) -> str:
    """The address to give to a client as its base URL."""
    host, port = server.server_name, server.server_port
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit status."""
    options = _parse(arguments)
    try:
        server = make_server(options.host, options.port, options.latency)
    except OSError as error:
        print(f"sandbox: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1

    def stop(_signal: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(server_url(server), flush=True)
    with server:
        server.serve_forever(poll_interval=0.1)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Serve a stand-in for Google's Gemini image API and OpenAI's Images API: any key is "
        "accepted unless it contains 'invalid', and a prompt with [[situation]] is answered by the contract fixture of "
        "that name.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8001, help="port, 0 for any free one (default: %(default)s)")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="how long an answer seems to take (default: 0)"
    )
    options = parser.parse_args(arguments)
    if options.latency < 0:
        parser.error("--latency must not be negative")
    return options


if __name__ == "__main__":
    sys.exit(main())
