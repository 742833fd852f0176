"""The three services as real processes on the engines of the run, and what is seen of them."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from elasticsearch import AsyncElasticsearch, Elasticsearch, NotFoundError

from benchmarks.client import KEYS, shown
from benchmarks.engines import Engines
from tests.pipeline.deployments import Distributed

PATIENCE_SECONDS = 900.0
LOOK_SECONDS = 0.1
"""Between two looks at how many notes are searchable."""


@contextmanager
def services(engines: Engines) -> Iterator[Distributed]:
    """Ingest, classify and search, started and ready, on topics and an index of their own."""
    deployment = Distributed(engines.folder(), f"b{uuid4().hex[:10]}", engines.addresses)
    try:
        deployment.start()
        for service in deployment.services.values():
            service.wait_ready()
            KEYS[service.url] = deployment.key
        yield deployment
    finally:
        deployment.end()
        with (
            Elasticsearch(engines.addresses["VALISE_ELASTICSEARCH"]) as client,
            suppress(NotFoundError),  # the search service may never have come that far
        ):
            for name in client.indices.get_alias(name=index_of(deployment)):
                client.indices.delete(index=name)


def index_of(deployment: Distributed) -> str:
    """The alias under which the notes are searched."""
    return str(deployment.env["VALISE_INDEX"])


def ndjson(raw: Sequence[dict[str, Any]]) -> bytes:
    """Notes as the lines of one submission."""
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in raw)


async def submit(url: str, raw: Sequence[dict[str, Any]]) -> None:
    """Submit them all at once; every one must be taken."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answer = await client.post(
            f"{url}/api/v1/notes",
            content=ndjson(raw),
            headers={"Content-Type": "application/x-ndjson"} | shown(url),
        )
    answer.raise_for_status()
    lines = [json.loads(line) for line in answer.text.splitlines()]
    if len(lines) != len(raw) or any("problem" in line for line in lines):
        raise RuntimeError(f"{len(lines)} answers to {len(raw)} notes: {lines[-1:]}")


async def searchable(engines: Engines, deployment: Distributed, number: int) -> float:
    """When so many notes are found by a search (time.perf_counter)."""
    end = time.perf_counter() + PATIENCE_SECONDS
    client = AsyncElasticsearch(engines.addresses["VALISE_ELASTICSEARCH"], request_timeout=60)
    async with client:
        while time.perf_counter() < end:
            found = await client.count(index=index_of(deployment))
            if found["count"] >= number:
                return time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
    raise RuntimeError(f"fewer than {number} notes searchable:\n{deployment.logs()[-4_000:]}")


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no process {pid}")
