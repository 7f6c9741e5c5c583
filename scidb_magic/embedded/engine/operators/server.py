"""Operators that are about the server: ``list help echo cancel load_library``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scidb_magic.embedded.engine.aggregates import AGGREGATES
from scidb_magic.embedded.engine.bounds import BOUNDS
from scidb_magic.embedded.engine.catalogue import NAMESPACE, Array
from scidb_magic.embedded.engine.errors import illegal_operation
from scidb_magic.embedded.engine.functions import profiles
from scidb_magic.embedded.engine.operators.operator import NOTHING, Change, Effect, operator
from scidb_magic.embedded.engine.operators.rows import rows
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import PHYSICAL, Relation
from scidb_magic.errors import EngineError

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

_LIBRARY = "scidb"
_PLUGINS = {
    "aio_input": "accelerated_io_tools",
    "aio_save": "accelerated_io_tools",
    "dcast": "accelerated_io_tools",
    "equi_join": "equi_join",
    "faster_redimension": "faster_redimension",
    "gemm": "dense_linear_algebra",
    "gesvd": "dense_linear_algebra",
    "grouped_aggregate": "grouped_aggregate",
    "spgemm": "linear_algebra",
}
_Row = tuple[Any, ...]


def list_(context: Context, args: Arguments) -> Relation:
    """One of the lists in `_LISTS`; of the arrays by default."""
    what: str = args.value("what") or "arrays"
    if what not in _LISTS:
        known = "', '".join(sorted(_LISTS))
        raise EngineError(
            "INFER_SCHEMA",
            "LIST_ERROR1",
            f"Unknown list '{what}'; there are '{known}'.",
            args.one("what").span,
        )
    listing = _LISTS[what]
    found = list(listing.rows(context, args))
    places = [(0, k) for k in range(len(found))] if "inst=" in listing.schema else None
    return rows(context, listing.schema, found, coordinates=places, distribution=listing.distribution)


def _arrays(context: Context, args: Arguments) -> Iterable[_Row]:
    for array in context.services.catalogue.arrays():
        yield _array(array, array.name, array.id, array.id)
        if args.value("versions", False) and not array.temporary:
            for version in array.versions:
                yield _array(array, f"{array.name}@{version.number}", array.id, version.id)


def _array(array: Array, name: str, uaid: int, aid: int) -> _Row:
    return name, uaid, aid, str(array.schema), True, array.temporary, NAMESPACE, "hashed", "none"


def _queries(context: Context, args: Arguments) -> Iterable[_Row]:
    for query in context.services.queries.running():
        text = query.text.encode(errors="replace").decode()  # what came need not be UTF-8
        yield f"0.{query.id}", 0, text, query.started, 0, "", False, 0, "scidbadmin"


def _operators(context: Context, args: Arguments) -> Iterable[_Row]:
    shown = (name for name in sorted(context.services.operators) if not name.startswith("_"))
    return [(name, _library(name)) for name in shown]


def _library(name: str) -> str:
    """Where SciDB has an operator or function from."""
    return _PLUGINS.get(name, _LIBRARY)


def _functions(context: Context, args: Arguments) -> Iterable[_Row]:
    return [(*row, _library(row[0])) for row in profiles(BOUNDS)]


def _aggregates(context: Context, args: Arguments) -> Iterable[_Row]:
    return [(name, type_, _LIBRARY) for name, type_ in sorted(AGGREGATES)]


def _macros(context: Context, args: Arguments) -> Iterable[_Row]:
    listed = (macro for _, macro in sorted(context.services.macros.items()))
    return [(macro.profile.partition("(")[0], macro.profile) for macro in listed]


def _libraries(context: Context, args: Arguments) -> Iterable[_Row]:
    major, minor, patch = map(int, context.services.version.split("."))
    return [("SciDB", major, minor, patch, 0, "embedded")]


@dataclass(frozen=True, slots=True)
class _Listing:
    """One answer of ``list``: schema as recorded (but one instance here), distribution, rows."""

    schema: str
    rows: Callable[[Context, Arguments], Iterable[_Row]]
    distribution: str | None = None


_NUMBERED = "[No=0:{last}:0:{n}]"
_LISTS: dict[str, _Listing] = {
    "aggregates": _Listing(
        f"aggregates<name:string NOT NULL,typeid:string NOT NULL,library:string NOT NULL> {_NUMBERED}",
        _aggregates,
    ),
    "arrays": _Listing(
        "list<name:string NOT NULL,uaid:int64 NOT NULL,aid:int64 NOT NULL,schema:string NOT NULL,"
        "availability:bool NOT NULL,temporary:bool NOT NULL,namespace:string NOT NULL,"
        "distribution:string NOT NULL,etcomp:string> [No=0:*:0:1000000]",
        _arrays,
    ),
    "functions": _Listing(
        "not empty functions<name:string NOT NULL,profile:string NOT NULL,deterministic:bool NOT NULL,"
        f"library:string NOT NULL> {_NUMBERED}",
        _functions,
        "hashed",
    ),
    "instances": _Listing(
        "not empty instances<name:string NOT NULL,port:uint16 NOT NULL,instance_id:uint64 NOT NULL,"
        f"online_since:string NOT NULL,instance_path:string NOT NULL> {_NUMBERED}",
        lambda context, args: [("127.0.0.1", 0, 0, "", "embedded")],
        "hashed",
    ),
    "libraries": _Listing(
        "list<name:string NOT NULL,major:uint32 NOT NULL,minor:uint32 NOT NULL,patch:uint32 NOT NULL,"
        "build:uint32 NOT NULL,build_type:string> [inst=0:0:0:1; n=0:*:0:1000000]",
        _libraries,
    ),
    "macros": _Listing(f"not empty macros<name:string NOT NULL,type:string NOT NULL> {_NUMBERED}", _macros),
    "namespaces": _Listing(
        f"not empty namespaces<name:string NOT NULL> {_NUMBERED}",
        lambda context, args: [(NAMESPACE,)],
        "hashed",
    ),
    "operators": _Listing(
        f"not empty operators<name:string NOT NULL,library:string NOT NULL> {_NUMBERED}",
        _operators,
        "hashed",
    ),
    "queries": _Listing(
        "list<query_id:string NOT NULL,coordinator:uint64 NOT NULL,query_string:string NOT NULL,"
        "creation_time:datetime NOT NULL,error_code:int32 NOT NULL,error:string NOT NULL,"
        "idle:bool NOT NULL,user_id:uint64 NOT NULL,user:string NOT NULL>"
        " [inst=0:0:0:1; n=0:*:0:1000000]",
        _queries,
    ),
    "types": _Listing(
        f"not empty types<name:string NOT NULL,library:string NOT NULL> {_NUMBERED}",
        lambda context, args: [(name, _LIBRARY) for name in sorted([*PHYSICAL, "indicator", "void"])],
        "hashed",
    ),
    "users": _Listing(
        "not empty users<name:string NOT NULL,id:uint64 NOT NULL> [No=0:0:0:1]",
        lambda context, args: [],
        "hashed",
    ),
}


def help_(context: Context, args: Arguments) -> Relation:
    """The parameters of an operator."""
    name: str = args.value("name") or "help"
    found = context.services.operators.get(name.lower())
    if found is None:
        raise EngineError(
            "QPROC",
            "LOGICAL_OP_DOESNT_EXIST",
            f"Logical operator '{name}' does not exist.",
            args.one("name").span,
        )
    text = f"Operator: {found.name}\nParameters: {found.signature.help}\n"
    schema = "not empty Help<help:string NOT NULL> [i=0:0:0:1]"
    return rows(context, schema, [(text,)])


def cancel(context: Context, args: Arguments) -> Change:
    """Cancel a running query by its id, as ``list('queries')`` tells it."""
    wanted: str = args.value("query")
    running = {f"0.{query.id}": query for query in context.services.queries.running()}
    if wanted not in running:
        raise EngineError("QPROC", "QUERY_NOT_FOUND", f"Query '{wanted}' not found.", args.one("query").span)

    def perform(execution: object) -> None:
        running[wanted].cancel()

    return Change(NOTHING, perform)


def echo(context: Context, args: Arguments) -> Relation:
    """The text that was given."""
    schema = "not empty Echo<text:string NOT NULL> [i=0:0:0:1]"
    return rows(context, schema, [(args.value("text"),)])


def mquery(context: Context, args: Arguments) -> Relation:
    """Several changes as one transaction; not here."""
    raise illegal_operation(
        "mquery() is not available in the embedded server; send its statements one by one.", "QPROC"
    )


def load_library(context: Context, args: Arguments) -> Change:
    """Accepted, and nothing happens: everything that is there is there from the start."""
    return Change(NOTHING, lambda execution: None)


OPERATORS = (
    operator("list", "what=<constant:string>? versions=<constant:bool>?", list_),
    operator("help", "name=<constant:string>?", help_),
    operator("cancel", "query=<constant:string>", cancel, effect=Effect.DDL),
    operator("echo", "text=<constant:string>", echo),
    operator("mquery", "<operand>+", mquery, effect=Effect.UPDATE),
    operator("load_library", "library=<constant:string>", load_library, effect=Effect.DDL),
    operator("unload_library", "library=<constant:string>", load_library, effect=Effect.DDL),
)
