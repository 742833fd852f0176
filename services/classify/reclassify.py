"""Reclassify: the present release of the classifier over every note that the log holds.

`notes.submitted` says what each note is, `notes.classified` which tags it has. A note whose tags
are of a lower release gets a `reclassified` event: same revision, same correction, higher version.
`at` and `received_at` stay (a feed's dates do not move) and the event has an id of its own; nobody
is alerted, as only submitted and major rectified events may do that. A note that classify has not
passed on yet is left to it, so that its first event there is the one that alerts.

**The last event of a key on `notes.classified` remains its newest state.** Classify works on while
this runs: it may pass on a newer state of a note just before this appends the older one. So at the
end `notes.submitted` is read once more, and what is new there for a note that this has published is
said again, with the kind and id under which classify says it; over and over, until a reading finds
nothing new. Why that is enough: let T be the moment at which our last append for a note was
durable. The last reading began after T and found no newer state, so each newer state entered
`notes.submitted` after T, and classify, which reads it there, appends it after T. What classify
appends late of older states is followed by the newest one, as it keeps the order of a key.

Stopped half-way, the same is done before the end. Killed half-way, that is made good by running it
again: a key whose last event is not its newest is found, and its newest state is said again; what
has the present release already is left alone.
"""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

from schemas.answers import Problem
from schemas.classification import Classification
from schemas.events import (
    ClassifiedNote,
    CorrectionTags,
    EventT,
    Kind,
    NoteEvent,
    ShortenedView,
    UnreadableEvent,
    classified,
    decode,
    encode,
    version,
)
from schemas.note import Frozen, Note
from schemas.topics import CLASSIFIED, SUBMITTED
from schemas.vocabulary import Role
from services.classify.views import shortened_views
from services.runtime.errors import Unavailable, Unprocessable
from services.runtime.ids import uuid7
from services.runtime.log import Entry, Log, Record

logger = logging.getLogger("valise.classify")

PIECE = 25
"""Notes classified and appended at once (as classify does): 0.1 s of work, 350 KB of events."""

TRIES = 30
"""Tries to append while the log is away, 5 minutes in all: longer than a broker's restart."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0

EXAMPLES = 20
EXAMPLES_OF_A_TAG = 2
"""Examples in all, and for each tag that comes or goes: the rare changes are seen too."""
SUBJECT_CHARACTERS = 100

RELEASES = 2**20
"""A version's lowest part is the release (schemas.events.version)."""
PLACES = 2**48

Classify = Callable[[Note], Classification]
Tags = tuple[str, ...]
"""The tags in force, as `theme:sante`, `subtheme:sante.vaccination`, `about:DE`, `mentioned:FR`,
`organisation:OIT`, sorted."""


class Step(StrEnum):
    """What is being done, in this order."""

    READ = "read"
    COMPARE = "compare"
    CLASSIFY = "classify"
    SETTLE = "settle"


class Progress(Frozen):
    """How far a step is: records read, or notes classified `of` so many."""

    step: Step
    done: int
    of: int | None = None


class TagCount(Frozen):
    """To how many notes a tag is added, from how many it is removed."""

    tag: str
    added: int
    removed: int


class Example(Frozen):
    """A note whose tags change; its subject may be cut."""

    id: UUID
    subject: str
    added: Tags
    removed: Tags


class Summary(Frozen):
    """What a run did, or would do.

    Of `notes` on the log: `due` have tags of a lower release, `current` have the present one or a
    higher, `withdrawn` keep their tombstone, `waiting` are still to come through classify. Of those
    due, `changed` get other tags in force; `corrected` are due and bear a reader's correction,
    which stays. `published` events were written, and `repeated` states said again so that the last
    event is the newest. `refused` are too large for the log with their new tags. `unreadable`
    records of either topic were passed over. `complete` is false where the run was stopped.

    Whose subscriptions the changes touch will stand here once there are subscriptions.
    """

    dry_run: bool
    release: int
    complete: bool
    notes: int
    due: int
    changed: int
    corrected: int
    current: int
    withdrawn: int
    waiting: int
    published: int
    repeated: int
    refused: int
    unreadable: int
    tags: tuple[TagCount, ...]
    examples: tuple[Example, ...]


class Line(Frozen):
    """One line of the answer: progress, and at the end a summary or a problem."""

    progress: Progress | None = None
    summary: Summary | None = None
    problem: Problem | None = None


Tell = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A progress that nobody watches."""


class Verdict(StrEnum):
    """What is to be done about a note."""

    DUE = "due"
    CURRENT = "current"
    WITHDRAWN = "withdrawn"
    WAITING = "waiting"
    REPEAT = "repeat"
    FORGOTTEN = "forgotten"


@dataclass(slots=True)
class Standing:
    """Where one note stands on both topics.

    Of `notes.submitted`: `state` is the version of its newest state without a release (0: it is to
    be forgotten), `place` where that lies. Of `notes.classified`: the version of its `last` event
    and the highest (`top`), 0 where there is none or it is forgotten; the tags in force.
    Measured: 490 bytes a note with 13 tags, its id included (20,000 notes, tracemalloc).
    """

    state: int = 0
    place: int = -1
    withdrawn: bool = False
    last: int = 0
    top: int = 0
    tags: Tags = ()
    published: bool = False


def verdict(standing: Standing, release: int) -> Verdict:
    """What the release has to do about a note that stands so."""
    if not standing.state:
        return Verdict.REPEAT if standing.last else Verdict.FORGOTTEN
    wanted = standing.state + release
    if standing.top - standing.top % RELEASES != standing.state:
        # Lower: classify is to bring the newest state. Higher: it brought one that came meanwhile.
        return Verdict.WAITING
    if standing.top < wanted and not standing.withdrawn:
        return Verdict.DUE
    if standing.last < standing.top <= wanted:
        return Verdict.REPEAT
    return Verdict.WITHDRAWN if standing.withdrawn else Verdict.CURRENT


def tags_of(found: Classification, correction: CorrectionTags | None = None) -> Tags:
    """The tags in force: a reader's correction holds for themes and countries, whatever is found.

    A corrected note's themes, and the countries that it is about, are left out, as no release
    changes them; what it only mentions is as it was found.
    """
    tags = [f"organisation:{tag.id}" for tag in found.organisations]
    if correction is None:
        tags += [f"theme:{tag.theme}" for tag in found.themes]
        tags += [f"subtheme:{tag.theme}.{sub}" for tag in found.themes for sub in tag.subthemes]
        tags += [f"{tag.role}:{tag.country}" for tag in found.countries]
    else:
        tags += [
            f"{tag.role}:{tag.country}"
            for tag in found.countries
            if tag.role is Role.MENTIONED and tag.country not in correction.countries
        ]
    return tuple(sys.intern(tag) for tag in sorted(set(tags)))


def reclassified(
    event: NoteEvent,
    found: Classification,
    now: datetime,
    views: tuple[ShortenedView, ...] = (),
) -> ClassifiedNote:
    """The event that gives a state of a note its new tags: a change of its own, at no new date."""
    again = event.model_copy(update={"kind": Kind.RECLASSIFIED, "event_id": uuid7()})
    return classified(again, found, now, views)


@dataclass
class Book:
    """All that a run knows: every note's standing, and what was counted."""

    release: int
    notes: dict[bytes, Standing] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)
    """The last offset of `notes.submitted` that was taken in, by partition."""
    counts: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    examples_of: Counter[str] = field(default_factory=Counter)

    def verdict(self, standing: Standing) -> Verdict:
        """What is to be done about a note."""
        return verdict(standing, self.release)

    def change(self, note_id: UUID, subject: str, before: Tags, after: Tags) -> None:
        """A due note has these tags in force and gets those.

        All changes pass here: this is where the subscriptions that they touch will be asked for.
        """
        if before == after:
            return
        added, removed = tuple(sorted({*after} - {*before})), tuple(sorted({*before} - {*after}))
        self.counts["changed"] += 1
        self.added.update(added)
        self.removed.update(removed)
        changes = [f"+{tag}" for tag in added] + [f"-{tag}" for tag in removed]
        rare = any(self.examples_of[change] < EXAMPLES_OF_A_TAG for change in changes)
        if rare and len(self.examples) < EXAMPLES:
            self.examples_of.update(changes)
            self.examples.append(
                Example(id=note_id, subject=cut(subject), added=added, removed=removed)
            )

    def summary(self, *, dry_run: bool, complete: bool) -> Summary:
        """All figures; tags with the most changes first."""
        tags = [
            TagCount(tag=tag, added=self.added[tag], removed=self.removed[tag])
            for tag in {*self.added, *self.removed}
        ]
        tags.sort(key=lambda one: (-one.added - one.removed, one.tag))
        names = set(Summary.model_fields) - {
            *("dry_run", "release", "complete", "tags", "examples"),
        }
        return Summary(
            dry_run=dry_run,
            release=self.release,
            complete=complete,
            tags=tuple(tags),
            examples=tuple(self.examples),
            **{name: self.counts[name] for name in names},
        )


def cut(subject: str, most: int = SUBJECT_CHARACTERS) -> str:
    """A subject on one line, cut with an ellipsis."""
    line = " ".join(subject.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


async def reclassify(
    log: Log,
    classify: Classify,
    release: int,
    *,
    dry_run: bool,
    tell: Tell = silent,
    stopping: asyncio.Event | None = None,
    executor: Executor | None = None,
) -> Summary:
    """Have every note on the log bear the tags of this release; what was, or would be, changed.

    `classify` gives the tags of `release`. `executor` does that work (by default threads; with
    processes `classify` must be a function that can be named there). Once `stopping` is set,
    nothing further is published, what was is brought to its end, and the summary is not complete.
    Raises Unavailable where the log stays away; running it again goes on from there.
    """
    book = Book(release)
    run = _Run(log, book, classify, executor, tell, stopping or asyncio.Event())
    await run.survey()
    complete = False
    try:
        complete = await run.go_through(dry_run)
    finally:
        await run.settle()
    found = book.summary(dry_run=dry_run, complete=complete)
    logger.info(
        "reclassify: release %d%s: %d notes, %d due, %d changed, %d published, %d said again%s",
        release,
        " (dry run)" if dry_run else "",
        found.notes,
        found.due,
        found.changed,
        found.published,
        found.repeated,
        "" if complete else ", stopped",
    )
    return found


@dataclass
class _Run:
    """The parts of `reclassify`, on what they share."""

    log: Log
    book: Book
    classify: Classify
    executor: Executor | None
    tell: Tell
    stopping: asyncio.Event

    async def survey(self) -> None:
        """Learn where each note stands: first on `notes.submitted`, then on `notes.classified`.

        In this order, what classify passed on is never taken for newer than it is.
        """
        book = self.book
        await self._replayed(SUBMITTED.name, Step.READ, partial(_take_submitted, book))
        await self._replayed(CLASSIFIED.name, Step.COMPARE, partial(_take_classified, book))
        for standing in book.notes.values():
            book.counts["notes"] += standing.state > 0
            book.counts[book.verdict(standing)] += 1

    async def _replayed(
        self, topic: str, step: Step, take: Callable[[Sequence[Record]], None]
    ) -> None:
        done = 0
        async with _replay(self.log, topic) as batches:
            async for records in batches:
                if self.stopping.is_set():
                    return
                await asyncio.to_thread(take, records)
                done += len(records)
                self.tell(Progress(step=step, done=done))

    async def go_through(self, dry_run: bool) -> bool:
        """Classify what is due and publish it; False where that was stopped before the end."""
        book, done = self.book, 0
        total = book.counts[Verdict.DUE] + book.counts[Verdict.REPEAT]
        if not total or self.stopping.is_set():
            return not self.stopping.is_set()
        self.tell(Progress(step=Step.CLASSIFY, done=0, of=total))
        async with _replay(self.log, SUBMITTED.name) as batches:
            async for records in batches:
                pieces = list(_pieces(_wanted(book, records)))
                working = _results(self.executor, self.classify, pieces)
                async with aclosing(working) as results:
                    async for piece, found in results:
                        if self.stopping.is_set():
                            return False
                        await self._take(piece, found, dry_run)
                        done += len(piece)
                        self.tell(Progress(step=Step.CLASSIFY, done=done, of=total))
        return True

    async def _take(
        self, piece: Sequence["_Wanted"], results: Sequence["_Result"], dry_run: bool
    ) -> None:
        """Count what a piece changes, and publish it."""
        for wanted, result in zip(piece, results, strict=True):
            if not wanted.again:
                self.book.counts["corrected"] += result.corrected
                note_id = UUID(bytes=wanted.key)
                self.book.change(note_id, result.subject, wanted.standing.tags, result.tags)
        if dry_run:
            return
        for wanted in piece:
            # Before the append: one that fails may have been written all the same.
            wanted.standing.published = True
        published = [
            result.entry for one, result in zip(piece, results, strict=True) if not one.again
        ]
        repeated = [result.entry for one, result in zip(piece, results, strict=True) if one.again]
        self.book.counts["published"] += await self._append(published)
        self.book.counts["repeated"] += await self._append(repeated)

    async def settle(self) -> None:
        """Say again what is newer than what was published, until nothing is (see the module)."""
        if not any(standing.published for standing in self.book.notes.values()):
            return
        news = True
        while news:
            news = False
            done = 0
            async with _replay(self.log, SUBMITTED.name) as batches:
                async for records in batches:
                    done += len(records)
                    self.tell(Progress(step=Step.SETTLE, done=done))
                    entries = await asyncio.to_thread(
                        _news, self.book, self.classify, _unread(self.book, records)
                    )
                    news = news or bool(entries)
                    self.book.counts["repeated"] += await self._append(entries)

    async def _append(self, entries: Sequence[Entry]) -> int:
        """Append, patiently; how many the log took. Raises Unavailable."""
        if not entries:
            return 0
        try:
            await self._patiently(entries)
        except Unprocessable:
            if len(entries) > 1:
                return sum([await self._append([entry]) for entry in entries])
            self.book.counts["refused"] += 1
            return 0
        return len(entries)

    async def _patiently(self, entries: Sequence[Entry]) -> None:
        pause = FIRST_PAUSE_SECONDS
        for left in reversed(range(TRIES)):
            try:
                return await self.log.append(CLASSIFIED.name, entries)
            except Unavailable as error:
                if not left:
                    raise
                logger.warning("reclassify: waiting, then trying again: %s", error.reason)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A record to work on: the newest state of a note, new tags for it, or the state `again`."""

    key: bytes
    record: Record
    standing: Standing
    again: bool


@dataclass(frozen=True, slots=True)
class _Result:
    """What to append for it, and what a comparison needs."""

    entry: Entry
    tags: Tags = ()
    subject: str = ""
    corrected: bool = False


def _take_submitted(book: Book, records: Sequence[Record]) -> None:
    for record in records:
        book.read[record.partition] = record.offset
        key, event = _read(NoteEvent, record)
        if key is None:
            book.counts["unreadable"] += 1
            continue
        standing = book.notes.setdefault(key, Standing())
        state = 0 if event is None else version(event.revision, event.correction, 0)
        if event is None or state >= standing.state:
            standing.state, standing.place = state, _place(record)
            standing.withdrawn = event is not None and event.kind is Kind.WITHDRAWN


def _take_classified(book: Book, records: Sequence[Record]) -> None:
    for record in records:
        key, event = _read(ClassifiedNote, record)
        if key is None:
            book.counts["unreadable"] += 1
            continue
        standing = book.notes.get(key)
        if standing is None:
            continue
        if event is None:
            standing.last, standing.top, standing.tags = 0, 0, ()
            continue
        standing.last = event.version
        if event.version >= standing.top:
            standing.top = event.version
            standing.tags = tags_of(event.classification, event.correction_tags)


def _read(model: type[EventT], record: Record) -> tuple[bytes | None, EventT | None]:
    """The note's id as 16 bytes (None: unreadable), and the event (None: forget this note)."""
    try:
        note_id = UUID((record.key or b"").decode("ascii"))
        event = None if record.value is None else decode(model, record.value)
    except (ValueError, UnreadableEvent):
        return None, None
    if event is not None and event.note_id != note_id:
        return None, None
    return note_id.bytes, event


def _wanted(book: Book, records: Sequence[Record]) -> Iterator[_Wanted]:
    """Those of these records that are the newest state of a note about which to do something."""
    for record in records:
        try:
            key = UUID((record.key or b"").decode("ascii")).bytes
        except ValueError:
            continue
        standing = book.notes.get(key)
        if standing is None or standing.place != _place(record):
            continue
        what = book.verdict(standing)
        if what in (Verdict.DUE, Verdict.REPEAT):
            yield _Wanted(key, record, standing, again=what is Verdict.REPEAT)


def _unread(book: Book, records: Sequence[Record]) -> list[Record]:
    """Those of these records that came since the last reading; they count as read from now on."""
    fresh = []
    for record in records:
        if record.offset > book.read.get(record.partition, -1):
            book.read[record.partition] = record.offset
            fresh.append(record)
    return fresh


def _news(book: Book, classify: Classify, records: Sequence[Record]) -> list[Entry]:
    """What classify makes of the newer states of published notes: the newest of each, in order.

    A null value is said even where a state follows it: what was published in between must go.
    """
    entries: dict[bytes, list[Entry]] = {}
    for record in records:
        key, event = _read(NoteEvent, record)
        standing = None if key is None else book.notes.get(key)
        if key is None or standing is None or not standing.published:
            continue
        state = 0 if event is None else version(event.revision, event.correction, 0)
        if event is not None and state <= standing.state:
            continue
        standing.state = state
        said = entries.setdefault(key, [])
        said[:] = [entry for entry in said if event is not None and entry.value is None]
        said.append(_again(classify, record))
    return [entry for said in entries.values() for entry in said]


def _again(classify: Classify, record: Record) -> Entry:
    """A record of `notes.submitted` as classify passes it on."""
    key = _written(record)
    if record.value is None:
        return Entry(key=key, value=None, headers=record.headers)
    event = decode(NoteEvent, record.value)
    found, views = classify(event.note), shortened_views(event.note, classify)
    value = encode(classified(event, found, datetime.now(UTC), views))
    return Entry(key=key, value=value, headers=record.headers)


def _worked(classify: Classify, jobs: Sequence[tuple[Record, bool]]) -> list[_Result]:
    """What is to be said of each record (again: as classify said it). May run in any process."""
    results = []
    for record, again in jobs:
        try:
            results.append(_Result(_again(classify, record)) if again else _new(classify, record))
        except Exception as bug:
            bug.add_note(f"while classifying {record.origin}")
            raise
    return results


def _new(classify: Classify, record: Record) -> _Result:
    event = decode(NoteEvent, record.value or b"")
    found = classify(event.note)
    views = shortened_views(event.note, classify)
    value = encode(reclassified(event, found, datetime.now(UTC), views))
    return _Result(
        Entry(key=_written(record), value=value, headers=record.headers),
        tags_of(found, event.correction_tags),
        event.note.subject,
        event.correction_tags is not None,
    )


def _written(record: Record) -> bytes:
    """The key in the one spelling that classify writes."""
    return str(UUID((record.key or b"").decode("ascii"))).encode()


def _place(record: Record) -> int:
    return record.partition * PLACES + record.offset


def _pieces(wanted: Iterator[_Wanted]) -> Iterator[list[_Wanted]]:
    piece: list[_Wanted] = []
    for one in wanted:
        piece.append(one)
        if len(piece) == PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


@asynccontextmanager
async def _replay(log: Log, topic: str) -> AsyncIterator[AsyncIterator[Sequence[Record]]]:
    """The topic's records; the reader is closed when the block is left, however it is."""
    batches = log.replay(topic)
    try:
        yield batches
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()


async def _results(
    executor: Executor | None, classify: Classify, pieces: Sequence[Sequence[_Wanted]]
) -> AsyncGenerator[tuple[Sequence[_Wanted], list[_Result]], None]:
    """The pieces with their results, in order; all are worked on as far as there are cores."""
    loop = asyncio.get_running_loop()
    jobs = [
        loop.run_in_executor(
            executor, _worked, classify, [(one.record, one.again) for one in piece]
        )
        for piece in pieces
    ]
    try:
        for piece, job in zip(pieces, jobs, strict=True):
            yield piece, await job
    finally:
        for job in jobs:
            job.cancel()
