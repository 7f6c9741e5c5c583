"""Queries that are mostly right, written from the engine's tables of operators, functions and aggregates.

A `Writer` knows some arrays and queries and their schemas; from these it writes others. What the server
says of their schemas goes back into `learn`, so that queries grow out of each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from scidb_magic.embedded.engine.aggregates import AGGREGATES
from scidb_magic.embedded.engine.bounds import BOUNDS
from scidb_magic.embedded.engine.functions import profiles
from scidb_magic.embedded.engine.operators import MACROS, OPERATORS
from scidb_magic.embedded.engine.operators.operator import Effect
from scidb_magic.embedded.engine.operators.signature import Group, Pattern, Slot
from scidb_magic.wire.schema import Schema

from .values import FILES, FORMATS, PATHS, SQL, TYPES, literal, number, quoted

KEPT = 60
"""Queries that a writer knows at once."""

LONGEST = 300
"""Characters of a query that others may be made of."""

ARRAYS = {
    "fz_mixed": "<a:int64,b:double,s:string,f:bool,t:datetime> [i=0:9:0:4]",
    "fz_grid": "<v:int32 NOT NULL,w:float> [x=0:3:0:2; y=-2:2:0:5]",
    "fz_sparse": "<u:uint64,n:int8,c:char,h:uint16> [k=0:*:0:1000]",
    "fz_zoned": "<z:datetimetz,s:string> [i=0:3:1:2; j=0:*:0:3]",
    "fz_empty": "<a:int64,s:string NOT NULL> [i=0:9:0:*]",
    "fz_temp": "<a:int64,b:double> [i=0:9:0:4]",
    "fz_one": "<a:int64> [i=0:9:0:4]",
    "fz_matrix": "<m:double> [r=0:3:0:4; c=0:3:0:4]",
    "fz_index": "<s:string> [n=0:*:0:10]",
    "fz_box": "<p:int64,q:int64> [n=0:*:0:10]",
}
"""Arrays that everybody reads and nobody is meant to change."""

_FILLED = """
store(apply(build(<a:int64>[i=0:9:0:4],iif(i=3,null,i*i-5)),
            b,double(a)/2,s,string(a)+'x',f,a>3,t,datetime(a*86400)),fz_mixed)

store(filter(apply(build(<v:int32 not null>[x=0:3:0:2;y=-2:2:0:5],x*y),w,float(y/3.0)),x<>2),fz_grid)

store(redimension(apply(build(<k:int64>[i=0:6],i*i*i),
                        u,uint64(k),n,int8(i),c,char(65+i),h,uint16(i)),fz_sparse),fz_sparse)

store(redimension(apply(build(<i:int64>[q=0:3],q),
                        j,i*2,z,append_offset(datetime(i),3600),s,'é'),fz_zoned),fz_zoned)

store(apply(build(<a:int64>[i=0:9:0:4],i),b,i*0.5),fz_temp)

store(build(fz_one,iif(i%3=0,null,i*i)),fz_one)

store(build(fz_matrix,r*1.5-c),fz_matrix)

store(uniq(sort(build(<s:string>[i=0:5],string(i%4)))),fz_index)

store(redimension(apply(build(<n:int64>[i=0:2],i),p,n,q,n+3),fz_box),fz_box)
"""
SETUP = (
    *(f"create {'temp' * (name == 'fz_temp')} array {name} {schema}" for name, schema in ARRAYS.items()),
    *_FILLED.strip().split("\n\n"),
)


FITTING = {
    "_append": ("fz_one",),
    "cross_between": ("fz_one", "fz_box"),
    "gemm": ("fz_matrix", "fz_matrix", "fz_matrix"),
    "gesvd": ("fz_matrix",),
    "index_lookup": ("fz_mixed", "fz_index"),
    "spgemm": ("fz_matrix", "fz_matrix"),
    "substitute": ("fz_one", "fz_index"),
    "unfold": ("fz_one",),
    "uniq": ("fz_index",),
}
"""Operators that take few shapes -> arrays that have them."""

EXAMPLES = """
build(<a:int64,s:string>[i=0:*],'[(1,\\'x\\'),(null,?3),()]',true)
build(<a:double>[i=0:2; j=0:1],from: '[[(1),(2)],[(nan),()],[(-inf),(0)]]')
aio_input('{io}/cells.tsv',num_attributes: 3)
aio_input(path: '{io}/cells.csv',num_attributes: 2,header: 1,attribute_delimiter: ',')
aio_input(paths: ('{io}/noise','{io}/cells.csv'),instances: (0,1),num_attributes: 4,split_on_dimension: true)
input(<a:int64,b:double,s:string>[i=0:*],'{io}/cells.csv',-2,'csv')
input(<a:int64,b:double,s:string>[i=0:*:0:5],'{io}/cells.txt',0,'text')
input(<a:int64,b:int8 not null>[i=0:*],'{io}/cells.bin',0,'(int64,int8)')
input(<a:string,b:string>[i=0:*],'{io}/noise',0,'tsv',1000)
save(fz_mixed,'saved',0,'csv+:l')
aio_save(fz_mixed,paths: ('saved'),instances: (0),format: 'arrow')
equi_join(fz_mixed,fz_temp,left_names: a,right_names: a)
equi_join(fz_mixed,fz_sparse,left_names: i,right_names: k,left_outer: true,algorithm: 'hash_replicate_right')
grouped_aggregate(fz_mixed,f,sum(a),count(*))
grouped_aggregate(fz_grid,x,avg(w) as m,max(v))
index_lookup(fz_mixed,fz_index,s,n)
index_lookup(project(fz_mixed,s),sort(uniq(sort(project(fz_mixed,s)))),fz_mixed.s,n,index_sorted: true)
uniq(sort(project(unpack(fz_grid,n),v)))
substitute(fz_one,redimension(apply(build(<r:int64>[i=0:0],0),s,7),<s:int64>[r=0:*]))
gesvd(fz_matrix,'values')
gesvd(fz_matrix,'left')
gemm(fz_matrix,fz_matrix,build(<z:double>[i=0:3;j=0:3],1),transa: true,alpha: 0.5)
spgemm(filter(fz_matrix,m>0),fz_matrix,'min.+')
redimension(fz_sparse,<k:int64>[u=0:*],count(*) as n)
redimension(apply(fz_mixed,d,a%3),<s:string>[d=-5:5; q=0:9])
cast(fz_temp,<x:int64,y:double>[z=0:9])
reshape(fz_matrix,<m:double>[x=0:7; y=0:1])
repart(fz_grid,<v:int32 not null,w:float>[x=0:3:1:3; y=-2:2:0:2])
insert(fz_one,fz_own)
delete(fz_own,a>100000)
quantile(fz_temp,4,b)
window(fz_matrix,1,1,1,1,avg(m),var(m))
merge(fz_one,project(fz_temp,a))
join(fz_mixed as X,fz_temp as Y)
cross_join(fz_grid as X,fz_box as Y,X.x,Y.n)
bernoulli(fz_mixed,0.5,7)
summarize(fz_mixed,'per_attribute=1')
filter(fz_zoned,togmt(z) > datetime('1970-01-01 00:00:00') and regex(s,'.*é'))
apply(fz_mixed,h,hour_of_day(t),d,strftime(t,'%Y-%m'),g,format(b,'%.3f'))
""".strip().splitlines()
"""Statements that are right, from which others are made."""


@dataclass(frozen=True, slots=True)
class Known:
    """A query and the schema of its result."""

    text: str
    schema: Schema

    def columns(self) -> list[tuple[str, str]]:
        """Attributes and dimensions, with their types."""
        found = [(each.name, each.type) for each in self.schema.attributes]
        return found + [(each.name, "int64") for each in self.schema.dimensions]


_PROFILE = re.compile(r"(\S+) (.+?)\((.*)\)$")
_SIGN = re.compile(r"\W+$|and$|or$")
AGGREGATE_NAMES = sorted({name for name, _ in AGGREGATES})
FOR_ALL = ("count", "min", "max", "approxdc")
NUMBERS = frozenset(type_ for type_ in TYPES if "int" in type_ or type_ in ("float", "double"))


def _functions() -> dict[str, list[tuple[str, list[str]]]]:
    """Type -> names and arguments' types of the functions that give it."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for _, profile, _ in profiles(BOUNDS):
        match = _PROFILE.match(profile)
        assert match, profile
        arguments = [each.strip() for each in match[3].split(",") if each.strip()]
        found.setdefault(match[1], []).append((match[2], arguments))
    return found


FUNCTIONS = _functions()
EVERY_FUNCTION = [(name, arguments) for listed in FUNCTIONS.values() for name, arguments in listed]


class Writer:
    """Writes queries, the same ones for the same seed and the same answers.

    Parameters
    ----------
    random : Random
    prefix : str
        Of the names of the arrays that this writer changes.
    """

    def __init__(self, random: Random, prefix: str) -> None:
        self.random = random
        self.base = [Known(name, Schema.parse(schema)) for name, schema in ARRAYS.items()]
        self.learnt: list[Known] = []
        self.mine = [f"{prefix}{k}" for k in range(8)]

    def learn(self, query: str, schema: Schema) -> None:
        """Make more queries of this one."""
        known = Known(query, schema)
        if len(self.learnt) < KEPT:
            self.learnt.append(known)
        else:
            self.learnt[self.random.randrange(KEPT)] = known

    def statement(self) -> str:
        """A whole statement."""
        chance = self.random.random()
        if chance < 0.015:
            return f"create {self.random.choice(('', 'temp '))}array {self.own()} {self.schema(self.known())}"
        if chance < 0.04:
            return f"store({self.known().text},{self.own()})"
        if chance < 0.06:
            return self.macro()
        if chance < 0.14:
            return self.random.choice(EXAMPLES).replace("fz_own", self.own())
        if chance < 0.16:
            return f"let {{ q = {self.known().text}; g(p) = {self.operator('filter', 'p')} }} in g(q)"
        if chance < 0.5:
            return self.operator(self.random.choice(_COMMON))
        return self.operator(self.random.choice(_EVERY))

    def macro(self) -> str:
        known = self.known()
        name = self.random.choice(list(MACROS))
        return f"{name}({known.text},{self.column(known)})"

    # Operators

    def operator(self, name: str, first: str = "") -> str:
        """An application of an operator; `first` is its first input where it is given."""
        operator = OPERATORS[name]
        call = _Call(self, name, first)
        for item in operator.signature.items:
            call.item(item)
        for keyword, slot in operator.signature.keywords.items():
            if self.random.random() < 0.2:
                call.arguments.append(f"{keyword}: {call.value(slot)}")
        return f"{name}({','.join(call.arguments)})"

    def known(self) -> Known:
        """Some query, now and then in an application that keeps its schema."""
        random = self.random
        known = random.choice(self.learnt if self.learnt and random.random() < 0.4 else self.base)
        chance = random.random()
        if chance < 0.1:
            return Known(f"filter({known.text},{self.expression('bool', known, 1)})", known.schema)
        if chance < 0.12:
            return Known(f"{known.text} as {random.choice('PQ')}", known.schema)
        if chance < 0.14:
            return Known(f"{random.choice(self.mine)}@{random.choice(('1', '2', '*', '99'))}", known.schema)
        return known

    def own(self) -> str:
        return self.random.choice(self.mine)

    # Parts

    def column(self, known: Known, what: str = "attribute") -> str:
        """A column of a query, rarely none of it."""
        parts = known.schema.attributes if what == "attribute" else known.schema.dimensions
        if not parts or self.random.random() < 0.02:
            return self.random.choice(("nope", "i", "a", '"s"', "P.a", "x.y.z"))
        return self.random.choice([part.name for part in parts])

    def schema(self, like: Known, attributes: int = 0) -> str:
        """A schema; mostly that of a query, with other bounds, chunks or types.

        Parameters
        ----------
        attributes : int
            How many; 0 for as many as it comes to.
        """
        random = self.random
        if random.random() < 0.3 and not attributes:
            return str(like.schema).partition("<")[1] + str(like.schema).partition("<")[2]
        schema = random.choice([each.schema for each in self.base]) if random.random() < 0.3 else like.schema
        written = [f"{each.name}:{self.type(each.type)}{self.option()}" for each in schema.attributes]
        if random.random() < 0.3 and len(written) > 1:
            random.shuffle(written)
            written = written[: random.randint(1, len(written))]
        names = [each.name for each in schema.dimensions]
        if random.random() < 0.3:
            names = [name for name, type_ in like.columns() if "int" in type_][:3] or names
            random.shuffle(names)
            names = names[: random.randint(1, 2)]
            written = [each for each in written if each.split(":")[0] not in names] or written
        if attributes:
            written = written[:attributes]
        dimensions = "; ".join(name + self.bounds() for name in names)
        return f"<{','.join(written)}>" + (f"[{dimensions}]" if random.random() < 0.97 else "")

    def type(self, type_: str) -> str:
        return self.random.choice(TYPES) if self.random.random() < 0.1 else type_

    def option(self) -> str:
        chance = self.random.random()
        if chance < 0.1:
            return " not null"
        return f" default {literal(self.random, 'int64')}" if chance < 0.12 else ""

    def bounds(self) -> str:
        random = self.random
        low = random.choice((0, 0, 0, 1, -3))
        high: int | str = low + random.choice((0, 3, 9, 9, 19))
        if random.random() < 0.02:
            low, high = number(random), number(random)
        elif random.random() < 0.15:
            high = "*"
        forms = ("", f"={low}:{high}", f"={low}:{high}:0:4", f"={low}:{high},3,0", f"={low}:{high}:1:*")
        return random.choice((*forms, f"={low}:{high}"))

    def aggregate(self, known: Known) -> str:
        random = self.random
        column = self.column(known)
        numbers = any(name == column and type_ in NUMBERS for name, type_ in known.columns())
        name = random.choice(AGGREGATE_NAMES if numbers or random.random() < 0.1 else FOR_ALL)
        if name == "count" and random.random() < 0.5:
            column = "*"
        alias = f" as g{random.randrange(1000)}" if random.random() < 0.7 else ""
        return f"{name}({column}){alias}"

    def expression(self, type_: str, known: Known | None, depth: int) -> str:
        """An expression of a type over the columns of a query."""
        random = self.random
        columns = [name for name, of in known.columns() if of == type_] if known else []
        chance = random.random()
        if depth <= 0 or chance < 0.25:
            if columns and random.random() < 0.75:
                return random.choice(columns)
            return literal(random, type_)
        if chance < 0.32:
            return f"{type_}({self.expression(random.choice(TYPES), known, depth - 1)})"
        if chance < 0.37:
            branches = (self.expression(of, known, depth - 1) for of in ("bool", type_, type_))
            return f"iif({','.join(branches)})"
        if chance < 0.40 and type_ == "bool":
            value = self.expression(random.choice(TYPES), known, depth - 1)
            return f"({value} is {random.choice(('', 'not '))}null)"
        name, arguments = random.choice(FUNCTIONS.get(type_) or EVERY_FUNCTION)
        if name in BOUNDS:
            return f"{name}({','.join(quoted(random.choice([*ARRAYS, 'i', 'x'])) for _ in arguments)})"
        values = [self.expression(self._argument(of), known, depth - 1) for of in arguments]
        if not _SIGN.match(name):
            return f"{name}({','.join(values)})"
        return f"({f' {name} '.join(values)})" if len(values) > 1 else f"({name} {values[0]})"

    def _argument(self, type_: str) -> str:
        return type_ if type_ in TYPES else self.random.choice(TYPES)


class _Call:
    """The arguments of one application, while they are written."""

    def __init__(self, writer: Writer, name: str, first: str) -> None:
        self.writer = writer
        self.random = writer.random
        self.name = name
        self.arguments: list[str] = []
        self.inputs: list[Known] = []
        self.first = first

    def item(self, item: Pattern) -> None:
        if isinstance(item, Slot):
            self.arguments.append(self.value(item))
            return
        for _ in range(self.times(item)):
            for each in item.items:
                self.item(each)

    def times(self, group: Group) -> int:
        """How often a group is there: for constants mostly once a dimension."""
        random = self.random
        slots = [each for each in group.items if isinstance(each, Slot)]
        if group.most == 1:
            return random.choice((0, 1))
        if slots and self.inputs and all(each.kind == "constant" for each in slots):
            whole = len(self.inputs[0].schema.dimensions)
            chosen = whole if random.random() < 0.9 else random.randrange(4)
            return chosen if group.least or random.random() < 0.2 else 0
        return random.choice((1, 1, 2, 3)) if group.least else random.choice((0, 0, 1, 1, 2))

    def value(self, slot: Slot) -> str:
        return _KINDS.get(slot.kind, _operand)(self, slot)

    @property
    def source(self) -> Known:
        return self.inputs[0] if self.inputs else self.writer.base[0]


def _input(call: _Call, slot: Slot) -> str:
    known = call.writer.known()
    if call.name in ("insert", "_append") and call.random.random() < 0.5:
        # Into itself: what is inserted has to conform.
        call.inputs.append(Known(call.writer.own(), known.schema))
        return call.inputs[0].text
    fitting = FITTING.get(call.name, ())
    if len(call.inputs) < len(fitting) and call.random.random() < 0.6:
        name = fitting[len(call.inputs)]
        known = next(each for each in call.writer.base if each.text == name)
        call.inputs.append(known)
        return call.first if call.first and len(call.inputs) == 1 else known.text
    # Two inputs are mostly of one shape, as join and merge want them.
    if call.inputs and call.random.random() < 0.6:
        known = call.inputs[0]
    call.inputs.append(known)
    if call.first and len(call.inputs) == 1:
        return call.first
    return known.text


def _array_name(call: _Call, slot: Slot) -> str:
    changing = OPERATORS[call.name].effect is not Effect.READ
    if call.inputs and call.inputs[0].text in call.writer.mine:
        return call.inputs[0].text
    return call.writer.own() if changing or call.random.random() < 0.2 else call.random.choice(list(ARRAYS))


def _schema(call: _Call, slot: Slot) -> str:
    if call.random.random() < 0.1:
        return call.random.choice(list(ARRAYS))
    like = call.source if call.inputs else call.random.choice(call.writer.base)
    return call.writer.schema(like, 1 if call.name == "build" and call.random.random() < 0.8 else 0)


def _expression(call: _Call, slot: Slot) -> str:
    type_ = "bool" if call.name in ("filter", "delete") else call.random.choice(TYPES)
    known = call.inputs[0] if call.inputs else None
    return call.writer.expression(type_, known, call.random.choice((1, 2, 2, 3)))


def _constant(call: _Call, slot: Slot) -> str:
    random = call.random
    if slot.type != "string":
        if "int" in slot.type and random.random() < 0.85:
            return str(random.choice((0, 1, 1, 2, 3, 4)))
        if random.random() < 0.05:
            return call.writer.expression(slot.type or "int64", None, 2)
        return literal(random, slot.type or "int64")
    if slot.name in ("file", "path", "paths"):
        return quoted(random.choice(FILES if random.random() < 0.5 else PATHS))
    return quoted(random.choice(_STRINGS.get(slot.name) or _STRINGS.get(call.name) or SQL))


def _constants(call: _Call, slot: Slot) -> str:
    values = [_constant(call, slot) for _ in range(call.random.choice((1, 1, 2)))]
    return f"({','.join(values)})" if len(values) > 1 or call.random.random() < 0.5 else values[0]


def _operand(call: _Call, slot: Slot) -> str:
    writer = call.writer
    if call.name == "show":
        return quoted(writer.known().text) if call.random.random() < 0.7 else writer.own()
    return call.random.choice(
        (writer.column(call.source), writer.own(), "1", "(a,b)", writer.schema(call.source))
    )


_KINDS: dict[str, Callable[[_Call, Slot], str]] = {
    "input": _input,
    "array_name": _array_name,
    "new_array_name": lambda call, slot: call.writer.own(),
    "schema": _schema,
    "expression": _expression,
    "constant": _constant,
    "constants": _constants,
    "attribute_name": lambda call, slot: call.writer.column(call.source),
    "dimension_name": lambda call, slot: call.writer.column(
        call.random.choice(call.inputs or call.writer.base), "dimension"
    ),
    "aggregate_call": lambda call, slot: call.writer.aggregate(call.source),
    "new_name": lambda call, slot: f"n{call.random.randrange(100)}",
    "old_and_new_name": lambda call, slot: f"({call.writer.column(call.source)},n{call.random.randrange(9)})",
}

_STRINGS: dict[str, Sequence[str]] = {
    "format": FORMATS,
    "language": ("afl", "afl", "afl", "aql", "AFL"),
    "list": ("arrays", "functions", "operators", "queries", "types", "aggregates", "macros", "nope", *SQL),
    "help": (*OPERATORS, "nope", *SQL),
    "cancel": ("0.1", "1", "0.99999999999999999999", *SQL),
    "load_library": ("dense_linear_algebra", "nope", "../../evil.so", *SQL),
    "line_delimiter": ("\\n", "\\r\\n", ",", "", "ab", "é"),
    "attribute_delimiter": ("\\t", ",", "", "ab", "é"),
    "build": ("[(1),(2)]", "[[(1,2),()]]", "[(null)]", "[{0}(1)]", "[(1", "[]", "", "[(?3)]", *SQL),
    "window": ("materialize", "probe", "auto", "nope"),
}

_EVERY = sorted(OPERATORS)
_COMMON = [
    name for name in _EVERY if OPERATORS[name].effect is Effect.READ and name not in ("list", "help", "show")
]
