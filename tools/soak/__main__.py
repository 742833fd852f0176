"""Runs the faults one after the other on engines of its own and keeps the table in docs/soak.md.

`--short` shortens the outages of minutes, `--only` picks rows (the others keep what they showed at
their own date). Exit code 1 where a promise was not kept.
"""

import argparse
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tools.soak import faults, lives, rebuilt
from tools.soak.faults import Course, Seen, engines
from tools.soak.table import written

SHORT_SECONDS = 30.0

ROWS: dict[str, Callable[[Course], Seen]] = {
    "kills": faults.kill_services,
    "broker-10": partial(faults.broker_stopped, seconds=10.0),
    "broker-60": partial(faults.broker_stopped, seconds=60.0),
    "broker-killed": faults.broker_killed,
    "broker-frozen": faults.broker_frozen,
    "elasticsearch": faults.elasticsearch_down,
    "postgresql": faults.postgresql_down,
    "bulks": faults.refused_bulks,
    "rebalance": faults.rebalance,
    "embedded": faults.kill_embedded,
    "rebuild": rebuilt.rebuild,
    "lives-parts": lives.on_the_parts,
    "lives-embedded": lives.on_embedded,
    "lives-distributed": lives.on_distributed,
}


def main() -> int:
    """Run the rows that were asked for; 1 where one of them was not as promised."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--short", action="store_true", help="outages of 30 s instead of 300 s")
    parser.add_argument("--only", help=f"some of {','.join(ROWS)}, with commas between")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--notes", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rebuilt", type=int, default=20_000, help="notes of the rebuild")
    parser.add_argument("--lives", type=int, default=20, help="of notes, on each deployment")
    parser.add_argument("--dir", type=Path, help="engines that run already, in this folder")
    given = parser.parse_args()
    chosen = given.only.split(",") if given.only else list(ROWS)
    if unknown := set(chosen) - ROWS.keys():
        parser.error(f"unknown rows: {', '.join(sorted(unknown))}")
    # Ended from outside, it still ends the services and engines that it started.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    well = True
    with ExitStack() as stack:
        directory = given.dir or own_engines(stack)
        course = Course(
            seed=given.seed,
            directory=directory,
            addresses=engines.start(directory),
            notes=given.notes,
            kills=given.kills,
            rebuilt=given.rebuilt,
            lives=given.lives,
            **({"long_outage": SHORT_SECONDS} if given.short else {}),
        )
        for name in chosen:
            print(f"{name}: seed {course.seed}", flush=True)
            begun = time.monotonic()
            try:
                seen = ROWS[name](course)
            except AssertionError as error:
                seen = Seen(name, "", course.seed, remarks=[f"stopped half-way: {error}"])
            well &= seen.kept
            keep(name, seen, time.monotonic() - begun)
    return 0 if well else 1


def own_engines(stack: ExitStack) -> Path:
    """A folder for engines of this run, ended and removed with it."""
    folder = stack.enter_context(
        tempfile.TemporaryDirectory(prefix="valise-soak-engines-", ignore_cleanup_errors=True)
    )
    stack.callback(engines.stop, Path(folder))
    return Path(folder)


def keep(name: str, seen: Seen, seconds: float) -> None:
    """Print a row and put it into docs/soak.json and the table of docs/soak.md."""
    row: dict[str, Any] = asdict(seen) | {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "seconds": round(seconds),
    }
    print(json.dumps(row, ensure_ascii=False), flush=True)
    data = ROOT / "docs" / "soak.json"
    rows = json.loads(data.read_text(encoding="utf-8")) if data.exists() else {}
    rows[name] = row
    ordered = {each: rows[each] for each in ROWS if each in rows}
    data.write_text(json.dumps(ordered, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    page = ROOT / "docs" / "soak.md"
    page.write_text(
        written(page.read_text(encoding="utf-8"), list(ordered.values())), encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(main())
