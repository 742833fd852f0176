"""`valise serve`: all services on one machine, on engines that need no set-up.

One process answers HTTP and indexes; classify runs in a child process, so that searching stays
quick while notes stream in. The data folder holds the log, the registry and the index; the index
can always be rebuilt from the log.
"""

import asyncio
import fcntl
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fastapi import FastAPI

from schemas.topics import ALL
from services.ingest import app as ingest
from services.runtime import problems, web
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.health import health_router
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry, aside
from services.runtime.settings import Settings
from services.search import app as search
from services.search.index.embedded import TantivyIndex

logger = logging.getLogger("valise.embedded")

CHILD_EXIT_SECONDS = 8.0
COMPACT_SECONDS = 24 * 3600.0
RESTART_SECONDS = 1.0
"""Between the end of a classify process that failed and the start of the next."""


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until a signal. Raises Misconfigured where the data folder cannot be used."""
    with only_process(settings.data):
        web.serve(create(settings), listener)


class only_process:  # noqa: N801  (a context manager, used as a word)
    """Holds the data folder for this process; raises Misconfigured where another one does."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        try:
            self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = (self._data / "lock").open("w")
        except OSError as error:
            raise Misconfigured(f"dossier de données inutilisable : {error}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise Misconfigured(
                f"le dossier de données {self._data} est déjà utilisé par un autre processus"
            ) from None

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def create(settings: Settings) -> FastAPI:
    """The application of the embedded deployment, its engines opened in its lifespan."""
    log = SqliteLog(settings.data / "log.sqlite3")
    registry = Registry(settings.registry_url)
    index = TantivyIndex(settings.data / "index")
    classifier = ClassifyProcess(settings)
    ingesting = ingest.Ingest(registry, log, settings)
    workers = search.workers(log, index, registry, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(registry.migrate)
        await log.provision(ALL)
        await index.start()
        for worker in workers:
            worker.subscribe()
        await log.start()
        try:
            async with classifier, ingesting, background(compact_daily(log)):
                yield
        finally:
            await log.stop()
            await index.stop()
            await asyncio.to_thread(registry.close)

    app = FastAPI(title="Valise", lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.install(app)
    for router in (
        health_router(
            live={
                **{
                    topic.name: worker.health
                    for topic, worker in zip(search.READS, workers, strict=True)
                },
                "classify": classifier.health,
                "relay": ingesting.health,
            },
            ready={
                "log": log.ready,
                "index": index.ready,
                "registry": lambda: aside(registry.ready),
            },
        ),
        *ingest.routers(ingesting, settings),
        *search.routers(index, registry, settings),
    ):
        app.include_router(router)
    search.install_pages(app)
    return app


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `work` beside the block and cancels it at the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def compact_daily(log: SqliteLog) -> None:
    """Drops superseded events from the log once a day, as Kafka's cleaner does by itself."""
    while True:
        await asyncio.sleep(COMPACT_SECONDS)
        for topic in ALL:
            try:
                dropped = await log.compact(topic.name)
            except Unavailable as error:
                logger.warning("%s not compacted: %s", topic.name, error.reason)
            else:
                logger.info("%s compacted: %d records dropped", topic.name, dropped)


class ClassifyProcess:
    """The classify child: started, started again when it ends by itself, ended with us.

    Its standard input is a pipe from this process: should this process be killed, the child reads
    the end of the pipe and exits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._start()
        self._task = asyncio.create_task(self._keep_alive(), name="classify process")

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._process is not None:
            await asyncio.to_thread(_end, self._process)

    async def health(self) -> str | None:
        """None while the child runs, else why it does not."""
        if self._process is None:
            return "the classify process has not been started"
        code = self._process.poll()
        return None if code is None else f"the classify process ended with code {code}"

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.classify.child"],
            stdin=subprocess.PIPE,
            env={**os.environ, "VALISE_DATA": str(self._settings.data.resolve())},
        )
        logger.info("classify process %d started", self._process.pid)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            if self._process is not None and self._process.poll() is not None:
                logger.error("classify process ended (%d): starting it again", self._process.poll())
                self._start()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(CHILD_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
