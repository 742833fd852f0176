"""What goes into the registry and comes out of it: plain frozen values, no SQLAlchemy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from schemas.answers import IngestOutcome, State
from schemas.events import CorrectionTags, Kind, NoteEvent
from schemas.note import Note
from services.runtime.access.rights import Restriction


class Key(NamedTuple):
    """One state of one note: a revision as it was sent, or a reader's correction of it."""

    note_id: UUID
    revision: int
    correction: int = 0


class Mark(NamedTuple):
    """A state that reached the index: `state` is indexed or withdrawn, `at` when (aware)."""

    note_id: UUID
    revision: int
    state: State
    at: datetime
    correction: int = 0


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a change of a note, as the journal is to name them: their id, name and address."""

    who: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A first submission as ingest made it.

    `content_hash` is taken over the note without its defaulted fields; `defaulted` names those: a
    value that nobody stated cannot contradict one that is kept.
    """

    event: NoteEvent
    content_hash: str
    defaulted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Begun:
    """What the registry made of a submission: accepted, duplicate or conflict.

    `event` is what the log must have before anyone is told "received": the stored bytes, which for
    a duplicate are those of the first submission; empty for a conflict. `differs` names the fields
    that contradict the kept note; `withdrawn` says that the note was taken back.
    """

    outcome: IngestOutcome
    note_id: UUID
    revision: int
    state: State
    event: bytes = b""
    differs: tuple[str, ...] = ()
    withdrawn: bool = False

    @property
    def key(self) -> Key:
        """The revision that this is about."""
        return Key(self.note_id, self.revision)


@dataclass(frozen=True, slots=True)
class Pending:
    """A receipt whose event may not be in the log yet, with the bytes to append."""

    note_id: UUID
    revision: int
    event: bytes
    correction: int = 0

    @property
    def key(self) -> Key:
        """The state that this is about."""
        return Key(self.note_id, self.revision, self.correction)


class Obstacle(StrEnum):
    """Why a correction or a revision cannot be begun."""

    UNKNOWN = "unknown"
    """Nobody submitted such a note."""
    WITHDRAWN = "withdrawn"
    """The post took the note back."""
    MOVED = "moved"
    """The note is no longer in a state that the reader had seen."""
    OTHER = "other"
    """The new revision bears another note's post or reference."""


@dataclass(frozen=True, slots=True)
class CorrectionSubmission:
    """A reader's correction as ingest made it; the registry gives it its number.

    `content_hash` is taken over the tags. `seen`: the states (revision, correction) of which the
    note must be in one; None where any will do.
    """

    note_id: UUID
    event_id: UUID
    at: datetime
    tags: CorrectionTags
    content_hash: str
    comment: str | None = None
    trace: str | None = None
    seen: frozenset[tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class BegunCorrection:
    """What the registry made of a correction: accepted, or a duplicate of the standing one.

    `waiting` is all of this note that may be missing in the log, in the order in which it must be
    written: each revision, then its corrections.
    """

    outcome: IngestOutcome
    note_id: UUID
    revision: int
    correction: int
    state: State
    waiting: tuple[Pending, ...] = ()

    @property
    def key(self) -> Key:
        """The state that this is about."""
        return Key(self.note_id, self.revision, self.correction)


@dataclass(frozen=True, slots=True)
class RevisionSubmission:
    """A change of a note by its post, as ingest made it; the registry gives it its number.

    `note` is the whole note as rectified, None where it is withdrawn. `defaulted` names fields
    that the sender guessed: they stay as they are. `guessed` names all that nobody stated. `seen`
    as for a correction.
    """

    note_id: UUID
    event_id: UUID
    at: datetime
    note: Note | None = None
    content_hash: str = ""
    defaulted: frozenset[str] = frozenset()
    major: bool = True
    trace: str | None = None
    seen: frozenset[tuple[int, int]] | None = None
    guessed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BegunRevision:
    """What the registry made of a new revision: accepted, or a duplicate of the latest one.

    `waiting` as for a correction; `dropped` is the number of the correction that no longer stands.
    """

    outcome: IngestOutcome
    note_id: UUID
    revision: int
    state: State
    waiting: tuple[Pending, ...] = ()
    dropped: int = 0

    @property
    def key(self) -> Key:
        """The revision that this is about."""
        return Key(self.note_id, self.revision)


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """A revision in a note's history: its state, when it was received, and its event."""

    state: State
    at: datetime
    event: NoteEvent


class Shown(NamedTuple):
    """A state of a note that somebody is to be shown: its revision, and as which audience."""

    revision: int
    audience: int


class Superseded(NamedTuple):
    """Why a state is not to be shown any more: `withdrawal` where that is the note's latest
    revision; None: it was restricted, or expunged."""

    withdrawal: NoteEvent | None = None


class CitationRow(NamedTuple):
    """A reference that a note cites (`kind`: cites or replies_to), and the note meant by it."""

    kind: str
    reference: str
    note_id: UUID | None


class CitingRow(NamedTuple):
    """A note that cites another one."""

    kind: str
    note_id: UUID


class MissingRow(NamedTuple):
    """A reference that no note has, with the notes of that post that cite it."""

    post: str
    reference: str
    cited_by: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """The latest correction of a note, without its tags: those travel in the event."""

    note_id: UUID
    revision: int
    correction: int
    at: datetime
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """Where the latest revision of a note stands. Times are aware, UTC."""

    note_id: UUID
    post: str
    reference: str
    revision: int
    kind: Kind
    state: State
    received_at: datetime
    indexed_at: datetime | None = None
    parked_at: datetime | None = None
    parked_reason: str | None = None


@dataclass(frozen=True, slots=True)
class OriginalRow:
    """The document that a revision was read from: its address (SHA-256 of its bytes), its name as
    the sender had it, its type and size.

    `needs`: what its reader must be able to see (bits of AUDIENCES), whatever the note's marks.
    `holds`: what lies in it, where it is kept: addresses of files, and ids of notes.
    """

    sha256: str
    name: str
    media_type: str
    bytes: int
    needs: int = 0
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldNote:
    """A note that lies in a document of another one: its post, whether it is withdrawn now, and
    what it has kept from readers since it was there."""

    post: str
    withdrawn: bool
    restrictions: tuple[Restriction, ...]


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A record that can never succeed: where it stood, who gave it up and why, and its bytes."""

    origin: str
    service: str
    reason: str
    at: datetime
    key: bytes | None = None
    value: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    again: bool = False
    """It was parked before, under the same origin, and has been replayed since."""


@dataclass(frozen=True, slots=True)
class ParkedRow(DeadLetterRow):
    """A dead letter as the registry keeps it, with the note it seems to be about.

    `returns` below `replays`: it has been replayed and not been parked again since.
    """

    id: int = 0
    note_id: UUID | None = None
    revision: int | None = None
    replayed_at: datetime | None = None
    replays: int = 0
    returns: int = 0


UNHEARD = timedelta(minutes=10)
"""After a replay of which nothing is heard for so long, its letter counts as parked again: whoever
replayed it may have been killed before it was written. To replay one twice does no harm."""

ON_THE_WAY = (State.PENDING, State.RECEIVED, State.PARKED)
"""The states of a revision that has not reached the index."""


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A dead letter without its bytes, of which there are `size` (None: a null value).

    `note_state` is that of the revision it is about, where the registry knows one.
    """

    id: int
    origin: str
    service: str
    reason: str
    at: datetime
    note_id: UUID | None
    revision: int | None
    replays: int
    returns: int
    replayed_at: datetime | None
    size: int | None
    note_state: State | None

    def lost(self, now: datetime) -> bool:
        """Whether its replay seems never to have been written, or to wait for an engine."""
        replayed = self.replayed_at
        return replayed is not None and replayed < now - UNHEARD and self.note_state in ON_THE_WAY


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant; None: any. `reason` is a part of it, in any case."""

    service: str | None = None
    reason: str | None = None
    note_id: UUID | None = None
    replayed: bool | None = None


@dataclass(frozen=True, slots=True)
class ExpungedRow:
    """An entry of the journal of expunged notes, which names no content.

    Events of the note received until `until` are not to come back; one sent again later is another
    note under the same id.
    """

    id: int
    note_id: UUID
    at: datetime
    reason: str
    until: datetime
    forgotten_at: datetime | None
    finished_at: datetime | None
