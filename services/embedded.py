"""`valise serve`: all services on one machine, on engines that need no set-up.

One process answers HTTP and indexes; classify runs in a child process, and a reclassification in
one more, so that searching stays quick while notes stream in. The data folder holds the log, the
registry and the index; the index can always be rebuilt from the log.
"""

import asyncio
import fcntl
import logging
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from schemas.topics import ALL
from services.classify import http as classify
from services.classify import preview
from services.ingest import app as ingest
from services.ingest import preview as documents
from services.ingest.room import Room
from services.runtime import metrics, openapi, private, problems, web
from services.runtime.access import gate, key_file, keys
from services.runtime.access.first import ensure_key
from services.runtime.access.sessions import Sessions, new_ticket
from services.runtime.child import Child
from services.runtime.disk import Disk
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.guard import headers, limits
from services.runtime.health import health_router
from services.runtime.journal import Journal, install
from services.runtime.log.sqlite import SqliteLog
from services.runtime.reasons import reason
from services.runtime.registry import Registry, aside
from services.runtime.settings import Settings
from services.search import administration
from services.search import app as search
from services.search.index.embedded import TantivyIndex
from services.search.rebuild_http import Rebuilds, rebuilding
from services.search.sign_in.target import ticket_address
from services.search.superseded import withhold

logger = logging.getLogger("valise.embedded")

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""By which a browser on this machine names the service. Another name in a request's Host header is
a web page elsewhere that had its own name lead here (DNS rebinding): it gets nothing."""

SWITCH_SECONDS = 0.0005
"""How long a thread may go on while another wants to run. With Python's own 5 ms a search would
wait that long each time it gives way to a batch being indexed."""

FIRST_COMPACT_SECONDS = 300.0
COMPACT_SECONDS = 24 * 3600.0


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until a signal. Raises Misconfigured where the data folder cannot be used."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with only_process(settings.data):
        private.close_elsewhere(settings)
        web.serve(create(settings, web.address(listener)), listener, settings.proxies)


class only_process:  # noqa: N801  (a context manager, used as a word)
    """Holds the data folder for this process; raises Misconfigured where another one does."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        try:
            self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Before anything in it is opened: what others have put there is not followed.
            private.close_data(self._data)
            self._file = (self._data / "lock").open("w")
        except OSError as error:
            raise Misconfigured(
                f"dossier de données inutilisable : {self._data} : {reason(error)}"
            ) from None
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


def create(settings: Settings, address: str | None = None) -> FastAPI:
    """The application of the embedded deployment, its engines opened in its lifespan.

    With `address`, where it listens, it says at its start how to open the pages.
    """
    log = SqliteLog(settings.data / "log.sqlite3")
    registry = Registry(settings.registry_url)
    index = TantivyIndex(settings.data / "index")
    disk = Disk(settings.data, settings.disk_low_bytes)
    first_key = settings.data / key_file.NAME
    public = settings.public_url if "public_url" in settings.model_fields_set else None
    beside = {"VALISE_DATA": str(settings.data.resolve())}
    classifier = Child("services.classify.child", beside)
    runs = classify.Runs(beside)
    previews = preview.Apart()
    ingesting = ingest.Ingest(registry, log, settings)
    # A room of their own, the same turns: who previews keeps no post's document waiting.
    room = Room(settings.documents_bytes, ingesting.room.turns)
    reader = documents.documents(room, settings)
    rebuilds = Rebuilds(log, index, registry)
    journal = Journal(registry, settings.journal_days)
    workers = search.workers(log, index, registry, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(registry.migrate)
        await asyncio.to_thread(welcome, registry, first_key)
        await log.provision(ALL)
        await index.start()
        await withhold(index, registry)
        for worker in workers:
            worker.subscribe()
        await log.start()
        await classifier.start()
        try:
            async with journal, ingesting, background(compact_daily(log)), background(disk.watch()):
                if address is not None:
                    await asyncio.to_thread(invite, registry, first_key, public or address)
                yield
        finally:
            previews.stop()
            await rebuilds.stop()
            await asyncio.gather(runs.stop(), classifier.stop(), log.stop(), return_exceptions=True)
            await index.stop()
            await asyncio.to_thread(registry.close)

    app = FastAPI(title="Valise", lifespan=lifespan, openapi_url=None)
    openapi.install(app)
    problems.install(app)
    gate.install(app, gate.Gate(registry, sessions=Sessions(registry, settings)))
    install(app, journal)
    limits.install(app, settings)
    headers.install(app, settings)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=trusted_hosts(settings))
    for router in (
        health_router(
            live={
                **{
                    topic.name: worker.health
                    for topic, worker in zip(search.READS, workers, strict=True)
                },
                "classify": classifier.health,
                "relay": ingesting.health,
                "journal": journal.health,
            },
            ready={
                "log": log.ready,
                "index": index.ready,
                "registry": lambda: aside(registry.ready),
            },
            warn={"disk": disk.warning},
        ),
        *search.routers(index, registry, settings),
        preview.router(previews, reader, settings),
        administration.router(index, registry, log, settings, log.erase),
    ):
        app.include_router(router)
    for router in (
        *ingest.routers(ingesting, settings),
        classify.router(runs),
        rebuilding(rebuilds),
    ):
        app.include_router(router, dependencies=[Depends(disk.admit)])
    metrics.install(app, workers, folder=settings.data, elsewhere=classifier.figures)
    search.install_pages(app)
    return app


def welcome(registry: Registry, file: Path) -> None:
    """At the first start: make the administrator's key; show it this once, to a person. Also where
    the file or its key is lost.

    Where nobody looks on, what is printed is kept in some log: there only the file is named.
    """
    first = not registry.has_administrator()
    if not ensure_key(registry, file):
        return
    logger.info("the administrator's key is in %s", file)
    if not first:
        logger.warning("its file held no key that is good: a new administrator's key was made")
    if sys.stdout.isatty():
        new = (
            "" if first else "La clé de ce fichier n'était plus valable : en voici une nouvelle.\n"
        )
        sys.stdout.write(
            f"{new}Clé d'administrateur, montrée cette seule fois et gardée dans {file} :\n"
            f"{key_file.read_key(file)}\n"
        )
        sys.stdout.flush()


def invite(registry: Registry, file: Path, address: str) -> None:
    """Say how to open the pages: on a terminal by a link that does it, once.

    Not in a file or a journal, which others may read while the link is good.
    """
    secret = keys.parse(key_file.read_key(file) or "")
    row = None if secret is None or not sys.stdout.isatty() else registry.key(secret.label)
    now = datetime.now(UTC)
    if row is None or not row.holds(now):
        how = f"à l'adresse {address} ; « valise login » donne un lien pour ouvrir les pages."
    else:
        ticket, _ = new_ticket(registry, row.view.number, now)
        link = ticket_address(address, ticket)
        how = (
            f"; ses pages s'ouvrent, une seule fois et dans les dix minutes, par ce lien :\n{link}"
        )
    if sys.stdout.isatty():
        sys.stdout.write(f"Valise est en service {how}\n")
        sys.stdout.flush()
    else:
        logger.info("serving at %s", address)


def trusted_hosts(settings: Settings) -> list[str]:
    """The names under which the service answers: this machine's own, and its public one."""
    public = urlsplit(settings.public_url).hostname
    return sorted({*LOCAL_NAMES, *([public] if public else [])})


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
    """Drops superseded events from the log once a day, as Kafka's cleaner does by itself.

    The first time soon after the start: a service that is started each morning compacts too.
    """
    wait = FIRST_COMPACT_SECONDS
    while True:
        await asyncio.sleep(wait)
        wait = COMPACT_SECONDS
        for topic in ALL:
            try:
                dropped = await log.compact(topic.name)
            except Unavailable as error:
                logger.warning("%s not compacted: %s", topic.name, error.reason)
            else:
                logger.info("%s compacted: %d records dropped", topic.name, dropped)
