"""`python -m benchmarks run p1 p5 … [--full]`: measures rows of docs/benchmarks.md.

Without rows: all of them. Engines are its own, started in a temporary folder and ended again,
unless VALISE_BENCH_KAFKA, VALISE_BENCH_ELASTICSEARCH and VALISE_BENCH_DATABASE name some.
"""

import argparse
import logging
import os
import signal
import sys
import time
import traceback
from importlib import import_module

from benchmarks.engines import Engines
from benchmarks.pairs import Scale
from benchmarks.results import keep, show

ROWS = ("p1", "p2", "p3", "p5", "p6", "p7", "p8", "p9", "p11", "p12", "p13", "p14", "p15", "p16")


def main() -> int:
    """Exit code 0 when every row was measured, whether or not it met its goal."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("run", choices=["run"])
    parser.add_argument("rows", nargs="*", metavar="row", help=", ".join(ROWS))
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--full", action="store_true", help="the long form")
    form.add_argument("--try", action="store_true", dest="trying", help="only whether rows run")
    given = parser.parse_args()
    rows = [row.lower() for row in given.rows] or list(ROWS)
    if unknown := set(rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    logging.basicConfig(level=logging.ERROR)
    failed = []
    # Ended from outside, a run still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Engines() as engines:
        for row in rows:
            measure = import_module(f"benchmarks.p{int(row[1:]):02}").measure
            before, load = time.perf_counter(), os.getloadavg()[0]
            try:
                found = measure(Scale(given.full, given.trying), engines)
            except Exception:
                traceback.print_exc()
                failed.append(row)
                continue
            loads = load, os.getloadavg()[0]
            seconds = time.perf_counter() - before
            for one in found:
                show(one, load=loads, seconds=seconds)
                if not given.trying:
                    form_name = "full" if given.full else "short"
                    keep(one, form=form_name, load=loads, seconds=seconds)
    if failed:
        print("not measured:", ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
