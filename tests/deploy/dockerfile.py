"""Follows a Dockerfile without an engine: its steps are taken in a folder that stands for the image's root."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.environments import ENVIRONMENT_AT_START, UNREACHABLE
from tests.support.installed import missing


@dataclass
class Image:
    """What the Dockerfile made: files below `root`, and how they are to be run."""

    root: Path
    workdir: Path = Path("/")
    user: int = 0
    volumes: list[Path] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def at(self, path: Path | str) -> Path:
        """Where a path of the image really is."""
        return self.root / str(self.workdir / path).lstrip("/")

    def really(self, text: str) -> str:
        """The text with the image's own folders replaced by where they really are."""
        return re.sub(r"(?:(?<![\w.:/-])|(?<=sqlite:///))/(app|var/lib/twinlens)\b", rf"{self.root}/\1", text)

    @property
    def programs(self) -> Path:
        """The `bin` folder of the Python that stands for the image's own."""
        return self.root / "python/bin"


def steps_of(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Every instruction with its arguments."""
    lines = (line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            instruction, _, arguments = line.strip().partition(" ")
            yield instruction, arguments.strip()


def build(dockerfile: Path, context: Path, root: Path) -> Image:
    """Takes every step. An instruction that is not known here fails."""
    image = Image(root)
    for instruction, arguments in steps_of(dockerfile):
        match instruction:
            case "FROM":
                assert arguments == "python:3.11-slim"
                make_python(image)
            case "WORKDIR":
                image.workdir = Path(arguments)
                image.at(".").mkdir(parents=True)
            case "COPY":
                copy(image, context, *arguments.split())
            case "RUN":
                run(image, arguments)
            case "ENV":
                image.environment |= dict(pair.split("=", 1) for pair in shlex.split(arguments))
            case "USER":
                image.user = int(arguments.partition(":")[0])
            case "VOLUME":
                image.volumes.append(image.at(arguments))
            case "CMD":
                image.command = json.loads(arguments)
            case "HEALTHCHECK":
                image.healthcheck = json.loads(arguments.partition(" CMD ")[2])
            case _:
                assert instruction == "EXPOSE", f"{instruction} is not known here"
    return image


def make_python(image: Image) -> None:
    """An environment without any package; its pip is ours."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", image.root / "python"], check=True)
    pip = image.programs / "pip"
    pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip --python {image.programs / "python"} "$@"\n')
    pip.chmod(0o755)


def copy(image: Image, context: Path, source: str, target: str) -> None:
    """COPY of one file, or of all that .dockerignore lets through."""
    for path in sent_files(context):
        name = path.relative_to(context)
        if source in (".", str(name)):
            to = image.at(target) / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)


def sent_files(context: Path) -> list[Path]:
    """The files of the context that .dockerignore lets through."""
    rules = [line for line in (context / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]

    def is_sent(name: str) -> bool:
        sent = True
        for rule in rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            parts = name.split("/")
            tried = parts if "**/" in rule else ["/".join(parts[: n + 1]) for n in range(len(parts))]
            if any(fnmatch.fnmatchcase(one, pattern) for one in tried):
                sent = rule.startswith("!")
        return sent

    found = []
    for folder, folders, names in os.walk(context):
        here = Path(folder).relative_to(context)
        folders[:] = [name for name in folders if is_sent(str(here / name))]
        found += [Path(folder) / name for name in names if is_sent(str(here / name))]
    return sorted(found)


def run(image: Image, command: str) -> None:
    """RUN in the image's working folder, with its Python first in the path."""
    if os.geteuid():
        command = re.sub(r"--(owner|group)=\d+ ", "", command)
    ours = {name: value for name, value in ENVIRONMENT_AT_START.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        ["sh", "-euc", image.really(command)],
        cwd=image.at("."),
        env={**ours, **image.environment, "PATH": f"{image.programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    said = f"RUN {command}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    if done.returncode and UNREACHABLE.search(said):
        missing("the package index cannot be reached")
    if done.returncode:
        pytest.fail(said)
