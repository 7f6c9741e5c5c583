"""Wheel and sdist, as ``python -m build`` makes them: what is in them, and what they say of themselves.

That each can be installed and used is tested by ``.ci/run package``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import scidb_magic

ROOT = Path(__file__).parents[2]
NAME = f"scidb_magic-{scidb_magic.__version__}"


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked(*folders: str) -> set[str]:
    """What git knows, so that a stray file in the tree is one in the artifact too."""
    listed = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split())


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("build", "--outdir", str(folder), ".")
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(dist / f"{NAME}-py3-none-any.whl") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    lab = tracked("scidb_magic/labextension")
    shared = {
        name.replace("scidb_magic/labextension", f"{NAME}.data/data/share/jupyter/labextensions/scidb-magic")
        for name in lab
    }
    about = {f"{NAME}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
    assert set(wheel) == (tracked("scidb_magic") - lab) | shared | about


def test_the_sdist_holds_what_makes_the_wheel_and_what_explains_it(dist: Path) -> None:
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    top = {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
    # Hatchling adds .gitignore, which it reads when it builds.
    assert names == tracked("scidb_magic", "notebooks") | top | {"PKG-INFO", ".gitignore"}


def test_twine_finds_nothing(dist: Path) -> None:
    told = run("twine", "check", "--strict", *map(str, dist.iterdir()))
    assert told.count("PASSED") == 2


def test_the_version_comes_from_one_place(wheel: dict[str, bytes]) -> None:
    assert message_from_bytes(wheel[f"{NAME}.dist-info/METADATA"])["Version"] == scidb_magic.__version__
    said = [
        name
        for name in tracked("scidb_magic", "pyproject.toml", "README.md")
        if scidb_magic.__version__ in (ROOT / name).read_text(errors="replace")
    ]
    assert said == ["scidb_magic/__init__.py"]


def test_the_changelog_begins_with_this_version() -> None:
    headline = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headline is not None
    assert headline[1] == scidb_magic.__version__


def test_the_lab_extension_says_what_it_loads(wheel: dict[str, bytes]) -> None:
    (package,) = [name for name in wheel if name.endswith("scidb-magic/package.json")]
    load = json.loads(wheel[package])["jupyterlab"]["_build"]["load"]
    assert package.replace("package.json", load) in wheel


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    listed = re.findall(
        r'^(?:    |\w+ = \[)"[A-Za-z][\w.-]*(?:\[[\w,]+\])?[><=][^"]*".*$', text, re.MULTILINE
    )
    assert len(listed) > 30
    assert [line for line in listed if "#" not in line] == []
