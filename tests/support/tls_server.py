"""An upstream with TLS, and a certificate of its own making."""

import datetime
import ipaddress
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def tls_server(
    folder: Path,
    answer: bytes,
    reset: bool = False,
    then: Callable[[ssl.SSLSocket], object] | None = None,
    received: bytearray | None = None,
) -> Iterator[str]:
    """An https server with one answer, after which it may reset the connection, or do something else with it.

    What it receives is added to `received`. Its certificate, for which nobody vouches, is certificate.pem in the
    folder.
    """
    noted = bytearray() if received is None else received
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(folder))

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                        read_request(secured, noted)
                        secured.sendall(answer)
                        if then:
                            secured.settimeout(5)
                            then(secured)
                        if reset:
                            secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that has signed itself, and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def read_request(connection: socket.socket, noted: bytearray) -> None:
    """Reads a request with its body, or as much of it as comes."""
    received = b""
    while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
        noted += piece
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = re.findall(rb"(?i)content-length: (\d+)", head)
    while lengths and len(body) < int(lengths[0]) and (piece := connection.recv(65536)):
        noted += piece
        body += piece
