"""Registries for tests, each its own, and a line to PostgreSQL that can be cut and frozen."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, create_engine, make_url, text

from schemas.answers import State
from schemas.events import CorrectionTags, Kind, NoteEvent, encode
from services.ingest.accept import content_hash
from services.ingest.correct import tags_hash
from services.runtime.registry import CorrectionSubmission, RevisionSubmission, Submission
from services.runtime.registry.database import Database
from services.runtime.registry.tables import notes, revisions
from tests.builders import a_note, an_event


def submission(defaulted: frozenset[str] = frozenset(), **changes: object) -> Submission:
    """A first submission of Berlin's note on pensions; fields of the note can be changed."""
    note = a_note(**changes)
    return Submission(an_event(note), content_hash(note, defaulted), defaulted)


def correction(*themes: str, **changes: Any) -> CorrectionSubmission:
    """A reader's correction of that note to these themes and to Germany; any field can be given."""
    tags = CorrectionTags(themes=themes, countries=("DE",))
    fields: dict[str, Any] = {
        "note_id": a_note().id,
        "event_id": uuid4(),
        "at": datetime.now(UTC),
        "tags": tags,
        "content_hash": tags_hash(tags),
    }
    return CorrectionSubmission(**(fields | changes))


def rectification(major: bool = True, **changes: Any) -> RevisionSubmission:
    """A rectification of that note, whatever its state; fields of the note can be changed."""
    note = a_note(**changes)
    return RevisionSubmission(
        note_id=a_note().id,
        event_id=uuid4(),
        at=datetime.now(UTC),
        note=note,
        content_hash=content_hash(note),
        major=major,
    )


def withdrawal(**changes: Any) -> RevisionSubmission:
    """The withdrawal of that note, whatever its state; any field can be given."""
    fields = {"note_id": a_note().id, "event_id": uuid4(), "at": datetime.now(UTC)}
    return RevisionSubmission(**(fields | changes))


def withdraw(url: str, event: NoteEvent) -> None:
    """What a withdrawal will leave in the registry: a second revision of that kind."""
    gone = event.model_copy(update={"kind": Kind.WITHDRAWN, "revision": 2})
    database = Database(url)
    with database.writing() as connection:
        connection.execute(
            revisions.insert(),
            {
                "note_id": gone.note_id,
                "revision": 2,
                "kind": gone.kind,
                "content_hash": "-",
                "event": encode(gone),
                "received_at": gone.received_at,
                "state": State.RECEIVED,
            },
        )
        connection.execute(notes.update().where(notes.c.id == gone.note_id).values(revision=2))
    database.close()


@contextlib.contextmanager
def own_schema(database: str) -> Iterator[str]:
    """The URL of a new schema of that PostgreSQL database, dropped at the end."""
    name = f"test_{uuid4().hex}"
    url = make_url(database).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        yield rendered(url.update_query_dict({"options": f"-csearch_path={name}"}))
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def rendered(url: URL) -> str:
    """The URL as a string, its password included."""
    return url.render_as_string(hide_password=False)


class Line:
    """A TCP line to a server: as good as it is, cut, or frozen (connected, but silent)."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._frozen = False
        self._closed = False
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End all connections and refuse new ones, as a server that is stopped."""
        with self._lock:
            self._listener.close()
            for each in list(self._pairs):
                self._end(each)

    def mend(self) -> None:
        """Take connections again, at the same port."""
        with self._lock:
            self._listener = self._listen(self.port)

    def freeze(self) -> None:
        """Carry nothing, and say nothing of it."""
        self._frozen = True

    def thaw(self) -> None:
        """Carry again."""
        self._frozen = False

    def close(self) -> None:
        """End it for good."""
        self._closed = True
        self.cut()
        self._thread.join(10)

    @staticmethod
    def _listen(port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port), reuse_port=False)

    def _end(self, one: socket.socket) -> None:
        other = self._pairs.pop(one, None)
        one.close()
        if other is not None:
            self._end(other)

    def _carry(self) -> None:
        while not self._closed:
            with self._lock:
                waiting = [*self._pairs, self._listener]
                waiting = [each for each in waiting if each.fileno() >= 0]
                for each in self._readable(waiting):
                    if each is self._listener:
                        self._connect()
                    elif each in self._pairs:
                        self._pass_on(each)
            # Lets another thread have the lock.
            threading.Event().wait(0.002)

    def _readable(self, waiting: list[socket.socket]) -> list[socket.socket]:
        if self._frozen or not waiting:
            return []
        with selectors.DefaultSelector() as selector:
            for each in waiting:
                selector.register(each, selectors.EVENT_READ)
            return [key.fileobj for key, _ in selector.select(0.005)]  # type: ignore[misc]

    def _connect(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            near.close()
            return
        self._pairs[near], self._pairs[far] = far, near

    def _pass_on(self, one: socket.socket) -> None:
        try:
            data = one.recv(65_536)
            if data:
                self._pairs[one].sendall(data)
                return
        except OSError:
            pass
        self._end(one)
