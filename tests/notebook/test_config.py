"""Settings as traits, in IPython's configuration, in ``%scidb config``; connections by name."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from IPython.core.completer import provisionalcompleter
from keyring.backend import KeyringBackend

from scidb_magic import api
from scidb_magic.session.settings import SETTINGS

SUM = "%scidb aggregate(build(<x:int64>[i=0:9], i), sum(x))"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file, which is not there yet."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SCIDB_MAGIC_CONFIG", str(path))
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prompts; each is answered with 'geheim'."""
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return "geheim"

    monkeypatch.setattr(getpass, "getpass", answer)
    return prompts


def lines(shell: Any, pattern: str = "") -> dict[str, str]:
    """The rows of ``%scidb config``, by their settings."""
    return {line.split()[0]: line for line in shell.run(f"%scidb config {pattern}").texts[0].splitlines()}


class TestTraits:
    def test_all_are_listed_with_what_they_take(self, shell: Any) -> None:
        said = " ".join(shell.run("%config SciDBMagics").streams.split())
        for name, setting in SETTINGS.items():
            if setting.secret:
                assert f"SciDBMagics.{name}" not in said
                continue
            start = said.index(f"SciDBMagics.{name}=")
            told = said[start : said.index("Current:", start)]
            assert setting.help in told
            assert all(choice in told for choice in setting.choices)
            assert setting.environment in told
        assert "Choices: safe, never, always" in said
        assert "its progress. At least 0." in said
        assert "only displayed. At least 1." in said
        assert "SciDBMagics.display_limit=<Int>" in said

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("display_limit", "-5", "'display_limit' is at least 1, not -5"),
            ("display_limit", "2.5", "type int, not 2.5"),
            ("display_limit", "'many'", "type int, not 'many'"),
            ("retry", "'maybe'", "one of safe, never, always, not 'maybe'"),
            ("progress_after", "-0.1", "'progress_after' is at least 0"),
            ("url", "'no_such_connection'", "There is no connection 'no_such_connection'"),
            ("url", "'htp://h'", "begins with http"),
        ],
    )
    def test_a_bad_value_is_one_line_and_changes_nothing(
        self, shell: Any, path: Path, name: str, value: str, says: str
    ) -> None:
        before = shell.run(f"%config SciDBMagics.{name}").value
        session = api.current()
        said = shell.run(f"%config SciDBMagics.{name} = {value}").streams.strip()
        assert said.startswith("SettingError: ")
        assert says in said
        assert "\n" not in said
        assert shell.run(f"%config SciDBMagics.{name}").value == before
        assert api.current() is session

    def test_an_unknown_name_is_told_by_ipython(self, shell: Any) -> None:
        with pytest.warns(UserWarning, match="`nosuch` not recognized by `SciDBMagics`"):
            shell.run("%config SciDBMagics.nosuch = 1")

    def test_in_a_kernel_it_is_an_error_output(self, kernels: Callable[..., Any]) -> None:
        kernel = kernels()
        kernel.run("%load_ext scidb_magic")
        out = kernel.run("%config SciDBMagics.display_limit = -5")
        assert out.traceback == ["SettingError: Setting 'display_limit' is at least 1, not -5."]
        assert out.text.strip() == ""
        assert "-5" in kernel.run("%scidb last_error").text

    def test_python_may_set_them_too(self, shell: Any) -> None:
        magics = shell.ip.magics_manager.registry["SciDBMagics"]
        magics.display_limit = 4
        assert api.current().settings.display_limit == 4
        shell["magics"] = magics
        out = shell.run("magics.display_limit = 0")
        assert out.traceback == ["SettingError: Setting 'display_limit' is at least 1, not 0."]

    def test_none_takes_it_back(self, shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SCIDB_MAGIC_DISPLAY_LIMIT", "7")
        shell.run("%config SciDBMagics.display_limit = 5")
        shell.run("%config SciDBMagics.display_limit = None")
        assert api.current().settings.display_limit == 7

    def test_what_is_live_stays_and_the_rest_is_for_this_session(self, shell: Any, embedded: Any) -> None:
        shell.run("%config SciDBMagics.display_limit = 5")
        shell.run("%config SciDBMagics.verify = False")
        assert api.current().settings.verify == "no"
        shell.run(f"%scidb connect {embedded.url}")
        assert (api.current().settings.display_limit, api.current().settings.verify) == (5, "yes")
        shell.run(f"%scidb connect {embedded.url} --display-limit 6")
        assert api.current().settings.display_limit == 6

    def test_a_file_that_is_no_toml_is_one_line_everywhere(self, bare_shell: Any, path: Path) -> None:
        path.write_text("url =")
        bare_shell.run("%load_ext scidb_magic")
        for cell in ("%config SciDBMagics", "%scidb config", "%scidb connections", "%scidb scan(A)"):
            (said,) = bare_shell.run(cell).traceback
            assert said.startswith(f"SettingError: The settings file {path} is not TOML")


class TestConfigurationOfIPython:
    """``c.SciDBMagics.… = …`` of ``ipython_config.py``."""

    def test_it_holds_for_every_session(self, bare_shell: Any, embedded: Any) -> None:
        bare_shell.ip.config.SciDBMagics.display_limit = 17
        bare_shell.ip.config.SciDBMagics.url = embedded.url
        bare_shell.run("%load_ext scidb_magic")
        assert bare_shell.run(SUM).error is None
        assert "IPython's configuration" in lines(bare_shell)["url"]
        bare_shell.run("%scidb connect embedded:")
        assert "17" in lines(bare_shell)["display_limit"]
        assert "IPython's configuration" in lines(bare_shell)["display_limit"]
        bare_shell.run("%scidb connect embedded: --display-limit 18")
        assert api.current().settings.display_limit == 18

    def test_it_is_taken_away_with_the_extension(self, bare_shell: Any) -> None:
        bare_shell.ip.config.SciDBMagics.display_limit = 17
        bare_shell.run("%load_ext scidb_magic")
        bare_shell.run("%unload_ext scidb_magic")
        api.forget()
        assert api.connect("embedded:").settings.display_limit == 1000

    def test_it_applies_to_a_session_that_is_there(self, bare_shell: Any, embedded: Any) -> None:
        session = api.connect(embedded.url)
        bare_shell.ip.config.SciDBMagics.display_limit = 17
        bare_shell.run("%load_ext scidb_magic")
        assert (api.current(), session.settings.display_limit) == (session, 17)

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("display_limit", -5, "at least 1, not -5"),
            ("retry", "maybe", "one of safe, never, always"),
            ("display_limt", 5, "did you mean 'display_limit'?"),
            ("password", "geheim", "a secret is not kept there"),
            ("url", "http://anna:geheim@h", "keyring"),
        ],
    )
    def test_with_a_bad_value_the_extension_is_not_loaded_at_all(
        self, bare_shell: Any, name: str, value: object, says: str
    ) -> None:
        bare_shell.ip.config.SciDBMagics.max_result_bytes = 4096
        bare_shell.ip.config.SciDBMagics[name] = value
        out = bare_shell.run("%load_ext scidb_magic")
        (said,) = out.traceback
        assert said.startswith(f"SettingError: IPython's configuration, c.SciDBMagics.{name}: ")
        assert says in said
        assert "geheim" not in said
        assert bare_shell.ip.find_line_magic("scidb") is None
        assert "SciDBMagics" not in {type(each).__name__ for each in bare_shell.ip.configurables}
        assert not bare_shell.ip.Completer.custom_matchers
        assert api.connect("embedded:").settings.max_result_bytes == 2**31
        del bare_shell.ip.config.SciDBMagics[name]
        assert bare_shell.run("%load_ext scidb_magic").error is None
        assert api.current().settings.max_result_bytes == 4096

    def test_what_was_only_looked_at_is_no_value(self, bare_shell: Any) -> None:
        bare_shell.run("get_ipython().config.SciDBMagics.display_limit")
        assert bare_shell.run("%load_ext scidb_magic").error is None
        assert api.current().settings.display_limit == 1000

    @pytest.fixture
    def profile(self, tmp_path: Path) -> Path:
        """IPython's folder, with a configuration file."""
        folder = tmp_path / "ipython" / "profile_default"
        folder.mkdir(parents=True)
        (folder / "ipython_config.py").write_text("c = get_config()\nc.SciDBMagics.display_limit = 17\n")
        return folder.parent

    def test_in_a_kernel(self, kernels: Callable[..., Any], profile: Path) -> None:
        kernel = kernels(IPYTHONDIR=str(profile))
        assert kernel.run("%load_ext scidb_magic").text.strip() == ""
        row = kernel.run("%scidb config display_limit").text
        assert "17" in row and "IPython's configuration" in row
        config = profile / "profile_default" / "ipython_config.py"
        config.write_text(config.read_text().replace("17", "-17"))
        kernel = kernels(IPYTHONDIR=str(profile))
        out = kernel.run("%load_ext scidb_magic")
        assert len(out.traceback) == 1
        assert "c.SciDBMagics.display_limit" in out.traceback[0]
        assert "not found" in kernel.run("%scidb").text

    def test_on_the_command_line(self) -> None:
        def said(value: str) -> str:
            code = "import scidb_magic; print('limit', scidb_magic.current().settings.display_limit)"
            option = f"--SciDBMagics.display_limit={value}"
            done = subprocess.run(
                [sys.executable, "-m", "IPython", "--ext=scidb_magic", option, "-c", code],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            return done.stdout + done.stderr

        assert "limit 23" in said("23")
        assert "takes a value of type int, not 'many'" in said("many")


class TestTable:
    def test_where_each_comes_from(
        self, bare_shell: Any, embedded: Any, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_text(f"idle_release = 61\n[connections.here]\nurl = '{embedded.url}'\nconnect_wait = 62\n")
        monkeypatch.setenv("SCIDB_MAGIC_RELEASE_TIMEOUT", "6.3")
        bare_shell.ip.config.SciDBMagics.max_result_bytes = 6400
        bare_shell.run("%load_ext scidb_magic")
        bare_shell.run("%scidb connect here --slot-wait 65")
        bare_shell.run("%config SciDBMagics.display_limit = 66")
        rows = lines(bare_shell)
        expected = {
            "idle_release": ("61.0", str(path)),
            "connect_wait": ("62.0", f"connection here in {path}"),
            "url": (embedded.url, f"connection here in {path}"),
            "release_timeout": ("6.3", "SCIDB_MAGIC_RELEASE_TIMEOUT"),
            "max_result_bytes": ("6400", "IPython's configuration"),
            "slot_wait": ("65.0", "argument of %scidb connect"),
            "display_limit": ("66", "%config"),
            "progress_after": ("1.0", "default"),
        }
        for name, (value, source) in expected.items():
            assert rows[name].split()[1] == value
            assert rows[name].split(value, 1)[1].strip().startswith(source + "  ")
        api.connect("here", slot_wait=67)
        assert "argument  " in lines(bare_shell)["slot_wait"]

    def test_a_pattern_selects(self, shell: Any) -> None:
        assert set(lines(shell, "*_wait")) == {"setting", "slot_wait", "connect_wait"}
        assert set(lines(shell, "progress")) == {"setting", "progress_after"}
        assert "No setting's name fits 'nix'" in shell.run("%scidb config nix").text


class Keys(KeyringBackend):
    """Knows the password of anna on one server."""

    priority = 1  # type: ignore[assignment]

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def get_password(self, service: str, username: str) -> str | None:
        return "geheim" if (service, username) == (self._url, "anna") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError

    def delete_password(self, service: str, username: str) -> None:
        raise AssertionError


@pytest.fixture
def own_keyring() -> Iterator[Callable[[str], None]]:
    """Have keyring know anna's password on a server."""
    before = keyring.get_keyring()
    yield lambda url: keyring.set_keyring(Keys(url))
    keyring.set_keyring(before)


class TestConnections:
    @pytest.fixture(autouse=True)
    def two(self, path: Path, embedded: Any) -> None:
        path.write_text(
            f"[connections.here]\nurl = '{embedded.url}'\nuser = 'anna'\n"
            "[connections.at-work]\nurl = 'https://cluster:8083'\nnamespace = 'science'\n"
        )

    @pytest.fixture
    def loaded(self, bare_shell: Any) -> Any:
        bare_shell.run("%load_ext scidb_magic")
        return bare_shell

    def test_they_are_listed(self, loaded: Any, path: Path, embedded: Any) -> None:
        assert [row.split() for row in loaded.run("%scidb connections").texts[0].splitlines()] == [
            ["name", "url", "user", "namespace"],
            ["here", embedded.url, "anna"],
            ["at-work", "https://cluster:8083", "science"],
        ]
        path.unlink()
        said = loaded.run("%scidb connections").text
        assert "[connections.NAME]" in said and str(path) in said

    def test_a_password_is_asked_for(self, loaded: Any, asked: list[str], embedded: Any) -> None:
        out = loaded.run("%scidb connect here")
        assert embedded.url in out.text
        assert asked == ["Password of anna: "]
        assert "prompt" in lines(loaded)["password"]
        assert "geheim" not in loaded.run("%scidb config").text
        assert loaded.run(SUM).error is None
        for line in ("%scidb connect --slot-wait 5", "%config SciDBMagics.display_limit = 5"):
            loaded.run(line)
        assert len(asked) == 1
        assert api.current().settings.password == "geheim"
        assert api.connect("here").settings.password == "geheim"

    def test_a_user_on_the_line_wins(self, loaded: Any, asked: list[str]) -> None:
        loaded.run("%scidb connect here --user bob")
        assert asked == ["Password of bob: "]
        assert "argument of %scidb connect" in lines(loaded)["user"]

    def test_without_a_user_nothing_is_asked(self, loaded: Any, asked: list[str]) -> None:
        assert loaded.run("%scidb connect at-work").error is None
        assert (asked, api.current().settings.namespace) == ([], "science")

    def test_a_mistake_is_told_before_the_password_is_asked_for(self, loaded: Any, asked: list[str]) -> None:
        (said,) = loaded.run("%scidb connect here --slot-wait soon").traceback
        assert "type float, not 'soon'" in said
        (said,) = loaded.run("%scidb connect hree").traceback
        assert "only here, at-work; did you mean 'here'?" in said
        assert asked == []

    def test_keyring_comes_before_the_prompt(
        self, loaded: Any, asked: list[str], embedded: Any, own_keyring: Callable[[str], None]
    ) -> None:
        own_keyring(embedded.url)
        assert loaded.run("%scidb connect here").error is None
        assert (asked, api.current().settings.password) == ([], "geheim")
        assert "keyring" in lines(loaded)["password"]

    def test_a_user_of_the_web_server(
        self, loaded: Any, asked: list[str], path: Path, embedded_factory: Any
    ) -> None:
        server = embedded_factory(http_auth=("web", "geheim"))
        path.write_text(f"[connections.behind]\nurl = '{server.url}'\nhttp_user = 'web'\n")
        assert loaded.run("%scidb connect behind").error is None
        assert asked == ["Password of web: "]
        assert loaded.run(SUM).error is None

    def test_named_by_the_variable(
        self, loaded: Any, asked: list[str], embedded: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SCIDB_URL", "here")
        assert loaded.run(SUM).error is None
        assert asked == []
        assert loaded.run("%scidb connect").error is None
        assert asked == ["Password of anna: "]
        assert (api.current().settings.url, api.current().settings.password) == (embedded.url, "geheim")

    def test_changing_one_setting_keeps_the_connection(self, loaded: Any, path: Path) -> None:
        loaded.run("%scidb connect at-work")
        session = api.current()
        loaded.run("%config SciDBMagics.display_limit = 5")
        loaded.run("%scidb connect --slot-wait 5")
        assert api.current() is session
        assert f"connection at-work in {path}" in lines(loaded)["namespace"]

    def test_names_are_completed(self, loaded: Any, path: Path) -> None:
        def offered(text: str) -> set[str]:
            with provisionalcompleter():
                found = loaded.ip.Completer.completions(text, len(text))
                return {text[: each.start] + each.text for each in found}

        assert offered("%scidb connect ") == {"%scidb connect here", "%scidb connect at-work"}
        assert offered("%scidb connect at-w") == {"%scidb connect at-work"}
        assert "%scidb connect here --namespace" in offered("%scidb connect here --nam")
        path.write_text("url =")
        assert offered("%scidb connect he") <= {"%scidb connect he"}

    def test_in_a_kernel_by_prompt(self, kernels: Callable[..., Any], embedded: Any, path: Path) -> None:
        kernel = kernels(SCIDB_MAGIC_CONFIG=str(path))
        kernel.run("%load_ext scidb_magic")
        assert "nobody to type the password" in kernel.run("%scidb connect here").traceback[0]
        out = kernel.run("%scidb connect here", answer="geheim")
        assert embedded.url in out.text
        assert kernel.run(SUM).error is None
        out = kernel.run(
            "import scidb_magic\nfirst = scidb_magic.current()\n"
            "print(scidb_magic.connect('here') is first, scidb_magic.connect('here').status().state)"
        )
        assert out.text.strip() == "True idle"
