"""Lines of fields as ``aio_input`` reads them: no quotes, no escapes, as many fields as there are.

From the tests of Paradigm4's plugin accelerated_io_tools: a line that has too few fields is ``short`` and
lacks the others; of one that has too many the rest stands behind ``long`` and a tab, as it was written.
Every field is text; nothing means null.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine.formats import fields
from scidb_magic.embedded.engine.formats.values import BINARY, Texts


def read(data: bytes, width: int, *, line_end: int, separator: int, header: int = 0) -> list[Texts]:
    """Split lines into fields.

    Parameters
    ----------
    data : bytes
    width : int
        Fields a line.
    line_end, separator : int
        Bytes.
    header : int
        Lines to pass over.

    Returns
    -------
    list of pyarrow.Array of large_binary, shape (lines,) each
        The fields, null where a line has no such one, and the errors, null where there is none.
    """
    start, stop, _, last = fields.split_plain(np.frombuffer(data, np.uint8), separator, (line_end,))
    ends = np.flatnonzero(last)
    counts = np.diff(ends, prepend=-1)
    begins = (ends - counts + 1)[header:]
    ends, counts = ends[header:], counts[header:]
    texts = []
    for k in range(width):
        present = counts > k
        place = np.where(present, begins + k, 0)
        texts.append(
            fields.take(data, np.where(present, start[place], -1), np.where(present, stop[place], -1))
            if len(start)
            else pa.array([], BINARY)
        )
    errors: list[bytes | None] = [None] * len(counts)
    for line in np.flatnonzero(counts != width).tolist():
        rest = data[start[begins[line] + width] : stop[ends[line]]] if counts[line] > width else b""
        errors[line] = b"short" if counts[line] < width else b"long\t" + rest
    return [*texts, pa.array(errors, BINARY)]
