"""The log port: append, consume as a group in order per key, commit after the work, replay.

Two adapters, `sqlite.SqliteLog` and `kafka.KafkaLog`, pass one contract suite (tests/contract).
What a caller may rely on:

- `append` returns when the entries are durable; entries of one key keep their order.
- Every group gets every record of a topic; within a group one member at a time handles the records
  of a key, in order; when a member dies another takes over.
- A batch is committed after its handler returned; what was not committed is delivered again.
- A handler that raises `Redeliver` gets the same records again, nothing behind them first.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.topics import Topic
from services.runtime.errors import Unprocessable

MAX_ENTRY_BYTES = 12 * 1024 * 1024
"""Key and value together: the largest note (10 MB) in its event, with its tags."""

MAX_HEADER_BYTES = 512 * 1024
"""Headers together; a dead letter's are its original's and four short ones."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is appended: key, value (None: forget this key), headers."""

    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)

    def check(self) -> None:
        """Raise Unprocessable where no log may take this entry: nothing in it, or too large."""
        if self.key is None and self.value is None:
            raise Unprocessable("an entry needs a key or a value")
        size = len(self.key or b"") + len(self.value or b"")
        if size > MAX_ENTRY_BYTES:
            raise Unprocessable(f"the entry has {size} bytes, at most {MAX_ENTRY_BYTES} fit")
        header_size = sum(len(name) + len(value) for name, value in self.headers.items())
        if header_size > MAX_HEADER_BYTES:
            raise Unprocessable(
                f"the headers have {header_size} bytes, at most {MAX_HEADER_BYTES} fit"
            )


@dataclass(frozen=True, slots=True)
class Record:
    """What is consumed: an entry at its place in the log. `timestamp_ms` is UTC epoch time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int

    @property
    def origin(self) -> str:
        """The record's place as written in logs and dead letters: `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Redeliver(Exception):
    """Raised by a batch handler: commit nothing of this batch, deliver it again.

    The log waits `after` seconds first; stopping or losing the partition cuts the wait short.
    """

    def __init__(self, reason: str = "", after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class StopConsuming(Exception):
    """Raised by a batch handler: commit nothing and deliver nothing more; somebody must look."""


BatchHandler = Callable[[Sequence[Record]], Awaitable[None]]


class Subscription(Protocol):
    """A group's place on a topic, in this process."""

    async def lag(self) -> int:
        """Records appended but not committed by the group, over the partitions this member holds.

        Raises Unavailable where the log does not answer.
        """
        ...

    @property
    def failure(self) -> BaseException | None:
        """Why consuming ended by itself (StopConsuming or a crash of the loop); None while well."""
        ...


class Log(Protocol):
    """A durable, replayable log of topics. Subscribe before `start`."""

    async def provision(self, topics: Sequence[Topic]) -> None:
        """Create the topics that do not exist, with partitions and retention. Idempotent."""
        ...

    def subscribe(
        self, topic: str, group: str, handler: BatchHandler, *, max_records: int = 200
    ) -> Subscription:
        """Have `handler` called with batches of the topic's records, from the group's last commit.

        A new group starts at the beginning of the topic. A batch may span partitions.
        """
        ...

    async def start(self) -> None:
        """Connect and begin to consume. Raises Unavailable where the log is not reachable."""
        ...

    async def stop(self) -> None:
        """Finish or abandon the batch in hand, within 8 s, and disconnect. Never raises."""
        ...

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Write entries; returns when all are durable.

        Raises Unavailable within 5 s where the log does not take them (some may have been
        written: appending again is safe by the versions of events), Unprocessable for an entry
        that the log can never take (too large, without key and value, without a key on a compacted
        topic).
        """
        ...

    def replay(
        self, topic: str, *, max_records: int = 500, start: Mapping[int, int] | None = None
    ) -> AsyncIterator[Sequence[Record]]:
        """All records from the start to the end as it stood at the call, without any group.

        `start` names offsets by partition from which on they are wanted.
        """
        ...

    async def ready(self) -> bool:
        """Whether the log answers now."""
        ...
