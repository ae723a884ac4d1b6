"""A package imports only from levels below its own, and the protocol core stays free of input and output."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
LEVELS: Final = {
    "spean": 4,
    "securityserver": 3,
    "centralserver": 3,
    "adapters": 3,
    "pki": 2,
    "serverkit": 2,
    "xroad": 1,
    "contracts": 1,
}
IMPURE: Final = frozenset(
    {
        "aiohttp",
        "asyncio",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlalchemy",
        "sqlite3",
        "ssl",
        "structlog",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
    }
)
CLOCKS: Final = frozenset({"now", "utcnow", "today"})  # time is a parameter: the core judges at a given moment
# Bytes in memory and a table of numbers are no input or output.
ALLOWED_NAMES: Final = frozenset({("io", "BytesIO"), ("io", "StringIO"), ("http", "HTTPStatus")})


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(module: Path) -> Iterator[tuple[str, str | None]]:
    """Give (module, name or None) of each import, at the top or within functions; a relative one within its package."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module.relative_to(ROOT).parent.parts[: 1 - node.level or None], base])
            yield from ((base, alias.name) for alias in node.names)


def reaches(package: str, target: str) -> bool:
    return target == package or LEVELS[target] < LEVELS[package]


def test_every_package_has_a_level() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench"}
    assert folders == set(LEVELS)


@pytest.mark.parametrize("package", LEVELS)
def test_imports_only_go_down(package: str) -> None:
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules(package)
        for name, _ in imported(module)
        if (target := name.partition(".")[0]) in LEVELS and not reaches(package, target)
    ]
    assert wrong == []


def test_the_programs_do_not_import_the_tests_or_the_benchmark() -> None:
    wrong = [
        str(module.relative_to(ROOT))
        for package in LEVELS
        for module in modules(package)
        if any(name.partition(".")[0] in {"tests", "bench"} for name, _ in imported(module))
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["xroad", "contracts"])
def test_level_one_knows_no_other_package(package: str) -> None:
    assert {name.partition(".")[0] for module in modules(package) for name, _ in imported(module)} & set(LEVELS) <= {
        package
    }


def impure(name: str, member: str | None) -> bool:
    if (name, member) in ALLOWED_NAMES:
        return False
    return name in IMPURE or name.partition(".")[0] in IMPURE or f"{name}.{member}" in IMPURE


def test_the_protocol_core_does_no_input_or_output() -> None:
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules("xroad")
        for name, member in imported(module)
        if impure(name, member)
    ]
    assert wrong == []


def test_the_protocol_core_reads_no_clock_and_no_file() -> None:
    wrong = [
        f"{module.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"
        for module in modules("xroad")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and _reads_the_world(node.func)
    ]
    assert wrong == []


def _reads_the_world(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in {"open", "input", "print"}
    return isinstance(function, ast.Attribute) and function.attr in CLOCKS
