"""Nothing that leaves a kernel holds a password or a session id: outputs, logs, history, pickles, `ps`."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scidb_magic
from scidb_magic.session.layers import resolve
from scidb_magic.shim.secret import Secret

PASSWORD, OF_WEB_SERVER = "correct-horse-battery", "staple-of-the-proxy"

NOISY = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
%load_ext scidb_magic
%xmode Verbose
"""
CELLS = (
    "%scidb build(<v:int64>[i=0:2], i)",
    "%scidb",
    "%scidb slots",
    "%scidb config",
    "%config SciDBMagics",
    "%scidb scan(nope)",
    "%scidb last_error",
    "%scidb history",
    "import scidb_magic; session = scidb_magic.current(); session, session.settings, session.sources",
    "vars(session), session.connection, session.status(), session.slots()",
    "session.fetch('scan(nope)')",
    "session.db.iquery('scan(nope)', fetch=True)",
    "session.db, vars(session.db)",
    "import pickle; pickle.dumps(session)",
    "pickle.dumps(session.settings)",
    "%whos",
    "raise RuntimeError('with all locals')",
)


def left(kernel: Any, code: str, answer: str | None = None) -> str:
    """All messages that the kernel sends while it runs a cell, widgets' states and logs too."""
    messages = []
    get = kernel.client.get_iopub_msg
    kernel.client.get_iopub_msg = lambda **how: messages.append(get(**how)) or messages[-1]
    kernel.run(code, answer)
    del kernel.client.get_iopub_msg
    return "\n".join(map(str, messages))


def test_nothing_that_leaves_a_kernel_holds_a_secret(
    kernels: Callable[..., Any], embedded_factory: Any, tmp_path: Path
) -> None:
    server = embedded_factory(http_auth=("anna", OF_WEB_SERVER))
    auth_file = tmp_path / "iquery.auth"
    auth_file.write_text(json.dumps({"user-name": "anna", "user-password": PASSWORD}))
    auth_file.chmod(0o600)
    folders = {"IPYTHONDIR": str(tmp_path / "ipython"), "XDG_STATE_HOME": str(tmp_path / "state")}
    kernel = kernels(SCIDB_CONFIG_USER=str(auth_file), **folders)
    said = left(kernel, NOISY)
    said += left(kernel, f"%scidb connect {server.url} --http-user anna", OF_WEB_SERVER)
    said += "".join(left(kernel, cell) for cell in CELLS)
    assert "SCIDB_LE_ARRAY_DOESNT_EXIST" in said, "the queries came to the server"
    (entry,) = (tmp_path / "state/scidb_magic/sessions").glob("*.json")
    sid = json.loads(entry.read_text())["sid"]
    history = b"".join(file.read_bytes() for file in (tmp_path / "ipython").rglob("*") if file.is_file())
    assert b"last_error" in history, "the history is written"
    listed = "".join(
        file.read_bytes().decode(errors="replace") for file in Path("/proc").glob("[0-9]*/cmdline")
    )
    # The tests' own server has its credential on its command line.
    listed = listed.replace(f"anna:{OF_WEB_SERVER}", "")
    for secret in (PASSWORD, OF_WEB_SERVER, sid):
        assert secret not in said
        assert secret.encode() not in history
        assert secret not in listed


def test_a_password_is_not_pickled_and_may_be_copied() -> None:
    settings, _ = resolve({"url": "http://h:1", "user": "anna", "password": PASSWORD}, {})
    for kept in (settings, Secret(PASSWORD), {"settings": settings}):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(kept)
        assert copy.deepcopy(kept) == kept
    assert copy.copy(settings.password) == PASSWORD
    with pytest.raises(TypeError):
        pickle.dumps(scidb_magic.current())
