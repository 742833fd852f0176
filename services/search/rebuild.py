"""Rebuild: a new index from the log, filled beside the one in use, checked, put in its place.

The log is read from its beginning by one reader, in order, so the new index gets what the old one
got: every state under its version, and a note that is to be forgotten is forgotten. What comes in
meanwhile is read again and again until little is left; then the index is exchanged, and during the
exchange the rest is brought in. Searches see the old index until then, and the new one after it.
Why nothing is lost and nothing comes back: docs/adr/0008-rebuild.md.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from schemas.answers import Problem
from schemas.events import ClassifiedNote
from schemas.note import Frozen
from schemas.topics import CLASSIFIED
from services.runtime.errors import Unavailable
from services.runtime.log import Log, Record
from services.runtime.registry import Registry
from services.runtime.worker import Backoff, Parked
from services.search.handlers import Read, read_record
from services.search.index import Index, Rebuilding, Rejected
from services.search.superseded import withhold

logger = logging.getLogger(__name__)

PIECE = 400
"""Records read and applied at once, as the indexer does."""

NEARLY = PIECE
"""So few new records in one reading, and the next one belongs to the exchange."""

NEARER = 0.5
"""Each reading is to be so much shorter than the one before it. Where it is not, notes come in
about as fast as this indexes them, and the exchange has more left to do."""

TRIES = 30
"""Tries while the log or the index is away, 5 minutes in all: longer than an engine's restart."""

TELL_SECONDS = 10.0

Keys = set[bytes | None]
T = TypeVar("T")


class Step(StrEnum):
    """What is being done, in this order."""

    READ = "read"
    CATCH_UP = "catch_up"
    CHECK = "check"
    EXCHANGE = "exchange"
    CLEAN = "clean"


class Progress(Frozen):
    """How far a step is: notes found on the log, of so many that the old index has."""

    step: Step
    done: int
    of: int | None = None


class Summary(Frozen):
    """What a rebuild did.

    The new index holds `notes`, and `withdrawn` tombstones besides, from `records` of the log.
    `refused` states cannot be indexed and `unreadable` records are no events: both are among the
    dead letters since they first came. `complete` is false where it was stopped: then the index in
    use is what it was.
    """

    complete: bool
    notes: int
    withdrawn: int
    records: int
    refused: int
    unreadable: int
    seconds: float


class Line(Frozen):
    """One line of the answer: progress, and at the end a summary or a problem."""

    progress: Progress | None = None
    summary: Summary | None = None
    problem: Problem | None = None


class NotWhole(Exception):
    """The new index does not hold what the log says; it was abandoned."""

    def __init__(self, wanted: int, held: int) -> None:
        super().__init__(f"the new index holds {held} notes, the log {wanted}")
        self.wanted = wanted
        self.held = held


Tell = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A progress that nobody watches."""


async def rebuild(
    log: Log,
    index: Index,
    *,
    tell: Tell = silent,
    stopping: asyncio.Event | None = None,
    backoff: Backoff | None = None,
    registry: Registry | None = None,
) -> Summary:
    """Fill a new index from `notes.classified` and put it in the place of the one in use.

    Reads and writes go on meanwhile. Once `stopping` is set, before the exchange, the new index is
    given up. What the registry, where given, knows to be withheld is not in the new one either.
    Raises NotWhole, RebuildLost, Unavailable (an engine stays away): the index in use is
    what it was, and a rebuild begun again starts clean.
    """
    began = time.monotonic()
    new = await index.begin_rebuild()
    stop = stopping or asyncio.Event()
    run = _Run(log, index, new, tell, stop, backoff or Backoff(), registry)
    complete = False
    try:
        await run.fill()
        if not run.stopped:
            await run.check()
            await run.exchange()
            complete = True
    finally:
        if not complete:
            # The reason why it ends counts, not that what is left could not be removed just now.
            with contextlib.suppress(Unavailable):
                await new.abandon()
    if complete:
        await run.clean()
    found = run.book.summary(complete=complete, seconds=time.monotonic() - began)
    logger.info(
        "rebuild: %d notes from %d records in %.1f s%s",
        found.notes,
        found.records,
        found.seconds,
        "" if complete else ", stopped",
    )
    return found


@dataclass
class _Book:
    """What was read: by note the highest version taken (negative: withdrawn); counts."""

    versions: dict[UUID, int] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)
    """By partition, the offset to go on from."""
    records: int = 0
    forgotten: int = 0
    refused: int = 0
    unreadable: int = 0

    @property
    def in_force(self) -> int:
        """Notes that a search may find."""
        return sum(version > 0 for version in self.versions.values())

    def take(self, note: ClassifiedNote) -> None:
        """The index took this state, or has a higher one."""
        if note.version > abs(self.versions.get(note.note_id, 0)):
            self.versions[note.note_id] = -note.version if note.withdrawn else note.version

    def passed(self, records: Sequence[Record]) -> None:
        """These records are done with."""
        for record in records:
            self.next[record.partition] = record.offset + 1

    def summary(self, *, complete: bool, seconds: float) -> Summary:
        """All figures."""
        return Summary(
            complete=complete,
            notes=self.in_force,
            withdrawn=len(self.versions) - self.in_force,
            records=self.records,
            refused=self.refused,
            unreadable=self.unreadable,
            seconds=round(seconds, 1),
        )


@dataclass
class _Run:
    """The parts of `rebuild`, on what they share."""

    log: Log
    index: Index
    new: Rebuilding
    tell: Tell
    stopping: asyncio.Event
    backoff: Backoff
    registry: Registry | None = None
    book: _Book = field(default_factory=_Book)
    of: int | None = None
    step: Step = Step.READ

    @property
    def stopped(self) -> bool:
        """Whether somebody wants this to end."""
        return self.stopping.is_set()

    async def fill(self) -> None:
        """Read all there is, then what came meanwhile, until that is little."""
        self.of = await self._patiently(self.index.count) or None
        self._say(Step.READ)
        step, longest = Step.READ, math.inf
        while not self.stopped:
            before = self.book.records
            await self._patiently(partial(self._read_on, step))
            taken = self.book.records - before
            if taken <= NEARLY or taken > longest:
                return
            step, longest = Step.CATCH_UP, taken * NEARER

    async def check(self) -> None:
        """Raise NotWhole unless the new index holds every note that the log has in force.

        Nor is an index with notes in it exchanged for an empty one: a log without any is not the
        one that they came from.
        """
        self._say(Step.CHECK)
        held = await self._patiently(self.new.count)
        if held != self.book.in_force:
            raise NotWhole(self.book.in_force, held)
        if not self.book.records and self.of:
            raise NotWhole(self.of, 0)

    async def exchange(self) -> None:
        """Put the new index in place, and bring in what came since the last reading.

        From then on the indexer may write there too, and be ahead of this reader: it may have
        forgotten a note of which this reader brings an older state just after it. So what comes
        behind is looked at for the notes that this reader touched, until there is nothing more.
        """
        self._say(Step.EXCHANGE)
        async with self.new.exchange():
            touched: Keys | None = None
            while touched is None or touched:
                only, touched = touched, set()
                reading = partial(self._read_on, Step.EXCHANGE, only, touched)
                await self._patiently(reading, stoppable=False)
            if self.registry is not None:
                await self._withhold(self.registry)

    async def _withhold(self, registry: Registry) -> None:
        """Leave out what the registry knows to be withheld. While it is away, that is for the next
        start of a search service: half an exchange would be worse."""
        try:
            withheld = await self._patiently(partial(withhold, self.new, registry), stoppable=False)
        except Unavailable as error:
            logger.warning("rebuild: what is withheld is not known: %s", error.reason)
            return
        for note_id in withheld:
            self.book.versions.pop(note_id, None)

    async def clean(self) -> None:
        """Remove the old index; have the words of notes that were forgotten leave the new one.

        The log may hold these words until it is compacted, and then the new index met them.
        """
        self._say(Step.CLEAN)
        try:
            await self._telling(self.new.discard_old())
            if self.book.forgotten:
                await self._telling(self.index.purge())
        except Unavailable as error:
            logger.warning("rebuild: something is left over: %s", error.reason)

    async def _read_on(
        self, step: Step, only: Keys | None = None, touched: Keys | None = None
    ) -> None:
        """Bring to the new index what the log holds behind the last record read, or of that `only`
        these keys; add to `touched` the keys of what is brought."""
        batches = self.log.replay(CLASSIFIED.name, max_records=PIECE, start=self.book.next)
        async with aclosing(_decoded(batches, only)) as pieces:
            async for records, pairs in pieces:
                if self.stopped and step is not Step.EXCHANGE:
                    break
                if touched is not None:
                    touched.update(record.key for record, _ in pairs)
                await self._bring([one for _, one in pairs])
                self.book.passed(records)
                self.book.records += len(records)
                self._say(step)

    async def _bring(self, states: Sequence[Read]) -> None:
        """What is to be forgotten goes first, then of each note the states that came after that:
        the same as one by one, in two steps however they are mixed."""
        forgotten: set[UUID] = set()
        notes: list[ClassifiedNote] = []
        for one in reversed(states):
            if isinstance(one, UUID):
                forgotten.add(one)
            elif isinstance(one, Parked):
                self.book.unreadable += 1
            elif one.note_id not in forgotten:
                notes.append(one)
        notes.reverse()
        if forgotten:
            await self.new.forget(sorted(forgotten))
            self.book.forgotten += len(forgotten)
            for note_id in forgotten:
                self.book.versions.pop(note_id, None)
        outcomes = await self.new.apply(notes) if notes else []
        for note, outcome in zip(notes, outcomes, strict=True):
            if isinstance(outcome, Rejected):
                self.book.refused += 1
            else:
                self.book.take(note)

    async def _patiently(self, work: Callable[[], Awaitable[T]], *, stoppable: bool = True) -> T:
        """Do it; again after a while where an engine is away, from where it had come to."""
        failures = 0
        while True:
            before = self.book.records
            try:
                return await work()
            except Unavailable as error:
                failures = 1 if self.book.records > before else failures + 1
                if failures >= TRIES or (stoppable and self.stopped):
                    raise
                logger.warning("rebuild: waiting, then trying again: %s", error.reason)
            self._say(self.step)
            await self._pause(self.backoff.delay(failures), stoppable=stoppable)

    async def _telling(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, and say now and then that it goes on: a client would think the service gone."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait([task], timeout=TELL_SECONDS))[0]:
                self._say(self.step)
        finally:
            task.cancel()
        await task

    async def _pause(self, seconds: float, *, stoppable: bool) -> None:
        if not stoppable:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    def _say(self, step: Step) -> None:
        self.step = step
        done = len(self.book.versions)
        self.tell(Progress(step=step, done=done, of=self.of and max(self.of, done)))


_Pairs = list[tuple[Record, Read]]


async def _decoded(
    batches: AsyncIterator[Sequence[Record]], only: Keys | None
) -> AsyncGenerator[tuple[Sequence[Record], _Pairs], None]:
    """Each batch with what the wanted records are, read in a thread while the one before it is
    indexed. The reader is closed when this is."""
    ahead: tuple[Sequence[Record], asyncio.Future[_Pairs]] | None = None
    try:
        async for records in batches:
            wanted = [one for one in records if only is None or one.key in only]
            following = asyncio.ensure_future(asyncio.to_thread(_pairs, wanted))
            ahead, ready = (records, following), ahead
            if ready is not None:
                yield ready[0], await ready[1]
        if ahead is not None:
            yield ahead[0], await ahead[1]
    finally:
        if ahead is not None:
            ahead[1].cancel()
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()


def _pairs(records: Sequence[Record]) -> _Pairs:
    return [(record, read_record(record)) for record in records]
