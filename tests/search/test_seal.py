"""Sealed cursors: a reader's next page, and nobody's own."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.runtime.access.first import make_key
from services.runtime.errors import Unavailable
from services.runtime.registry import Registry
from services.search.seal import Seal
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
    kept, _, seal = cursor.rpartition(".")
    assert await elsewhere._of(kept) == seal


async def test_an_altered_cursor_is_refused_before_the_index_sees_it(site: Site) -> None:
    cursor, _, seal = (await cursor_of(site)).rpartition(".")
    other = json.loads(base64.urlsafe_b64decode(cursor)) | {"value": 1}
    forged = base64.urlsafe_b64encode(json.dumps(other).encode()).decode()
    for wrong in (cursor, f"{forged}.{seal}", f"{cursor}.", f"{cursor}.{seal[:-1]}", f".{seal}"):
        for path in (FIRST, "/?size=1&sort=date"):
            answer = await site.get(f"{path}&cursor={wrong}")
            assert answer.status_code == 422, (path, wrong)
    assert (await site.get(f"{FIRST}&cursor=é.é")).status_code == 422


async def test_a_seal_of_another_deployment_is_worth_nothing(site: Site, tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    registry.migrate()
    theirs = Seal(registry)
    with pytest.raises(Unavailable):
        await theirs._of("x")
    make_key(registry, tmp_path / "admin.key")
    kept, _, seal = (await cursor_of(site)).rpartition(".")
    foreign = await theirs._of(kept)
    assert foreign != seal
    assert (await site.get(f"{FIRST}&cursor={kept}.{foreign}")).status_code == 422
    registry.end_key(1, datetime.now(UTC), revoked=True)
    assert await Seal(registry)._of(kept) == foreign, "a revoked key still seals"
    registry.close()
