"""A post restricts a note: what holds before the index has that, and where it never will."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.access import Role
from schemas.events import ClassifiedNote, Kind, encode
from schemas.topics import CLASSIFIED, CLASSIFIED_DEAD
from services.runtime.dead_letters import DeadLetter
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import BegunRevision, RevisionSubmission
from services.runtime.worker import Done
from services.search.handlers import letter_keeper
from services.search.index import Applied, Rejected
from services.search.rebuild import rebuild
from services.search.superseded import withhold
from tests.builders import a_classified_note, a_note
from tests.keys import a_key
from tests.runtime.registry_kit import correction, rectification, submission, withdrawal
from tests.search.desk import Desk, open_desk
from tests.search.site import Site, record, records

NOTE = a_note(cites=("BER-9",))
ADDRESS = f"/api/v1/notes/{NOTE.id}"
OPEN = a_classified_note(NOTE)
PASSAGE = [{"field": "body", "start": 0, "end": 13, "mark": "Spécial France"}]
RESTRICTIONS: list[dict[str, Any]] = [
    {"special_france": True},
    {"marking": "diffusion_restreinte"},
    {"marked_spans": PASSAGE},
]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, classifying=False) as opened:
        yield opened


@pytest.fixture
async def known(empty_site: Site) -> Site:
    """The note, open to all, sent and indexed; from then on a reader of what bears no mark asks."""
    keys = empty_site.registry.begin([submission(cites=NOTE.cites)])
    empty_site.registry.mark_received([each.key for each in keys])
    assert await empty_site.take(OPEN) == [Done("indexed")]
    empty_site.read_by(Role.READ)
    return empty_site


def restrict(site: Site, *, received: bool = True, **marks: Any) -> ClassifiedNote:
    """A rectification with these marks reaches the registry; its event, classified."""
    return take_up(site, rectification(cites=NOTE.cites, **marks), received=received)


def take_up(site: Site, sent: RevisionSubmission, *, received: bool = True) -> ClassifiedNote:
    begun = site.registry.begin_revision(sent)
    assert isinstance(begun, BegunRevision)
    if received:
        site.registry.mark_received([begun.key])
    kind = Kind.RECTIFIED if sent.note is not None else Kind.WITHDRAWN
    return a_classified_note(sent.note or NOTE, revision=begun.revision, kind=kind)


async def park(site: Site, event: ClassifiedNote, value: bytes | None = None) -> None:
    """Search has parked this state, and keeps its letter."""
    original = record(str(event.note_id).encode(), value or encode(event), offset=event.revision)
    entry = DeadLetter.of(
        original, reason="refused", service="search", at=datetime.now(UTC)
    ).entry()
    letter = record(entry.key, entry.value, topic=CLASSIFIED_DEAD.name, headers=dict(entry.headers))
    await letter_keeper(site.registry, site.index)([letter])
    await site.index.refresh()


async def total(site: Site, words: str = "") -> int:
    await site.index.refresh()
    answer = await site.get(f"/api/v1/search?q={words}")
    return int(answer.json()["total"])


def cleared(site: Site) -> None:
    site.read_by(Role.READ, clearance="diffusion_restreinte", special_france=True)


@pytest.mark.parametrize("marks", RESTRICTIONS)
async def test_who_asks_for_a_note_does_not_wait_for_the_index(
    known: Site, marks: dict[str, Any]
) -> None:
    assert (await known.get(ADDRESS)).status_code == 200
    restrict(known, received=False, **marks)
    for path in (ADDRESS, f"/notes/{NOTE.id}"):
        assert (await known.get(path)).status_code == 404, path
    # Nor is it told beside another note, or as one that cites.
    missing = (await known.get("/api/v1/missing-references")).json()
    assert missing == {"missing": [], "next": None}
    cleared(known)
    assert (await known.get(ADDRESS)).json()["revision"] == 1
    known.read_by(Role.SUBMIT, posts=frozenset({"berlin"}))
    assert (await known.get(ADDRESS)).json()["revision"] == 1


async def test_a_rectification_that_restricts_nothing_takes_nothing_away(known: Site) -> None:
    await park(known, restrict(known, body="La commission allemande propose 67 ans."))
    assert (await known.get(ADDRESS)).json()["revision"] == 1
    assert await total(known) == 1


async def test_the_trace_tells_no_tags_of_a_passage_that_was_marked_since(known: Site) -> None:
    restrict(known, marked_spans=PASSAGE)
    trace = (await known.get(f"{ADDRESS}/trace")).json()
    assert "classified" not in [step["step"] for step in trace["steps"]]
    cleared(known)
    trace = (await known.get(f"{ADDRESS}/trace")).json()
    assert "classified" in [step["step"] for step in trace["steps"]]


async def test_a_corrected_note_that_was_restricted_since_is_not_exported(known: Site) -> None:
    known.registry.begin_correction(correction("sante"))
    tags = correction("sante").tags
    corrected = a_classified_note(NOTE, kind=Kind.CORRECTED, correction=1, correction_tags=tags)
    assert await known.take(corrected) == [Done("indexed")]
    assert str(NOTE.id) in (await known.get("/api/v1/corrections")).text
    restrict(known, major=False, marked_spans=PASSAGE)
    assert (await known.get("/api/v1/corrections")).text == ""


async def test_a_letter_of_an_earlier_state_is_not_shown_to_who_may_not_read_the_later_one(
    desk: Desk,
) -> None:
    desk.receive(OPEN)
    number = await desk.park(CLASSIFIED.name, NOTE.id, OPEN, "refused")
    headers = a_key(desk.registry, Role.READ, Role.ADMINISTER)
    address = f"/api/v1/dead-letters/{number}"
    assert NOTE.body in (await desk.http.get(address, headers=headers)).text
    desk.registry.begin_revision(rectification(special_france=True))
    assert NOTE.body not in (await desk.http.get(address, headers=headers)).text
    assert NOTE.body in (await desk.http.get(address)).text


@pytest.mark.parametrize("marks", RESTRICTIONS)
@pytest.mark.parametrize("readable", [True, False])
async def test_a_restriction_that_is_parked_holds_in_searches_and_feeds_too(
    known: Site, marks: dict[str, Any], readable: bool
) -> None:
    restricted = restrict(known, **marks)
    assert await total(known) == 1, "until somebody knows that it will not be indexed"
    await park(known, restricted, None if readable else b"{")
    assert (await total(known), await total(known, "retraites")) == (0, 0)
    assert str(NOTE.id) not in (await known.get("/feeds/all.json")).text
    assert (await known.get(ADDRESS)).status_code == 404
    # It is found again by who may see it, once the letter is replayed.
    assert await known.take(restricted) == [Done("indexed")]
    cleared(known)
    assert (await total(known, "retraites"), (await known.get(ADDRESS)).status_code) == (1, 200)


async def test_a_withdrawal_that_is_parked_holds_too(known: Site) -> None:
    await park(known, take_up(known, withdrawal()))
    assert await total(known) == 0
    assert (await known.get(ADDRESS)).status_code == 404


async def test_what_was_withheld_does_not_come_back_from_the_log(known: Site) -> None:
    await park(known, restrict(known, special_france=True))
    later = OPEN.model_copy(
        update={"classification": OPEN.classification.model_copy(update={"release": 2})}
    )
    assert await known.take(OPEN, later) == [Done("stale"), Done("stale")]
    assert await total(known) == 0
    other = a_classified_note(a_note(reference="BER-2"))
    assert await known.take(other, OPEN) == [Done("indexed"), Done("stale")]
    assert await total(known) == 1


async def test_a_revision_that_nobody_was_told_of_keeps_no_state_from_the_index(
    empty_site: Site,
) -> None:
    # The log may refuse it yet: then the one before is the latest again.
    keys = empty_site.registry.begin([submission(cites=NOTE.cites)])
    empty_site.registry.mark_received([each.key for each in keys])
    restrict(empty_site, received=False, special_france=True)
    assert await empty_site.take(OPEN) == [Done("indexed")]


async def test_a_state_that_is_being_written_while_its_restriction_is_parked_does_not_stay(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = empty_site.registry.begin([submission(cites=NOTE.cites)])
    empty_site.registry.mark_received([each.key for each in keys])
    apply = empty_site.index.apply

    async def busy(notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        monkeypatch.setattr(empty_site.index, "apply", apply)
        await park(empty_site, restrict(empty_site, special_france=True))
        return await apply(notes)

    monkeypatch.setattr(empty_site.index, "apply", busy)
    await empty_site.take(OPEN)
    empty_site.read_by(Role.READ)
    assert await total(empty_site) == 0


async def test_what_was_withheld_does_not_come_back_with_a_rebuild(known: Site) -> None:
    log = SqliteLog(known.settings.data / "log.sqlite3")
    await log.provision((CLASSIFIED,))
    other = a_classified_note(a_note(reference="BER-2"))
    await log.append(
        CLASSIFIED.name,
        [Entry(each.key or b"", each.value) for each in records(OPEN, other)],
    )
    await park(known, restrict(known, special_france=True))
    done = await rebuild(log, known.index, registry=known.registry)
    await log.stop()
    assert (done.complete, done.notes) == (True, 1)
    assert await known.index.get(NOTE.id) is None
    assert await total(known) == 1


async def test_what_was_parked_before_is_withheld_from_the_next_start_on(known: Site) -> None:
    await park(known, restrict(known, special_france=True))
    await known.index.apply([OPEN])
    assert await total(known) == 1
    assert await withhold(known.index, known.registry) == [NOTE.id]
    assert await total(known) == 0
    assert await withhold(known.index, known.registry, []) == []


async def test_while_the_registry_is_away_what_the_index_says_holds(known: Site) -> None:
    assert (await known.get(ADDRESS)).status_code == 200  # by a key that is known from then on
    restrict(known, special_france=True)
    known.registry.close()
    for file in known.settings.data.glob("registry.sqlite3*"):
        file.unlink()
    assert (await known.get(ADDRESS)).status_code == 200
