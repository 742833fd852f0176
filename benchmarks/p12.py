"""P12: memory of each service while notes stream through: how much it grows, once it is warm."""

import asyncio

from benchmarks.deployed import resident_mb, searchable, services, submit
from benchmarks.engines import Engines
from benchmarks.notes import raw_notes
from benchmarks.pairs import Measured, Scale

GOAL_PERCENT = 5.0
STEPS = 10
WARM = 4
"""Steps before the memory counts as flat: caches of words fill with the first notes."""


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result per service: growth over the last six tenths of the notes, in percent."""
    step = scale.of(300, 10_000)
    seen: dict[str, list[float]] = {}
    with services(engines) as running:
        for at in range(STEPS):
            raw = list(raw_notes(step, seed=12, prefix=f"P12-{at}"))
            asyncio.run(submit(running.ingest, raw))
            asyncio.run(searchable(engines, running, step * (at + 1)))
            for name, service in running.services.items():
                seen.setdefault(name, []).append(round(resident_mb(service.pid), 1))
    return [
        Measured("P12", f"memory of {name}, growth from note {step * WARM} to {step * STEPS}",
                 (mb[-1] / mb[WARM - 1] - 1) * 100, GOAL_PERCENT, better="lower", unit="%",
                 figures={"mb": mb, "notes": step * STEPS})
        for name, mb in seen.items()
    ]  # fmt: skip
