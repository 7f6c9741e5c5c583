"""A session that we hold: its id, what proves it ours, and who frees its slot if we cannot.

The guardian, a process of its own, learns of every use by a line through a pipe. The ledger's file, for
people and for ``%scidb release --orphans``, is written at the beginning and then now and then (`record`).
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from scidb_magic.errors import QueryError, ScidbMagicError
from scidb_magic.session import ending, holder, proof
from scidb_magic.session.guard import Charge, Guard
from scidb_magic.session.ledger import Entry, Ledger
from scidb_magic.session.proof import TRUSTED, Proof, Stamp
from scidb_magic.session.recovery import Fate, Phase, decide
from scidb_magic.shim.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from scidb_magic.shim.client import ShimClient

log = logging.getLogger("scidb_magic")

PUBLIC = "public"
"""The namespace of a new session."""

UNKNOWN = ""
"""In force is the one before or the one that was to be set."""


class Held:
    """One session, from `new_session` to its release.

    Parameters
    ----------
    client : ShimClient
    sid : str
    guard : Guard, optional
        Already started; None where the slot needs no guardian.

    Attributes
    ----------
    running : bool
        Whether a statement uses it now.
    doubted : bool
        Whether something has happened since that could be a restart of the server.
    used : Stamp
        When the server last answered for it.
    proof : Proof or None
        Of its last saved output; None where that is not known (any more).
    namespace : str
        That is in force on its connection to SciDB.
    """

    def __init__(self, client: ShimClient, sid: str, guard: Guard | None) -> None:
        self.client = client
        self.sid = Secret(sid)
        self.running = self.doubted = False
        self.used = Stamp.now()
        self.proof: Proof | None = None
        self.namespace = PUBLIC
        self._guard = guard
        self._access = client.access()
        self._ledger = Ledger()
        self._file: Path | None = None
        self._recorded = 0.0
        self._proof_tried = False
        self._taken = time.time()
        self._started = holder.process_start(os.getpid())
        self.record()
        self._tell()

    @property
    def trusted(self) -> bool:
        """Whether it was used so lately that its id can be nobody else's."""
        return not self.doubted and (self.running or self.used.age <= TRUSTED)

    @property
    def recorded(self) -> bool:
        """Whether the ledger knows of its last use."""
        return self._recorded >= self.used.wall

    @property
    def unproved(self) -> bool:
        """Whether it has no proof, and none was asked for since its last use."""
        return self.proof is None and not self._proof_tried

    def begin(self) -> None:
        """A statement is about to use it."""
        self.running = True
        self._proof_tried = False
        self._tell()

    def finish(self) -> None:
        """The statement has ended."""
        self.running = False
        self._tell()

    def heard(self) -> None:
        """The server has answered for it."""
        self.used = Stamp.now()

    def record(self) -> None:
        """Write the ledger's file."""
        self._recorded = self.used.wall
        written = self._ledger.write(
            Entry(
                url=self._access.url,
                sid=self.sid,
                host=holder.host(),
                pid=os.getpid(),
                started=self._started,
                kernel=holder.kernel_id(),
                notebook=holder.notebook_name(),
                taken=self._taken,
                used=self.used.wall,
                lines=self.proof.lines if self.proof else None,
                etag=self.proof.etag if self.proof else None,
                file=self._file,
            )
        )
        self._file = written or self._file

    def doubt(self) -> None:
        """It has to be proved ours before it is used again."""
        self.doubted = True
        self._tell()

    def get_proof(self) -> Fate:
        """Have the server answer what will prove the session ours later on; for one that surely is.

        The answer is what becomes of it.
        """
        self._proof_tried = True
        try:
            self.proof = proof.make(self.client, self.sid)
        except QueryError as error:
            log.debug("%s at a proof", error.code)
        except ScidbMagicError as error:
            return decide(Phase.PROVE, error).fate
        self.record()
        self._tell()
        return Fate.KEEP

    def is_ours(self) -> None:
        """It was proved."""
        self.doubted = False
        self.heard()

    def end(self, *, running: bool, seconds: float) -> Fate | None:
        """Release it, see `ending.end`."""
        doubted = not self.trusted
        return ending.end(
            self.client, self.sid, self.proof, running=running, seconds=seconds, doubted=doubted
        )

    def let_go(self) -> None:
        """It is free, or nobody's to free: the guardian may go, the ledger forgets it."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.dismiss()
        if self._file is not None:
            self._ledger.remove(self._file)

    def forget(self) -> None:
        """In a forked child: it is the parent's."""
        if self._guard is not None:
            self._guard.forget()

    def _tell(self) -> None:
        guard, known = self._guard, self.proof
        if guard is None:  # another thread may let it go at any moment
            return
        guard.tell(
            Charge(
                url=self._access.url,
                sid=self.sid,
                http_user=self._access.http_user,
                http_password=self._access.http_password,
                verify=self._access.verify,
                ca=self._access.ca,
                running=self.running,
                used=0.0 if self.doubted else self.used.wall,
                lines=known.lines if known else None,
                etag=known.etag if known else None,
                file=str(self._file) if self._file else None,
                digest=self._access.digest,
            )
        )
