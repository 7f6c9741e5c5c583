from __future__ import annotations

import json
from pathlib import Path

import pytest

from scidb_magic.api import connect
from scidb_magic.errors import SettingError
from scidb_magic.session.layers import Said, resolve
from scidb_magic.session.settings import SETTINGS, check
from scidb_magic.session.sources import read_auth
from scidb_magic.shim.secret import Secret


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"SCIDB_MAGIC_CONFIG": str(tmp_path / "config.toml"), "XDG_CONFIG_HOME": str(tmp_path)}


def test_nearer_wins(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("slot_wait = 1\ndisplay_limit = 2\nconnect_timeout = 3\n")
    environ |= {"SCIDB_MAGIC_DISPLAY_LIMIT": "20", "SCIDB_MAGIC_CONNECT_TIMEOUT": "30"}
    settings, sources = resolve({"connect_timeout": 300}, environ)
    assert (settings.slot_wait, settings.display_limit, settings.connect_timeout) == (1.0, 20, 300.0)
    assert sources["slot_wait"] == str(tmp_path / "config.toml")
    assert sources["display_limit"] == "SCIDB_MAGIC_DISPLAY_LIMIT"
    assert sources["connect_timeout"] == "argument"
    assert sources["retry"] == "default"


def test_scidb_url(environ: dict[str, str]) -> None:
    settings, _ = resolve({}, environ | {"SCIDB_URL": "http://h:1"})
    assert settings.url == "http://h:1"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"slotwait": 1}, "There is no setting 'slotwait'; did you mean 'slot_wait'"),
        ({"nothing_like_it": 1}, "There is no setting 'nothing_like_it'; the settings are url, user"),
        ({"verify": 3}, "type str, not 3"),
        ({"slot_wait": "soon"}, "type float, not 'soon'"),
        ({"admin": 1}, "type bool"),
        ({"display_limit": True}, "type int"),
        ({"retry": "maybe"}, "one of safe, never, always"),
        ({"url": "localhost:8080"}, "begins with http"),
        ({"url": "http://[bad"}, "begins with http"),
        ({"url": "http://u:sec/ret@h"}, "auth file"),
        ({"connect_timeout": 0}, "at least 0.1"),
        ({"slot_wait": float("nan")}, "finite number"),
        ({"idle_release": float("inf")}, "finite number"),
        ({"display_limit": -5}, "at least 1"),
        ({"url": "http://u:secret@h"}, "auth file"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(
    environ: dict[str, str], given: dict[str, object], says: str
) -> None:
    with pytest.raises(SettingError, match=says) as caught:
        resolve(given, environ)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("slotwait = 1", "There is no setting 'slotwait'"),
        ("display_limit = 0", "'display_limit' is at least 1"),
        ("[slot_wait]", "type float"),
    ],
)
def test_a_mistake_in_the_file_names_the_file(
    environ: dict[str, str], tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(SettingError, match=says) as caught:
        resolve({}, environ)
    assert str(tmp_path / "config.toml") in str(caught.value)


def test_a_mistake_in_a_variable_names_the_variable(environ: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=r"^SCIDB_MAGIC_SLOT_WAIT: .* type float, not 'soon'"):
        resolve({}, environ | {"SCIDB_MAGIC_SLOT_WAIT": "soon"})


@pytest.mark.parametrize(
    ("value", "meant"),
    [(True, "yes"), ("on", "yes"), (False, "no"), ("No", "no"), ("0", "no"), ("/etc/ca.pem", "/etc/ca.pem")],
)
def test_what_verify_takes(value: object, meant: str) -> None:
    assert check("verify", value) == meant


def test_what_stands_is_between_argument_and_environment(environ: dict[str, str]) -> None:
    environ |= {"SCIDB_MAGIC_DISPLAY_LIMIT": "20", "SCIDB_MAGIC_SLOT_WAIT": "20"}
    standing = {name: Said(30, "somewhere") for name in ("display_limit", "slot_wait")}
    settings, sources = resolve({"slot_wait": Said(40, "typed")}, environ, standing)
    assert (settings.display_limit, settings.slot_wait) == (30, 40.0)
    assert (sources["display_limit"], sources["slot_wait"]) == ("somewhere", "typed")


def test_a_secret_beside_one_user_is_not_for_another(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"SCIDB_MAGIC_USER": "ann", "SCIDB_MAGIC_PASSWORD": "s3cret"}
    assert resolve({}, environ)[0].password == "s3cret"
    assert resolve({"user": "ann"}, environ)[0].password == "s3cret"
    assert resolve({"user": "bob"}, environ)[0].password is None
    del environ["SCIDB_MAGIC_USER"]
    assert resolve({"user": "bob"}, environ)[0].password == "s3cret"


def test_file_that_is_not_toml(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("url =")
    with pytest.raises(SettingError, match="not TOML"):
        resolve({}, environ)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"user-name": "ann", "user-password": "s%3cret"}),
        "[security_password]\nuser-name = ann\nuser-password = s%3cret\n",
    ],
)
def test_auth_file_of_iquery(environ: dict[str, str], tmp_path: Path, text: str) -> None:
    path = tmp_path / "scidb" / "iquery.auth"
    path.parent.mkdir()
    path.write_text(text)
    settings, sources = resolve({}, environ)
    assert (settings.user, settings.password) == ("ann", "s%3cret")
    assert sources["password"] == str(path)
    assert read_auth(tmp_path / "nowhere") is None


def test_auth_file_is_for_its_own_user(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "scidb" / "iquery.auth"
    path.parent.mkdir()
    path.write_text(json.dumps({"user-name": "ann", "user-password": "s3cret"}))
    assert resolve({"user": "ann"}, environ)[0].password == "s3cret"
    assert resolve({"user": "bob"}, environ)[0].password is None


def test_auth_file_that_is_neither(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("ann:secret")
    with pytest.raises(SettingError, match="security_password") as caught:
        read_auth(tmp_path / "auth")
    assert "secret" not in str(caught.value).replace("security_password", "")


def test_secrets_do_not_show(environ: dict[str, str]) -> None:
    settings, sources = resolve({"user": "ann", "password": "s3cret", "http_password": "s3cret"}, environ)
    assert "s3cret" not in repr(settings) + repr(sources) + repr(settings.password)
    assert settings.password == "s3cret" and isinstance(settings.password, Secret)


def test_every_setting_says_what_it_is() -> None:
    assert all(setting.help.endswith(".") and setting.type for setting in SETTINGS.values())
    names = [setting.environment for setting in SETTINGS.values()]
    assert len(set(names)) == len(names)


def test_a_wrong_setting_shows_none_of_the_secrets_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIDB_MAGIC_PASSWORD", "geheim1")
    with pytest.raises(SettingError) as caught:
        connect("http://h", http_user="u", http_password="geheim2", slot_wiat=1)
    shown, traceback = [], caught.value.__traceback__
    while traceback is not None:
        if "test_settings" not in traceback.tb_frame.f_code.co_filename:
            shown.append(repr(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    assert len(shown) > 1
    assert "geheim" not in "".join(shown)
    assert caught.value.__context__ is None
