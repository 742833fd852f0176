"""Another release of the classifier over the log: what changes, what stays, what is the last word.

The classifiers here say at once what the tests need; the real one is in the journeys.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.classification import Classification, CountryTag, OrganisationTag, ThemeTag
from schemas.events import (
    ClassifiedNote,
    CorrectionTags,
    Kind,
    NoteEvent,
    classified,
    decode,
    encode,
    version,
)
from schemas.note import MarkedSpan, Note
from schemas.topics import CLASSIFIED, SUBMITTED, Topic
from schemas.vocabulary import Role
from services.classify.reclassify import (
    PIECE,
    Book,
    Progress,
    Standing,
    Step,
    Summary,
    Verdict,
    cut,
    reclassify,
    tags_of,
    verdict,
)
from services.runtime.errors import Unavailable
from services.runtime.log import MAX_HEADER_BYTES, Entry, Log, Record
from services.runtime.log.sqlite import SqliteLog
from tests.builders import a_note, an_event
from tests.contract.log_places import PLACES, opened

OLD, NEW = 3, 4
NOTES = 4
LONG_AGO = datetime(2026, 3, 5, 8, 30, tzinfo=UTC)
TOPICS = (SUBMITTED, CLASSIFIED)


def release(number: int, theme: str = "sante") -> Callable[[Note], Classification]:
    """A classifier that finds one theme and Germany in every note."""

    def classify(note: Note) -> Classification:
        return Classification(
            release=number,
            themes=(ThemeTag(theme=theme, score=0.9, evidence=()),),
            countries=(CountryTag(country="DE", role=Role.ABOUT, score=0.9, evidence=()),),
        )

    return classify


old, new = release(OLD), release(NEW, "travail")


@pytest.fixture(params=PLACES)
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    async with opened(request.param, tmp_path) as place:
        yield await place.provisioned(*TOPICS)


def event(number: int = 0, **changes: object) -> NoteEvent:
    return an_event(
        a_note(reference=f"BER-2026-{number:04}"),
        **{"at": LONG_AGO, "received_at": LONG_AGO, **changes},
    )


def key(note_id: UUID) -> bytes:
    return str(note_id).encode()


async def submit(log: Log, *events: NoteEvent) -> None:
    await log.append(SUBMITTED.name, [Entry(key(one.note_id), encode(one)) for one in events])


async def pass_on(log: Log, *events: NoteEvent, classify: object = old) -> None:
    """What classify does with events of `notes.submitted`."""
    await log.append(
        CLASSIFIED.name,
        [
            Entry(key(one.note_id), encode(classified(one, classify(one.note), datetime.now(UTC))))  # type: ignore[operator]
            for one in events
        ],
    )


async def known(log: Log, *events: NoteEvent) -> None:
    """Notes that were submitted and classified by the old release."""
    await submit(log, *events)
    await pass_on(log, *events)


async def records(log: Log, topic: Topic = CLASSIFIED) -> list[Record]:
    """All records, partition by partition: a replay keeps no order between partitions."""
    found = [one async for batch in log.replay(topic.name) for one in batch]
    return sorted(found, key=lambda one: (one.partition, one.offset))


async def history(log: Log, note_id: UUID) -> list[ClassifiedNote | None]:
    """All that `notes.classified` says of a note, in order."""
    return [
        None if one.value is None else decode(ClassifiedNote, one.value)
        for one in await records(log)
        if one.key == key(note_id)
    ]


async def last(log: Log, note_id: UUID) -> ClassifiedNote:
    found = (await history(log, note_id))[-1]
    assert found is not None
    return found


async def run(log: Log, *, dry_run: bool = False, classify: object = new) -> Summary:
    return await reclassify(log, classify, NEW, dry_run=dry_run)  # type: ignore[arg-type]


class Crossed:
    """A log on which something else happens just before each append to `notes.classified`."""

    def __init__(self, log: Log, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._log = log
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        await self._meanwhile()
        await self._log.append(topic, entries)


def once(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """The work, the first time."""
    left = [work]

    async def meanwhile() -> None:
        if left:
            await left.pop()()

    return meanwhile


# What is to be done about a note


def standing(**fields: object) -> Standing:
    first = version(1, 0, OLD)
    return Standing(
        **{"state": version(1, 0, 0), "place": 0, "last": first, "top": first, **fields}
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stands", "expected"),
    [
        (standing(), Verdict.DUE),
        (standing(last=version(1, 0, NEW), top=version(1, 0, NEW)), Verdict.CURRENT),
        (standing(last=version(1, 0, 9), top=version(1, 0, 9)), Verdict.CURRENT),
        (standing(withdrawn=True), Verdict.WITHDRAWN),
        (standing(last=0, top=0), Verdict.WAITING),
        (standing(state=version(2, 0, 0)), Verdict.WAITING),
        (standing(state=version(1, 1, 0)), Verdict.WAITING),
        (standing(last=version(2, 0, OLD), top=version(2, 0, OLD)), Verdict.WAITING),
        (standing(state=version(2, 0, 0), top=version(2, 0, NEW)), Verdict.REPEAT),
        (standing(state=version(2, 0, 0), top=version(2, 0, NEW), withdrawn=True), Verdict.REPEAT),
        (standing(state=0), Verdict.REPEAT),
        (standing(state=0, last=0, top=0), Verdict.FORGOTTEN),
    ],
)
def test_each_note_is_dealt_with_as_it_stands(stands: Standing, expected: Verdict) -> None:
    assert verdict(stands, NEW) is expected


def test_tags_in_force_are_those_of_a_reader_where_one_set_them() -> None:
    found = Classification(
        release=1,
        themes=(ThemeTag(theme="sante", subthemes=("hopital",), score=0.9, evidence=()),),
        countries=(CountryTag(country="FR", role=Role.MENTIONED, score=0.5, evidence=()),),
        organisations=(OrganisationTag(id="OMS", evidence=()),),
    )
    assert tags_of(found) == (
        "mentioned:FR",
        "organisation:OMS",
        "subtheme:sante.hopital",
        "theme:sante",
    )
    assert tags_of(found, CorrectionTags(themes=("travail",))) == (
        "mentioned:FR",
        "organisation:OMS",
    )
    assert tags_of(found, CorrectionTags(countries=("FR",))) == ("organisation:OMS",)


def test_rare_changes_are_among_the_examples() -> None:
    book = Book(NEW)
    for number in range(50):
        book.change(UUID(int=number), "Objet", ("theme:sante",), ("theme:travail",))
    book.change(UUID(int=99), "Rare", (), ("about:DE",))
    book.change(UUID(int=100), "Rien", ("about:DE",), ("about:DE",))
    found = book.summary(dry_run=True, complete=True)
    assert found.changed == 51
    assert [one.subject for one in found.examples] == ["Objet", "Objet", "Rare"]
    assert [(one.tag, one.added, one.removed) for one in found.tags] == [
        ("theme:sante", 0, 50),
        ("theme:travail", 50, 0),
        ("about:DE", 1, 0),
    ]


def test_a_long_subject_is_cut() -> None:
    assert cut("Objet\n de  la note") == "Objet de la note"
    assert cut("x" * 200, 10) == "x" * 9 + "…"


# On both logs


async def test_a_dry_run_says_what_would_change_and_writes_nothing(log: Log) -> None:
    events = [event(number) for number in range(3)]
    await known(log, *events)
    before = await records(log)
    found = await run(log, dry_run=True)
    assert (found.notes, found.due, found.changed, found.published) == (3, 3, 3, 0)
    assert {(one.tag, one.added, one.removed) for one in found.tags} == {
        ("theme:travail", 3, 0),
        ("theme:sante", 0, 3),
    }
    assert found.examples[0].subject == events[0].note.subject
    assert found.examples[0].added == ("theme:travail",)
    assert await records(log) == before


async def test_a_note_gets_a_higher_version_and_keeps_its_dates(log: Log) -> None:
    submitted = event(trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    await known(log, submitted)
    found = await run(log)
    assert (found.published, found.changed, found.complete) == (1, 1, True)
    first, second = await history(log, submitted.note_id)
    assert first is not None
    assert second is not None
    assert second.kind is Kind.RECLASSIFIED
    assert second.version == version(1, 0, NEW) > first.version
    assert second.event_id != first.event_id
    assert second.event_id.version == 7
    assert (second.at, second.received_at, second.trace) == (LONG_AGO, LONG_AGO, submitted.trace)
    assert second.note == submitted.note
    assert second.classified_at > first.classified_at


async def test_running_it_again_does_nothing(log: Log) -> None:
    await known(log, *(event(number) for number in range(PIECE + 5)))
    assert (await run(log)).published == PIECE + 5
    before = await records(log)
    again = await run(log)
    assert (again.due, again.current, again.published) == (0, PIECE + 5, 0)
    assert await records(log) == before


async def test_a_readers_correction_survives(log: Log) -> None:
    tags = CorrectionTags(themes=("sante.hopital",), countries=("FR",))
    corrected = event(kind=Kind.CORRECTED, correction=1, correction_tags=tags)
    await known(log, event(), corrected)
    found = await run(log)
    assert (found.corrected, found.changed, found.published) == (1, 0, 1)
    now = await last(log, corrected.note_id)
    assert (now.correction, now.correction_tags) == (1, tags)
    assert now.version == version(1, 1, NEW)


async def test_the_shortened_texts_of_a_note_get_the_new_tags_too(log: Log) -> None:
    passage = MarkedSpan(field="body", start=3, end=13, mark="Spécial France")
    submitted = an_event(a_note(marked_spans=[passage]))
    await known(log, submitted)

    def by_text(note: Note) -> Classification:
        theme = "sante" if note == submitted.note else "travail"
        return release(NEW, theme)(note)

    assert (await run(log, classify=by_text)).published == 1
    now = await last(log, submitted.note_id)
    assert [tag.theme for tag in now.classification.themes] == ["sante"]
    assert [(view.hidden, view.classification.themes[0].theme) for view in now.views] == [
        ((0,), "travail")
    ]
    assert now.views[0].classification.release == NEW


async def test_only_the_newest_state_of_a_note_is_reclassified(log: Log) -> None:
    rectified = event(kind=Kind.RECTIFIED, revision=2)
    await known(log, event(), rectified)
    assert (await run(log)).published == 1
    assert (await last(log, rectified.note_id)).version == version(2, 0, NEW)


async def test_a_withdrawn_or_forgotten_note_is_left_alone(log: Log) -> None:
    withdrawn, forgotten = event(1, kind=Kind.WITHDRAWN, revision=2), event(2)
    await known(log, event(1), withdrawn, forgotten)
    for topic in TOPICS:
        await log.append(topic.name, [Entry(key(forgotten.note_id), None)])
    before = await records(log)
    found = await run(log)
    assert (found.notes, found.withdrawn, found.published, found.repeated) == (1, 1, 0, 0)
    assert await records(log) == before


async def test_a_note_still_on_its_way_through_classify_keeps_its_first_event(log: Log) -> None:
    """Its first event on `notes.classified` is the one that alerts."""
    await submit(log, event())
    found = await run(log)
    assert (found.waiting, found.published) == (1, 0)
    assert await records(log) == []


async def test_unreadable_records_are_counted_and_passed_over(log: Log) -> None:
    good = event()
    await log.append(SUBMITTED.name, [Entry(key(good.note_id), b"no JSON"), Entry(b"no id", b"{}")])
    await log.append(CLASSIFIED.name, [Entry(key(event(1).note_id), b"{}")])
    await known(log, good)
    found = await run(log)
    assert (found.unreadable, found.published) == (3, 1)
    assert (await last(log, good.note_id)).version == version(1, 0, NEW)


async def test_a_state_too_large_for_the_log_is_refused_alone(log: Log) -> None:
    large, small = event(1), event(2)
    padding = {"padding": b"x" * (MAX_HEADER_BYTES - len("padding"))}
    await known(log, large, small)
    await log.append(SUBMITTED.name, [Entry(key(large.note_id), encode(large), padding)])

    class Narrow(Crossed):
        """A log that takes less than it took when the note came."""

        async def append(self, topic: str, entries: Sequence[Entry]) -> None:
            wide = [Entry(one.key, one.value, {**one.headers, "more": b"x"}) for one in entries]
            await super().append(topic, wide)

    async def nothing() -> None:
        pass

    found = await run(Narrow(log, nothing))  # type: ignore[arg-type]
    assert (found.published, found.refused) == (1, 1)
    assert (await last(log, small.note_id)).version == version(1, 0, NEW)


async def test_it_tells_how_far_it_is(log: Log) -> None:
    await known(log, *(event(number) for number in range(PIECE + 1)))
    told: list[Progress] = []
    await reclassify(log, new, NEW, dry_run=False, tell=told.append)
    assert list(dict.fromkeys(one.step for one in told)) == list(Step)
    ends = {one.step: one for one in told}
    assert ends[Step.READ].done == PIECE + 1
    assert (ends[Step.CLASSIFY].done, ends[Step.CLASSIFY].of) == (PIECE + 1, PIECE + 1)


# The last word on each note


@pytest.mark.parametrize(
    "change",
    [
        {"kind": Kind.RECTIFIED, "revision": 2},
        {"kind": Kind.CORRECTED, "correction": 1, "correction_tags": CorrectionTags()},
        {"kind": Kind.WITHDRAWN, "revision": 2},
    ],
    ids=["rectified", "corrected", "withdrawn"],
)
async def test_what_came_in_between_is_the_last_word(log: Log, change: dict[str, object]) -> None:
    """Classify passes a newer state on just before the older one is published."""
    first, newer = event(), event(**change)
    await known(log, first)
    crossed = Crossed(log, once(lambda: known(log, newer)))
    found = await run(crossed)  # type: ignore[arg-type]
    assert (found.published, found.repeated) == (1, 1)
    said = await history(log, first.note_id)
    assert [one.kind for one in said if one] == [
        Kind.SUBMITTED,
        newer.kind,
        Kind.RECLASSIFIED,
        newer.kind,
    ]
    now = await last(log, first.note_id)
    assert now.event_id == newer.event_id
    assert now.version == version(newer.revision, newer.correction, NEW)
    assert now.correction_tags == newer.correction_tags


async def test_what_came_while_that_was_said_again_is_the_last_word_too(log: Log) -> None:
    states = [event(kind=Kind.RECTIFIED, revision=number) for number in (2, 3, 4)]
    await known(log, event())
    coming = iter(states)

    async def one_more() -> None:
        for state in coming:
            await known(log, state)
            return

    found = await run(Crossed(log, one_more))  # type: ignore[arg-type]
    assert found.repeated == 3
    assert (await last(log, states[0].note_id)).version == version(4, 0, NEW)


async def test_a_note_forgotten_in_between_is_forgotten(log: Log) -> None:
    first = event()
    await known(log, first)

    async def forget() -> None:
        for topic in TOPICS:
            await log.append(topic.name, [Entry(key(first.note_id), None)])

    await run(Crossed(log, once(forget)))  # type: ignore[arg-type]
    assert (await history(log, first.note_id))[-1] is None


async def test_a_note_forgotten_and_sent_again_in_between_is_the_new_one(log: Log) -> None:
    first = event()
    again = first.model_copy(
        update={"note": first.note.model_copy(update={"body": "Autre texte."})}
    )
    await known(log, first)

    async def forget_and_send() -> None:
        for topic in TOPICS:
            await log.append(topic.name, [Entry(key(first.note_id), None)])
        await known(log, again)

    await run(Crossed(log, once(forget_and_send)))  # type: ignore[arg-type]
    said = await history(log, first.note_id)
    assert [None if one is None else one.note.body for one in said[-3:]] == [
        first.note.body,
        None,
        "Autre texte.",
    ]


async def test_stopped_in_the_middle_it_settles_what_it_published(log: Log) -> None:
    events = [event(number) for number in range(3 * PIECE)]
    newer = event(0, kind=Kind.RECTIFIED, revision=2)
    await known(log, *events)
    stopping = asyncio.Event()

    async def stop() -> None:
        await known(log, newer)
        stopping.set()

    crossed = Crossed(log, once(stop))
    found = await reclassify(crossed, new, NEW, dry_run=False, stopping=stopping)  # type: ignore[arg-type]
    assert (found.complete, found.published) == (False, PIECE)
    assert (await last(log, newer.note_id)).revision == 2
    rest = await run(log)
    assert rest.published == 2 * PIECE
    assert rest.current == PIECE


async def test_killed_before_it_settled_it_is_made_good_by_another_run(log: Log) -> None:
    first, newer = event(), event(kind=Kind.RECTIFIED, revision=2)
    withdrawn = event(1, kind=Kind.WITHDRAWN, revision=2)
    forgotten = event(2)
    await known(log, first, event(1), forgotten)
    await known(log, newer, withdrawn)
    for topic in TOPICS:
        await log.append(topic.name, [Entry(key(forgotten.note_id), None)])
    for late in (first, event(1), forgotten):
        again = late.model_copy(update={"kind": Kind.RECLASSIFIED})
        await pass_on(log, again, classify=new)
    found = await run(log)
    assert found.repeated == 2
    assert found.published == 1
    assert (await last(log, newer.note_id)).version == version(2, 0, NEW)
    assert (await last(log, withdrawn.note_id)).withdrawn
    assert (await history(log, forgotten.note_id))[-1] is None


async def test_a_classifier_that_fails_still_leaves_the_last_words_right(log: Log) -> None:
    events = [event(number) for number in range(PIECE + 1)]
    newer = event(0, kind=Kind.RECTIFIED, revision=2)
    await known(log, *events)

    def fails_on_the_last(note: Note) -> Classification:
        if note.reference == events[-1].note.reference:
            raise RuntimeError("bug")
        return new(note)

    with pytest.raises(RuntimeError) as raised:
        await run(Crossed(log, once(lambda: known(log, newer))), classify=fails_on_the_last)  # type: ignore[arg-type]
    assert raised.value.__notes__[0].startswith("while classifying notes.submitted/")
    revisions = [one.revision for one in await history(log, newer.note_id) if one]
    assert revisions[-1] == max(revisions)


async def test_a_log_that_is_away_for_a_moment_is_waited_for(log: Log) -> None:
    await known(log, event())
    failures = [Unavailable("away"), Unavailable("away")]

    async def away() -> None:
        if failures:
            raise failures.pop()

    assert (await run(Crossed(log, away))).published == 1  # type: ignore[arg-type]


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_whatever_crosses_it_the_last_event_is_the_newest_state(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(crossed_at_random(random.Random(seed), tmp_path_factory.mktemp("log")))


async def crossed_at_random(chance: random.Random, folder: Path) -> None:
    """Posts and readers change notes and classify is late by chance, at every step of a run."""
    log = SqliteLog(folder / "log.sqlite3")
    await log.provision(TOPICS)
    world = World(log, chance)
    await known(log, *(event(number) for number in range(NOTES)))
    await world.goes_on()
    for _ in range(2):
        steps = iter(range(chance.randrange(6)))

        async def for_a_while(steps: Iterator[int] = steps) -> None:
            for _ in steps:
                await world.goes_on()
                return

        await run(Crossed(log, for_a_while))  # type: ignore[arg-type]
    while world.waiting:
        await world.pass_one_on()
    for number, state in world.newest.items():
        said = (await history(log, event(number).note_id))[-1]
        assert said_of(said) == said_of(state)
    await log.stop()


def said_of(state: NoteEvent | None) -> tuple[int, int, bool] | None:
    return state and (state.revision, state.correction, state.kind is Kind.WITHDRAWN)


class World:
    """Notes that change, and a classify of the new release that passes the changes on, later."""

    def __init__(self, log: Log, chance: random.Random) -> None:
        self.newest: dict[int, NoteEvent | None] = {
            number: event(number) for number in range(NOTES)
        }
        self.waiting: list[tuple[int, NoteEvent | None]] = []
        self._log = log
        self._chance = chance

    async def goes_on(self) -> None:
        for _ in range(self._chance.randrange(4)):
            if self.waiting and self._chance.random() < 0.6:
                await self.pass_one_on()
            else:
                await self.change()

    async def change(self) -> None:
        number = self._chance.randrange(NOTES)
        state = self.newest[number] = self._next(number, self.newest[number])
        self.waiting.append((number, state))
        value = None if state is None else encode(state)
        await self._log.append(SUBMITTED.name, [Entry(key(event(number).note_id), value)])

    def _next(self, number: int, before: NoteEvent | None) -> NoteEvent | None:
        if before is None:
            return event(number)
        kind = self._chance.choice([Kind.RECTIFIED, Kind.CORRECTED, Kind.WITHDRAWN, None])
        if kind is None:
            return None
        if kind is Kind.CORRECTED and before.kind is not Kind.WITHDRAWN:
            return event(
                number, kind=kind, revision=before.revision, correction=before.correction + 1
            )
        return event(number, kind=kind, revision=before.revision + 1)

    async def pass_one_on(self) -> None:
        number, state = self.waiting.pop(0)
        if state is not None:
            await pass_on(self._log, state, classify=new)
        else:
            await self._log.append(CLASSIFIED.name, [Entry(key(event(number).note_id), None)])
