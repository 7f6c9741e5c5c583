"""A local server that speaks shim's protocol in front of an AFL engine on DuckDB.

``python -m scidb_magic.embedded`` runs it. How the parts play together::

    __main__.py   options, the ready line, the ends of the process
    server.py     sockets and threads: one thread a connection, one request a connection
    http.py       bytes of a request -> Request, Answer -> bytes
    security.py   who may ask: Host, cross-site requests, digest authentication, TLS
    endpoints.py  one function an endpoint: Request -> Answer, with shim's statuses and texts
    slots.py      the fixed array of slots and what occupies one: files, cursor, engine session
    engine/       SciDB: AFL in, query id or EngineError out

It uses the rooms `afl`, `wire` and `errors`; nothing imports it.

Different from shim on purpose: random session ids, no CORS header, the Host header is checked,
requests from foreign web pages are refused, loopback only unless told otherwise, and ``input`` and
``save`` touch only the server's own temporary folder and the folders of ``--io-path``.
"""
