"""The manual, and each example in it, run as it stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scidb_magic.notebook import manual, options
from scidb_magic.notebook.subcommands import SUBCOMMANDS

EXAMPLES = [
    *(option.example for option in options.QUERY.values()),
    *(command.example for command in SUBCOMMANDS.values()),
    *(option.example for command in SUBCOMMANDS.values() for option in command.options.values()),
]
DAYS = {"data/one.csv": "day,temp_max\n20,31.5\n", "data/two.csv": "day,temp_max\n21,30\n"}
FILES = {**DAYS, "day1.csv": "rain\n1.5\n", "day2.csv": "rain\n0\n"}
WEATHER = "store(build(<temp_max:double>[day=0:*], '[28.5, 31, 33]', true), weather)"
PHOTOGRAPH = "store(build(<light:double>[y=0:19; x=0:29], x + y), photograph)"


@pytest.fixture
def example(bare_shell: Any, embedded_factory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run an example where there is what it names."""
    server = embedded_factory("--io-path", str(tmp_path))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "config.toml").write_text(f'[connections.prod]\nurl = "{server.url}"\n')
    monkeypatch.setenv("SCIDB_MAGIC_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("getpass.getpass", lambda _: "typed")
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda _: True})())
    monkeypatch.chdir(tmp_path)
    assert bare_shell.run("%load_ext scidb_magic").error is None

    def run(text: str) -> Any:
        for line in ("%scidb connect prod", f"%scidb {WEATHER}", f"%scidb {PHOTOGRAPH}"):
            assert bare_shell.run(line).error is None
        return bare_shell.run(text.replace("'/data/", f"'{tmp_path}/data/"))

    return run


def test_every_example_runs(example: Any) -> None:
    assert len(set(EXAMPLES)) > 50
    failed = {text: out.error["evalue"] for text in dict.fromkeys(EXAMPLES) if (out := example(text)).error}
    assert failed == {}


def test_every_option_and_subcommand_has_an_example_of_itself() -> None:
    tables = [options.QUERY, *(command.options for command in SUBCOMMANDS.values())]
    for name, option in (row for table in tables for row in table.items()):
        assert any(word in option.example for word in (name, f"{option.short} "))
    for name, command in SUBCOMMANDS.items():
        assert command.example.startswith(f"%scidb {name}")


def test_what_help_shows(shell: Any) -> None:
    text = shell.run("%scidb help").texts[0]
    assert (
        text == shell.run("%scidb --help").texts[0] == shell["get_ipython"]().find_line_magic("scidb").__doc__
    )
    assert "%%scidb -o hot" in text
    assert all(f"%scidb help {name}" in text for name in manual.PAGES)
    assert "--orphans" in shell.run("%scidb help release").text
    both = shell.run("%scidb help show").text
    assert "--versions" in both
    assert "show(" in both
    assert shell.run("%scidb help errors").text.startswith("# Errors")
    assert "slot_wait" in shell.run("%scidb help settings").text
