"""P7: single POSTs by 16 clients at once, against the same web application without the log.

Both keep their receipts in PostgreSQL; both processes run all the time and are asked in turn.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from benchmarks.client import KEYS, Client
from benchmarks.deployed import ndjson
from benchmarks.engines import Engines
from benchmarks.notes import raw_notes
from benchmarks.pairs import Measured, Scale, interleaved
from services.runtime.access import key_file
from services.runtime.access.first import make_key
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.pipeline.deployments import free_port

GOAL = 0.50
CLIENTS = 16
START_SECONDS = 60.0


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: the ratio of the rates, in notes a second."""
    number = scale.of(800, 4_000)
    with (
        served(engines, ["-c", "from services.cli import main; main()", "run", "ingest"]) as ours,
        served(engines, ["-m", "benchmarks.without_log"]) as peer,
    ):
        pairs = interleaved(
            scale.pairs,
            lambda at: asyncio.run(posted(ours, bodies(number, at))),
            lambda at: asyncio.run(posted(peer, bodies(number, at))),
        )
    return [
        Measured("P7", "ingest POST, 16 clients ÷ without the log", pairs.ratio, GOAL,
                 figures=pairs.figures("notes_per_s", "without_log") | {"notes": number})
    ]  # fmt: skip


def bodies(number: int, at: int) -> list[bytes]:
    """Notes of their own for each pair: a note that is there already costs less."""
    return ndjson(list(raw_notes(number, seed=7, prefix=f"P7-{at}"))).splitlines()


async def posted(url: str, waiting: Sequence[bytes]) -> float:
    """Notes per second, sixteen connections taking one note after the other."""
    left = iter(waiting)

    async def client() -> None:
        async with Client(url) as connection:
            for body in left:
                status, _, answer = await connection.ask("/api/v1/notes", body)
                if status != 202:
                    raise RuntimeError(f"{status}: {answer[:300]!r}")

    before = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return len(waiting) / (time.perf_counter() - before)


@contextmanager
def served(engines: Engines, command: Sequence[str]) -> Iterator[str]:
    """That Python command as a process on an empty registry and new topics; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = engines.settings()
    KEYS[url] = administrators_key(settings)
    process = subprocess.Popen(
        [sys.executable, *command, "--port", str(port)],
        env=os.environ | environment(settings),
    )
    try:
        end = time.monotonic() + START_SECONDS
        while not _ready(url):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command} did not start")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def administrators_key(settings: Settings) -> str:
    """The first key of the registry of these settings, which is made here."""
    registry = Registry(settings.registry_url)
    registry.migrate()
    make_key(registry, settings.data / key_file.NAME)
    registry.close()
    return key_file.read_key(settings.data / key_file.NAME) or ""


def environment(settings: Settings) -> dict[str, str]:
    """These settings as a process gets them."""
    return {
        f"VALISE_{name.upper()}": str(value)
        for name, value in settings.model_dump(exclude_unset=True).items()
        if value is not None
    }


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
