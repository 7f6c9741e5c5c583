"""What a statement without a result has done, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scidb_magic.afl import script
from scidb_magic.afl.literals import quote

if TYPE_CHECKING:
    from scidb_magic.session.connection import Connection

_DEEDS = {
    "add_attributes": "added attributes to {0}",
    "add_user_to_role": "added user {0} to role {1}",
    "aio_save": "saved {0}",
    "append": "appended to {1}",
    "cancel": "cancelled query {0}",
    "change_user": "changed user {1}",
    "consume": "read {0} and kept nothing of it",
    "create array": "created array {0}",
    "create_array": "created array {0}",
    "create_namespace": "created namespace {0}",
    "create_role": "created role {0}",
    "create_user": "created user {0}",
    "delete": "deleted cells of {0}",
    "drop_namespace": "dropped namespace {0}",
    "drop_role": "dropped role {0}",
    "drop_user": "dropped user {0}",
    "drop_user_from_role": "removed user {0} from role {1}",
    "insert": "inserted into {1}",
    "load": "loaded into {0}",
    "load_library": "loaded library {0}",
    "load_module": "loaded module {0}",
    "lock_arrays": "set the lock of all arrays to {0}",
    "move_array_to_namespace": "moved {0} to namespace {1}",
    "mquery": "ran the queries as one",
    "remove": "removed {0}",
    "remove_versions": "removed versions of {0}",
    "rename": "renamed {0} to {1}",
    "save": "saved {0} to {1}",
    "secure_store": "stored array {1}",
    "set_namespace": "set namespace {0}",
    "set_role": "set role {0}",
    "set_role_permissions": "set permissions of role {0}",
    "store": "stored array {1}",
    "test_clear_cache": "cleared the cache",
    "unload_library": "unloaded library {0}",
    "xremove": "removed {0}",
    "xsave": "saved {0} to {1}",
}
"""Operator -> sentence; the numbers are those of its operands."""

_VERSIONED = {"append": 1, "delete": 0, "insert": 1, "load": 0, "secure_store": 1, "store": 1}
"""Operator that makes a version -> the operand that is its array."""

_LONGEST = 60
"""Characters of an operand that is told; a longer one is a query."""

_VERSION = re.compile(r"[^<]*@(\d+)<")


def sentence(bare: str, label: str) -> str:
    """What the statement `bare`, called `label`, has done: ``stored array A``.

    Where that is not known, or an operand is no name: ``done: label``.
    """
    operands = [_shown(operand) for operand in script.operands(bare)]
    deed = _DEEDS.get(script.outer_operator(bare) or "", "")
    try:
        told = deed.format(*operands)
    except IndexError:
        told = ""
    return told if told and len(told) <= _LONGEST + len(deed) else f"done: {label}"


def versioned(bare: str) -> str | None:
    """The array of which the statement has made a version, as it is named there."""
    place = _VERSIONED.get(script.outer_operator(bare) or "")
    operands = script.operands(bare)
    return operands[place] if place is not None and place < len(operands) else None


def version(connection: Connection, array: str) -> int | None:
    """The newest version of an array; None where it has none, or nobody can be asked at once.

    SciDB names it in the schema of a scan, ``A@3<v:int64> …``, but of a temporary array, which has none.
    """
    found = _VERSION.match(connection.aside(f"show({quote(f'scan({array})')}, 'afl')") or "")
    return int(found[1]) if found else None


def _shown(operand: str) -> str:
    return " ".join((operand[1:-1] if operand[:1] == "'" == operand[-1:] else operand).split())
