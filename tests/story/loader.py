"""The user's program: many small files, one after the other, eight workers a file.

Run as a script, because children that are spawned import it again. Each worker connects for every file,
as one does who does not think of sessions::

    python loader.py --url URL --folder DIR --how fork|spawn|threads --client shared|block|scidbpy

Prints ``loaded`` when the last file is in and the workers are gone, or what went wrong; then waits for the
end of its input, so that it can be looked at what it still holds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pandas as pd

import scidb_magic

Task = tuple[str, str, str, int, int]


def shared(url: str, part: pd.DataFrame, name: str) -> None:
    """With the process's one session; nobody gives it back."""
    scidb_magic.connect(url).upload(part, name)


def block(url: str, part: pd.DataFrame, name: str) -> None:
    """With a session for this file alone, given back behind it."""
    with scidb_magic.connect(url) as session:
        session.upload(part, name)


KEPT: list[Any] = []


def scidbpy(url: str, part: pd.DataFrame, name: str) -> None:
    """With SciDB-Py alone: what it made lives on, as in a traceback, a thread or a cycle."""
    import scidbpy

    db = scidbpy.connect(url)
    KEPT.append(db)
    data = part.to_records(index=False)
    db.iquery(f"store(input({{sch}}, '{{fn}}', 0, '{{fmt}}'), {name})", upload_data=data)


CLIENTS: dict[str, Callable[[str, pd.DataFrame, str], None]] = {
    "shared": shared,
    "block": block,
    "scidbpy": scidbpy,
}


def load(task: Task) -> str:
    """Load one worker's part of one file; its array's name."""
    client, url, path, number, workers = task
    part = pd.read_csv(path).iloc[number::workers].reset_index(drop=True)
    name = f"{Path(path).stem}_{number}"
    CLIENTS[client](url, part, name)
    return name


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--how", choices=("fork", "spawn", "threads"), required=True)
    parser.add_argument("--client", choices=tuple(CLIENTS), required=True)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--first", action="store_true", help="the main process takes a slot too")
    parser.add_argument("--join", action="store_true", help="close and join the pool")
    arguments = parser.parse_args()
    if arguments.first:
        scidb_magic.connect(arguments.url).fetch("build(<x:int64>[i=0:0], 0)")
    context = multiprocessing.get_context(None if arguments.how == "threads" else arguments.how)
    pool = ThreadPool(arguments.workers) if arguments.how == "threads" else context.Pool(arguments.workers)
    with pool:
        try:
            for path in sorted(arguments.folder.glob("*.csv")):
                tasks = [
                    (arguments.client, arguments.url, str(path), number, arguments.workers)
                    for number in range(arguments.workers)
                ]
                pool.map(load, tasks, chunksize=1)
        except Exception as error:
            # The workers live on, with all that they hold.
            print(f"failed at {path.stem}: {type(error).__name__}: {error}", flush=True)
            sys.stdin.read()
            raise
        if arguments.join:
            pool.close()
            pool.join()
    print("loaded", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
