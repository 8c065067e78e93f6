"""Connections to the upstream on which a call costs little.

urllib3 and http.client keep the connections and secure them. What else they do for every call and every piece, in the
most general way, is done here in the one way that this service needs; whatever is out of the ordinary goes theirs.
"""

from __future__ import annotations

import fcntl
import http.client
import queue
import re
import socket
import ssl
import termios
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError

from proxy.limits import KIB, MOST_INTERIM_ANSWERS, READ_CHUNK
from proxy.upstream.chunked_body import ChunkedBody, MalformedChunks

SMALL = 64 * KIB  # bytes of a request that are joined; to copy more costs more than a write
RECORD = 16 * KIB  # the most bytes that TLS hands out at once
WORTH_A_PIECE = 64 * KIB  # bytes of an answer that are handed on without looking whether there are more
SERVER = re.compile(r"https?://[^/?]+")
HEAD = re.compile(  # of an answer that has a body, in lines that are whole
    rb"HTTP/1\.1 ((?!204|304)[2-5]\d\d)(?: ([ -~]*))?\r\n"
    rb"((?:[A-Za-z0-9!#$%&'*+.^_`|~-]+:[^\x00-\x08\x0a-\x1f]*\r\n){1,100})\r\n"
)
PLAIN_NUMBER = re.compile(r"[0-9]{1,18}")
ESTABLISHED = 1  # what TCP_INFO begins with while neither side has ended the connection
NOTHING = bytes(4)


class Answer(http.client.HTTPResponse):
    """An answer whose plain head is not read by a parser of e-mails, and whose chunks are not read one by one."""

    def __init__(self, sock: socket.socket, method: str):
        super().__init__(sock, method=method)
        self.sock = sock
        self.nothing_buffered = False  # what came with the head is read, and nothing but the socket has more
        self.trouble: OSError | None = None  # that came after bytes which are still to be handed out
        self.chunks = ChunkedBody()
        self.is_last = False  # the server has ended the connection, or said more than it was asked

    def begin(self) -> None:
        """Reads the status and the headers of the answer that counts. Raises BadStatusLine if none comes."""
        for _ in range(MOST_INTERIM_ANSWERS):
            self.headers = None  # type: ignore[assignment]  # or http.client takes them for read
            self.read_head()
            if self.status >= 200:
                return
        raise http.client.BadStatusLine("interim answers only")

    def read_head(self) -> None:
        """Reads a status and headers; what is out of the ordinary of them is left to http.client."""
        head = HEAD.match(self.fp.peek())
        headers = read_headers(head[3].decode("latin-1")) if head else HTTPHeaderDict()
        length, coding = headers.get("content-length", ""), headers.get("transfer-encoding")
        chunked = coding == "chunked" and not length
        if not head or not (chunked or (coding is None and PLAIN_NUMBER.fullmatch(length))):
            super().begin()
            return
        self.fp.read(head.end())
        self.version, self.status, self.reason = 11, int(head[1]), (head[2] or b"").decode("ascii")
        self.headers = headers  # type: ignore[assignment]  # which are read by name, as those of an e-mail are
        self.chunked, self.chunk_left = chunked, None
        self.length = None if chunked else int(length)
        self.will_close = "close" in headers.get("connection", "").lower()

    def read1(self, n: int = READ_CHUNK) -> bytes:
        """The next bytes of the body, up to so many; none at its end. Raises IncompleteRead for broken chunks."""
        if self.fp is None:
            return b""
        if self.chunked:
            return self.read_chunks(n)
        if self.length is None:
            return self.receive(n)
        piece = self.receive(min(n, self.length)) if self.length else b""
        self.length -= len(piece)
        return piece

    def read_chunks(self, n: int) -> bytes:
        """The bytes of all chunks that are there."""
        while not self.chunks.ended:
            received = self.receive(n)
            if not received and not self.chunks.told_its_end:
                raise http.client.IncompleteRead(b"")
            if not received:
                self.chunks.ended = self.is_last = True
                return b""
            try:
                piece = self.chunks.feed(received)
            except MalformedChunks:
                raise http.client.IncompleteRead(b"") from None
            self.is_last = self.is_last or self.chunks.overrun
            if piece:
                return piece
        return b""

    def receive(self, most: int) -> bytes:
        """What the server sends next, first of all what came with the head; nothing once it has ended."""
        if not self.nothing_buffered:
            piece = self.fp.read1(most)
            self.nothing_buffered = len(piece) < most
            return piece
        return self.receive_records(most) if isinstance(self.sock, ssl.SSLSocket) else self.sock.recv(most)

    def receive_records(self, most: int) -> bytes:
        """The same through TLS: what is there is taken together, since a record is small and each piece is work."""
        if self.trouble:
            raise self.trouble
        pieces = [self.sock.recv(min(most, RECORD))]
        length, patience = len(pieces[0]), self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            while pieces[-1] and length < min(most, WORTH_A_PIECE):
                pieces.append(self.sock.recv(min(most - length, RECORD)))
                length += len(pieces[-1])
            self.is_last = not pieces[-1]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self.trouble, self.is_last = error, True
        finally:
            self.sock.settimeout(patience)
        return b"".join(pieces)


class Body(HTTPResponse):
    """The body of an answer, whose pieces are handed on without looking at each in every way.

    Its end, be it early or not, is urllib3's to notice, which then gives the connection back.
    """

    _original_response: Answer

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """The next bytes, up to so many; none at the end. Raises ProtocolError, and OSError."""
        if decode_content or not amt:
            return super().read1(amt, decode_content)
        try:
            piece = self._original_response.read1(amt)
        except http.client.HTTPException as error:
            raise ProtocolError("the body is broken", error) from error
        if not piece:
            return super().read1(amt, decode_content)
        if self.length_remaining is not None:
            self.length_remaining -= len(piece)
        return piece

    def belong_to(self, pool: HTTPConnectionPool, connection: Connection) -> None:
        """Where the connection goes back to when the body has been read."""
        self._pool, self._connection = pool, connection


def read_headers(lines: str) -> HTTPHeaderDict:
    """Headers from their lines."""
    headers = HTTPHeaderDict()
    for line in lines.split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        headers.add(name, value.lstrip(" \t"))
    return headers


class Connection(HTTPConnection):
    """A connection on which a small request leaves in one write, since each write wakes whoever reads."""

    method = ""
    answer: Answer | None = None  # the latest

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        **_: Any,
    ) -> None:
        """Writes a request whose headers are complete; its body is bytes, pieces of bytes, or None.

        Raises ValueError if a header would be more than one.
        """
        if self.sock is None:
            self.connect()
        self.method = method
        self.sock.settimeout(self.timeout)
        lines = (f"{name}: {value}" for name, value in headers.items())
        head = "\r\n".join((f"{method} {url} HTTP/1.1", *lines, "\r\n"))
        if not head.count("\r") == head.count("\n") == len(headers) + 2:
            raise ValueError("a header has more than one line")
        pieces = [head.encode("latin-1"), *((body,) if isinstance(body, bytes) else body or ())]
        if sum(map(len, pieces)) <= SMALL:
            self.sock.sendall(b"".join(pieces))
            return
        for piece in pieces:  # by slices, each with a time of its own: a slow line is none that stands still
            view = memoryview(piece)
            for start in range(0, len(view), READ_CHUNK):
                self.sock.sendall(view[start : start + READ_CHUNK])

    def getresponse(self) -> Body:  # type: ignore[override]  # as urllib3 does
        """The answer as soon as its head has been read."""
        self.sock.settimeout(self.timeout)
        answer = Answer(self.sock, method=self.method)
        try:
            answer.begin()
        except BaseException:
            answer.close()
            self.close()
            raise
        if answer.will_close:
            self.close()
        else:
            self.answer = answer
        headers: Any = answer.headers
        return Body(
            body=answer,
            headers=headers if isinstance(headers, HTTPHeaderDict) else HTTPHeaderDict(headers.items()),
            status=answer.status,
            version=answer.version,
            reason=answer.reason,
            preload_content=False,
            decode_content=False,
            original_response=answer,
            request_method=self.method,
        )

    def close(self) -> None:
        """Closes the connection, which can be opened anew."""
        super().close()
        self.answer = None

    @property
    def is_connected(self) -> bool:
        """Whether nothing has come since the last answer, be it the end. urllib3 polls, which gevent makes dear."""
        if self.answer and self.answer.is_last:
            return False
        if not isinstance(self.sock, socket.socket) or not hasattr(socket, "TCP_INFO"):
            return super().is_connected
        state = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state == ESTABLISHED and fcntl.ioctl(self.sock, termios.FIONREAD, NOTHING) == NOTHING


class SecureConnection(Connection, HTTPSConnection):
    """The same with TLS."""

    @property
    def is_connected(self) -> bool:
        """Whether nothing has come, deciphered or not."""
        return super().is_connected and not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending())


class Pool(HTTPConnectionPool):
    """Keeps connections open between requests."""

    ConnectionCls = Connection

    def take_kept(self) -> Connection | None:
        """A connection that can be used again; None if there is none."""
        try:
            connection: Connection | None = self.pool.get(block=False) if self.pool else None
        except queue.Empty:
            return None
        if connection and connection.is_connected:
            return connection
        self._put_conn(connection)
        return None


class SecurePool(Pool, HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = SecureConnection


def server_of(request: requests.PreparedRequest) -> str:
    """The URL of a request without its path."""
    server = SERVER.match(request.url or "")
    return server[0] if server else ""


class Adapter(HTTPAdapter):
    """What `requests` asks for connections. All calls to a server are made with the same proxies and certificates."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
        self.pools: dict[str, Any] = {}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """The answer as soon as its head is there. `timeout` is a pair: seconds to connect, and for each wait.

        On a connection that is kept there is nothing to look up or to try again. Everything else goes urllib3's way.
        Raises what requests raises.
        """
        pool = self.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        connection = None if pool.proxy else pool.take_kept()
        if not connection:
            return super().send(request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        self.add_headers(request)
        connection.timeout = timeout[1]
        try:
            # Who is refused while he still sends has an answer to read, as in urllib3.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(request.method, self.request_url(request, proxies), request.body, request.headers)
            answer = connection.getresponse()
        except BaseException as error:
            connection.close()
            pool._put_conn(None)
            if isinstance(error, TimeoutError):
                raise requests.ReadTimeout(error, request=request) from error
            if isinstance(error, OSError | http.client.HTTPException | HTTPError):
                raise requests.ConnectionError(error, request=request) from error
            raise
        answer.belong_to(pool, connection)
        return self.build_response(request, answer)

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        """The pool of a server, which is looked up once."""
        server = server_of(request)
        if server not in self.pools:
            self.pools[server] = super().get_connection_with_tls_context(request, *args, **options)
        return self.pools[server]

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """What a request line says: a path, or a whole URL to a proxy that reads it."""
        server = server_of(request)
        if self.pools[server].proxy:
            return super().request_url(request, proxies)
        return (request.url or "")[len(server) :] or "/"

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        """The server's name, which HTTP wants told."""
        request.headers["host"] = server_of(request).partition("://")[2]

    def build_response(self, request: requests.PreparedRequest, answer: Any) -> requests.Response:
        """The answer as requests hands it out, without cookies."""
        response = requests.Response()
        response.request, response.url = request, request.url or ""
        response.status_code = answer.status
        response.headers = answer.headers
        response.raw = answer
        return response
