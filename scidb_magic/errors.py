"""Every exception of scidb_magic, one tree.

::

    ScidbMagicError
    ├── ShimError(status, body)         shim answered, but not with 200
    │   ├── BadRequest                  400  argument missing or upload empty
    │   ├── AuthenticationFailed        401  SciDB or the web server refused the user; `refused_by` says which
    │   │   └── CertificateNotTrusted        the server's TLS certificate was refused; a ShimUnreachable too
    │   ├── SessionNotFound             404  the session is gone
    │   ├── QueryError                  406  SciDB refused or failed the query
    │   ├── NoQuery                     409  nothing to cancel
    │   ├── NotSaved                    410  no saved output to read
    │   ├── OutOfRange                  416  past the end, or the other save format
    │   ├── ServerFailure               500  shim failed; it has released the session
    │   ├── GatewayFailure              502  SciDB is not reachable from shim
    │   ├── OutOfResources              503  no free slot
    │   └── NotShim                          the answer is not shim's
    ├── RequestTooLong                  the URL would be over shim's limit; not sent
    ├── ShimUnreachable                 no answer; `sent` tells whether the request may have arrived
    ├── QueryOutcomeUnknown             a change may or may not have run
    ├── ResultLost                      the query ran, its result is gone
    ├── ResultTooLarge                  the result is over `max_result_bytes`
    ├── SlotsExhausted                  no slot came free in time
    ├── SessionClosed                   the process is ending, or the server is gone for good
    ├── UploadError                     the data cannot be sent as asked
    ├── WireError                       bytes or a schema that do not follow SciDB's formats
    ├── SettingError                    a setting that does not exist or does not fit
    ├── LiteralError                    a Python value that has no literal in AFL
    ├── MagicUsageError                 a magic's line that cannot be understood
    ├── BindingError                    a {{ python expression }} that gives no AFL
    └── EngineError                     the embedded engine's own, answered as SciDB's error text

    KeyboardInterrupt
    └── QueryInterrupted                the user interrupted a query, and it was cancelled on the server

Messages are one short sentence that says what was wrong and what to do.
No message ever holds a password, a session id or a path of the server.
"""

from __future__ import annotations

from typing import Any


class ScidbMagicError(Exception):
    """Base of every exception that scidb_magic raises on purpose; pickled and copied as it is.

    Attributes
    ----------
    code, query_id : str or None
        SciDB's long code and query id, where SciDB said them.
    description : str
        What happened, in one sentence: SciDB's own where there is one.
    position : int or None
        Offset in the statement, in characters, of what is wrong.
    ran : bool or None
        Whether the statement has changed anything that it should: False, it surely did not run or was
        rolled back; True, it ran; None, nobody knows, or there was no statement.
    """

    code: str | None = None
    position: int | None = None
    query_id: str | None = None
    ran: bool | None = None

    @property
    def description(self) -> str:
        """What happened, in one sentence: SciDB's own where there is one."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in vars(self).items() if not callable(value)}
        return rebuilt, (type(self), self.args), state


def rebuilt(kind: type[ScidbMagicError], args: tuple[Any, ...]) -> ScidbMagicError:
    """An error without its constructor, for pickle: the rest of its state follows."""
    error = kind.__new__(kind)
    error.args = args
    return error


class ShimError(ScidbMagicError):
    """Shim answered with a status other than 200.

    Parameters
    ----------
    message : str
        One sentence for the user.
    status : int
        HTTP status.
    body : str
        Shim's whole text, with the server's paths taken out.
    """

    status: int = 0

    def __init__(self, message: str, *, status: int | None = None, body: str = "") -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        self.body = body


class BadRequest(ShimError):
    """400: an argument is missing, or an upload is empty."""

    status = 400
    ran = False


class AuthenticationFailed(ShimError):
    """401: SciDB, or the web server in front of it, refused user or password.

    Parameters
    ----------
    refused_by : str
        ``"scidb"`` (`user` and `password`), ``"web server"`` (`http_auth`, digest or basic) or ``"tls"``.
    """

    status = 401
    ran = False

    def __init__(
        self, message: str, *, status: int | None = None, body: str = "", refused_by: str = "scidb"
    ) -> None:
        super().__init__(message, status=status, body=body)
        self.refused_by = refused_by


class SessionNotFound(ShimError):
    """404: the session is gone (released, reaped, or shim was restarted)."""

    status = 404


class QueryError(ShimError):
    """406: SciDB refused the query, or it failed and was rolled back.

    Parameters
    ----------
    code : str
        SciDB's long code, such as ``"SCIDB_LE_ARRAY_DOESNT_EXIST"``.
    description : str
        SciDB's sentence, without the server's paths.
    position : int, optional
        Offset (in characters, from 0) into `statement` of the token that SciDB points at.
    query_id : str, optional
        SciDB's id of the failed query, such as ``"0.1795379453"``.
    length : int
        Length of the token in characters.
    statement : str
        The statement as the user wrote it; the caret stands under this text.
    short_code : str
        SciDB's short code, such as ``"SCIDB_SE_QPROC"``.
    body : str
        The server's whole text, with its paths taken out.
    """

    status = 406
    ran = False

    def __init__(
        self,
        code: str,
        description: str,
        position: int | None = None,
        query_id: str | None = None,
        *,
        length: int = 1,
        statement: str = "",
        short_code: str = "",
        body: str = "",
    ) -> None:
        super().__init__(description, body=body)
        self.code: str = code
        self.position = position
        self.query_id = query_id
        self.length = length
        self.statement = statement
        self.short_code = short_code


class NoQuery(ShimError):
    """409: the session has no query that could be cancelled."""

    status = 409


class NotSaved(ShimError):
    """410: no output of this session was saved."""

    status = 410


class OutOfRange(ShimError):
    """416: past the end of the output, or saved in the other kind of format."""

    status = 416


class ServerFailure(ShimError):
    """500: shim failed, and has released the session."""

    status = 500


class GatewayFailure(ShimError):
    """502: shim lost SciDB, and has released the session."""

    status = 502


class OutOfResources(ShimError):
    """503: every slot is taken and none is old enough to be reaped."""

    status = 503
    ran = False


class NotShim(ShimError):
    """The answer is not one that shim gives: another server listens at this URL."""


class RequestTooLong(ScidbMagicError):
    """The encoded URL would be over shim's limit of 262,144 bytes. Nothing was sent."""

    ran = False


class ShimUnreachable(ScidbMagicError):
    """No answer came from the server.

    Parameters
    ----------
    message : str
        One sentence for the user.
    reason : str
        One of ``"refused"``, ``"dns"``, ``"tls"``, ``"timeout"`` (of the connect),
        ``"reset"`` (before the answer), ``"half"`` (an answer broken off), ``"slow"`` (no answer within
        the time given).
    sent : bool
        Whether the request may have reached the server.
    """

    def __init__(self, message: str, *, reason: str = "refused", sent: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.sent = sent


class CertificateNotTrusted(AuthenticationFailed, ShimUnreachable):
    """No TLS connection: the certificate is not trusted, or the server speaks no TLS. Nothing was sent."""

    status = 0

    def __init__(self, message: str) -> None:
        ShimError.__init__(self, message)
        self.refused_by = "tls"
        self.reason = "tls"
        self.sent = False


class QueryOutcomeUnknown(ScidbMagicError):
    """The connection broke while a change was on its way: it may or may not have run."""

    def __init__(self, message: str, *, statement: str = "") -> None:
        super().__init__(message)
        self.statement = statement


class ResultLost(ScidbMagicError):
    """The query ran, but its result is gone and running it again is not safe."""

    ran = True


class ResultTooLarge(ScidbMagicError):
    """The result is over `max_result_bytes`; not more than that was downloaded, and nothing is kept."""

    ran = True

    def __init__(self, message: str, *, size: int = 0, limit: int = 0) -> None:
        super().__init__(message)
        self.size = size
        self.limit = limit


class SlotsExhausted(ScidbMagicError):
    """The server has no free slot, and none came free within `slot_wait` seconds."""

    ran = False


class SessionClosed(ScidbMagicError):
    """The session is closed, or is given up by now, and takes no new query."""

    ran: bool | None = False


class UploadError(ScidbMagicError):
    """The data cannot be sent as asked; the message names column and value."""

    ran = False


class WireError(ScidbMagicError, ValueError):
    """Bytes or a schema that do not follow SciDB's formats."""


class SettingError(ScidbMagicError, ValueError):
    """A setting that does not exist, or a value that does not fit it."""


class MagicUsageError(ScidbMagicError):
    """The line of a magic cannot be understood; nothing was sent."""

    ran = False


class LiteralError(ScidbMagicError, ValueError):
    """A Python value that has no literal in AFL, or a text that is not a name."""

    ran = False


class BindingError(ScidbMagicError):
    """A ``{{ python expression }}`` that does not end, fails, or has no literal in AFL; nothing was sent.

    Parameters
    ----------
    message : str
        One sentence for the user.
    position, length : int
        Of the ``{{ … }}`` in the cell, in characters.
    """

    ran = False

    def __init__(self, message: str, position: int, length: int = 1) -> None:
        super().__init__(message)
        self.position: int = position
        self.length = length


class EngineError(ScidbMagicError):
    """A statement that the embedded engine refuses, in SciDB's words and codes.

    Parameters
    ----------
    short : str
        Short code without prefix, such as ``"QPROC"``.
    long : str
        Long code without prefix, such as ``"ARRAY_DOESNT_EXIST"``.
    description : str
        The sentence after the kind of error, such as ``"Array 'public.A' does not exist."``.
    span : tuple of int, optional
        Start and end offsets in the statement; SciDB's ``UserQueryException`` has one.
    system : bool
        SciDB's ``SystemException`` instead of ``UserException``.

    Attributes
    ----------
    query_id : str, optional
        Id of the query that failed while it ran, such as ``"0.1795379453"``; None before that.
    statement : str, optional
        The text that `span` is about, where that is not the statement itself (``show('…')``).
    """

    query_id: str | None = None
    statement: str | None = None

    def __init__(
        self,
        short: str,
        long: str,
        description: str,
        span: tuple[int, int] | None = None,
        *,
        system: bool = False,
    ) -> None:
        super().__init__(description)
        self.short = short
        self.long = long
        self.span = span
        self.system = system


class QueryInterrupted(KeyboardInterrupt):
    """The user interrupted a query; the message says what became of it on the server.

    The session stays usable, or another one is taken at the next query. This is not a `ScidbMagicError`, so
    that ``except Exception`` in a loop over queries does not swallow it.
    `ran` is as there.
    """

    def __init__(self, message: str = "", *, ran: bool | None = None) -> None:
        super().__init__(message)
        self.ran = ran
