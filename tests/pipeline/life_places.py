"""Where the life of tests/pipeline/life.py is lived: step by step in one process, or for real."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
from fastapi import FastAPI

from schemas.classification import Classification
from schemas.events import ClassifiedNote, NoteEvent, decode
from schemas.note import Note
from schemas.topics import ALL, CLASSIFIED, CLASSIFIED_DEAD, SUBMITTED, SUBMITTED_DEAD
from services.classify import handlers as classifying
from services.classify.classifier import classify
from services.classify.reclassify import reclassify
from services.classify.release import RELEASE
from services.ingest import app as ingest
from services.ingest.relay import relay_once
from services.runtime import problems
from services.runtime.access import gate
from services.runtime.errors import Unavailable
from services.runtime.journal import Journal, install
from services.runtime.log import Entry, Log
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.search import administration
from services.search import app as search
from services.search import handlers as indexing
from services.search.index.embedded import TantivyIndex
from services.search.rebuild import rebuild
from services.search.rebuild_http import PATH as REBUILD
from tests.keys import HEADERS, admit_everything
from tests.pipeline.deployments import Deployment, client_of
from tests.pipeline.life import Place, Told

T = TypeVar("T")

ARRIVE_SECONDS = 240.0
"""For what is on its way: a worker that was killed may leave its partitions to nobody for 10 s."""
PAUSE_SECONDS = 0.05
MOST_TRIES = 5


class _Common:
    """What both places do alike: the log and how it is read."""

    log: Log

    def __init__(self) -> None:
        self.release = RELEASE
        self.runner = asyncio.Runner()
        self._next: dict[str, dict[int, int]] = {}
        self._last: dict[str, dict[UUID, NoteEvent]] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def patiently(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it; again where an engine is away, as whoever does this in earnest would."""
        for left in reversed(range(MOST_TRIES)):
            try:
                return self.run(work())
            except Unavailable:
                if not left:
                    raise
        raise AssertionError

    def append(self, topic: str, entry: Entry) -> None:
        self.patiently(lambda: self.log.append(topic, [entry]))

    def reclassify(self) -> None:
        self.release += 1
        release = self.release

        def later(note: Note) -> Classification:
            return classify(note).model_copy(update={"release": release})

        self.patiently(lambda: reclassify(self.log, later, release, dry_run=False))

    def last(self, topic: str) -> dict[UUID, NoteEvent]:
        model = ClassifiedNote if topic == CLASSIFIED.name else NoteEvent
        places = self._next.setdefault(topic, {})
        known = self._last.setdefault(topic, {})

        async def read_on() -> None:
            async for batch in self.log.replay(topic, start=dict(places)):
                for record in batch:
                    event = decode(model, record.value or b"")
                    known[event.note_id] = event
                    places[record.partition] = record.offset + 1

        self.patiently(read_on)
        return known


class MayFail(SqliteLog):
    """A log that is away when told so."""

    away = False

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Raises Unavailable while it is away."""
        if self.away:
            raise Unavailable("the log is away")
        await super().append(topic, entries)


class Parts(_Common):
    """The embedded parts in one process: the services' own routes, registry, log, classifier and
    index. What workers do on their own is done here when the test says so, so that every
    interleaving can be had again.
    """

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.data = data
        self.registry = Registry(f"sqlite:///{data / 'registry.sqlite3'}")
        admit_everything(self.registry)
        self.log: MayFail = MayFail(data / "log.sqlite3")
        self.run(self.log.provision(ALL))
        self.run(self.log.start())
        self.read = dict.fromkeys((each.name for each in ALL), 0)
        self.refusals = 0
        self.indexes = 0
        self.open_index()

    def open_index(self) -> None:
        self.indexes += 1
        self.index = TantivyIndex(self.data / f"index-{self.indexes}")
        self.run(self.index.start())
        configured = Settings(data=self.data)
        app = FastAPI()
        problems.install(app)
        gate.install(app, gate.Gate(self.registry))
        install(app, Journal(self.registry, configured.journal_days))
        taking = ingest.Ingest(self.registry, self.log, configured)
        for routes in (
            *ingest.routers(taking, configured),
            *search.routers(self.index, self.registry, configured),
            administration.router(self.index, self.registry, self.log, configured),
        ):
            app.include_router(routes)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://valise.test",
            headers=HEADERS,
        )

    def name(self, word: str) -> str:
        return f"{word}0"

    def ask(self, method: str, address: str, **request: Any) -> Told:
        again = False
        # A disk that is busy for longer than an answer may take is no fault; but it ends.
        for _ in range(MOST_TRIES):
            response = self.ask_once(method, address, **request)
            if response.status_code != 503:
                break
            assert response.headers["Retry-After"]
            self.refusals += 1
            again = True
        return Told(response, again)

    def ask_the_dying(self, _: int, /, method: str, address: str, **request: Any) -> None:
        """The log is away, as for a process that is killed before its append."""
        self.log.away = True
        response = self.ask_once(method, address, **request)
        self.log.away = False
        assert response.status_code == 503, response.text

    def ask_once(self, method: str, address: str, **request: Any) -> httpx.Response:
        return self.run(self.client.request(method, f"/api/v1/{address}", **request))

    def relay(self) -> None:
        self.patiently(lambda: relay_once(self.registry, self.log, age=0))

    def deliver(self) -> None:
        self.patiently(self.work)

    def kill(self, service: str) -> None:
        """Its last three records were not committed, and come again; ingest has none."""
        topic = {"classify": SUBMITTED.name, "search": CLASSIFIED.name}.get(service)
        if topic is not None:
            self.read[topic] = max(0, self.read[topic] - 3)

    def rebuild(self) -> None:
        done = self.patiently(lambda: rebuild(self.log, self.index, registry=self.registry))
        assert done.complete
        assert (done.refused, done.unreadable) == (0, 0)

    def lose_the_index(self) -> None:
        self.close_index()
        self.open_index()
        self.read[CLASSIFIED.name] = 0

    def eventually(self, check: Callable[[], None]) -> None:
        self.run(self.index.refresh())
        check()

    async def work(self) -> None:
        for topic, process in (
            (SUBMITTED, classifying.processor(self.log)),
            (CLASSIFIED, indexing.processor(self.index, self.registry, self.log)),
            (SUBMITTED_DEAD, indexing.letter_keeper(self.registry, self.index)),
            (CLASSIFIED_DEAD, indexing.letter_keeper(self.registry, self.index)),
        ):
            start = {0: self.read[topic.name]}
            async for records in self.log.replay(topic.name, start=start):
                await process(records)
                self.read[topic.name] += len(records)

    def close_index(self) -> None:
        self.run(self.client.aclose())
        self.run(self.index.stop())

    def close(self) -> None:
        self.close_index()
        self.run(self.log.stop())
        self.registry.close()
        self.runner.close()


@contextmanager
def parts() -> Iterator[Place]:
    """New parts in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Parts(Path(folder))
        try:
            yield place
        finally:
            place.close()


class Running(_Common):
    """A deployment that runs: its own processes work when they like, and are killed for real.

    Lives are lived in it one after the other, each with words and references of its own.
    """

    def __init__(self, deployment: Deployment) -> None:
        super().__init__()
        self.deployment = deployment
        self.registry = Registry(deployment.registry_url)
        self.log: Log = self.run(_opened(deployment))
        self.http = client_of(deployment.key, timeout=30)
        self.lives = count(1)
        self.life = 0
        self.kills = 0
        self.refusals = 0
        """Answers 503: of a service that starts, or is busier than its 4.5 s allow."""
        self._rebuilds: list[_Rebuild] = []

    @contextmanager
    def another_life(self) -> Iterator[Place]:
        """This place, for a life of its own."""
        self.life = next(self.lives)
        yield self

    def name(self, word: str) -> str:
        return f"{word}{self.life}"

    def ask(self, method: str, address: str, **request: Any) -> Told:
        taking = address.startswith("notes") and method != "GET"
        url = self.deployment.ingest if taking else self.deployment.search
        end = time.monotonic() + ARRIVE_SECONDS
        again = False
        while True:
            try:
                response = self.http.request(method, f"{url}/api/v1/{address}", **request)
                if response.status_code != 503:
                    return Told(response, again)
                assert response.headers["Retry-After"]
                self.refusals += 1
            except httpx.TransportError:
                response = None
            assert time.monotonic() < end, response and response.text
            again = True
            time.sleep(PAUSE_SECONDS)

    def ask_the_dying(self, after_ms: int, /, method: str, address: str, **request: Any) -> Told:
        def strike() -> None:
            time.sleep(after_ms / 1_000)
            self.kill("ingest")

        striking = threading.Thread(target=strike)
        striking.start()
        try:
            told = self.ask(method, address, **request)
        finally:
            striking.join()
        # Whether it died before or after its answer, the question may be put again.
        return Told(told.response, again=True)

    def relay(self) -> None:
        """Nothing is left pending: whoever was not told asked again."""

    def deliver(self) -> None:
        """They do it by themselves."""

    def kill(self, service: str) -> None:
        self.kills += 1
        getattr(self.deployment, f"kill_{service}")()

    def rebuild(self) -> None:
        """Begin one, which goes on beside what comes next; one that was begun before is awaited."""
        self._await_rebuilds()
        self._rebuilds.append(_Rebuild(self.deployment, self.kills))

    def lose_the_index(self) -> None:
        self._await_rebuilds()
        self.deployment.lose_index()

    def eventually(self, check: Callable[[], None]) -> None:
        self._await_rebuilds()
        end = time.monotonic() + ARRIVE_SECONDS
        while time.monotonic() < end:
            try:
                return check()
            except (AssertionError, KeyError):
                time.sleep(PAUSE_SECONDS)
        return check()

    def _await_rebuilds(self) -> None:
        while self._rebuilds:
            begun = self._rebuilds.pop()
            assert begun.ended_well() or self.kills > begun.kills, begun.last

    def close(self) -> None:
        self._await_rebuilds()
        self.http.close()
        self.run(self.log.stop())
        self.registry.close()
        self.runner.close()


class _Rebuild:
    """A rebuild that a client follows, in a thread; `kills` that had struck when it began."""

    def __init__(self, deployment: Deployment, kills: int) -> None:
        self.kills = kills
        self.last = ""
        self._deployment = deployment
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        end = time.monotonic() + ARRIVE_SECONDS
        with client_of(self._deployment.key) as http:
            while True:
                try:
                    with http.stream("POST", f"{self._deployment.search}{REBUILD}") as answer:
                        for line in answer.iter_lines():
                            self.last = line
                    return
                except httpx.ConnectError as error:
                    # Killed before and not there again yet: nothing has begun.
                    self.last = repr(error)
                    if time.monotonic() > end:
                        return
                    time.sleep(PAUSE_SECONDS)
                except httpx.TransportError as error:
                    self.last = repr(error)
                    return

    def ended_well(self) -> bool:
        """Whether the new index is in place; waits for the end."""
        self._thread.join()
        return '"complete":true' in self.last


async def _opened(deployment: Deployment) -> Log:
    return deployment.open_log()
