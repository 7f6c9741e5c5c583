"""Macros: applications that stand for others. A macro rewrites the parsed call; places stay the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scidb_magic.embedded.engine.ast import Alias, Call, Literal, Node, Reference, SchemaLiteral, Star
from scidb_magic.embedded.engine.operators.kinds import parts
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension, Schema


@dataclass(frozen=True, slots=True)
class Macro:
    """One macro.

    Attributes
    ----------
    profile : str
        As ``list('macros')`` shows it.
    least, most : int, optional
        Number of arguments; `most` None is without end.
    outermost : bool
        Rewritten only where it is the whole statement; SciDB refuses it inside of another operator,
        also inside of the ``save`` that shim puts around (recorded: by_op/project/discard1).
    """

    name: str
    profile: str
    rewrite: Callable[[Call], Call]
    least: int
    most: int | None
    outermost: bool = False

    def expand(self, call: Call, *, outermost: bool) -> Call:
        """The call that this one stands for.

        Raises
        ------
        EngineError
            The number of arguments is wrong, or the macro is not outermost and must be.
        """
        count = len(call.args)
        fits = count >= self.least and (self.most is None or count <= self.most)
        if not fits or (self.outermost and not outermost):
            raise EngineError(
                "SYNTAX",
                "NAME_ARITY_MISMATCH",
                f"'{call.name}' is applied to the wrong number of arguments.",
                call.span,
            )
        return self.rewrite(call)


def _total(aggregate: str) -> Callable[[Call], Call]:
    """``op_sum(A, a)`` is ``aggregate(A, sum(a))``; without an attribute it is ``aggregate(A, count(*))``."""

    def rewrite(call: Call) -> Call:
        source, *attribute = call.args
        over = tuple(attribute) or (Star(call.span),)
        return replace(call, name="aggregate", args=(source, Call(aggregate, over, call.span, call.whole)))

    return rewrite


def _load(call: Call) -> Call:
    """``load(A, 'file', …)`` is ``store(input(A, 'file', …), A)``."""
    read = replace(call, name="input")
    return replace(call, name="store", args=(read, *call.args[:1]), keywords=())


def _distinct(call: Call) -> Call:
    """``op_distinct_count(A, a)`` is ``aggregate(uniq(sort(project(A, a), a)), count(*))``."""
    source, attribute = call.args
    values = Call("project", (source, attribute), call.span, call.whole)
    sorted_ = Call("sort", (values, attribute), call.span, call.whole)
    return _total("count")(replace(call, args=(Call("uniq", (sorted_,), call.span, call.whole),)))


def _range(call: Call) -> Call:
    """``op_range(A, a)`` is the largest value minus the smallest one."""
    source, attribute = call.args
    ends = tuple(Call(name, (attribute,), call.span, call.whole) for name in ("max", "min"))
    both = Call("aggregate", (source, *map(_named, ends)), call.span, call.whole)
    high, low, found = (Reference(name, call.span) for name in ("max", "min", "range"))
    width = Call("apply", (both, found, Call("-", (high, low), call.span, call.whole)), call.span, call.whole)
    return replace(call, name="project", args=(width, found))


def _named(call: Call) -> Alias:
    return Alias(call, call.name, call.span)


def _now(call: Call) -> Call:
    """``op_now()`` is one cell with the server's time."""
    schema = Schema((Attribute("now", "datetime"),), (Dimension("i", 0, 0, 0, 1),))
    moment = Call("now", (), call.span, call.whole)
    return replace(call, name="build", args=(_written(schema, call), moment))


def _set_cell(call: Call) -> Call:
    """``op_set_cell_attr_1D(A, i, 3, v, 7)`` inserts a cell at i = 3; _2D takes two coordinates."""
    array, first, *rest = call.args
    name = first.name if isinstance(first, Reference) else ""
    schema = Schema((Attribute(name, "int64"),), (Dimension("_place_", 0, 0, 0, 1),))
    cell = Call("build", (_written(schema, call), rest[0]), call.span, call.whole)
    values = Call("apply", (cell, *rest[1:]), call.span, call.whole)
    placed = Call("redimension", (values, array), call.span, call.whole)
    return replace(call, name="insert", args=(placed, array))


def _written(schema: Schema, call: Call) -> SchemaLiteral:
    """A schema with everything about its one dimension said."""
    return SchemaLiteral(schema, call.span, (frozenset({"low", "high", "overlap", "chunk"}),))


def _version(call: Call) -> Call:
    """``op_scidbversion()`` is the numbers of the server's version."""
    listed = Call("list", (Literal("libraries", "string", call.span),), call.span, call.whole)
    numbers = (Reference(name, call.span) for name in ("major", "minor", "patch", "build"))
    return replace(call, name="project", args=(listed, *numbers))


def _extreme(sign: str) -> Callable[[Call], Call]:
    """``func_max(a, b)`` is ``iif(a > b, a, b)``."""

    def rewrite(call: Call) -> Call:
        return replace(call, name="iif", args=(Call(sign, call.args, call.span, call.whole), *call.args))

    return rewrite


def _to(name: str) -> Callable[[Call], Call]:
    return lambda call: replace(call, name=name)


def _redistribute(call: Call) -> Call:
    """``redistribute(A, distribution)``: on one machine the cells are where they are."""
    return replace(call, name="scan", args=call.args[:1])


def in_expression(node: Node) -> Node:
    """`node` with every macro in it rewritten."""
    if not any(isinstance(part, Call) and part.name.lower() in MACROS for part in parts(node)):
        return node
    if not isinstance(node, Call):
        return node
    call = replace(node, args=tuple(in_expression(arg) for arg in node.args))
    macro = MACROS.get(call.name.lower())
    return call if macro is None else macro.expand(call, outermost=False)


def _discard(call: Call) -> Call:
    """``discard(A, a, …)`` is ``project(A, a, …, inverse: true)``."""
    inverse = ("inverse", Literal(True, "bool", call.span))
    return replace(call, name="project", keywords=(*call.keywords, inverse))


MACROS: dict[str, Macro] = {
    macro.name: macro
    for macro in (
        Macro("append", "append(src_array,dst_array,optional_dim_name)", _to("_append"), 2, 3),
        Macro("discard", "discard(input_array,attr0,dot_dot_dot_attrN)", _discard, 1, None, outermost=True),
        Macro(
            "load",
            "load(output_array,input_file,instance_id,format,max_errors,shadow_array,isStrict)",
            _load,
            1,
            None,
            outermost=True,
        ),
        Macro("func_max", "func_max(_FIRST_,_SECOND_)", _extreme(">"), 2, 2),
        Macro("func_min", "func_min(_FIRST_,_SECOND_)", _extreme("<"), 2, 2),
        Macro("op_avg", "op_avg(_ARRAY_,_ATTR_)", _total("avg"), 2, 2),
        Macro("op_count", "op_count(_ARRAY_)", _total("count"), 1, 1),
        Macro("op_distinct_count", "op_distinct_count(_ARRAY_,_ATTR_)", _distinct, 2, 2),
        Macro("op_max", "op_max(_ARRAY_,_ATTR_)", _total("max"), 2, 2),
        Macro("op_min", "op_min(_ARRAY_,_ATTR_)", _total("min"), 2, 2),
        Macro("op_now", "op_now()", _now, 0, 0),
        Macro("op_range", "op_range(_ARRAY_,_ATTR_)", _range, 2, 2),
        Macro("op_scidbversion", "op_scidbversion()", _version, 0, 0),
        Macro(
            "op_set_cell_attr_1d",
            "op_set_cell_attr_1D(_ARRAY_,_DIM_NAME_,_DIM_COORD_VALUE_,_ATTR_NAME_,_ATTR_VALUE_)",
            _set_cell,
            5,
            5,
        ),
        Macro(
            "op_set_cell_attr_2d",
            "op_set_cell_attr_2D(_ARRAY_,_DIM_NAME_1_,_DIM_COORD_VALUE_1_,_DIM_NAME_2_,_DIM_COORD_VALUE_2_,"
            "_ATTR_NAME_,_ATTR_VALUE_)",
            _set_cell,
            7,
            7,
        ),
        Macro("op_stdev", "op_stdev(_ARRAY_,_ATTR_)", _total("stdev"), 2, 2),
        Macro("op_sum", "op_sum(_ARRAY_,_ATTR_)", _total("sum"), 2, 2),
        Macro("redistribute", "redistribute(_ARRAY_,_DISTRIB_)", _redistribute, 2, 2),
    )
}
"""Name -> macro, names in lower case."""

DOUBLING = frozenset({"func_max", "func_min"})
"""Macros in whose place each of their arguments stands twice."""
