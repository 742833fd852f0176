"""Sealed cursors: a reader's next page, which tells its reader nothing, and nobody's own."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.query import Query
from services.runtime.access.first import make_key
from services.runtime.errors import Unavailable
from services.runtime.registry import Registry
from services.search.index import CursorInvalid
from services.search.seal import SEARCH, Seal
from tests.keys import ANYONE_READS
from tests.search.site import Site

FIRST = "/api/v1/search?size=1&sort=date"


async def cursor_of(site: Site) -> str:
    return str((await site.get(FIRST)).json()["next"])


async def test_a_page_leads_to_the_next_one_whichever_process_answers(site: Site) -> None:
    cursor = await cursor_of(site)
    one = await site.get(f"{FIRST}&cursor={cursor}")
    assert one.status_code == 200
    assert one.json()["hits"] != (await site.get(FIRST)).json()["hits"]
    elsewhere = Seal(site.registry)
    query = Query(reader=ANYONE_READS.reader, cursor=cursor)
    assert (await elsewhere.opened(query)).cursor == await Seal(site.registry).open(SEARCH, cursor)


@pytest.mark.parametrize("sort", ["date", "relevance"])
async def test_a_cursor_tells_its_reader_nothing(site: Site, sort: str) -> None:
    address = f"/api/v1/search?q=allemande OU travail&size=1&sort={sort}"
    cursor = (await site.get(address)).json()["next"]
    inside = await Seal(site.registry).open(SEARCH, cursor)
    # The last hit's score or day stands in it.
    assert b'"value":' in base64.urlsafe_b64decode(inside)
    sealed = base64.urlsafe_b64decode(cursor)
    assert b'"value":' not in sealed
    assert not any(inside[at : at + 8].encode() in sealed for at in range(len(inside) - 8))
    assert (await site.get(address)).json()["next"] != cursor


async def test_an_altered_cursor_is_refused_before_the_index_sees_it(site: Site) -> None:
    cursor = await cursor_of(site)
    raw = base64.urlsafe_b64decode(cursor)
    place = await Seal(site.registry).open(SEARCH, cursor)
    altered = (bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]]) for at in (0, 12, len(raw) - 1))
    forged = [base64.urlsafe_b64encode(each).decode() for each in (*altered, raw[:-1], raw[:20])]
    for wrong in (place, *forged, f"{cursor}.", f"{cursor[:8]}*{cursor[8:]}", "A", "AAAA"):
        for path in (FIRST, "/?size=1&sort=date"):
            answer = await site.get(f"{path}&cursor={wrong}")
            assert answer.status_code == 422, (path, wrong)
    assert (await site.get(f"{FIRST}&cursor=é.é")).status_code == 422


async def test_a_cursor_of_one_kind_is_none_of_another(site: Site) -> None:
    seal = Seal(site.registry)
    place = await seal.open(SEARCH, await cursor_of(site))
    other = await seal.close("missing", place)
    assert (await site.get(f"{FIRST}&cursor={other}")).status_code == 422


async def test_a_seal_of_another_deployment_is_worth_nothing(site: Site, tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    registry.migrate()
    theirs = Seal(registry)
    with pytest.raises(Unavailable):
        await theirs.close(SEARCH, "x")
    make_key(registry, tmp_path / "admin.key")
    cursor = await cursor_of(site)
    foreign = await theirs.close(SEARCH, await Seal(site.registry).open(SEARCH, cursor))
    assert (await site.get(f"{FIRST}&cursor={foreign}")).status_code == 422
    with pytest.raises(CursorInvalid):
        await theirs.open(SEARCH, cursor)
    registry.end_key(1, datetime.now(UTC), revoked=True)
    kept = await Seal(registry).open(SEARCH, foreign)
    assert foreign != kept, "a revoked key still seals"
    registry.close()
