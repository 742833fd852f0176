"""`GET /api/v1/notes`: a post's own notes, and where each is."""

from datetime import UTC, datetime

import pytest

from schemas.answers import PostNotes, State
from services.runtime.registry import Mark
from tests.builders import a_note
from tests.runtime.registry_kit import submission
from tests.search.site import Site


async def test_a_post_pages_through_its_own_notes(empty_site: Site) -> None:
    references = [f"BER-2026-{number:04}" for number in range(5)]
    begun = empty_site.registry.begin([submission(reference=each) for each in references])
    empty_site.registry.begin([submission(post="madrid", reference="MAD-1")])
    empty_site.registry.mark_received([each.key for each in begun])
    last = a_note(reference=references[4]).id
    empty_site.registry.mark_indexed([Mark(last, 1, State.INDEXED, datetime.now(UTC))])

    found: list[str] = []
    address = "/api/v1/notes?post=berlin&size=2"
    after = ""
    while True:
        answer = await empty_site.get(address + after)
        page = PostNotes.model_validate(answer.json())
        found += [each.reference for each in page.notes]
        if page.next is None:
            break
        after = f"&after={page.next}"
    assert found == references

    answer = await empty_site.get("/api/v1/notes?post=berlin&state=indexed&state=parked")
    (place,) = answer.json()["notes"]
    assert place["id"] == str(last)
    assert place["state"] == "indexed"
    assert place["links"]["trace"] == f"/api/v1/notes/{last}/trace"
    answer = await empty_site.get("/api/v1/notes?post=berlin&reference=%20BER-2026-0002%20")
    assert [each["reference"] for each in answer.json()["notes"]] == ["BER-2026-0002"]


@pytest.mark.parametrize(
    "query", ["", "post=atlantide", "post=berlin&state=perdue", "post=berlin&size=0"]
)
async def test_a_wrong_parameter_is_refused(empty_site: Site, query: str) -> None:
    answer = await empty_site.get(f"/api/v1/notes?{query}")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
