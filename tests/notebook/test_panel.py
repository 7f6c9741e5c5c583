"""The status widget: one a kernel, real changes only, buttons that act and tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest

import scidb_magic
from scidb_magic.notebook import status
from scidb_magic.notebook.status import watch

ROW = "build(<v:int64>[i=0:9], i)"


def texts(root: Any) -> str:
    """All that the widget shows."""
    if isinstance(root, ipywidgets.HTML):
        return str(root.value)
    return "\n".join(texts(child) for child in getattr(root, "children", ()))


def button(root: Any, name: str) -> Any:
    if isinstance(root, ipywidgets.Button):
        return root if root.description == name else None
    found = (button(child, name) for child in getattr(root, "children", ()))
    return next((one for one in found if one is not None), None)


@pytest.fixture
def root(shell: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The widget, as a front end shows it that has one view of it."""
    monkeypatch.setattr(watch, "FIRST", 0.1)
    found = status.widget()
    found._view_count = 1
    yield found
    status.close()


def test_there_is_one_widget(shell: Any, root: Any) -> None:
    assert status.widget() is root
    shell.run("%scidb")
    assert status.widget() is root


def test_it_takes_no_slot_and_follows_the_session(
    shell: Any, root: Any, wait_until: Callable[..., bool]
) -> None:
    assert wait_until(lambda: "slots are taken" in texts(root))
    assert "unconnected" in texts(root)
    assert "this notebook" not in texts(root).split("slots are taken")[1].split(".")[0]
    shell.run(f"%scidb {ROW}")
    assert wait_until(lambda: "this notebook 1" in texts(root))
    assert wait_until(lambda: "idle" in texts(root))
    assert shell.run("%scidb release").error is None
    assert wait_until(lambda: "released" in texts(root))


def test_nothing_is_sent_while_nothing_happens(
    shell: Any, root: Any, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., bool]
) -> None:
    monkeypatch.setattr(watch, "LONGEST", 0.1)
    shell.run(f"%scidb {ROW}")
    assert wait_until(lambda: "this notebook 1" in texts(root))
    sent: list[Any] = []
    asked: list[Any] = []
    slots = scidb_magic.current().slots
    monkeypatch.setattr(scidb_magic.ManagedSession, "slots", lambda self: asked.append(1) or slots())
    assert wait_until(lambda: len(asked) >= 2)  # what the statement changed is all sent by then
    monkeypatch.setattr(ipywidgets.Widget, "send_state", lambda self, key=None: sent.append(key))
    assert wait_until(lambda: len(asked) >= 7)
    assert sent == []
    shell.run(f"%scidb {ROW}")
    assert wait_until(lambda: len(sent) > 0)


def test_buttons_act_and_tell(shell: Any, root: Any, wait_until: Callable[..., bool]) -> None:
    button(root, "Reconnect").click()
    assert wait_until(lambda: "A new session holds a slot." in texts(root))
    assert wait_until(lambda: "this notebook 1" in texts(root))
    button(root, "Release").click()
    assert wait_until(lambda: "No slot is held" in texts(root))
    button(root, "Cancel").click()
    assert wait_until(lambda: "No query is running." in texts(root))
    button(root, "Release orphans").click()
    assert wait_until(lambda: "slots are free again" in texts(root))


def test_the_running_query_can_be_cancelled(shell: Any, root: Any, wait_until: Callable[..., bool]) -> None:
    endless = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"

    def cancel() -> None:
        if wait_until(lambda: "99999999999" in texts(root), 30):
            button(root, "Cancel").click()

    thread = threading.Thread(target=cancel)
    thread.start()
    out = shell.run(f"%scidb {endless}")
    thread.join()
    assert out.error is not None
    assert "CANCELLED" in out.traceback[0].upper()
    assert shell.run(f"%scidb {ROW}").error is None


def test_what_goes_wrong_is_told_in_the_widget(
    shell: Any, root: Any, wait_until: Callable[..., bool]
) -> None:
    shell.run("%scidb connect http://127.0.0.1:9 --connect-wait 0")
    button(root, "Reconnect").click()
    assert wait_until(lambda: "ShimUnreachable" in texts(root))
    assert wait_until(lambda: "The slots are not known" in texts(root))
    assert wait_until(lambda: "unreachable" in texts(root))


def test_unload_closes_it_and_ends_its_thread(shell: Any, root: Any, wait_until: Callable[..., bool]) -> None:
    def threads() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name == "scidb_magic status"]

    assert threads()
    shell.run("%unload_ext scidb_magic")
    assert wait_until(lambda: not threads())
    assert root.comm is None


class Steps:
    """Stands for session and server: counts who is asked."""

    def __init__(self) -> None:
        self.shown = True
        self.looks = self.glances = 0
        self.watch = watch.Watch(lambda: self.shown, self.glance, self.look)

    def glance(self) -> None:
        self.glances += 1

    def look(self) -> bool:
        self.looks += 1
        return False


@pytest.fixture
def steps() -> Iterator[Steps]:
    found = Steps()
    yield found
    found.watch.stop()


def test_nobody_is_asked_while_nothing_is_shown(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., bool]
) -> None:
    monkeypatch.setattr(watch, "FIRST", 0.01)
    steps.shown = False
    steps.watch.start()
    steps.watch.wake()
    assert not wait_until(lambda: steps.looks > 0, 0.5)
    steps.shown = True
    steps.watch.wake(urgent=True)
    assert wait_until(lambda: steps.looks > 0)


def test_questions_become_rarer_and_end(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., bool]
) -> None:
    monkeypatch.setattr(watch, "FIRST", 0.01)
    monkeypatch.setattr(watch, "LONGEST", 0.04)
    monkeypatch.setattr(watch, "ASLEEP", 0.5)
    steps.watch.start()
    assert wait_until(lambda: steps.looks >= 5)
    assert wait_until(lambda: steps.watch.asleep)
    asked = steps.looks
    assert not wait_until(lambda: steps.looks > asked, 0.3)
    steps.watch.wake()
    assert wait_until(lambda: steps.looks > asked)
