"""A note's whole life in any order, against a model of the contract; where it is lived, a place
says (tests/pipeline/life_places.py): the parts in one process, or either deployment.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from schemas.answers import State
from schemas.events import Kind, NoteEvent, encode
from schemas.note import note_id
from schemas.topics import CLASSIFIED, SUBMITTED
from services.classify.release import RELEASE
from services.runtime.dead_letters import DeadLetter
from services.runtime.log import Entry, Record
from services.runtime.registry import Registry

WORDS = ("kyrielle", "ribambelle", "litanie")
"""Each text has one of its own, so that a search tells which revision is found."""
TAGS = (("sante.hopital",), ("travail.emploi",), ())
SERVICES = ("ingest", "classify", "search")
TOPICS = (SUBMITTED.name, CLASSIFIED.name)

which = st.sampled_from((0, 0, 1))
words = st.sampled_from(WORDS)
seldom = st.sampled_from((False, False, False, True))
deaths = st.sampled_from((None,) * 9 + (0, 3, 10))
"""Milliseconds after which ingest is killed while it is asked; None: it lives."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer; `again` where it came to a question that had been asked before, unanswered."""

    response: httpx.Response
    again: bool = False

    @property
    def status(self) -> int:
        return self.response.status_code

    def __getitem__(self, name: str) -> Any:
        return self.response.json()[name]


class Place(Protocol):
    """Where notes live. What workers do by themselves is done when asked, or has been begun."""

    registry: Registry
    release: int
    """The highest release of the classifier that has been at work."""

    def name(self, word: str) -> str:
        """The word with what sets this life apart from those that the place has seen."""
        ...

    def ask(self, method: str, address: str, **request: Any) -> Told:
        """The answer to a careful client, who asks again after a 503."""
        ...

    def ask_the_dying(
        self, after_ms: int, /, method: str, address: str, **request: Any
    ) -> Told | None:
        """The same while ingest is killed; None where it took the request and nobody was told."""
        ...

    def relay(self) -> None:
        """All that was left pending is finished."""
        ...

    def deliver(self) -> None:
        """The workers do what there is to do."""
        ...

    def kill(self, service: str) -> None:
        """kill -9 of that service, and its start."""
        ...

    def reclassify(self) -> None:
        """A new release of the classifier looks at all notes."""
        ...

    def rebuild(self) -> None:
        """A new index is made, or begun to be."""
        ...

    def lose_the_index(self) -> None:
        """Somebody deletes it."""
        ...

    def append(self, topic: str, entry: Entry) -> None:
        """Write to the log."""
        ...

    def last(self, topic: str) -> dict[UUID, NoteEvent]:
        """The last event of each note, which a compacted log keeps."""
        ...

    def eventually(self, check: Callable[[], None]) -> None:
        """`check` passes, once what is on its way has arrived."""
        ...


@dataclass
class Model:
    """What the contract says of one note."""

    reference: str
    history: list[tuple[Kind, str]] = field(default_factory=list)
    """Kind and word of each revision."""
    made: int = 0
    """Corrections numbered so far."""
    here: int = 0
    """The last that was made of the latest revision; 0 for none."""
    standing: int = 0
    tags: tuple[str, ...] | None = None
    untold: bool = False
    """The latest revision is a withdrawal that nobody was told of yet."""

    @property
    def id(self) -> UUID:
        return note_id("berlin", self.reference)

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
    def newest(self) -> tuple[int, int]:
        return self.revision, self.here

    @property
    def etag(self) -> str:
        return f'"{self.revision}.{self.standing}.1"'

    def revised(self, kind: Kind, word: str) -> None:
        self.history.append((kind, word))
        self.here = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A record of a note that a service had parked: where it lay, what it said."""

    note: Model
    topic: str
    origin: str
    state: tuple[int, int]
    release: int


class Life(RuleBasedStateMachine):
    """Everything that posts, readers, workers, crashes and administrators do to two notes."""

    def __init__(self, open_place: Callable[[], AbstractContextManager[Place]]) -> None:
        super().__init__()
        self._opened = open_place()
        self.place = self._opened.__enter__()
        self.notes = [Model(self.place.name(f"BER-2026-{number}-")) for number in (1, 2)]
        self.letters: list[Letter] = []
        self.parked = 0

    def change(self, status: int, dies: int | None, *request: Any, **rest: Any) -> Told | None:
        """Ask for a change that the model answers with `status`; None where nobody is told.

        Asked again because nobody had answered, it may have been made by then.
        """
        if dies is None:
            told: Told | None = self.place.ask(*request, **rest)
        elif status != 202:
            return None
        else:
            told = self.place.ask_the_dying(dies, *request, **rest)
        if told is not None:
            made = {200, 410} if told.again and status == 202 else set()
            assert told.status in {status, *made}, told.response.text
        return told

    # What posts and readers do

    @initialize(word=words)
    def first(self, word: str) -> None:
        self.submit(0, word, dies=None)

    @rule(at=which, word=words, dies=deaths)
    def submit(self, at: int, word: str, dies: int | None) -> None:
        note = self.notes[at]
        if not note.known:
            status, outcome = 202, "accepted"
        elif note.withdrawn or note.word != word:
            status, outcome = 409, "conflict"
        else:
            status, outcome = 200, "duplicate"
        told = self.change(status, dies, "POST", "notes", json=self.body(note, word))
        if status == 202:
            note.revised(Kind.SUBMITTED, word)
        if told is not None and status != 409:
            assert told["revision"] == note.revision
            assert told["outcome"] == outcome or told.again

    @rule(at=which, word=words, major=st.booleans(), late=seldom, dies=deaths)
    def rectify(self, at: int, word: str, major: bool, late: bool, dies: int | None) -> None:
        note = self.notes[at]
        if not note.known:
            status = 404
        elif not note.withdrawn and note.word == word:
            status = 200
        else:
            status = 412 if late else 202
        told = self.change(
            status,
            dies,
            "PUT",
            f"notes/{note.id}",
            params={} if major else {"major": "false"},
            headers={"If-Match": '"9.9.9"' if late else note.etag},
            json=self.body(note, word),
        )
        if status == 202:
            dropped = note.standing if major else 0
            note.revised(Kind.RECTIFIED, word)
            note.untold = False
            if major:
                note.standing, note.tags = 0, None
            if told is not None:
                assert told["revision"] == note.revision
                assert bool(told["warnings"]) == bool(dropped) or told.again

    @rule(at=which, late=seldom, dies=deaths)
    def withdraw(self, at: int, late: bool, dies: int | None) -> None:
        note = self.notes[at]
        if not note.known:
            status = 404
        elif note.withdrawn:
            status = 200 if note.untold else 410
        else:
            status = 412 if late else 202
        etag = '"9.9.9"' if late else note.etag
        told = self.change(status, dies, "DELETE", f"notes/{note.id}", headers={"If-Match": etag})
        if status == 202:
            note.revised(Kind.WITHDRAWN, note.word)
            note.untold = told is None
        elif status == 200 and told is not None:
            note.untold = False

    @rule(at=which, tags=st.sampled_from(TAGS), dies=deaths)
    def correct(self, at: int, tags: tuple[str, ...], dies: int | None) -> None:
        note = self.notes[at]
        if not note.known:
            status = 404
        elif note.withdrawn:
            status = 410
        else:
            status = 200 if note.tags == tags else 202
        told = self.change(
            status,
            dies,
            "POST",
            f"notes/{note.id}/corrections",
            json={"themes": tags, "countries": []},
        )
        if status == 202:
            note.made += 1
            note.here = note.standing = note.made
            note.tags = tags
        if told is not None and status in (200, 202):
            assert told["correction"] == note.standing

    # What happens by itself, and what administrators do

    @rule(
        done=st.sampled_from(
            ("relay", "deliver", "deliver", "reclassify", "rebuild", "rebuild", "lose_the_index")
        )
    )
    def by_itself(self, done: str) -> None:
        getattr(self.place, done)()
        if done == "relay":
            for note in self.notes:
                note.untold = False

    @rule(service=st.sampled_from(SERVICES))
    def kill(self, service: str) -> None:
        self.place.kill(service)

    @rule(at=which, topic=st.sampled_from(TOPICS))
    def park(self, at: int, topic: str) -> None:
        """A former release could not do with the last record of a note, and parked it."""
        note = self.notes[at]
        event = self.place.last(topic).get(note.id)
        if event is None:
            return
        record = Record(
            topic, 0, 1_000 + len(self.letters), str(note.id).encode(), encode(event), {}, 0
        )
        now = datetime.now(UTC)
        letter = DeadLetter.of(record, reason=self.place.name("x"), service="search", at=now)
        self.place.append(f"{topic}.dead", letter.entry())
        state = (event.revision, event.correction)
        self.letters.append(Letter(note, topic, letter.origin, state, self.place.release))

    @rule(newer=st.booleans())
    def replay(self, newer: bool) -> None:
        """What is still the newest is written to its topic again; what is not, is refused."""
        if not self.letters:
            return
        letter = self.letters.pop() if newer else self.letters.pop(0)
        number = self.number(letter)
        told = self.place.ask("POST", f"dead-letters/{number}/replay")
        if letter.state < letter.note.newest:
            allowed = {409}
        elif letter.topic == CLASSIFIED.name and letter.release < self.place.release:
            allowed = {202, 409}  # the later release has come through, or has not yet
        else:
            allowed = {202}
        assert told.status in allowed, told.response.text
        shown = self.place.ask("GET", f"dead-letters/{number}")
        assert shown["replays"] >= (told.status == 202)

    def number(self, letter: Letter) -> int:
        """The number of a letter, once it has been kept."""
        self.place.deliver()
        found: list[int] = []

        def kept() -> None:
            asked = {"note_id": str(letter.note.id), "reason": self.place.name("x")}
            told = self.place.ask("GET", "dead-letters", params=asked)
            found.extend(
                each["number"] for each in told["letters"] if each["origin"] == letter.origin
            )
            assert found

        self.place.eventually(kept)
        return found[0]

    @rule()
    def look(self) -> None:
        """When all has arrived, everyone sees what the contract says."""
        self.by_itself("relay")
        self.place.deliver()
        self.place.eventually(self.check)

    def check(self) -> None:
        last = {topic: self.place.last(topic) for topic in TOPICS}
        found = {word: self.found(word) for word in WORDS}
        for note in self.notes:
            shown = self.place.ask("GET", f"notes/{note.id}")
            receipt = self.place.registry.receipt(note.id)
            for word in WORDS:
                here = note.known and not note.withdrawn and note.word == word
                assert found[word].count(note.reference) == here, (word, found, note, receipt)
            if not note.known:
                assert (shown.status, receipt) == (404, None)
                continue
            for events in last.values():
                event = events[note.id]
                assert (event.revision, event.correction) == (note.revision, note.standing)
            assert receipt is not None
            assert receipt.revision == note.revision
            if note.withdrawn:
                assert (shown.status, receipt.state) == (410, State.WITHDRAWN)
                continue
            assert (shown.status, receipt.state) == (200, State.INDEXED)
            self.compare(note, shown)
            told = self.place.ask("GET", f"notes/{note.id}/revisions")
            kinds = [(one["revision"], one["kind"]) for one in told["revisions"]]
            every = [(at, kind.value) for at, (kind, _) in enumerate(note.history, start=1)]
            assert kinds == every[::-1][: len(kinds)]

    def compare(self, note: Model, shown: Told) -> None:
        assert (shown["revision"], shown["correction"]) == (note.revision, note.standing)
        assert self.place.name(note.word) in shown["note"]["body"]
        assert shown["release"] in range(RELEASE, self.place.release + 1)
        assert shown["tags_from"] == ("classifier" if note.tags is None else "reader")
        if note.tags is not None:
            codes = [f"{one['theme']}.{sub}" for one in shown["themes"] for sub in one["subthemes"]]
            assert tuple(codes) == note.tags

    def found(self, word: str) -> list[str]:
        page = self.place.ask("GET", "search", params={"q": self.place.name(word)})
        return [] if page["relaxed"] else [hit["reference"] for hit in page["hits"]]

    def body(self, note: Model, word: str) -> dict[str, Any]:
        return {
            "post": "berlin",
            "reference": note.reference,
            "date": "2026-03-04",
            "subject": "Réforme des retraites en Allemagne",
            "body": f"Le rapport de la commission ouvre une {self.place.name(word)} de réformes.",
        }

    def teardown(self) -> None:
        try:
            self.look()
        finally:
            self._opened.__exit__(None, None, None)
