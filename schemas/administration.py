"""What the services answer to administrators: dead letters, and what became of expunging a note."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.answers import State
from schemas.note import STORABLE, Frozen


class LetterState(StrEnum):
    """Where a dead letter is."""

    PARKED = "parked"
    """It was never replayed, or was parked again since."""
    REPLAYED = "replayed"
    """It was written to its topic again; nothing is known of it since."""
    SETTLED = "settled"
    """It was replayed, and the revision that it is about has reached the index."""


class DeadLetterView(Frozen):
    """A dead letter without its bytes: `bytes` counts those of the value (null: a null value)."""

    number: int
    state: LetterState
    service: str
    origin: str
    reason: str
    at: datetime
    note_id: UUID | None
    revision: int | None
    note_state: State | None
    replays: int
    replayed_at: datetime | None
    bytes: int | None


class Bytes(Frozen):
    """Bytes as text where they are UTF-8, else in base 64."""

    encoding: Literal["text", "base64"]
    data: str


class DeadLetterDetail(DeadLetterView):
    """A dead letter whole, with a hint in French: what an administrator should do about it."""

    hint: str
    key: Bytes | None
    value: Bytes | None
    headers: dict[str, Bytes]


class DeadLetterPage(Frozen):
    """Dead letters, newest first; `next` is the `before` of the next page."""

    letters: list[DeadLetterView]
    next: int | None


class NotReplayed(Frozen):
    """A letter that was left where it is, and why (French)."""

    number: int
    detail: str


class Replayed(Frozen):
    """How many letters were written to their topics again.

    `next` is the `after` of the request that goes on where this one ended; null: all were seen.
    """

    replayed: int
    refused: list[NotReplayed]
    next: int | None


class ExpungeOrder(Frozen):
    """Why a note is to be expunged, for the journal: it should name nothing of its content."""

    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=STORABLE),
        Field(description="Pourquoi, sans rien citer de la note"),
    ]


class Expunged(Frozen):
    """The journal's entry about an expunged note. It names no content.

    `finished_at` is null while its bytes have not left the files; asking again goes on with it.
    """

    id: UUID
    at: datetime
    reason: str
    finished_at: datetime | None
