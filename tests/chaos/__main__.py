"""Plays random conversations (play.py) from the command line, or one long conversation (soak.py)."""

from __future__ import annotations

import argparse
import os
import sys

from tests.chaos.dice import scenario
from tests.chaos.play import search
from tests.chaos.soak import soak


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, metavar="N")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="S")
    parser.add_argument("--one", type=int, metavar="S", help="this seed alone")
    parser.add_argument("--soak", type=float, metavar="HOURS", help="one long conversation instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-v", "--verbose", action="store_true", help="show all that happened")
    options = parser.parse_args()
    if options.soak:
        result = soak(options.soak, outage_h=options.soak / 8)
        sys.stdout.write(f"{result}\n")
        return 0 if result.code == 0 and not result.lost_ms and not result.dropped_ms else 1
    seeds = range(options.first, options.first + options.seeds)
    if options.one is not None:
        seeds = range(options.one, options.one + 1)
    bad, slowest, total = 0, (0.0, 0), 0.0
    out = sys.stdout.write
    for seed, wrong, trace, seconds in search(seeds, 1 if len(seeds) == 1 else options.jobs):
        slowest, total = max(slowest, (seconds, seed)), total + seconds
        bad += bool(wrong)
        if wrong or options.verbose:
            out("\n".join((f"--- seed {seed}", str(scenario(seed)), *(trace if options.verbose else ()), "")))
            out("".join(f"seed {seed}: {line}\n" for line in wrong))
            sys.stdout.flush()
    out(f"{len(seeds)} seeds, {bad} bad; {total / len(seeds):.2f} s each, slowest {slowest[1]}: {slowest[0]:.1f} s\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
