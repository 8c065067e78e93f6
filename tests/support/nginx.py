"""A real nginx with `deploy/nginx.conf` and its site, changed only in where it listens, logs and finds its key."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import processes
from tests.support.certificate import certificate
from tests.support.installed import program
from tests.support.processes import free_port

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> str:
        """The file with the certificate that signed itself."""
        return str(self.folder / "certificate.pem")

    def logs(self) -> str:
        """All that it has written."""
        return "".join((self.folder / name).read_text() for name in ("access.log", "error.log"))


def prepared(configuration: Path, folder: Path, *service_ports: int) -> Nginx:
    """The configuration in a folder of its own, for one service or for several that share the callers."""
    nginx = Nginx(folder, free_port())
    pem = certificate(folder)
    text = with_site(configuration)
    for old, new in (
        (r"listen 443 ssl", f"listen 127.0.0.1:{nginx.port} ssl"),
        (r"server 127\.0\.0\.1:8000;", " ".join(f"server 127.0.0.1:{port};" for port in service_ports)),
        (r"/var/log/nginx", str(folder)),
        (r"/etc/twinlens/tls/\w+\.pem", str(pem)),
        (r"worker_processes auto", "worker_processes 1"),
        (r"http \{", "http {\n" + "".join(f"{one}_temp_path {folder}/{one};\n" for one in TEMPORARY)),
    ):
        text, times = re.subn(old, new, text)
        assert times, f"{old} is not in {configuration}"
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"{user}pid {folder}/pid;\n{text}")
    return nginx


def with_site(configuration: Path) -> str:
    """The text of `deploy/nginx.conf` with that of `nginx-site.conf` in place of its line that includes it."""
    site = configuration.with_name("nginx-site.conf").read_text()
    text = configuration.read_text()
    assert "include /etc/nginx/conf.d/twinlens.conf;" in text
    return text.replace("include /etc/nginx/conf.d/twinlens.conf;", site)


def order(nginx: Nginx, *more: str) -> list[str]:
    """How it is called."""
    where = ["-p", str(nginx.folder), "-c", str(nginx.folder / "nginx.conf"), "-e", str(nginx.folder / "error.log")]
    return [program("nginx"), *where, *more]


@contextmanager
def running_nginx(nginx: Nginx) -> Iterator[Nginx]:
    """Runs it in the foreground until the block ends."""
    command = order(nginx, "-g", "daemon off;")
    with processes.running(command, nginx.folder / "output", lambda: processes.listens(nginx.port)):
        yield nginx
