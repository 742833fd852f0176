"""A note's whole life in any order, on the embedded parts, against a model of the contract.

The services' own routes, registry, log, classifier and index, in one process: what workers do on
their own is done here when the test says so, so that every interleaving can be had again.
"""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from schemas.answers import State
from schemas.events import ClassifiedNote, Kind, NoteEvent, decode
from schemas.note import note_id
from schemas.topics import ALL, CLASSIFIED, SUBMITTED
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
from services.runtime.log import Entry, Record
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.search import app as search
from services.search import handlers as indexing
from services.search.index.embedded import TantivyIndex
from tests.keys import HEADERS, admit_everything

T = TypeVar("T")

REFERENCES = ("BER-2026-0001", "BER-2026-0002")
WORDS = ("kyrielle", "ribambelle", "litanie")
"""Each text has one of its own, so that a search tells which revision is found."""
TAGS = (("sante.hopital",), ("travail.emploi",), ())

references = st.sampled_from((*REFERENCES, REFERENCES[0]))
words = st.sampled_from(WORDS)
seldom = st.sampled_from((False, False, False, True))


class MayFail(SqliteLog):
    """A log that is away when told so."""

    away = False

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Raises Unavailable while it is away."""
        if self.away:
            raise Unavailable("the log is away")
        await super().append(topic, entries)


@dataclass
class Model:
    """What the contract says of one note."""

    history: list[tuple[Kind, str]] = field(default_factory=list)
    """Kind and word of each revision."""
    made: int = 0
    """Corrections numbered so far."""
    standing: int = 0
    tags: tuple[str, ...] | None = None
    untold: bool = False
    """The latest revision is a withdrawal that nobody was told of yet."""

    @property
    def known(self) -> bool:
        return bool(self.history)

    @property
    def revision(self) -> int:
        return len(self.history)

    @property
    def word(self) -> str:
        return self.history[-1][1]

    @property
    def withdrawn(self) -> bool:
        return self.known and self.history[-1][0] is Kind.WITHDRAWN

    @property
    def etag(self) -> str:
        return f'"{self.revision}.{self.standing}.1"'


class Life(RuleBasedStateMachine):
    """Everything that posts, readers, workers, crashes and administrators do to two notes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.data = Path(self.folder.name)
        self.runner = asyncio.Runner()
        self.registry = Registry(f"sqlite:///{self.data / 'registry.sqlite3'}")
        admit_everything(self.registry)
        self.log = MayFail(self.data / "log.sqlite3")
        self.run(self.log.provision(ALL))
        self.run(self.log.start())
        self.notes = {reference: Model() for reference in REFERENCES}
        self.read = {SUBMITTED.name: 0, CLASSIFIED.name: 0}
        self.release = RELEASE
        self.indexes = 0
        self.open_index()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

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
        ):
            app.include_router(routes)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://valise.test",
            headers=HEADERS,
        )

    def ask(self, method: str, address: str, **request: Any) -> httpx.Response:
        return self.run(self.client.request(method, f"/api/v1/{address}", **request))

    def change(self, status: int, dies: bool, *request: Any, **rest: Any) -> httpx.Response | None:
        """Ask for a change that the model answers with `status`; None where nobody is told.

        `dies`: the log is away, as for a process that is killed before its append.
        """
        if dies and status != 202:
            return None
        self.log.away = dies
        answer = self.ask(*request, **rest)
        self.log.away = False
        assert answer.status_code == (503 if dies else status), answer.text
        return None if dies else answer

    # What posts and readers do

    @initialize(word=words)
    def first(self, word: str) -> None:
        self.submit(REFERENCES[0], word, dies=False)

    @rule(reference=references, word=words, dies=seldom)
    def submit(self, reference: str, word: str, dies: bool) -> None:
        note = self.notes[reference]
        if not note.known:
            status, outcome = 202, "accepted"
        elif note.withdrawn or note.word != word:
            status, outcome = 409, "conflict"
        else:
            status, outcome = 200, "duplicate"
        answer = self.change(status, dies, "POST", "notes", json=body(reference, word))
        if status == 202:
            note.history.append((Kind.SUBMITTED, word))
        if answer is not None and status != 409:
            assert (answer.json()["outcome"], answer.json()["revision"]) == (outcome, note.revision)

    @rule(
        reference=references,
        word=words,
        major=st.booleans(),
        late=seldom,
        dies=seldom,
    )
    def rectify(self, reference: str, word: str, major: bool, late: bool, dies: bool) -> None:
        note = self.notes[reference]
        if not note.known:
            status = 404
        elif not note.withdrawn and note.word == word:
            status = 200
        else:
            status = 412 if late else 202
        answer = self.change(
            status,
            dies,
            "PUT",
            f"notes/{note_id('berlin', reference)}",
            params={} if major else {"major": "false"},
            headers={"If-Match": '"9.9.9"' if late else note.etag},
            json=body(reference, word),
        )
        if status == 202:
            dropped = note.standing if major else 0
            note.history.append((Kind.RECTIFIED, word))
            note.untold = False
            if major:
                note.standing, note.tags = 0, None
            if answer is not None:
                assert answer.json()["revision"] == note.revision
                assert bool(answer.json()["warnings"]) == bool(dropped)

    @rule(reference=references, late=seldom, dies=seldom)
    def withdraw(self, reference: str, late: bool, dies: bool) -> None:
        note = self.notes[reference]
        if not note.known:
            status = 404
        elif note.withdrawn:
            status = 200 if note.untold else 410
        else:
            status = 412 if late else 202
        self.change(
            status,
            dies,
            "DELETE",
            f"notes/{note_id('berlin', reference)}",
            headers={"If-Match": '"9.9.9"' if late else note.etag},
        )
        if status == 202:
            note.history.append((Kind.WITHDRAWN, note.word))
            note.untold = dies
        elif status == 200 and not dies:
            note.untold = False

    @rule(reference=references, tags=st.sampled_from(TAGS), dies=seldom)
    def correct(self, reference: str, tags: tuple[str, ...], dies: bool) -> None:
        note = self.notes[reference]
        if not note.known:
            status = 404
        elif note.withdrawn:
            status = 410
        else:
            status = 200 if note.tags == tags else 202
        answer = self.change(
            status,
            dies,
            "POST",
            f"notes/{note_id('berlin', reference)}/corrections",
            json={"themes": tags, "countries": []},
        )
        if status == 202:
            note.made += 1
            note.standing, note.tags = note.made, tags
        if answer is not None and status in (200, 202):
            assert answer.json()["correction"] == note.standing

    # What happens by itself, and what administrators do

    @rule(done=st.sampled_from(("relay", "deliver", "redeliver", "reclassify", "lose", "look")))
    def by_itself(self, done: str) -> None:
        {
            "relay": self.relay,
            "deliver": self.deliver,
            "redeliver": self.redeliver,
            "reclassify": self.reclassify,
            "lose": self.lose_the_index,
            "look": self.look,
        }[done]()

    def relay(self) -> None:
        self.run(relay_once(self.registry, self.log, age=0))
        for note in self.notes.values():
            note.untold = False

    def deliver(self) -> None:
        self.run(self.work())

    def redeliver(self) -> None:
        """Both workers were killed before they committed their last three records."""
        self.read = {topic: max(0, read - 3) for topic, read in self.read.items()}
        self.run(self.work())

    def reclassify(self) -> None:
        self.release += 1
        release = self.release
        self.run(
            reclassify(
                self.log,
                lambda note: classify(note).model_copy(update={"release": release}),
                release,
                dry_run=False,
            )
        )

    def lose_the_index(self) -> None:
        self.close_index()
        self.open_index()
        self.read[CLASSIFIED.name] = 0

    def look(self) -> None:
        """When all has arrived, everyone sees what the contract says."""
        self.relay()
        self.deliver()
        self.run(self.index.refresh())
        last = {topic: self.last(topic) for topic in (SUBMITTED.name, CLASSIFIED.name)}
        found = {word: self.found(word) for word in WORDS}
        for reference, note in self.notes.items():
            shown = self.ask("GET", f"notes/{note_id('berlin', reference)}")
            receipt = self.registry.receipt(note_id("berlin", reference))
            for word in WORDS:
                here = note.known and not note.withdrawn and note.word == word
                assert (reference in found[word]) == here
            if not note.known:
                assert (shown.status_code, receipt) == (404, None)
                continue
            for events in last.values():
                event = events[reference]
                assert (event.revision, event.correction) == (note.revision, note.standing)
            assert receipt is not None
            assert receipt.revision == note.revision
            if note.withdrawn:
                assert (shown.status_code, receipt.state) == (410, State.WITHDRAWN)
                continue
            assert (shown.status_code, receipt.state) == (200, State.INDEXED)
            self.compare(note, shown.json())
            told = self.ask("GET", f"notes/{note_id('berlin', reference)}/revisions").json()
            kinds = [(one["revision"], one["kind"]) for one in told["revisions"]]
            every = [(at, kind.value) for at, (kind, _) in enumerate(note.history, start=1)]
            assert kinds == every[::-1][: len(kinds)]

    def compare(self, note: Model, shown: dict[str, Any]) -> None:
        assert (shown["revision"], shown["correction"]) == (note.revision, note.standing)
        assert note.word in shown["note"]["body"]
        assert shown["release"] in range(RELEASE, self.release + 1)
        assert shown["tags_from"] == ("classifier" if note.tags is None else "reader")
        if note.tags is not None:
            codes = [f"{one['theme']}.{sub}" for one in shown["themes"] for sub in one["subthemes"]]
            assert tuple(codes) == note.tags

    # How the workers' part is done here

    async def work(self) -> None:
        if records := await self.unread(SUBMITTED.name):
            await classifying.processor(self.log)(records)
        if records := await self.unread(CLASSIFIED.name):
            await indexing.processor(self.index, self.registry)(records)

    async def unread(self, topic: str) -> list[Record]:
        records = [each async for batch in self.log.replay(topic) for each in batch]
        new = records[self.read[topic] :]
        self.read[topic] = len(records)
        return new

    def last(self, topic: str) -> dict[str, NoteEvent]:
        """The last event of each note, which a compacted log keeps."""

        async def records() -> list[Record]:
            return [each async for batch in self.log.replay(topic) for each in batch]

        model = ClassifiedNote if topic == CLASSIFIED.name else NoteEvent
        events = [decode(model, each.value or b"") for each in self.run(records())]
        return {event.note.reference: event for event in events}

    def found(self, word: str) -> list[str]:
        page = self.ask("GET", "search", params={"q": word}).json()
        return [] if page["relaxed"] else [hit["reference"] for hit in page["hits"]]

    def close_index(self) -> None:
        self.run(self.client.aclose())
        self.run(self.index.stop())

    def teardown(self) -> None:
        try:
            self.look()
        finally:
            self.close_index()
            self.run(self.log.stop())
            self.registry.close()
            self.runner.close()
            self.folder.cleanup()


def body(reference: str, word: str) -> dict[str, Any]:
    return {
        "post": "berlin",
        "reference": reference,
        "date": "2026-03-04",
        "subject": "Réforme des retraites en Allemagne",
        "body": f"Le rapport de la commission ouvre une {word} de réformes.",
    }


@pytest.mark.slow
def test_in_any_order_a_note_is_what_the_contract_says() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Life, settings=settings(max_examples=25, stateful_step_count=14)
    )


def test_each_thing_that_can_happen_to_a_note_happens_once() -> None:
    """One life by hand: what chance seldom puts together."""
    one, other = REFERENCES
    life = Life()
    life.submit(one, "kyrielle", dies=False)
    life.submit(one, "litanie", dies=False)
    life.submit(other, "litanie", dies=True)
    life.correct(one, TAGS[0], dies=False)
    life.rectify(one, "ribambelle", major=False, late=True, dies=False)
    life.rectify(one, "ribambelle", major=False, late=False, dies=False)
    life.correct(one, TAGS[0], dies=False)
    life.look()
    life.correct(one, TAGS[1], dies=True)
    life.rectify(one, "litanie", major=False, late=False, dies=True)
    life.reclassify()
    life.look()
    life.rectify(one, "kyrielle", major=True, late=False, dies=False)
    life.redeliver()
    life.look()
    life.correct(one, TAGS[1], dies=False)
    life.withdraw(one, late=True, dies=False)
    life.withdraw(one, late=False, dies=True)
    life.withdraw(one, late=False, dies=False)
    life.withdraw(one, late=False, dies=False)
    life.submit(one, "kyrielle", dies=False)
    life.correct(one, TAGS[0], dies=False)
    life.lose_the_index()
    life.look()
    life.rectify(one, "kyrielle", major=False, late=False, dies=False)
    life.reclassify()
    life.redeliver()
    life.look()
    life.withdraw(one, late=False, dies=False)
    life.rectify(one, "litanie", major=True, late=False, dies=True)
    life.lose_the_index()
    life.teardown()
