"""The house's rules: floors and circles, light imports, long rooms, leftovers."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "scidb_magic"
HEAVY = ("duckdb", "scidbpy", "pyarrow", "pandas", "numpy", "IPython", "ipywidgets", "requests", "lark")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_import_rules() -> None:
    done = run(str(Path(sysconfig.get_path("scripts")) / "lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_circle() -> None:
    graph = grimp.build_graph("scidb_magic", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(list(TopologicalSorter(imports).static_order())) == len(imports)


def test_ruff() -> None:
    done = run(sys.executable, "-m", "ruff", "check", "--no-cache", "scidb_magic", "tests")
    assert done.returncode == 0, done.stdout


def test_bandit() -> None:
    done = run(sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-r", "scidb_magic")
    assert done.returncode == 0, done.stdout


def test_mypy_strict() -> None:
    done = run(sys.executable, "-m", "mypy", "--cache-dir=/dev/null")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["scidb_magic", "scidb_magic.api", "scidb_magic.session.connection"])
def test_import_is_light(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def test_rooms_are_short() -> None:
    lengths = {path.name: path.read_text().count("\n") for path in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_nothing_left_undone() -> None:
    marks = re.compile(r"TODO|FIXME|XXX\b|\bNotImplementedError|except( Exception)?:\s*pass")
    found = [str(path) for path in PACKAGE.rglob("*.py") if marks.search(path.read_text())]
    assert found == []


def test_top_level() -> None:
    tracked = run("git", "ls-files").stdout.split()
    allowed = {"pyproject.toml", "scidb_magic", "notebooks", "tests", "README.md", "LICENSE", "CHANGELOG.md"}
    assert {name.split("/")[0] for name in tracked if not name.startswith(".")} <= allowed
