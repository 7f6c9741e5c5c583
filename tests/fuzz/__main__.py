"""``python -m tests.fuzz queries|requests --seed 7 --count 1000``: shoot, then say what was found.

``--workers 1`` with the seed of one worker runs that worker alone, as ``seed 7023 query 12`` asks for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from .shooting import queries, requests, shoot
from .target import Target

WORKERS = {"queries": queries, "requests": requests}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("what", choices=sorted(WORKERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8)
    options = parser.parse_args()
    begin = time.monotonic()
    with Target() as target:
        before = target.usage()
        report = shoot(
            target, WORKERS[options.what], seed=options.seed, count=options.count, workers=options.workers
        )
        print(report.summary())
        print(json.dumps(report.codes.most_common()))
        damage = target.damage()
        print(f"before {before}\nafter {target.usage()}\ndamage:", *damage, sep="\n")
    took = time.monotonic() - begin
    print(f"{took:.0f} s, slowest query {report.slowest:.1f} s, {len(report.findings)} findings")
    return bool(report.findings or damage)


sys.exit(main())
