"""`ManagedDB`: a ``scidbpy.DB`` that rides on the managed session.

What SciDB-Py does in two to five requests of its own is here one operation of the `Connection`: taken
up under its lock, renewed and sent again with it, and answered in SciDB-Py's own forms. Arrays,
operators and their grammar of ``db.build(…).apply(…)[:]`` are SciDB-Py's, unchanged::

    ManagedDB.iquery(fetch=False)   Connection.execute
    ManagedDB.iquery(fetch=True)    Connection.fetch, then `answer`
    ManagedDB.iquery_readlines      Connection.text
    upload_data=…                   `payload`, sent with the statement and again with it
    scidbpy.iquery(db, …)           SciDB-Py's own requests, by way of `endpoints`

It opens no session, keeps no credential and releases nothing. The operators' names are asked for when
somebody looks at them.

Imports SciDB-Py, and with it pandas and pyarrow: import it when that is asked for.
"""

from __future__ import annotations

import functools
import inspect
import re
import string
import threading
import uuid
import warnings
from typing import Any

import scidbpy
from scidbpy.db import Arrays, Operator

from scidb_magic.afl import script
from scidb_magic.bridge import answer, payload
from scidb_magic.bridge.endpoints import Endpoints
from scidb_magic.bridge.failure import as_scidbpy_raises
from scidb_magic.bridge.garbage import Collector, qualified
from scidb_magic.errors import ScidbMagicError
from scidb_magic.session.connection import Connection
from scidb_magic.session.uploads import Attachment
from scidb_magic.wire.schema import Schema

_IQUERY = inspect.signature(scidbpy.db.DB.iquery)
"""The versions of SciDB-Py differ in the order of its parameters."""

_SET_NAMESPACE = re.compile(r"set_namespace\(\s*'?(\w+)'?\s*\)")
_CHANGES_OPERATORS = ("load_library(", "load_module(", "unload_library(")


class ManagedDB(scidbpy.db.DB):  # type: ignore[misc]
    """SciDB-Py's connection object on a session that looks after itself.

    Parameters
    ----------
    connection : Connection
        Does not have to hold a slot yet.

    Attributes
    ----------
    namespace : str or None
        Of this object's own queries; ``set_namespace`` changes it, as in SciDB-Py.
    operators : list of str
        Names of operators and macros; asked for when first needed.
    """

    def __init__(self, connection: Connection) -> None:
        # Not DB's own, which takes a session and hands it to a finalizer that releases it.
        settings = connection.settings
        self._connection = connection
        self.collector = Collector(connection)
        self._endpoints = Endpoints(connection)
        self.scidb_url = settings.url
        self.scidb_auth = self.http_auth = self._http_auth = None
        self.verify, self.admin = settings.verify, settings.admin
        self._namespace: str | None = None
        self.use_arrow, self.no_ops = False, False
        self.result_size_limit = settings.max_result_bytes // 2**20
        self.arrays = Arrays(self)
        self._uid = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._array_cnt = 0
        self._formatter = string.Formatter()

    def __repr__(self) -> str:
        return f"<ManagedDB on {self._connection.status().url or 'no server yet'}>"

    @property
    def namespace(self) -> str | None:
        """Of its queries: what ``set_namespace`` said, else the session's."""
        return self._namespace or self._connection.settings.namespace

    def __dir__(self) -> list[str]:
        own = [name for name in (*vars(self), *dir(type(self))) if not name.startswith("_")]
        return sorted({*self.operators, *own})

    def __getattr__(self, name: str) -> Any:
        if name == "operators":
            self.operators = self._names("operators") + self._names("macros")
            return self.operators
        # What begins with _ is no operator: notebooks ask every object for _repr_html_ and the like.
        if name.startswith("_") or name not in self.operators:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return ManagedOperator(self, name)

    def load_ops(self) -> None:
        """Forget the operators' names; they are asked for when next needed."""
        self.__dict__.pop("operators", None)

    @functools.wraps(scidbpy.db.DB.iquery)
    def iquery(self, *args: Any, **kwargs: Any) -> Any:
        """As ``scidbpy.DB.iquery``, on the managed session."""
        stream = kwargs.pop("use_arrow_stream", False)  # which 19.3.1 does not know
        call = _IQUERY.bind(self, *args, **kwargs)
        call.apply_defaults()
        call.arguments["use_arrow_stream"] = stream or call.arguments.get("use_arrow_stream", False)
        return ManagedDB._iquery(**call.arguments)

    def iquery_readlines(self, query: str) -> list[Any]:
        """Run a query; the answer is its lines of ``tsv``, those with several fields as lists."""
        self.collector.sweep()
        with as_scidbpy_raises():
            text = self._connection.text(query, namespace=self.namespace)
        lines = text.split("\n")[:-1]
        return [line.split("\t") if "\t" in line else line for line in lines]

    def _iquery(
        self,
        query: str,
        *,
        fetch: bool,
        use_arrow: bool | None,
        atts_only: bool,
        as_dataframe: bool,
        dataframe_promo: bool,
        schema: Any,
        upload_data: Any,
        upload_schema: Any,
        use_arrow_stream: bool,
    ) -> Any:
        self.collector.sweep()
        query = script.only(query).bare
        if namespace := _SET_NAMESPACE.fullmatch(query):
            self._namespace = namespace[1]
            return None
        attachments = []
        if upload_data is not None:
            query, attachment = self._attached(query, upload_data, upload_schema)
            attachments.append(attachment)
        if not fetch:
            with as_scidbpy_raises():
                self._connection.execute(query, namespace=self.namespace, attachments=attachments)
            if query.startswith(_CHANGES_OPERATORS):
                self.load_ops()
            return None
        arrow = self.use_arrow if use_arrow is None else use_arrow
        with as_scidbpy_raises():
            result = self._connection.fetch(
                query,
                namespace=self.namespace,
                attachments=attachments,
                schema=None if schema is None else Schema.parse(str(schema)),
                dimensions=not atts_only,
                format="arrow" if arrow else "binary",
                decoded=False,
            )
        body: Any = result.body
        if arrow:
            return answer.from_arrow(body, result.columns, stream=use_arrow_stream)
        if as_dataframe and dataframe_promo:
            return answer.to_frame(body, result.columns)
        cells = answer.to_array(body, result.columns)
        return answer.as_frame(cells) if as_dataframe else cells

    def _attached(self, query: str, data: Any, schema: Any) -> tuple[str, Attachment]:
        """The query with a token for the file that `data` will be, and what belongs to the token."""
        fields = {field for _, field, _, _ in self._formatter.parse(query)}
        if "fn" not in fields:
            warnings.warn("upload_data provided, but {fn} placeholder is missing", stacklevel=4)
        sent = payload.prepare(data, schema, described="fmt" in fields)
        if "fmt" in fields and sent.format is None:
            warnings.warn(
                "upload_data and {fmt} placeholder provided, but upload_schema is None", stacklevel=4
            )
        attachment = Attachment.of(sent.content)
        return query.format(sch=sent.schema, fn=attachment.token, fmt=sent.format), attachment

    def _shim(self, endpoint: Any, **parameters: Any) -> Any:
        request = getattr(self._endpoints, endpoint.value, None)
        if request is None:
            raise ScidbMagicError("The managed session takes and releases its slot itself.")
        with as_scidbpy_raises():
            return request(namespace=self.namespace, **parameters)

    def _names(self, kind: str) -> list[str]:
        return [str(name) for name in self.iquery_readlines(f"project(list('{kind}'), name)")]


class ManagedOperator(Operator):  # type: ignore[misc]
    """An operator of SciDB-Py whose temporary arrays the `Collector` removes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self.db.operators:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return ManagedOperator(self.db, name, self.upload_data, self.upload_schema, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As an operator of SciDB-Py; a temporary array that it stores goes with its object."""
        if self.name != "store":
            return super().__call__(*args, **kwargs)
        # SciDB-Py's own finalizer would ask for the session wherever it is called; see `garbage`.
        temporary = kwargs.pop("gc", len(self.args) + len(args) < 2)
        array = super().__call__(*args, gc=False, **kwargs)
        if temporary and array is not self.args[1]:
            self.db.collector.watch(array, qualified(array, self.db.namespace))
        return array
