"""An administrator's keys over HTTP, and what a reader of some clearance is shown of a note."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.access import KeyOrder, Role
from schemas.classification import Classification, CountryTag, Evidence
from schemas.events import ClassifiedNote, classified
from schemas.moments import LAST
from schemas.note import MarkedSpan
from schemas.vocabulary import Role as About
from services.runtime.access import keys
from services.runtime.access.rights import HIDDEN
from services.runtime.registry import JournalFilter
from tests.builders import a_note, an_event
from tests.runtime.registry_kit import rectification, submission
from tests.search.site import Site, open_site

ORDER = {
    "name": "Poste de Berlin",
    "rights": {"roles": ["submit", "read"], "posts": ["berlin"]},
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


async def made(site: Site, **changes: Any) -> dict[str, Any]:
    answer = await site.reader.post("/api/v1/keys", json=ORDER | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def status(site: Site, key: str, path: str = "/api/v1/me") -> int:
    return (await site.get(path, Authorization=f"Bearer {key}")).status_code


async def test_a_new_key_is_shown_once_and_works(site: Site) -> None:
    key = await made(site)
    assert await status(site, key["key"]) == 200
    listed = (await site.get("/api/v1/keys")).text
    assert "Poste de Berlin" in listed
    assert key["key"] not in listed
    me = (await site.get("/api/v1/me", Authorization=f"Bearer {key['key']}")).json()
    assert (me["posts"], me["roles"]) == (["berlin"], ["read", "submit"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": " "}, "name"),
        ({"rights": {"roles": []}}, "roles"),
        ({"rights": {"roles": ["submit"]}}, "rights"),
        ({"rights": {"roles": ["submit"], "posts": ["atlantide"]}}, "posts"),
        ({"rights": {"roles": ["roi"]}}, "roles"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59Z"}, "entre 2000 et 2199"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "entre 2000 et 2199"),
        ({"expires_at": "0001-01-01T00:00:00+12:00"}, "entre 2000 et 2199"),
        ({"expires_at": "2200-01-01T00:00:00Z"}, "entre 2000 et 2199"),
        ({"inconnu": 1}, "inconnu"),
    ],
)
async def test_a_wrong_order_is_refused_and_says_why(
    site: Site, changes: dict[str, Any], said: str
) -> None:
    answer = await site.reader.post("/api/v1/keys", json=ORDER | changes)
    assert answer.status_code == 422
    assert said in answer.text
    assert len(site.registry.all_keys()) == 1


async def test_a_rotated_key_overlaps_with_the_new_one(site: Site) -> None:
    ends = datetime.now(UTC) + timedelta(days=90)
    old = await made(site, expires_at=ends.isoformat())
    answer = await site.reader.post(f"/api/v1/keys/{old['number']}/rotate?overlap_hours=1")
    new = answer.json()
    assert (answer.status_code, new["rights"], new["name"]) == (201, old["rights"], old["name"])
    assert datetime.fromisoformat(new["expires_at"]) >= ends - timedelta(seconds=5)
    for key in (old, new):
        assert await status(site, key["key"]) == 200
    left = site.registry.key_numbered(old["number"])
    assert left is not None
    assert left.expires_at is not None
    assert left.expires_at - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize("ends", [LAST, datetime.max.replace(tzinfo=UTC)])
async def test_a_key_rotated_at_the_end_of_the_calendar_lasts_until_then(
    site: Site, ends: datetime
) -> None:
    order = KeyOrder.model_validate(ORDER).model_copy(update={"expires_at": ends})
    secret = keys.new()
    old = site.registry.add_key(order, secret.label, secret.hash, datetime.now(UTC))
    answer = await site.reader.post(f"/api/v1/keys/{old.number}/rotate")
    assert answer.status_code == 201, answer.text
    assert datetime.fromisoformat(answer.json()["expires_at"]) == LAST


async def test_a_key_that_ends_within_the_overlap_is_not_said_to_last_longer(site: Site) -> None:
    ends = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    old = await made(site, expires_at=ends.isoformat())
    await site.reader.post(f"/api/v1/keys/{old['number']}/rotate?overlap_hours=24")
    left = site.registry.key_numbered(old["number"])
    assert left is not None
    assert left.expires_at == ends
    rotated = site.registry.journal_page(JournalFilter(object=f"key:{old['number']}"), None, 10)
    said = [json.loads(row.draft.details) for row in rotated]
    assert [each["until"] for each in said if each["what"] == "key_rotated"] == [ends.isoformat()]


async def test_a_key_replaced_at_once_is_over(site: Site) -> None:
    old = await made(site)
    await site.reader.post(f"/api/v1/keys/{old['number']}/rotate?overlap_hours=0")
    assert await status(site, old["key"]) == 401
    again = await site.reader.post(f"/api/v1/keys/{old['number']}/rotate")
    assert again.status_code == 409


async def test_a_revoked_key_stays_in_the_list(site: Site) -> None:
    key = await made(site)
    gone = await site.reader.delete(f"/api/v1/keys/{key['number']}")
    assert gone.json()["revoked_at"]
    assert await status(site, key["key"]) == 401
    assert [each.number for each in site.registry.all_keys()] == [key["number"], 1]
    assert (await site.reader.delete("/api/v1/keys/99")).status_code == 404


async def test_the_last_key_that_administers_is_revoked_by_force_alone(site: Site) -> None:
    refused = await site.reader.delete("/api/v1/keys/1")
    assert refused.status_code == 409
    assert "force=true" in refused.json()["detail"]
    assert site.registry.all_keys()[0].revoked_at is None
    gone = await site.reader.delete("/api/v1/keys/1?force=true")
    assert gone.json()["revoked_at"]


@pytest.mark.parametrize(
    ("rights", "expires_in", "status_code"),
    [
        ({"roles": ["administer"]}, None, 200),
        ({"roles": ["read"]}, None, 409),
        ({"roles": ["administer"]}, timedelta(seconds=1), 409),
    ],
)
async def test_only_another_key_that_holds_and_administers_counts(
    site: Site, rights: dict[str, Any], expires_in: timedelta | None, status_code: int
) -> None:
    ends = None if expires_in is None else (datetime.now(UTC) + expires_in).isoformat()
    await made(site, name="Autre", rights=rights, expires_at=ends)
    if expires_in is not None:
        await asyncio.sleep(expires_in.total_seconds() + 0.1)
    assert (await site.reader.delete("/api/v1/keys/1")).status_code == status_code


SECRET = "mandarine"


def passage() -> ClassifiedNote:
    """A note whose end bears a mark, with a country that only this end speaks for."""
    body = f"La réforme des retraites avance. Le négociateur a cité la {SECRET}."
    span = MarkedSpan(field="body", start=33, end=len(body), mark="Spécial France")
    event = an_event(a_note(body=body, marked_spans=[span]))

    def tag(country: str, text: str) -> CountryTag:
        start = body.index(text)
        evidence = Evidence(
            field="body", start=start, end=start + len(text), text=text, source="test:x"
        )
        return CountryTag(country=country, role=About.ABOUT, score=0.9, evidence=(evidence,))

    found = Classification(release=1, countries=(tag("DE", "retraites"), tag("CN", SECRET)))
    return classified(event, found, event.at)


async def test_a_reader_gets_a_note_without_its_passage_everywhere(site: Site) -> None:
    event = passage()
    await site.take(event)
    address = f"/api/v1/notes/{event.note_id}"
    pages = (
        address,
        f"/notes/{event.note_id}",
        f"{address}/trace",
        "/feeds/all.json",
        "/",
        "/fils",
    )
    for path in (address, f"/notes/{event.note_id}"):
        assert SECRET in (await site.get(path)).text
    site.read_by(Role.READ)
    for path in pages:
        answer = await site.get(path)
        assert answer.status_code == 200
        assert SECRET not in answer.text
        assert "Chine" not in answer.text
        assert '"CN"' not in answer.text
    assert HIDDEN in (await site.get(address)).text
    assert (await site.get(f"/?q={SECRET}")).text.count("<article") == 0


async def test_a_post_reads_its_own_note_and_none_of_another(site: Site) -> None:
    event = passage()
    await site.take(event)
    address = f"/api/v1/notes/{event.note_id}"
    site.read_by(Role.SUBMIT, posts=frozenset({"berlin"}))
    assert SECRET in (await site.get(address)).text
    assert (await site.get("/api/v1/search")).status_code == 403
    site.read_by(Role.SUBMIT, posts=frozenset({"rome"}))
    for path in (address, f"{address}/trace", f"{address}/revisions"):
        assert (await site.get(path)).status_code == 404
    assert (await site.get("/api/v1/notes?post=berlin")).status_code == 403
    assert (await site.get("/api/v1/notes?post=rome")).status_code == 200


async def test_the_difference_of_revisions_keeps_the_passage(site: Site) -> None:
    note = passage().note
    marks = {"body": note.body, "marked_spans": note.marked_spans}
    site.registry.begin([submission(**marks)])
    site.registry.begin_revision(rectification(**marks | {"subject": "Retraites : suite"}))
    address = f"/api/v1/notes/{note.id}/revisions"
    site.read_by(Role.READ)
    shown = (await site.get(address)).json()
    assert [one["field"] for one in shown["revisions"][0]["changes"]] == ["subject"]
    assert SECRET not in str(shown)
    assert SECRET not in (await site.get(f"/notes/{note.id}/revisions")).text


async def test_the_difference_does_not_show_a_passage_that_was_marked_since(site: Site) -> None:
    note = passage().note
    plain = {"body": note.body}
    site.registry.begin([submission(**plain)])
    site.registry.begin_revision(rectification(**plain | {"subject": "Retraites : suite"}))
    site.registry.begin_revision(
        rectification(**plain | {"subject": "Fin", "marked_spans": note.marked_spans})
    )
    address = f"/api/v1/notes/{note.id}/revisions"
    whole = (await site.get(address)).json()["revisions"]
    assert [one["changes"] is None for one in whole] == [False, False, False]
    site.read_by(Role.READ)
    shown = await site.get(address)
    assert [one["changes"] for one in shown.json()["revisions"][:2]] == [None, None]
    assert SECRET not in shown.text
    assert SECRET not in (await site.get(f"/notes/{note.id}/revisions")).text


async def test_a_note_marked_since_it_was_indexed_is_followed_by_nobody_without_clearance(
    site: Site,
) -> None:
    event = passage()
    await site.take(event)
    site.registry.begin([submission(body=event.note.body, marked_spans=event.note.marked_spans)])
    site.registry.begin_revision(rectification(marking="diffusion_restreinte"))
    site.read_by(Role.READ)
    assert (await site.get(f"/api/v1/notes/{event.note_id}/trace")).status_code == 404
