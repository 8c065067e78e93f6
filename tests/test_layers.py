"""Which module may import which: one table, without exemptions."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

# From the top down. A module imports modules of its own layer and of those below it; each name is a module, or a
# package with all that is in it, and the longest name that fits a module decides where it belongs.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("cli", "proxy.__main__", "gunicorn.conf"),
    ("app",),
    ("proxy.routes",),
    ("proxy.service",),
    ("proxy.server", "proxy.playground"),
    ("proxy.generation",),
    ("proxy.jobs", "proxy.access"),
    ("proxy.purchases",),
    ("proxy.pictures",),
    ("proxy.state",),
    ("proxy.greenlets",),
    ("proxy.upstream",),
    ("proxy.observation",),
    ("proxy.caller",),
    ("proxy.settings",),
    ("proxy.limits", "proxy"),
    ("compat.openai_images", "compat.openai_chat", "compat.gemini_content"),
    ("compat",),
)
APART = {  # packages that share nothing with the service, and what of the project each may import
    "sandbox": {"sandbox"},
    "spec": {"spec"},
    "contract": {"contract"},
}
MAY_START = {"app": {"sandbox", "spec"}, "proxy.routes.description": {"spec"}}  # modules that use a package apart

# Who may import a library that would otherwise spread; the rest of the service does without it.
KNOWN_TO = {
    "flask": ("app", "proxy.routes"),
    "gevent": ("proxy.server", "proxy.generation", "proxy.greenlets"),
    "gunicorn": ("proxy.server", "proxy.routes.request_body"),
    "requests": ("proxy.upstream", "cli"),
    "urllib3": ("proxy.upstream",),
    "PIL": ("proxy.pictures.reencoding", "proxy.pictures.input_pictures"),
    "marshmallow": ("compat",),
    "obstore": ("proxy.pictures.store",),
    "sqlalchemy": ("proxy.state", "proxy.purchases", "proxy.jobs", "proxy.access"),
    "alembic": ("proxy.state.migrate", "proxy.state.migrations"),
    "pysqlite3": ("proxy.state.engine",),
}


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    name = path.relative_to(PROJECT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


def modules(*roots: str) -> dict[str, Path]:
    """The modules of some packages and files, by name."""
    found = {}
    for root in roots:
        path = PROJECT / root
        paths = [path] if path.is_file() else sorted(path.rglob("*.py"))
        assert paths, root
        found.update({name_of(one): one for one in paths})
    return found


SERVICE = modules("app.py", "cli.py", "gunicorn.conf.py", "proxy", "compat")


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """The syntax of a file."""
    return list(ast.walk(ast.parse(path.read_text())))


def imports_of(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it, as the longest name that is one."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in SERVICE else str(node.module)


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def layer_of(module: str) -> int:
    """The layer of a module of the service, counted from the top."""
    fitting = [(len(name), depth) for depth, names in enumerate(LAYERS) for name in names if is_in(module, name)]
    assert fitting, f"{module} has no layer"
    return max(fitting)[1]


def test_a_module_imports_its_own_layer_or_lower_ones():
    for module, path in SERVICE.items():
        for imported in imports_of(path):
            if imported.partition(".")[0] in ("app", "cli", "proxy", "compat"):
                assert layer_of(imported) >= layer_of(module), f"{module} imports {imported}, which is above it"
            elif imported.partition(".")[0] in {*APART, "tests", "bench"}:
                assert imported.partition(".")[0] in MAY_START.get(module, ()), f"{module} imports {imported}"


def test_nothing_is_imported_by_a_name_that_only_running_tells():
    for module, path in SERVICE.items():
        calls = [node.func for node in nodes_of(path) if isinstance(node, ast.Call)]
        called = {getattr(function, "id", getattr(function, "attr", "")) for function in calls}
        assert not called & {"__import__", "import_module", "run_module"}, module


def folder_of(module: str) -> str:
    return module if SERVICE[module].name == "__init__.py" else module.rpartition(".")[0]


def test_no_folder_imports_one_that_imports_it():
    arrows: dict[str, set[str]] = {}
    for module, path in SERVICE.items():
        for imported in imports_of(path):
            if imported in SERVICE and "" not in (folder_of(module), folder_of(imported)):
                arrows.setdefault(folder_of(module), set()).add(folder_of(imported))
    for folder, others in arrows.items():
        for other in others - {folder}:
            within = is_in(folder, other) or is_in(other, folder)  # a folder within another is a part of it
            assert within or folder not in arrows.get(other, ()), f"{folder} and {other} import each other"


def test_the_apis_do_not_know_each_other():
    apis = {name for names in LAYERS for name in names if name.startswith("compat.")}
    for module, path in SERVICE.items():
        for one in apis:
            if is_in(module, one):
                others = {name for name in imports_of(path) for other in apis - {one} if is_in(name, other)}
                assert not others, f"{module} imports {others}"


@pytest.mark.parametrize("library", KNOWN_TO)
def test_a_library_is_known_where_it_belongs_only(library: str):
    importers = {
        module for module, path in SERVICE.items() if library in {name.partition(".")[0] for name in imports_of(path)}
    }
    strangers = {module for module in importers if not any(is_in(module, place) for place in KNOWN_TO[library])}
    assert not strangers
    assert importers, f"nothing imports {library}"


def test_compat_is_pure():
    impure = {"os", "socket", "time", "urllib.request", "http.client", "threading", "random", "secrets"}
    for path in modules("compat").values():
        imported = set(imports_of(path))
        packages = {name.partition(".")[0] for name in imported}
        assert packages <= {*sys.stdlib_module_names, "marshmallow", "pybase64", "compat"}, path
        assert not imported & impure, path


@pytest.mark.parametrize("package", APART)
def test_a_package_apart_shares_nothing_with_the_service(package: str):
    own = {"app", "cli", "proxy", "compat", "bench", "tests", *APART}
    for path in modules(package).values():
        assert {name.partition(".")[0] for name in imports_of(path)} & own <= APART[package], path


def test_proxy_has_few_modules_beside_its_packages():
    assert len(list((PROJECT / "proxy").glob("*.py"))) <= 8
