"""What the Dockerfile makes, followed without an engine: run as an engine would, and under the unit's restrictions."""

import re
import socket
import subprocess
from pathlib import Path

import requests
from PIL import Image as Pictures

from tests.deploy.confined import confined
from tests.deploy.dockerfile import Image, sent_files
from tests.support.installed import program
from tests.support.openai_calls import painted
from tests.support.upstream import ScriptedUpstream

SYSTEMD_USER = 61184  # the first of those that DynamicUser takes


def test_only_what_runs_is_sent_to_the_engine(project: Path):
    sent = {path.relative_to(project) for path in sent_files(project)}
    assert {path.parts[0] for path in sent} == {
        *("app.py", "cli.py", "gunicorn.conf.py", "requirements.txt"),
        *("compat", "proxy", "sandbox", "spec", "contract_fixtures"),
    }
    assert not [path for path in sent if path.suffix == ".pyc"]


def test_the_image_serves_from_a_read_only_root(image: Image, open_folder: Path):
    volume, temporary = image.volumes[0], open_folder / "tmp"
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o1777)
    environment = {name: image.really(value) for name, value in image.environment.items()}
    with confined(
        [str(image.programs / image.command[0]), *image.command[1:]],
        image.at("."),
        open_folder / "log",
        {"PATH": f"{image.programs}:/usr/bin:/bin", "TMPDIR": str(temporary), "SANDBOX": "1", **environment},
        writable=[*image.volumes, temporary],
        user=image.user,
    ) as service:
        assert image.user > 0
        check = [str(image.programs / image.healthcheck[0]), *image.healthcheck[1:]]
        assert service.picture().startswith(b"\x89PNG")
        [stored] = volume.iterdir()
        assert stored.stat().st_uid == image.user
        assert Pictures.open(stored).size == (1024, 1024)
        assert "database" not in requests.get(f"{service.url}/readyz", timeout=20).json()
        assert subprocess.run(check, env=service.environment).returncode == 0
        assert service.stop() == 0, service.log.read_text()
        assert subprocess.run(check, env=service.environment, capture_output=True).returncode == 1
        assert "Traceback" not in service.log.read_text()
    assert not list(temporary.iterdir())


def test_the_service_runs_under_its_restrictions(
    image: Image, open_folder: Path, deploy: Path, unit: dict[str, list[str]]
):
    """Read-only but for its folders, a user of its own, and only the system calls and sockets that the unit names.

    The upstream has a name, so that the resolver is confined too.
    """
    state, temporary = open_folder / "state", open_folder / "tmp"
    for folder in (state, temporary):
        folder.mkdir(mode=0o700)
        folder.chmod(0o777)
    environment = dict(line.split("=", 1) for line in unit["Environment"])
    environment |= dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", (deploy / "twinlens.env.example").read_text()))
    for name in ("IMAGE_STORE_URL", "DATABASE_URL"):
        environment[name] = environment[name].replace("/var/lib/twinlens", str(state))
    notify = temporary / "notify"
    with ScriptedUpstream() as google, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        environment["GEMINI_BASE_URL"] = google.url.replace("127.0.0.1", "localhost")
        systemd.bind(str(notify))
        notify.chmod(0o777)
        with confined(
            [str(image.programs / "gunicorn")],
            image.at("."),
            open_folder / "log",
            {**environment, "SANDBOX": "1", "TMPDIR": str(temporary), "NOTIFY_SOCKET": str(notify)},
            writable=[state, temporary],
            user=SYSTEMD_USER,
            calls=sorted(allowed_calls(unit["SystemCallFilter"])),
            families=unit["RestrictAddressFamilies"][0].split(),
        ) as service:
            systemd.settimeout(5)
            assert b"READY=1" in systemd.recv(1000)
            assert (service.status("Seccomp"), service.status("NoNewPrivs")) == ("2", "1")
            assert service.status("Uid") == str(SYSTEMD_USER)
            assert service.picture().startswith(b"\x89PNG")
            google.answers(painted())
            assert service.picture(key="some-key").startswith(b"\x89PNG")
            assert len(list((state / "pictures").iterdir())) == 2
            assert requests.get(f"{service.url}/readyz", timeout=20).json() == {"status": "ok"}
            assert (state / "twinlens.sqlite3").stat().st_size
            assert service.stop() == 0
            assert "Traceback" not in service.log.read_text()


def allowed_calls(filters: list[str]) -> set[str]:
    """What systemd makes of SystemCallFilter: the first line allows, those with a tilde take away."""
    done = subprocess.run([program("systemd-analyze"), "syscall-filter", "--no-pager"], capture_output=True, text=True)
    groups: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.strip())

    def expand(name: str) -> set[str]:
        return set().union(*map(expand, groups[name])) if name.startswith("@") else {name}

    allowed: set[str] = expand("@default")
    for one in filters:
        named = set().union(*map(expand, one.removeprefix("~").split()))
        allowed = allowed - named if one.startswith("~") else allowed | named
    return allowed
