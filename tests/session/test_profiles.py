"""Connections by name, from tables of the settings file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scidb_magic import api
from scidb_magic.errors import SettingError
from scidb_magic.session.layers import Said, read_file, resolve
from scidb_magic.session.settings import SETTINGS
from scidb_magic.shim.secret import Secret

TABLES = """
display_limit = 10
slot_wait = 10

[connections.prod]
url = "https://cluster:8083"
user = "ann"
http_user = "web"
namespace = "science"
verify = false
slot_wait = 20
connect_wait = 20

[connections.laptop]
url = "embedded:"
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TABLES)
    monkeypatch.setenv("SCIDB_MAGIC_CONFIG", str(path))
    monkeypatch.setenv("SCIDB_CONFIG_USER", str(tmp_path / "iquery.auth"))
    return path


@pytest.fixture
def environ(path: Path) -> dict[str, str]:
    return {"SCIDB_MAGIC_CONFIG": str(path), "SCIDB_CONFIG_USER": str(path.with_name("iquery.auth"))}


@pytest.fixture
def shared() -> Iterator[None]:
    api.forget()
    yield
    api.forget()


def test_a_table_is_between_argument_and_environment(environ: dict[str, str], path: Path) -> None:
    environ |= {"SCIDB_MAGIC_SLOT_WAIT": "15", "SCIDB_MAGIC_RETRY": "never", "SCIDB_URL": "http://other"}
    standing = {"slot_wait": Said(16, "IPython")}
    settings, sources = resolve({"url": "prod", "connect_wait": 30}, environ, standing)
    assert (settings.url, settings.user, settings.http_user) == ("https://cluster:8083", "ann", "web")
    assert (settings.namespace, settings.verify) == ("science", "no")
    assert (settings.slot_wait, settings.connect_wait) == (20.0, 30.0)
    assert (settings.retry, settings.display_limit) == ("never", 10)
    of_table = f"connection prod in {path}"
    assert {name for name, source in sources.items() if source == of_table} == {
        "url",
        "user",
        "http_user",
        "namespace",
        "verify",
        "slot_wait",
    }
    assert sources["connect_wait"] == "argument"
    assert sources["retry"] == "SCIDB_MAGIC_RETRY"
    assert sources["display_limit"] == str(path)


def test_the_variable_and_the_file_may_name_one(environ: dict[str, str], path: Path) -> None:
    assert resolve({}, environ | {"SCIDB_URL": "prod"})[0].url == "https://cluster:8083"
    assert resolve({"url": "http://h"}, environ | {"SCIDB_URL": "prod"})[0].user is None
    path.write_text('url = "laptop"\n' + TABLES)
    assert resolve({}, environ)[0].url == "embedded:"
    assert resolve({}, environ | {"SCIDB_URL": "http://h"})[0].url == "http://h"


def test_an_argument_admin_may_be_false(path: Path, shared: None) -> None:
    path.write_text(TABLES + "admin = true\n")
    assert api.connect("laptop").settings.admin is True
    assert api.connect("laptop", admin=False).settings.admin is False


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("prdo", ["no connection 'prdo'", "prod, laptop", "did you mean 'prod'?"]),
        ("localhost", ["no connection 'localhost'", "prod, laptop", "begins with http://"]),
    ],
)
def test_an_unknown_name_lists_those_that_there_are(
    environ: dict[str, str], path: Path, name: str, says: list[str]
) -> None:
    with pytest.raises(SettingError) as caught:
        resolve({"url": name}, environ)
    assert all(part in str(caught.value) for part in [str(path), *says])


def test_without_a_file_there_is_no_name(environ: dict[str, str], path: Path) -> None:
    path.unlink()
    with pytest.raises(SettingError, match=r"no connection 'prod' in .* no table \[connections"):
        resolve({"url": "prod"}, environ)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[connections.bad]\nurl = 'http://h'\nusr = 'ann'", ["[connections.bad]", "'usr'", "mean 'user'"]),
        (
            "[connections.bad]\nurl = 'http://h'\nslot_wait = 'x'",
            ["[connections.bad]", "'slot_wait'", "float"],
        ),
        ("[connections.bad]\nurl = 'http://h'\n[connections.bad.deep]\nuser = 'ann'", ["bad]", "'deep'"]),
        ("[connections.bad]\nuser = 'ann'", ["[connections.bad]", "needs a url"]),
        ("[connections.bad]\nurl = 'prod'", ["[connections.bad]", "needs a url"]),
        ("[connections.bad]\nurl = 'htp://h'", ["[connections.bad]", "begins with http://"]),
        ("[connections.'a b']\nurl = 'http://h'", ["[connections.a b]", "neither spaces"]),
        ("[connections.'http://h']\nurl = 'http://h'", ["connection's name"]),
        ("[connections]\nurl = 'http://h'", ["made of tables"]),
        ("connections = 'prod'", ["made of tables"]),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(
    environ: dict[str, str], path: Path, table: str, says: list[str]
) -> None:
    path.write_text(table + "\n")
    with pytest.raises(SettingError) as caught:
        resolve({"url": "bad"}, environ)
    assert all(part in str(caught.value) for part in [str(path), *says])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "password = 'geheim'",
        "http_password = 'geheim'",
        "passwd = 'geheim'",
        "http_auth = ['ann', 'geheim']",
        "token = 'geheim'",
        "url = 'http://ann:geheim@h'",
    ],
)
def test_a_secret_in_a_table_is_refused(environ: dict[str, str], path: Path, line: str) -> None:
    url = "" if line.startswith("url") else "url = 'http://h'\n"
    path.write_text(f"[connections.prod]\n{url}{line}\n")
    with pytest.raises(SettingError) as caught:
        resolve({"url": "prod"}, environ)
    said = str(caught.value)
    assert "geheim" not in said
    assert all(way in said for way in ("[connections.prod]", "auth file", "keyring"))
    assert "prompt" in said or "asked for by %scidb connect prod" in said


def test_every_setting_that_is_no_secret_may_stand_in_a_table(environ: dict[str, str], path: Path) -> None:
    values = {
        name: "http://h" if name == "url" else "yes" if setting.default is None else setting.default
        for name, setting in SETTINGS.items()
        if not setting.secret
    }
    lines = [
        f"{name} = {str(value).lower() if type(value) is bool else repr(value)}"
        for name, value in values.items()
    ]
    path.write_text("[connections.all]\n" + "\n".join(lines))
    assert read_file(environ)[1] == {"all": values}


def test_the_same_name_is_the_same_session(path: Path, shared: None) -> None:
    first = api.connect("prod")
    assert api.connect("prod") is first
    assert api.connect("prod", slot_wait=3) is first  # a live setting
    assert api.connect("prod", user="bob") is not first
    assert first.connection.closed


def test_the_auth_file_knows_the_user_of_a_table(path: Path, shared: None) -> None:
    path.with_name("iquery.auth").write_text('{"user-name": "ann", "user-password": "geheim"}')
    assert api.connect("prod").settings.password == "geheim"
    api.forget()
    path.with_name("iquery.auth").write_text('{"user-name": "bob", "user-password": "geheim"}')
    assert api.connect("prod").settings.password is None


class TestSecretsThatWereGiven:
    """A password is kept for its user on its server, and for nobody and nothing else."""

    def given(self) -> api.ManagedSession:
        return api.use({"url": "prod", "password": Said(Secret("geheim"), "prompt")})

    def test_the_same_connection_goes_on_with_it(self, path: Path, shared: None) -> None:
        first = self.given()
        again = api.connect("prod")
        assert again is first
        assert (again.settings.password, again.sources["password"]) == ("geheim", "prompt")
        assert api.connect("https://cluster:8083", user="ann").settings.password == "geheim"

    def test_another_user_or_server_does_not_get_it(self, path: Path, shared: None) -> None:
        for other in ({"user": "bob"}, {"url": "http://other"}, {"url": "laptop"}):
            self.given()
            assert api.use(api.changed(other)).settings.password is None
            self.given()
            assert api.use({"url": "prod", **other}).settings.password is None

    def test_a_changed_setting_does_not_lose_it(self, path: Path, shared: None) -> None:
        self.given()
        assert api.use(api.changed({"display_limit": 5})).settings.password == "geheim"
        assert api.use(api.changed({"url": "prod"})).settings.password == "geheim"


def test_what_stands_holds_for_later_sessions(path: Path, shared: None) -> None:
    try:
        api.stand({"display_limit": Said(5, "IPython"), "slot_wait": Said(5, "IPython")})
        assert api.connect("laptop").settings.display_limit == 5
        assert api.connect("http://h", display_limit=6).settings.display_limit == 6
        assert api.connect("prod").settings.slot_wait == 20
        before = api.current()
        with pytest.raises(SettingError):
            api.stand({"display_limit": Said(-5, "IPython")})
        assert (api.current(), api.current().settings.display_limit) == (before, 5)
    finally:
        api.unstand()
    assert api.connect("laptop").settings.display_limit == 10
