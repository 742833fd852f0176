"""Where the contract of the log is tested: a SQLite file, or topics of their own on Kafka."""

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import SUBMITTED, SUBMITTED_DEAD, Topic
from services.runtime.log import Log

REPOSITORY = Path(__file__).parents[2]

WITHIN = 60.0
"""Bound of every wait: many times what any of them takes, so that a slow machine passes too."""

TOPIC = SUBMITTED.name


def open_log(spec: dict[str, Any]) -> Log:
    """The log at a place that may be told to another process as JSON."""
    if "sqlite" in spec:
        from services.runtime.log.sqlite import SqliteLog

        return SqliteLog(Path(spec["sqlite"]))
    from services.runtime.log.kafka import KafkaLog
    from services.runtime.settings import Settings

    return KafkaLog(Settings.model_validate(spec))


class Place:
    """One place, and the members (each a log of its own, as in another process) opened there."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.members: list[Log] = []
        self.processes: list[asyncio.subprocess.Process] = []

    @property
    def embedded(self) -> bool:
        return "sqlite" in self.spec

    def member(self) -> Log:
        log = open_log(self.spec)
        self.members.append(log)
        return log

    async def provisioned(self, *topics: Topic) -> Log:
        log = self.member()
        await log.provision(topics or (SUBMITTED, SUBMITTED_DEAD))
        return log

    async def process(self, does: str) -> asyncio.subprocess.Process:
        """Another process at this place (see log_member), whose output can be read by lines."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.contract.log_member",
            json.dumps(self.spec),
            does,
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    async def close(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()
        for member in self.members:
            await member.stop()


def sqlite_place(folder: Path) -> Place:
    return Place({"sqlite": str(folder / "log.sqlite3")})


def kafka_place(servers: str) -> Place:
    return Place(
        {
            "kafka": servers,
            "topic_prefix": f"test-{uuid.uuid4().hex[:12]}.",
            "partitions": 3,
            "session_timeout_ms": 6_000,
        }
    )


def kafka_servers() -> str:
    servers = os.environ.get("VALISE_TEST_KAFKA")
    if not servers:
        pytest.skip("VALISE_TEST_KAFKA is not set: run the live tests with make test-live")
    return servers


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Place]:
    """A place of the kind that a parametrised test names; skips where no Kafka runs."""
    place = sqlite_place(folder) if kind == "sqlite" else kafka_place(kafka_servers())
    try:
        yield place
    finally:
        await place.close()


PLACES = ["sqlite", pytest.param("kafka", marks=pytest.mark.live)]


@asynccontextmanager
async def running(log: Log) -> Any:
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


async def eventually(check: Callable[[], Awaitable[Any] | Any], within: float = WITHIN) -> Any:
    """Wait until `check` is true; returns what it found."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)
