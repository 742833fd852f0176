"""Marks hold over time: whatever order revisions come in, and whatever was begun before them.

Histories of a note are made at random: sentences come and go, are marked, the whole note is
restricted, declassified, withdrawn, reinstated. The index lags behind the registry, cursors lag
behind both. A sentence is made of a word of its own, so that whatever shows it can be named.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.access import Role
from schemas.answers import IngestOutcome
from schemas.events import ClassifiedNote, CorrectionTags, Kind
from schemas.marks import admits, rights_of
from schemas.note import MarkedSpan, Note
from schemas.vocabulary import Marking
from services.runtime.registry import BegunRevision, Key, RevisionSubmission, Submission
from services.search.index import CURSOR_MINUTES
from services.search.revisions import PAGE
from tests.builders import a_classified_note, a_note
from tests.contract.index_places import ENGINES, on_elasticsearch
from tests.runtime.registry_kit import correction, rectification, submission, withdrawal
from tests.search.site import Site, open_site

MARKS = ("special_france", "diffusion_restreinte", "Confidentiel Médecin")
SENTENCES = 4
COMMON = "commission"
"""A word of every note, by which searches find it."""
_numbers = count(1)


@pytest.fixture(params=ENGINES)
async def any_site(
    request: pytest.FixtureRequest, tmp_path: Path, engine: Callable[[str], str]
) -> AsyncIterator[Site]:
    """A search service without a note, on each engine."""
    async with contextlib.AsyncExitStack() as opened:
        index = None
        if request.param == "elasticsearch":
            index = await opened.enter_async_context(on_elasticsearch(engine("ELASTICSEARCH")))
        yield await opened.enter_async_context(open_site(tmp_path / "site", index))


@dataclass(frozen=True)
class Step:
    """A revision: the sentences it has, the mark of each (None: none), and of the whole note;
    `withdrawn`: it withdraws the note instead."""

    sentences: tuple[int, ...]
    marks: tuple[str | None, ...]
    whole: str | None
    withdrawn: bool = False

    def shows(self, sentence: int, audience: int) -> bool:
        """Whether this audience may see the sentence, of a revision that has it."""
        asked = [self.whole, self.marks[sentence]]
        return all(mark is None or admits(audience, *rights_of(mark)) for mark in asked)


steps = st.builds(
    Step,
    sentences=st.lists(st.integers(0, SENTENCES - 1), unique=True).map(tuple),
    marks=st.tuples(*[st.sampled_from([None, None, *MARKS])] * SENTENCES),
    whole=st.sampled_from([None, None, None, "special_france", "diffusion_restreinte"]),
    withdrawn=st.sampled_from([False] * 5 + [True]),
)


def histories(revisions: int) -> st.SearchStrategy[list[Step]]:
    """Up to so many revisions; the first one is public, and nothing is withdrawn twice."""

    def possible(made: list[Step]) -> list[Step]:
        first = Step(made[0].sentences, (None,) * SENTENCES, None)
        kept = [first]
        for step in made[1:]:
            kept += [] if step.withdrawn and kept[-1].withdrawn else [step]
        return kept

    return st.lists(steps, min_size=2, max_size=revisions).map(possible)


class History:
    """A note as it goes through its revisions in a site's registry and index."""

    def __init__(self, site: Site, made: Sequence[Step]) -> None:
        self.site, self.made = site, made
        self.reference = f"H-{next(_numbers)}"
        self.words = [f"zq{self.reference[2:]}x{at}k" for at in range(SENTENCES)]
        self.notes = [self._note(step) for step in made]
        self.events: list[ClassifiedNote] = []

    @property
    def id(self) -> str:
        return str(self.notes[0].id)

    def _note(self, step: Step) -> Note:
        body, spans = f"La {COMMON} de {self.reference}.", []
        for sentence in step.sentences:
            body += " "
            text = f"Phrase {self.words[sentence]} dite."
            mark = step.marks[sentence]
            if mark is not None:
                start = len(body)
                spans.append(
                    MarkedSpan(field="body", start=start, end=start + len(text), mark=mark)
                )
            body += text
        marking, special_france = (
            (Marking.NON_PROTEGE, False) if step.whole is None else rights_of(step.whole)
        )
        return a_note(
            reference=self.reference,
            body=body,
            marking=marking,
            special_france=special_france,
            marked_spans=spans,
        )

    def send(self, at: int) -> None:
        """The registry takes the revision at that place."""
        note, registry = self.notes[at], self.site.registry
        if at == 0:
            sent = submission(reference=self.reference, body=note.body)
            registry.begin([sent])
            registry.mark_received([Key(note.id, 1)])
            self.events.append(a_classified_note(note, themes=()))
            return
        changed: RevisionSubmission = (
            withdrawal(note_id=note.id)
            if self.made[at].withdrawn
            else _of(rectification(major=at % 2 == 0), note)
        )
        begun = registry.begin_revision(changed)
        assert isinstance(begun, BegunRevision)
        if begun.outcome is IngestOutcome.DUPLICATE:
            self.events.append(self.events[-1])  # what the latest one says already
            return
        registry.mark_received([begun.key])
        kept = self.events[-1].note if self.made[at].withdrawn else note
        kind = Kind.WITHDRAWN if self.made[at].withdrawn else Kind.RECTIFIED
        self.events.append(a_classified_note(kept, revision=begun.revision, kind=kind, themes=()))

    def standing(self) -> Iterator[tuple[int, Step]]:
        """The revisions that were made, each with what it says: a withdrawal, as before it."""
        said: dict[int, Step] = {}
        for event, step in zip(self.events, self.made, strict=False):
            before = said.get(event.revision, said.get(event.revision - 1))
            said.setdefault(event.revision, before if step.withdrawn and before else step)
        yield from sorted(said.items())

    def allowed(self, audience: int) -> set[str]:
        """The words that the audience may see in any way: of a revision from which on nothing kept
        them from it."""
        found, kept = set(), set[int]()
        for _, step in sorted(self.standing(), reverse=True):
            kept |= {each for each in step.sentences if not step.shows(each, audience)}
            if step.whole is not None and not admits(audience, *rights_of(step.whole)):
                # Of a note that was kept whole nothing from before is told.
                kept |= set(range(SENTENCES))
            found |= {self.words[each] for each in step.sentences if each not in kept}
        return found


def _of(sent: RevisionSubmission, note: Note) -> RevisionSubmission:
    return RevisionSubmission(
        note_id=note.id,
        event_id=sent.event_id,
        at=sent.at,
        note=note,
        content_hash=sent.content_hash,
        major=sent.major,
    )


async def everything_told(site: Site, history: History, first: str, following: str | None) -> str:
    """All that the client is shown of a note by every way there is, as one text."""
    paths = [
        "/",
        first,
        f"/?q={COMMON}&size=50",
        f"/api/v1/search?q={COMMON}&size=100",
        "/feeds/all.json?size=100",
        f"/feeds/search.atom?q={COMMON}",
        "/api/v1/corrections",
        *(f"/{where}notes/{history.id}" for where in ("api/v1/", "")),
        f"/api/v1/notes/{history.id}/trace",
    ]
    before: list[str] = ["", *(f"?before={n}" for n in range(PAGE, 1, -3))]
    paths += [
        f"/{where}notes/{history.id}/revisions{n}" for where in ("api/v1/", "") for n in before
    ]
    paths += [following] if following else []
    return "\n".join([(await site.browse(path)).text for path in paths])


@given(
    made=histories(6),
    audience=st.integers(0, 3),
    cursor_at=st.integers(0, 5),
    indexed=st.integers(0, 5),
)
async def test_what_a_revision_keeps_from_a_reader_no_earlier_one_tells(
    any_site: Site, made: list[Step], audience: int, cursor_at: int, indexed: int
) -> None:
    site = any_site
    history = History(site, made)
    _read_as(site, audience)
    fillers = [a_note(reference=f"{history.reference}-{n}", body=f"La {COMMON}.") for n in (1, 2)]
    site.registry.begin([_submitted(each) for each in fillers])
    await site.take(*map(a_classified_note, fillers))
    address = f"/api/v1/search?q={COMMON}+{history.reference}&size=1"
    following = None
    for at in range(len(made)):
        history.send(at)
        if at <= indexed:
            await site.index.apply([history.events[at]])
        if at == min(cursor_at, len(made) - 1):
            await site.index.refresh()
            cursor = (await site.get(address)).json()["next"]
            following = f"{address}&cursor={cursor}" if cursor else None
    await site.index.refresh()
    told = await everything_told(site, history, address, following)
    shown = {each for each in history.words if each in told}
    assert shown <= history.allowed(audience), history.made
    if history.events[-1].withdrawn:
        hits = [hit["id"] for hit in (await site.get(address)).json()["hits"]]
        assert history.id not in hits


def _read_as(site: Site, audience: int) -> None:
    clearance = "diffusion_restreinte" if audience % 2 else "non_protege"
    site.read_by(Role.READ, clearance=clearance, special_france=audience >= 2)


def _submitted(note: Note) -> Submission:
    return submission(reference=note.reference, body=note.body)


OPEN = a_note(body=f"La {COMMON} propose zq0x0k.")
ADDRESS = f"/api/v1/search?q={COMMON}&size=1"
PASSAGE = [MarkedSpan(field="body", start=14, end=len(OPEN.body), mark="special_france")]
CHANGES: dict[str, list[RevisionSubmission]] = {
    "restricted": [rectification(body=OPEN.body, special_france=True)],
    "a passage of it restricted": [rectification(body=OPEN.body, marked_spans=PASSAGE)],
    "withdrawn": [withdrawal()],
    "restricted, then open without it": [
        rectification(body=OPEN.body, special_france=True),
        rectification(body=f"La {COMMON}."),
    ],
    "withdrawn, then reinstated": [withdrawal(), rectification(body=f"La {COMMON}.")],
}


@pytest.mark.parametrize("change", [*CHANGES, "expunged"])
@pytest.mark.parametrize("indexed", [False, True])
async def test_no_page_shows_what_has_left_since_its_cursor_was_given(
    any_site: Site, change: str, indexed: bool
) -> None:
    site = any_site
    fillers = [a_note(reference=f"F-{n}", body=f"La {COMMON} {COMMON}.") for n in range(3)]
    site.registry.begin([submission(body=OPEN.body), *map(_submitted, fillers)])
    await site.take(a_classified_note(OPEN), *map(a_classified_note, fillers))
    site.read_by(Role.READ)
    pages = [(await site.get(ADDRESS)).json()]
    while pages[-1]["next"] and pages[-1]["hits"][0]["id"] != str(OPEN.id):
        pages.append((await site.get(f"{ADDRESS}&cursor={pages[-1]['next']}")).json())
    assert pages[-1]["hits"][0]["id"] == str(OPEN.id), "found while it is open"
    before = f"{ADDRESS}&cursor={pages[-2]['next']}" if len(pages) > 1 else ADDRESS
    events = [a_classified_note(OPEN)]
    for sent in CHANGES.get(change, []):
        begun = site.registry.begin_revision(sent)
        assert isinstance(begun, BegunRevision)
        kind = Kind.RECTIFIED if sent.note is not None else Kind.WITHDRAWN
        events.append(a_classified_note(sent.note or OPEN, revision=begun.revision, kind=kind))
    if change == "expunged":
        site.registry.expunge(OPEN.id, "essai", datetime.now(UTC))
    elif indexed:
        await site.take(*events[1:])
    answer = await site.get(before)
    assert answer.status_code == 200
    assert "zq0x0k" not in answer.text
    assert "zq0x0k" not in (await site.browse(before.replace("/api/v1/search", "/"))).text
    if change in ("restricted", "withdrawn", "expunged"):
        assert answer.json()["hits"] == []


async def test_reading_on_does_not_prolong_a_reading_by_relevance(
    any_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = [a_note(reference=f"F-{n}", body=f"La {COMMON}.") for n in range(6)]
    await any_site.take(*map(a_classified_note, notes))
    now, passed = time.time, 0.0
    monkeypatch.setattr("services.search.index.cursor.time.time", lambda: now() + passed)
    cursor = (await any_site.get(ADDRESS)).json()["next"]
    for _ in range(3):
        passed += CURSOR_MINUTES * 60 / 4
        answer = await any_site.get(f"{ADDRESS}&cursor={cursor}")
        assert answer.status_code == 200, "within the time"
        cursor = answer.json()["next"]
    passed += CURSOR_MINUTES * 60 / 4
    assert (await any_site.get(f"{ADDRESS}&cursor={cursor}")).status_code == 410
    assert (await any_site.get(ADDRESS)).json()["next"], "another reading begins"


TWICE = "La farigoulette. Encore la farigoulette."
FIRST, SECOND = (
    MarkedSpan(field="body", start=start, end=start + 12, mark="special_france")
    for start in (3, 27)
)


@pytest.mark.parametrize(
    "made",
    [
        [
            {"body": TWICE, "marked_spans": [FIRST]},
            {"body": TWICE, "marked_spans": [FIRST, SECOND]},
        ],
        [{"body": TWICE, "marked_spans": [FIRST]}, {"body": TWICE, "marked_spans": [SECOND]}],
        [
            {"body": TWICE[:16], "marked_spans": [FIRST]},
            {"body": TWICE, "marked_spans": [FIRST]},
            {"body": TWICE, "marked_spans": [FIRST, SECOND]},
            {"body": "Rien.", "marked_spans": []},
        ],
    ],
)
async def test_what_is_said_twice_and_marked_one_by_one_is_told_by_no_revision(
    empty_site: Site, made: list[dict[str, Any]]
) -> None:
    site = empty_site
    site.registry.begin([submission(**made[0])])
    for changes in made[1:]:
        assert isinstance(site.registry.begin_revision(rectification(**changes)), BegunRevision)
    note = a_note(**made[0])
    await site.index.apply([a_classified_note(note)])
    await site.index.refresh()
    site.read_by(Role.READ)
    address = f"notes/{note.id}/revisions"
    for path in (f"/api/v1/{address}", f"/{address}", f"/api/v1/notes/{note.id}"):
        shown = (await site.browse(path)).text
        hidden_in_the_latest = made[-1]["body"] != TWICE or len(made[-1]["marked_spans"]) > 1
        assert "farigoulette" not in shown or not hidden_in_the_latest, path
    assert '"delete"' not in (await site.get(f"/api/v1/{address}")).text
    assert (await site.get("/api/v1/search?q=farigoulette")).json()["hits"] == []


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        ([{}, {"special_france": False}], True),
        ([{"special_france": True}, {}], False),
        ([{"marked_spans": PASSAGE}, {}], False),
        ([{}, {"special_france": True}, {}], False),
    ],
)
async def test_a_comment_keeps_the_marks_under_which_it_was_written(
    empty_site: Site, made: list[dict[str, Any]], shown: bool
) -> None:
    site, registry = empty_site, empty_site.registry
    registry.begin([submission(body=OPEN.body, **made[0])])
    tags = CorrectionTags(themes=("sante",), countries=("DE",))
    registry.begin_correction(correction("sante", comment="Il parle de zq0x0k."))
    revision = 1
    for changes in made[1:]:
        body = f"{OPEN.body} Fin {revision}."
        begun = registry.begin_revision(rectification(False, body=body, **changes))
        assert isinstance(begun, BegunRevision)
        revision = begun.revision
    note = a_note(body=f"{OPEN.body} Fin {revision - 1}.")
    event = a_classified_note(
        note, revision=revision, kind=Kind.RECTIFIED, correction=1, correction_tags=tags
    )
    await site.take(event)
    assert "Il parle" in (await site.get("/api/v1/corrections")).text, "to whoever sees all"
    site.read_by(Role.READ)
    (line,) = (await site.get("/api/v1/corrections")).text.splitlines()
    assert ("Il parle" in line) is shown
