"""Passages with marks of their own: what any index tells whom of them, on each engine.

The notes are made of words that stand nowhere else, so that a word found, counted or shown where it
should not be is a leak that can be named.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from schemas.classification import Classification, CountryTag, Evidence
from schemas.events import ClassifiedNote, CorrectionTags, Kind, ShortenedView, classified
from schemas.marks import admits, rights_of
from schemas.note import MarkedSpan, Note
from schemas.query import Query, Reader, Sort
from schemas.vocabulary import Marking, Role
from services.classify.views import shortened_views
from services.runtime.access.rights import HIDDEN
from services.search.index import Applied, Index, Page
from tests.builders import a_note, an_event
from tests.search.index.corpus import CLEARED, asked

READERS = [
    Reader(
        name=f"lecteur {audience}",
        markings=frozenset(list(Marking)[: 1 + audience % 2]),
        special_france=audience >= 2,
    )
    for audience in range(4)
]
"""One of each audience, in their order."""

MARKS = ("diffusion_restreinte", "special_france", "Confidentiel Médecin", "non_protege")
COUNTRIES = ("DE", "ES", "IT", "SE")
WORDS = 8
"""Words of a body."""

_ONSETS, _VOWELS = "bcdfghjklmnprstvz", "aiou"
_SYLLABLES = ["".join(each) for each in product(_ONSETS, _VOWELS)]


def word(number: int) -> str:
    """A word of its own for each number, which no stemmer shortens into another."""
    found = ""
    for _ in range(4):
        number, at = divmod(number, len(_SYLLABLES))
        found += _SYLLABLES[at]
    return found + "k"


@dataclass(frozen=True)
class Told:
    """A note of the model: its words, each with the marks that bear on it (None: none)."""

    note: Note
    words: Sequence[str]
    marks: Sequence[tuple[str, ...]]
    countries: Sequence[str]

    def admitted(self, audience: int) -> bool:
        return admits(audience, self.note.marking, self.note.special_france)

    def seen(self, audience: int) -> set[str]:
        """The words that this audience may see."""
        if not self.admitted(audience):
            return set()
        return {
            each
            for each, marks in zip(self.words, self.marks, strict=True)
            if all(admits(audience, *rights_of(mark)) for mark in marks)
        }

    def countries_seen(self, audience: int) -> set[str]:
        """The countries for which some word speaks that this audience may see."""
        seen = self.seen(audience)
        pairs = zip(self.words, self.countries, strict=True)
        return {country for each, country in pairs if each in seen}


def told(chance: random.Random, number: int, generation: int = 0) -> Told:
    """A note of random marks, whole and in passages."""
    words = [word(number * 1_000 + generation * 100 + at) for at in range(WORDS)]
    body = " ".join(words)
    starts = [sum(len(each) + 1 for each in words[:at]) for at in range(WORDS)]
    marks: list[list[str]] = [[] for _ in words]
    spans = []
    for _ in range(chance.randrange(4)):
        first = chance.randrange(WORDS)
        last = min(WORDS - 1, first + chance.randrange(3))
        mark = chance.choice(MARKS)
        end = starts[last] + len(words[last])
        spans.append(MarkedSpan(field="body", start=starts[first], end=end, mark=mark))
        for at in range(first, last + 1):
            marks[at].append(mark)
    note = a_note(
        reference=f"N-{number}",
        subject="Une note",
        body=body,
        marking=chance.choice(list(Marking)),
        special_france=chance.random() < 0.3,
        marked_spans=spans,
    )
    countries = [chance.choice(COUNTRIES) for _ in words]
    return Told(note, words, [tuple(each) for each in marks], countries)


def event(of: Told, revision: int = 1, **changes: Any) -> ClassifiedNote:
    """Its classified event: each word speaks for its country. Every other note's is one from before
    shortened texts were classified."""

    def found(note: Note) -> Classification:
        tags: dict[str, list[Evidence]] = {}
        for each, country in zip(of.words, of.countries, strict=True):
            if each in note.body:
                tags.setdefault(country, []).append(_evidence(note.body, each))
        return Classification(
            release=1,
            countries=tuple(
                CountryTag(country=country, role=Role.ABOUT, score=0.9, evidence=tuple(evidence))
                for country, evidence in tags.items()
            ),
        )

    made = an_event(of.note, revision=revision, **changes)
    views = () if of.note.reference[-1] in "02468" else shortened_views(of.note, found)
    return classified(made, found(of.note), made.at, views)


async def check(index: Index, notes: Sequence[Told]) -> None:
    """Each reader finds, is shown and is told the count of what the model says, and no more."""
    await index.refresh()
    for audience, reader in enumerate(READERS):
        admitted = [each for each in notes if each.admitted(audience)]
        everything = await index.search(asked(reader=reader, size=100))
        assert everything.total == len(admitted) == len(everything.hits)
        counted = {row.value: row.count for row in everything.facets["country"]}
        assert counted == {
            country: number
            for country in COUNTRIES
            if (number := sum(country in each.countries_seen(audience) for each in admitted))
        }
        for each in notes:
            seen = each.seen(audience)
            for one in each.words:
                page = await index.search(asked(one, reader=reader))
                found = [hit.reference for hit in page.hits]
                assert found == ([each.note.reference] if one in seen else []), (audience, one)
                assert page.total == len(found)
            hit = [hit for hit in everything.hits if hit.reference == each.note.reference]
            shown = "".join(one.model_dump_json() for one in hit)
            assert [one for one in each.words if one in shown and one not in seen] == []
            if hit and len(seen) < WORDS:
                assert HIDDEN in hit[0].summary


@pytest.mark.parametrize("seed", range(3))
async def test_for_any_query_and_reader_what_comes_back_is_allowed(index: Index, seed: int) -> None:
    chance = random.Random(seed)
    notes = [told(chance, number) for number in range(12)]
    assert set(await index.apply(list(map(event, notes)))) == {Applied.INDEXED}
    await check(index, notes)
    # Rectified: other words, other marks; the same note, found once.
    later = [told(chance, number, 1) for number in range(6)]
    assert set(await index.apply([event(each, 2) for each in later])) == {Applied.INDEXED}
    assert set(await index.apply(list(map(event, notes[:6])))) == {Applied.STALE}
    assert await index.count() == len(notes)
    await check(index, [*later, *notes[6:]])
    gone = [event(each, 3, kind=Kind.WITHDRAWN) for each in later[:2]]
    assert set(await index.apply(gone)) == {Applied.WITHDRAWN}
    await index.forget([later[2].note.id])
    await check(index, [*later[3:], *notes[6:]])
    assert await index.count() == len(notes) - 3


SECRET = "mandarine"


def marked(mark: str = "special_france", **changes: Any) -> ClassifiedNote:
    """A note whose body ends in a marked passage."""
    body = f"La réforme des retraites avance. Le négociateur a cité la {SECRET}."
    start = body.index("Le négo")
    span = MarkedSpan(field="body", start=start, end=len(body), mark=mark)
    note = a_note(body=body, marked_spans=[span])
    made = an_event(note, **changes)
    tags = (
        CountryTag(
            country="DE",
            role=Role.ABOUT,
            score=0.9,
            evidence=(_evidence(body, "retraites"), _evidence(body, "négociateur")),
        ),
        CountryTag(country="CN", role=Role.ABOUT, score=0.9, evidence=(_evidence(body, SECRET),)),
    )
    return classified(made, Classification(release=1, countries=tags), made.at)


def _evidence(body: str, text: str) -> Evidence:
    start = body.index(text)
    return Evidence(field="body", start=start, end=start + len(text), text=text, source="test:w")


async def page(index: Index, words: str = "", **filters: Any) -> Page:
    await index.refresh()
    return await index.search(asked(words, **filters))


async def test_a_reader_sees_the_note_without_the_passage(index: Index) -> None:
    assert await index.apply([marked()]) == [Applied.INDEXED]
    (hit,) = (await page(index, "retraites")).hits
    assert HIDDEN in hit.summary
    assert [tag.country for tag in hit.countries] == ["DE"]
    assert [each.text for each in hit.countries[0].evidence] == ["retraites"]
    assert SECRET not in hit.model_dump_json()
    (whole,) = (await page(index, SECRET, reader=CLEARED)).hits
    assert SECRET in str(whole.highlights)
    assert [tag.country for tag in whole.countries] == ["DE", "CN"]


async def test_a_reader_is_shown_and_counted_the_tags_of_the_text_without_the_passage(
    index: Index,
) -> None:
    event = marked()
    (about, _) = event.classification.countries
    kept = about.model_copy(
        update={"role": Role.MENTIONED, "score": 0.4, "evidence": about.evidence[:1]}
    )
    of_the_rest = ShortenedView(
        hidden=(0,), classification=Classification(release=1, countries=(kept,))
    )
    event = event.model_copy(update={"views": (of_the_rest,)})
    assert await index.apply([event]) == [Applied.INDEXED]
    (hit,) = (await page(index)).hits
    assert hit.countries == (kept,)
    assert (await page(index, country=("DE",))).total == 0
    assert (await page(index, country_any=("DE",))).total == 1
    assert [row.value for row in (await page(index)).facets["country"]] == []
    assert (await page(index, country=("DE",), reader=CLEARED)).total == 1
    assert await index.get(event.note_id) == event


async def test_neither_counts_nor_exclusions_tell_of_the_passage(index: Index) -> None:
    await index.apply([marked()])
    for words in (SECRET, f'"la {SECRET}"', f"négociateur {SECRET}"):
        assert (await page(index, words)).total == 0
    assert (await page(index, f"retraites -{SECRET}")).total == 1
    assert (await page(index, f"retraites OU {SECRET}")).total == 1
    assert (await page(index, country=("CN",))).total == 0
    assert [row.value for row in (await page(index)).facets["country"]] == ["DE"]
    assert (await page(index, f"retraites -{SECRET}", reader=CLEARED)).total == 0


async def test_a_readers_correction_does_not_tell_either(index: Index) -> None:
    tags = CorrectionTags(themes=("sante",), countries=("CN", "DE"))
    await index.apply([marked(correction=1, correction_tags=tags)])
    (hit,) = (await page(index)).hits
    assert ([tag.country for tag in hit.countries], hit.themes) == (["DE"], ())
    (whole,) = (await page(index, reader=CLEARED)).hits
    assert [tag.country for tag in whole.countries] == ["CN", "DE"]


async def test_the_stamp_of_a_feed_is_the_audiences_own(index: Index) -> None:
    await index.apply([marked()])
    await index.refresh()
    query = Query(reader=READERS[0], sort=Sort.RECEIVED, words=SECRET)
    assert await index.stamp(query) != await index.stamp(
        query.model_copy(update={"reader": CLEARED})
    )


async def test_the_whole_note_is_kept_for_who_may_see_it(index: Index) -> None:
    note = marked()
    await index.apply([note])
    assert await index.get(note.note_id) == note


async def test_a_rebuild_and_a_purge_keep_the_views_apart(index: Index) -> None:
    await index.apply([marked(), event(told(random.Random(1), 1))])
    await index.apply([marked(revision=2)])
    beside = await index.begin_rebuild()
    await beside.apply([marked(revision=2), event(told(random.Random(1), 1))])
    assert await beside.count() == 2
    async with beside.exchange():
        pass
    assert (await page(index, SECRET)).total == 0
    assert (await page(index, SECRET, reader=CLEARED)).total == 1
    assert await index.count() == 2
