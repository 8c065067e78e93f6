"""The contract suite as a package: it holds all that the suite needs, and names what it imports."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from contract.rows import all_rows
from tests.contract.servers import PROJECT

CONTRACT = PROJECT / "contract"
PACKAGES = {"PIL": "pillow", "google": "google-genai"}  # by the name that is imported


def test_the_package_runs_from_an_empty_folder(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path / "wheel")]
    subprocess.run([*build, str(CONTRACT)], check=True, capture_output=True)
    [wheel] = (tmp_path / "wheel").iterdir()
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(installed)
    empty.mkdir()
    environment = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "contract", "--list"]
    done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == len(all_rows())
    with subprocess.Popen(command, cwd=empty, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as one:
        assert one.stdout and one.stderr
        one.stdout.readline()
        one.stdout.close()  # as `head` does
        assert one.stderr.read() == b""
    names = {path.name for path in installed.rglob("*") if path.is_file()}
    files = [path for path in CONTRACT.rglob("*") if path.suffix in (".py", ".css", ".js")]
    assert names > {path.name for path in files if path.parent.name != "yardstick"}
    assert not (installed / "contract" / "pyproject.toml").exists()


def test_the_package_names_what_it_imports() -> None:
    imported = {name for path in CONTRACT.rglob("*.py") for name in imports_of(path)} - {"contract"}
    declared = tomllib.loads((CONTRACT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {PACKAGES.get(name, name) for name in imported - sys.stdlib_module_names} == {
        requirement.partition(">=")[0] for requirement in declared
    }


def imports_of(path: Path) -> set[str]:
    """The top-level names of the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
