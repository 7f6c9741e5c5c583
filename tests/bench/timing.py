"""Times and tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence


def best(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the fastest round: another process on the machine disturbs it least."""
    return alternating([work], rounds)[0]


def alternating(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The same for several, one after the other in each round, so that a slow minute is slow for all."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown; the first column is a name, the others are numbers."""
    print(f"\n{title}\n\n| {' | '.join(heads)} |")
    print(f"|---|{'---:|' * (len(heads) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
