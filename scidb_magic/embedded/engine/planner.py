"""From a parsed statement to a planned one: references become arrays, calls become relations.

`Context` is what a rule sees. It plans inputs, compiles expressions against them, and keeps the sources
(files, array literals) that are read only if the statement is run: ``show('input(…)')`` reads no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from scidb_magic.embedded.engine import errors
from scidb_magic.embedded.engine.aggregates import Aggregate, compile_aggregate
from scidb_magic.embedded.engine.ast import (
    Alias,
    Call,
    CreateArray,
    Let,
    Nested,
    Node,
    Reference,
    Span,
    whole,
)
from scidb_magic.embedded.engine.bounds import with_bounds
from scidb_magic.embedded.engine.catalogue import NAMESPACE, Array, Catalogue, Version
from scidb_magic.embedded.engine.columns import column_types, renamed
from scidb_magic.embedded.engine.expressions import compile_expression, constant_value
from scidb_magic.embedded.engine.lets import unfolded
from scidb_magic.embedded.engine.lexer import syntax_error
from scidb_magic.embedded.engine.operators.kinds import parts, resolve
from scidb_magic.embedded.engine.operators.macros import DOUBLING, in_expression
from scidb_magic.embedded.engine.operators.operator import Change, Effect, Operator, Planned
from scidb_magic.embedded.engine.operators.signature import Mismatch, match
from scidb_magic.embedded.engine.parser import check_size, parse
from scidb_magic.embedded.engine.relation import Relation, Typed
from scidb_magic.embedded.engine.types import convert
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

    from scidb_magic.embedded.engine.files import Files
    from scidb_magic.embedded.engine.operators.macros import Macro
    from scidb_magic.embedded.engine.queries import Queries
    from scidb_magic.embedded.engine.run import Execution


@dataclass(frozen=True, slots=True)
class Services:
    """What the rules of one statement may ask of the engine."""

    catalogue: Catalogue
    files: Files
    queries: Queries
    operators: Mapping[str, Operator]
    macros: Mapping[str, Macro]
    version: str


def statement_of(text: str) -> Call | CreateArray:
    """The statement of a text, ``let`` put in.

    Raises
    ------
    EngineError
        Not one statement of AFL.
    """
    statement = parse(text)
    if isinstance(statement, CreateArray):
        return statement
    node = unfolded(statement) if any(isinstance(part, Let) for part in parts(statement)) else statement
    if not isinstance(node, Call):
        raise syntax_error(whole(node))
    check_size(node, DOUBLING)
    return node


class Context:
    """The planning of one statement.

    Parameters
    ----------
    wrap : bool
        Integers wrap around as in C++, instead of raising DuckDB's error.

    Attributes
    ----------
    sources : dict
        Name of a DuckDB view -> what gives its table when the statement is run; in the order of planning,
        so that a source may be made of those before it.
    before : list of Change
        To be performed before the statement itself (a ``save`` inside a ``save``).
    """

    def __init__(self, services: Services, *, wrap: bool = False) -> None:
        self.services = services
        self.wrap = wrap
        self.sources: dict[str, Callable[[Execution], pa.Table]] = {}
        self.before: list[Change] = []

    # Statements and inputs

    def plan(self, statement: Call | CreateArray) -> Planned:
        """Plan a whole statement."""
        if isinstance(statement, CreateArray):
            call = Call("create_array", (statement.name, statement.schema), statement.span, statement.span)
            return self.apply(self.services.operators["create_array"], call, temporary=statement.temporary)
        return self.call(self.expand(statement, outermost=True))

    def quoted(self, text: str) -> Planned:
        """Plan a statement that stands in a string, as that of ``show``; it is not run."""
        try:
            return Context(self.services, wrap=self.wrap).plan(statement_of(text))
        except EngineError as error:
            error.statement = error.statement or text
            raise

    def expand(self, call: Call, *, outermost: bool = False) -> Call:
        """Rewrite a macro to the operators that it stands for."""
        while (macro := self.services.macros.get(call.name.lower())) is not None:
            call = macro.expand(call, outermost=outermost)
        return call

    def call(self, call: Call) -> Planned:
        """Plan an application of an operator."""
        operator = self.services.operators.get(call.name.lower())
        if operator is None:
            raise errors.operator_does_not_exist(call.name, call.whole)
        return self.apply(operator, call)

    def apply(self, operator: Operator, call: Call, **options: Any) -> Planned:
        """Match the arguments of a call and apply the operator's rule."""
        if operator.flat:
            call = replace(call, args=tuple(_flat(call.args)))
        arguments = match(operator.signature, replace(call, name=operator.name), partial(resolve, self))
        if not operator.frames and any(each.schema.is_dataframe for each in arguments.values("input")):
            raise errors.no_data_frames(operator.name)
        return operator.rule(self, arguments, **options)

    def input(self, node: Node) -> Relation:
        """Plan an input of an operator: an array, an application, or one of them with an alias."""
        if isinstance(node, Alias):
            return renamed(self.input(node.node), node.name)
        if isinstance(node, Reference):
            return self.scan(node)
        if not isinstance(node, Call):
            raise Mismatch("array")
        call = self.expand(node)
        planned = self.call(call)
        if isinstance(planned, Relation):
            return planned
        return self._nested(self.services.operators[call.name.lower()], planned, call)

    def _nested(self, operator: Operator, planned: Change, call: Call) -> Relation:
        if operator.effect is Effect.SAVE:
            self.before.append(planned)
            return replace(planned.shown, sql=f"SELECT * FROM ({planned.shown.sql}) WHERE false")
        raise _NESTING[operator.effect](operator.name, call.whole)

    # Arrays

    def array(self, reference: Reference, *, short: str = "QPROC") -> Array:
        """The array that a reference names.

        Raises
        ------
        EngineError
            There is none; `short` is the error's short code.
        """
        found = self.services.catalogue.find(self.array_name(reference))
        if found is None:
            raise errors.array_does_not_exist(reference.name, reference.span, short)
        return found

    def array_name(self, reference: Reference) -> str:
        """The name of a reference without its namespace, which must be the only one."""
        if reference.qualifiers not in ((), (NAMESPACE,)):
            raise EngineError(
                "QPROC",
                "CANNOT_RESOLVE_NAMESPACE",
                f"Cannot resolve namespace '{'.'.join(reference.qualifiers)}'.",
                reference.span,
            )
        return reference.name

    def scan(self, reference: Reference) -> Relation:
        """The cells of an array, of the version that the reference asks for."""
        array = self.array(reference)
        if reference.version == "*":
            return array.all_versions()
        return array.relation(self.version(array, reference))

    def version(self, array: Array, reference: Reference) -> Version | None:
        """The version that a reference asks for: by default the newest, None if there is none yet."""
        if reference.version is None or isinstance(reference.version, str):
            return array.versions[-1] if array.versions else None
        typed = self.compile(reference.version)
        if typed.type == "datetime":
            found = array.at(constant_value(typed))
        else:
            found = array.numbered(constant_value(convert(typed, "int64")))
        if found is None:
            raise errors.version_does_not_exist(f"{NAMESPACE}.{array.name}", reference.span)
        return found

    # Expressions

    def compile(self, node: Node, source: Relation | None = None) -> Typed:
        """Compile an expression over the columns of `source`."""
        return compile_expression(with_bounds(self, in_expression(node)), source, wrap=self.wrap)

    def constant(self, node: Node, type_: str) -> Any:
        """The Python value of a constant of a type; None for a null.

        Raises
        ------
        EngineError
            The expression has an error of its own, or is of another type.
        """
        typed = compile_expression(with_bounds(self, in_expression(node)), wrap=True)
        return constant_value(convert(typed, type_))

    def aggregate(self, node: Call | Alias, source: Relation) -> Aggregate:
        """Compile an aggregate call over an attribute of `source`."""
        return compile_aggregate(node, source)

    # Sources

    def source(
        self, schema: Schema, load: Callable[[], pa.Table], *, distribution: str | None = "hashed"
    ) -> Relation:
        """The cells of a table that is read when the statement is run.

        Parameters
        ----------
        load : callable
            Gives the table, columns as in `relation`; those of missing reasons may be absent.
        """
        codes = frozenset(k for k, attribute in enumerate(schema.attributes) if attribute.nullable)
        mine = frozenset({schema.name})
        shape = Relation(
            schema,
            "",
            codes,
            (mine,) * len(schema.attributes),
            (mine,) * len(schema.dimensions),
            distribution,
        )
        return self.derived(shape, lambda execution: execution.apart(load))

    def derived(self, shape: Relation, compute: Callable[[Execution], pa.Table]) -> Relation:
        """A relation whose cells Python computes, of the cells of other relations.

        Parameters
        ----------
        shape : Relation
            Its schema and the like; the SQL is not used.
        compute : callable
            Gives the table when the statement is run, as the `load` of `source`; takes the cells of the
            inputs from `Execution.cells`.
        """
        name = f"scidb_source_{len(self.sources)}"
        types = column_types(shape)
        self.sources[name] = lambda execution: _completed(compute(execution), types)
        listed = ", ".join(f"CAST({c} AS {t}) AS {c}" for c, t in types.items())
        return replace(shape, sql=f"SELECT {listed} FROM {name}")


def _completed(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """`table` with a column of nulls for each name that it lacks."""
    import pyarrow as pa

    for name in names:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, pa.uint8()))
    return table


def _flat(nodes: Sequence[Node]) -> list[Node]:
    return [item for node in nodes for item in (node.items if isinstance(node, Nested) else (node,))]


def _prohibited(name: str, span: Span) -> EngineError:
    return EngineError(
        "QPROC", "NESTING_PROHIBITED", f"Operator '{name}' cannot be nested in another operator.", span
    )


def _ddl_nested(name: str, span: Span) -> EngineError:
    return EngineError(
        "QPROC", "DDL_CANT_BE_NESTED", f"Operator '{name}' changes the catalogue and cannot be nested.", span
    )


def _no_result(name: str, span: Span) -> EngineError:
    return EngineError("QPROC", "NO_OPERATOR_RESULT", f"Operator '{name}' has no result.", span)


_NESTING: dict[Effect, Callable[[str, Span], EngineError]] = {
    Effect.UPDATE: _prohibited,
    Effect.DDL: _ddl_nested,
    Effect.CONSUME: _no_result,
}
