"""Dead letters: records that can never succeed, parked with their reason, origin and bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from services.runtime.errors import Unprocessable
from services.runtime.log import Entry, Record

REASON = "valise-reason"
ORIGIN = "valise-origin"
SERVICE = "valise-service"
AT = "valise-at"
LETTER = "valise-letter"
"""On a record that was written to its topic again: the origin of the dead letter that it was."""

EXPUNGED = "valise-expunged"
"""On the null values of an expunged note: the number of the journal's entry."""

REASON_CHARACTERS = 2_000
"""A reason is for reading; a validator's or an engine's message can be as long as the note."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked record: what it was (key, value, headers), where it lay, who parked it and why."""

    topic: str
    partition: int
    offset: int
    reason: str
    service: str
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @classmethod
    def of(cls, record: Record, *, reason: str, service: str, at: datetime) -> Self:
        """The dead letter for a record that `service` could not process."""
        return cls(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=_one_line(reason),
            service=service,
            at=at,
            key=record.key,
            value=record.value,
            headers=record.headers,
        )

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """The dead letter in a record of a dead-letter topic.

        Raises Unprocessable where the record lacks what makes a dead letter.
        """
        try:
            topic, partition, offset = record.headers[ORIGIN].decode().rsplit("/", 2)
            return cls(
                topic=topic,
                partition=int(partition),
                offset=int(offset),
                reason=record.headers[REASON].decode(),
                service=record.headers[SERVICE].decode(),
                at=_moment(record.headers[AT].decode()),
                key=record.key,
                value=record.value,
                headers={name: value for name, value in record.headers.items() if name not in OURS},
            )
        except (KeyError, ValueError) as error:
            raise Unprocessable(f"{record.origin} is not a dead letter: {error!r}") from error

    @property
    def origin(self) -> str:
        """Where the record lay: `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def note_id(self) -> UUID | None:
        """The note that the record is about, from its key; None where that is not a note id."""
        try:
            return UUID((self.key or b"").decode("ascii"))
        except ValueError:
            return None

    @property
    def first_origin(self) -> str:
        """Where the record lay when it was parked first: a replayed letter stays the same letter.

        A record made of a replayed one, on the next topic, is another.
        """
        first = self.headers.get(LETTER, b"").decode("utf-8", "replace")
        return first if first.startswith(f"{self.topic}/") else self.origin

    def entry(self) -> Entry:
        """What is appended to the dead-letter topic: the original, our headers beside its own."""
        return Entry(
            key=self.key,
            value=self.value,
            headers={
                **self.headers,
                REASON: self.reason.encode(),
                ORIGIN: self.origin.encode(),
                SERVICE: self.service.encode(),
                AT: self.at.astimezone(UTC).isoformat().encode(),
            },
        )

    def without_content(self) -> Entry:
        """The same without the original's value and headers, where the log refuses those.

        The reason says so; the original stays at its origin as long as its topic keeps it.
        """
        bare = DeadLetter(
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            reason=_one_line(f"{len(self.value or b'')} bytes not parked; {self.reason}"),
            service=self.service,
            at=self.at,
            key=self.key,
            value=b"",
            headers={},
        )
        return bare.entry()


OURS = frozenset({REASON, ORIGIN, SERVICE, AT})


def _moment(text: str) -> datetime:
    """The moment. Raises ValueError for what is none, or names no time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _one_line(reason: str) -> str:
    """A reason as it is kept: one line, not too long, and valid UTF-8 whatever was quoted in it."""
    line = " ".join(reason.split()) or "no reason given"
    return line[:REASON_CHARACTERS].encode("utf-8", "backslashreplace").decode("utf-8")
