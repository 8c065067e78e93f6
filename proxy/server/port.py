"""Whether the service can listen at HOST and PORT, before gunicorn tries."""

from __future__ import annotations

import errno
import socket
import time

from proxy.limits import PORT_SECONDS
from proxy.settings import Settings

PAUSE = 0.2  # seconds between two tries
PORTS_AFTER = 100  # that are looked at for a free one


def trouble_with_port(settings: Settings) -> str | None:
    """What is wrong with HOST and PORT, and what to write instead; None if one can listen there.

    A port that is taken is tried again for PORT_SECONDS: it may be that of a service that is about to end.
    """
    end = time.monotonic() + PORT_SECONDS
    while (error := error_at(settings.host, settings.port)) == errno.EADDRINUSE and time.monotonic() < end:
        time.sleep(PAUSE)
    if error == errno.EADDRINUSE:
        start = "make run" if settings.sandbox else "gunicorn"
        free = free_port_after(settings.host, settings.port)
        return f"Port {settings.port} is taken by another program. Choose another one: PORT={free} {start}"
    if error == errno.EACCES:
        return f"PORT={settings.port} needs more rights: choose one above 1023, such as PORT=8000"
    if error == errno.EADDRNOTAVAIL:
        return f"HOST={settings.host} is not an address of this machine: write 0.0.0.0 for all of its addresses"
    return None  # gunicorn reports what is left


def error_at(host: str, port: int) -> int | None:
    """The number of the error for a socket that listens there; None if there is none."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror:
        return errno.EADDRNOTAVAIL
    with socket.socket(family, kind) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(address)
            one.listen()  # without which two sockets may share a port
        except OSError as error:
            return error.errno
    return None


def free_port_after(host: str, port: int) -> int:
    """The next port at which one can listen."""
    following = range(port + 1, min(port + PORTS_AFTER, 65536))
    return next((one for one in following if error_at(host, one) is None), port + 1)
