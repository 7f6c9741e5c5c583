"""What SciDB's operators do: one table, operator -> effect, result, signature.

From ``list('operators')`` of SciDB 19.11.5 and the documentation of Paradigm4's plugins. An operator
changes something if running it twice is not the same as running it once, or if it writes outside the
query. An operator has no result if SciDB refuses to save what it yields (observed: store, insert, delete,
add_attributes; all DDL; consume). An operator that is not in the table is treated as a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effect = Literal["read", "change"]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes
    ----------
    name : str
        In lower case; SciDB does not tell cases apart here.
    effect : str
        ``"read"`` or ``"change"``.
    result : bool
        Whether it has cells to bring.
    signature : str
        Its operands; ``?`` may be left out, ``…`` may be repeated, ``name:`` is given by keyword.
    library : str
    """

    name: str
    effect: Effect
    result: bool
    signature: str
    library: str

    def describe(self) -> str:
        """Its arguments, what it does, and where it comes from, in two lines."""
        effect = {"read": "changes nothing", "change": "changes the database"}[self.effect]
        result = "has a result" if self.result else "has no result"
        return f"{self.name}({self.signature})\n  {effect}, {result}; library {self.library}"


_SCIDB = """
read   +  aggregate          array, aggregate(attribute) [as name] …, dimension …?, chunk …?
read   +  apply              array, name, expression, …
read   +  attributes         array
read   +  avg_rank           array, attribute?, dimension …?
read   +  bernoulli          array, probability, seed?
read   +  between            array, low …, high …
read   +  build              schema or array, expression or 'literal', true?, from: 'literal'?
read   +  cast               array, schema or (old, new) …
read   -  consume            array, stride?
read   +  cross_between      array, ranges
read   +  cross_join         left [as name], right [as name], left.dimension, right.dimension, …
read   +  cumulate           array, aggregate(attribute) [as name] …, dimension?
read   +  dimensions         array
read   +  echo               'text'
read   +  filter             array, condition
read   +  flatten            array, dimension?, cells_per_chunk:?
read   +  help               'operator'
read   +  index_lookup       array, index, attribute, name?, memory_limit:?, index_sorted:?
read   +  input              schema or array, 'file', instance?, 'format'?, max_errors?, shadow?, strict?
read   +  join               left [as name], right [as name]
read   +  limit              array, count, offset?
read   +  list               'what'?, system?
read   +  merge              left, right, …
read   +  project            array, attribute, …, inverse:?
read   +  quantile           array, q, attribute?, dimension …?
read   +  rank               array, attribute?, dimension …?
read   +  redimension        array, schema or array, strict?, aggregate(attribute) …?, cells_per_chunk:?
read   +  regrid             array, block …, aggregate(attribute) [as name] …, chunk …?
read   +  repart             array, schema, cells_per_chunk:?
read   +  reshape            array, schema
read   +  scan               array
read   +  show               array or 'query', 'afl' or 'aql'?
read   +  slice              array, dimension, coordinate, …
read   +  sort               array, attribute [asc|desc] …?, chunk?
read   +  subarray           array, low …, high …
read   +  substitute         array, replacement, attribute …?
read   +  summarize          array, per_attribute:?, by_instance:?, by_attribute:?
read   +  transpose          array
read   +  unfold             array
read   +  uniq               array, chunk_size:?
read   +  unpack             array, dimension, chunk?, chunk_size:?
read   +  variable_window    array, dimension, before, after, aggregate(attribute) [as name] …
read   +  versions           array
read   +  window             array, before, after, …, aggregate(attribute) [as name] …, method?
read   +  xgrid              array, factor …
change -  add_attributes     array, schema
change -  cancel             'query id'
change -  create_array       name, schema, temporary, load array?, cells?
change -  delete             array, condition
change -  insert             query, array
change -  load_library       'library'
change -  load_module        'file'
change -  lock_arrays        true or false
change -  mquery             query, …
change -  remove             array
change -  remove_versions    array, oldest version to keep?, keep: count?
change -  rename             array, name
change -  save               array, 'file', instance?, 'format'?
change -  store              query, array
change -  test_clear_cache
change -  unload_library     'library'
"""

_LINEAR_ALGEBRA = """
read   +  gemm               left, right, addend, options?
read   +  gesvd              array, 'left' or 'values' or 'right'
read   +  spgemm             left, right, semiring?
"""

_ACCELERATED_IO_TOOLS = """
read   +  aio_input          'file', num_attributes:, paths:?, instances:?, header:?, buffer_size:?, …
change -  aio_save           array, 'file' or paths:, instances:?, format:?, atts_only:?, …
read   +  parse              array, num_attributes:, chunk_size:?, …
read   +  split              'file', header:?, lines_per_chunk:?, …
"""

_PARADIGM4 = """
read   +  asof_join          left, right, left_names:, right_names:, …
read   +  equi_join          left, right, left_names: or left_ids:, right_names: or right_ids:, …
read   +  faster_redimension array, schema
read   +  fast_count         array
read   +  grouped_aggregate  array, aggregate(attribute) [as name] …, group …, input_sorted:?, …
read   +  summarize_by       array, group …
read   +  superfunpack       array, 'format'
read   +  xinput             'address', format:?, cache_size:?
change +  stream             array, 'command', 'mode'?, types:?, names:?, …
change -  xsave              array, 'address', namespace:?, update:?, …
change -  xremove            'address'
change -  secure_store       query, array
read   +  secure_scan        array
read   +  show_namespace
change -  set_namespace      'namespace'
change -  create_namespace   'namespace'
change -  drop_namespace     'namespace'
change -  create_user        'user', 'password hash'
change -  change_user        'what', 'user', 'value'
change -  drop_user          'user'
change -  set_role           'role'
change -  create_role        'role'
change -  drop_role          'role'
change -  add_user_to_role   'user', 'role'
change -  drop_user_from_role 'user', 'role'
change -  set_role_permissions 'role', 'entity type', 'entity', 'permissions'
change -  move_array_to_namespace array, 'namespace'
"""

_EXAMPLES = """
read   +  bestmatch          target, catalog, error
read   +  hello_instances
read   +  instance_stats     array, global:?
read   +  match              target, catalog, error, …
"""

_MISC = """
change +  test_abort_remove
change +  test_badreadwrite
change +  test_builtin_aggregates
change +  test_callback_remove_versions
change +  test_chunk_id_map
change +  test_chunk_limit
change +  test_datastores
change +  test_deep_chunk_merge
change +  test_file_io
change +  test_memarray
change +  test_root_arena
change +  test_sg
change +  test_sort_array
change +  test_storage_engine
"""

_MACROS = """
read   +  discard            array, attribute, …
read   +  func_max           first, second
read   +  func_min           first, second
read   +  op_avg             array, attribute
read   +  op_count           array
read   +  op_distinct_count  array, attribute
read   +  op_max             array, attribute
read   +  op_min             array, attribute
read   +  op_now
read   +  op_range           array, attribute
read   +  op_scidbversion
read   +  op_set_cell_attr_1d array, dimension, coordinate, attribute, value
read   +  op_set_cell_attr_2d array, dimension, coordinate, dimension, coordinate, attribute, value
read   +  op_stdev           array, attribute
read   +  op_sum             array, attribute
read   +  redistribute       array, distribution
change -  append             source, target, dimension?
change -  load               array, 'file', instance?, 'format'?, max_errors?, shadow?, strict?
"""


def _rows(text: str, library: str) -> dict[str, Operator]:
    rows = {}
    for line in text.strip().splitlines():
        effect, result, name, *signature = line.split(None, 3)
        kind: Effect = "read" if effect == "read" else "change"
        rows[name] = Operator(name, kind, result == "+", "".join(signature), library)
    return rows


MACROS: dict[str, Operator] = _rows(_MACROS, "prelude")
"""The macros of SciDB's prelude, with the effect of what they stand for."""

OPERATORS: dict[str, Operator] = {
    **_rows(_SCIDB, "scidb"),
    **_rows(_LINEAR_ALGEBRA, "linear_algebra"),
    **_rows(_ACCELERATED_IO_TOOLS, "accelerated_io_tools"),
    **_rows(_PARADIGM4, "paradigm4"),
    **_rows(_EXAMPLES, "examples"),
    **_rows(_MISC, "misc"),
    **MACROS,
}
"""Every operator and macro known, by name in lower case."""

TYPES: frozenset[str] = frozenset(
    "binary bool char datetime datetimetz double float int8 int16 int32 int64 string uint8 uint16 uint32"
    " uint64 void indicator complex point rational".split()
)
"""SciDB's types and those of the libraries that it comes with; each is also the name of a converter."""

AGGREGATES: frozenset[str] = frozenset(
    "approxdc avg count first_value last_value max maxrepcount median min prod stdev sum var".split()
)

FUNCTIONS: frozenset[str] = TYPES | frozenset(
    "abs acos append_offset apply_offset asin atan ceil char_count char_to_int codify cos day_of_week dcast"
    " exp fact first_index floor format format_extract get_offset getdenom getnumer high hour_of_day hygecdf"
    " hygepmf hygequant iif im instanceid int_to_char is_nan is_null isprime keyed_value lasso last_index"
    " length log log10 low max maxlen_csv maxlen_tdv min missing missing_reason mylog nth_csv nth_tdv"
    " point2str pow radec2x radec2y radec2z radec_sindist random re regex rsub sin sizeof sleep sqrt str"
    " str2point strchar strftime strip_offset strlen strpos substr tan throw togmt trim tznow now".split()
)
"""Functions that only compute; those of SciDB's fault injection are left out."""
