"""`valise serve` as a real process on a folder of its own."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.client import KEYS, Client
from benchmarks.deployed import LOOK_SECONDS, PATIENCE_SECONDS, submit
from tests.pipeline.deployments import Embedded


class Serving:
    """The server, and how many notes it has been given."""

    def __init__(self, folder: Path) -> None:
        self.deployment = Embedded(folder)
        self.given = 0

    @property
    def url(self) -> str:
        """Its address."""
        return self.deployment.ingest

    def start(self) -> float:
        """Start it; seconds until it is ready."""
        before = time.perf_counter()
        self.deployment.start()
        KEYS[self.url] = self.deployment.key
        return time.perf_counter() - before

    async def take(self, raw: Sequence[dict[str, Any]]) -> float:
        """Submit these notes; seconds until a search finds them all."""
        before = time.perf_counter()
        self.given += len(raw)
        await submit(self.url, raw)
        await self.shows_all()
        return time.perf_counter() - before

    async def shows_all(self) -> None:
        """Returns once every note that was given is found."""
        end = time.perf_counter() + PATIENCE_SECONDS
        async with Client(self.url) as client:
            while time.perf_counter() < end:
                _, _, answer = await client.ask("/api/v1/search?size=1")
                if json.loads(answer)["total"] >= self.given:
                    return
                await asyncio.sleep(LOOK_SECONDS)
        raise RuntimeError(f"fewer than {self.given} notes found")


@contextmanager
def embedded(folder: Path) -> Iterator[Serving]:
    """Started, and ended whatever happens."""
    serving = Serving(folder)
    try:
        serving.start()
        yield serving
    finally:
        serving.deployment.end()
