"""The search API as programs use it: the examples of the contract, and its refusals."""

import time
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.access import Role
from schemas.answers import NoteView, SearchPage, Trace
from schemas.events import CorrectionTags, Kind
from schemas.vocabulary import Marking
from services.search.handlers import letter_keeper
from services.search.index import CURSOR_MINUTES
from services.search.parameters import BY_NAME
from tests.builders import UNKNOWN
from tests.keys import a_key
from tests.search import corpus
from tests.search.site import Site, record
from tests.search.test_handlers import dead, receive


async def search(site: Site, address: str) -> dict[str, Any]:
    """The answer to a search that must succeed, as JSON."""
    answer = await site.get(f"/api/v1/search{address}")
    assert answer.status_code == 200, answer.text
    SearchPage.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def references(page: dict[str, Any]) -> list[str]:
    return [hit["reference"] for hit in page["hits"]]


async def test_a_search_answers_exactly_what_the_contract_shows(site: Site) -> None:
    page = await search(site, "?q=retraites")
    assert set(page) == {
        "total", "total_is_exact", "relaxed", "took_ms", "hits", "facets", "next",
    }  # fmt: skip
    assert (page["total"], page["total_is_exact"], page["relaxed"], page["next"]) == (
        1, True, False, None,
    )  # fmt: skip
    (hit,) = page["hits"]
    assert set(hit) >= {
        "id", "post", "reference", "genre", "date", "received_at", "revision", "subject", "score",
        "highlights", "themes", "countries", "links",
    }  # fmt: skip
    assert hit["post"] == "berlin"
    assert hit["date"] == "2026-03-04"
    assert hit["score"] > 0
    assert hit["highlights"]["subject"] == [
        "Réforme des <mark>retraites</mark> : le rapport de la commission"
    ]
    theme = hit["themes"][0]
    assert (theme["theme"], theme["subthemes"]) == ("protection_sociale", ["retraites"])
    for evidence in theme["evidence"]:
        text = corpus.RETRAITES.note.model_dump()[evidence["field"]]
        assert text[evidence["start"] : evidence["end"]] == evidence["text"]
    assert [(tag["country"], tag["role"]) for tag in hit["countries"]] == [
        ("DE", "about"),
        ("FR", "mentioned"),
    ]
    assert hit["links"] == {
        "self": f"/api/v1/notes/{hit['id']}",
        "trace": f"/api/v1/notes/{hit['id']}/trace",
    }
    assert set(page["facets"]) == {
        "theme", "subtheme", "country", "post", "genre", "language", "year",
    }  # fmt: skip
    assert page["facets"]["theme"] == [{"value": "protection_sociale", "count": 1}]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("?theme=sante", {"MAD-2026-0031"}),
        ("?theme=sante&theme=travail", {"MAD-2026-0031", "BER-2026-0150", "ROM-2026-0077"}),
        ("?theme.not=travail&theme.not=sante", {"BER-2026-0142", "STO-2026-0009", "GEN-2026-0003"}),
        ("?subtheme=travail.inspection", {"ROM-2026-0077"}),
        ("?subtheme.not=retraites&theme=protection_sociale", {"STO-2026-0009"}),
        ("?country=de", {"BER-2026-0142", "BER-2026-0150"}),
        ("?country=FR", set()),
        ("?country_any=FR", {"BER-2026-0142"}),
        ("?country.not=DE&theme=travail", {"ROM-2026-0077"}),
        ("?post=berlin", {"BER-2026-0142", "BER-2026-0150"}),
        ("?post.not=berlin&post.not=geneve&theme.not=travail", {"MAD-2026-0031", "STO-2026-0009"}),
        ("?genre=breve", {"MAD-2026-0031"}),
        ("?genre.not=note", {"MAD-2026-0031", "STO-2026-0009"}),
        ("?year=2025", {"STO-2026-0009"}),
        ("?from=2026-03-04&to=2026-03-11", {"BER-2026-0142", "BER-2026-0150"}),
        ("?to=2025-12-02", {"STO-2026-0009"}),
        ("?received_from=2026-03-02", set()),
        ("?received_to=2026-03-01&country=IT", {"ROM-2026-0077"}),
        ("?q=commission+-retraites", set()),
        ("?q=%22%C3%A2ge+de+d%C3%A9part%22", {"BER-2026-0142"}),
    ],
)
async def test_a_program_narrows_a_search(site: Site, address: str, expected: set[str]) -> None:
    assert set(references(await search(site, address))) == expected


async def test_a_reader_sees_when_no_note_has_all_the_words(site: Site) -> None:
    page = await search(site, "?q=retraites+antibiotiques")
    assert page["relaxed"] is True
    assert set(references(page)) == {"BER-2026-0142", "MAD-2026-0031"}


async def test_a_program_pages_through_everything_once(site: Site) -> None:
    for sort in ("date", "received", "relevance"):
        seen: list[str] = []
        address = f"?q=le+OU+la+OU+travail+OU+retraites+OU+commission&sort={sort}&size=2"
        if sort != "relevance":
            address = f"?sort={sort}&size=2"
        page = await search(site, address)
        total = page["total"]
        while True:
            seen += references(page)
            if page["next"] is None:
                break
            page = await search(site, f"{address}&cursor={page['next']}")
        assert len(seen) == len(set(seen)) == total


async def test_a_cursor_of_another_search_is_refused(site: Site) -> None:
    page = await search(site, "?sort=date&size=2")
    answer = await site.get(f"/api/v1/search?sort=date&size=2&theme=sante&cursor={page['next']}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "cursor"
    assert (await site.get("/api/v1/search?cursor=nimporte")).status_code == 422


async def test_a_cursor_of_yesterday_has_expired(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/api/v1/search?q=travail+OU+commission&size=1"
    cursor = (await site.get(address)).json()["next"]
    later = (CURSOR_MINUTES + 1) * 60
    now = time.monotonic
    monkeypatch.setattr("services.search.index.embedded.time.monotonic", lambda: now() + later)
    answer = await site.get(f"{address}&cursor={cursor}")
    assert answer.status_code == 410
    assert "reprenez la recherche" in answer.json()["detail"]


async def test_a_wrong_parameter_is_refused_in_french_with_what_is_known(site: Site) -> None:
    answer = await site.get("/api/v1/search?theme=sport&tri=date")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["known"] == ["travail", "sante", "protection_sociale"]
    assert [error["field"] for error in problem["errors"]] == ["theme", "tri"]
    assert "Paramètre inconnu : « tri »" in problem["detail"]


async def test_a_search_says_when_to_come_back_while_the_index_is_away(site: Site) -> None:
    await site.index.stop()
    for address in ("/api/v1/search", "/feeds/all.atom", f"/api/v1/notes/{uuid4()}"):
        answer = await site.get(address)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_program_reads_a_note_with_its_tags(site: Site) -> None:
    answer = await site.get(f"/api/v1/notes/{corpus.RETRAITES.note_id}")
    view = NoteView.model_validate(answer.json())
    assert view.note == corpus.RETRAITES.note
    assert view.themes == corpus.RETRAITES.classification.themes
    assert (view.revision, view.release, view.state) == (1, 1, "indexed")
    assert answer.json()["links"]["self"] == f"/api/v1/notes/{corpus.RETRAITES.note_id}"


async def test_a_program_that_has_a_note_asks_whether_it_changed(site: Site) -> None:
    address = f"/api/v1/notes/{corpus.RETRAITES.note_id}"
    tag = (await site.get(address)).headers["etag"]
    assert tag == '"1.0.1"'
    assert (await site.get(address, if_none_match=tag)).status_code == 304
    await site.take(corpus.tagged(corpus.RETRAITES.note, release=2))
    changed = await site.get(address, if_none_match=tag)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"1.0.2"')


async def test_a_reader_s_correction_replaces_the_tags(site: Site) -> None:
    corrected = corpus.tagged(
        corpus.PROTOCOLE.note,
        kind=Kind.CORRECTED,
        correction=1,
        correction_tags=CorrectionTags(themes=("travail.dialogue_social",), countries=("CH",)),
    )
    await site.take(corrected)
    view = (await site.get(f"/api/v1/notes/{corrected.note_id}")).json()
    assert [(tag["theme"], tag["score"], tag["evidence"]) for tag in view["themes"]] == [
        ("travail", 1.0, [])
    ]
    assert [tag["country"] for tag in view["countries"]] == ["CH"]


@pytest.mark.parametrize("note_id", [UNKNOWN, "BER-2026-0142", "%00", "é"])
async def test_an_unknown_note_is_not_found(site: Site, note_id: str) -> None:
    for address in (f"/api/v1/notes/{note_id}", f"/api/v1/notes/{note_id}/trace"):
        answer = await site.get(address)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_withdrawn_note_is_gone_and_its_trace_says_so(empty_site: Site) -> None:
    receive(empty_site, corpus.RETRAITES)
    withdrawn = corpus.tagged(corpus.RETRAITES.note, revision=2, kind=Kind.WITHDRAWN)
    await empty_site.take(corpus.RETRAITES, withdrawn)
    answer = await empty_site.get(f"/api/v1/notes/{withdrawn.note_id}")
    assert answer.status_code == 410
    assert "retirée" in answer.json()["detail"]
    trace = await empty_site.get(f"/api/v1/notes/{withdrawn.note_id}/trace")
    assert trace.status_code == 200


async def test_a_protected_note_is_as_if_it_were_not_there(site: Site) -> None:
    restricted = corpus.RETRAITES.note.model_copy(
        update={"marking": Marking.DIFFUSION_RESTREINTE, "reference": "BER-DR-1"}
    )
    event = corpus.tagged(restricted)
    await site.take(event)
    anyone = a_key(site.registry, Role.READ)
    unknown = await site.get(f"/api/v1/notes/{uuid4()}", **anyone)
    for address in (f"/api/v1/notes/{event.note_id}", f"/api/v1/notes/{event.note_id}/trace"):
        answer = await site.get(address, **anyone)
        assert answer.status_code == 404
        assert answer.json() == unknown.json()
    assert "BER-DR-1" not in (await site.get("/feeds/all.json", **anyone)).text
    assert "BER-DR-1" not in (await site.get("/api/v1/search?q=retraites", **anyone)).text


async def test_a_counsellor_follows_a_note_from_receipt_to_index(empty_site: Site) -> None:
    receive(empty_site, corpus.RETRAITES)
    address = f"/api/v1/notes/{corpus.RETRAITES.note_id}/trace"
    early = Trace.model_validate((await empty_site.get(address)).json())
    assert [step.step for step in early.steps] == ["received"]
    assert early.state == "received"
    await empty_site.take(corpus.RETRAITES)
    trace = Trace.model_validate((await empty_site.get(address)).json())
    assert [step.step for step in trace.steps] == ["received", "classified", "indexed"]
    assert (trace.state, trace.revision) == ("indexed", 1)
    assert trace.steps[1].at == corpus.RETRAITES.classified_at
    assert "Protection sociale, Allemagne" in trace.steps[1].detail
    assert trace.steps == sorted(trace.steps, key=lambda step: step.at)


async def test_a_counsellor_reads_why_a_note_was_set_aside(empty_site: Site) -> None:
    receive(empty_site, corpus.RETRAITES)
    original = record(str(corpus.RETRAITES.note_id).encode(), b"{}", topic="notes.submitted")
    await letter_keeper(empty_site.registry, empty_site.index)(
        [dead(original, "body: too strange")]
    )
    answer = await empty_site.get(f"/api/v1/notes/{corpus.RETRAITES.note_id}/trace")
    steps = Trace.model_validate(answer.json()).steps
    assert steps[-1].step == "parked" or steps[0].step == "parked"
    assert any("too strange" in step.detail for step in steps)


async def test_a_note_known_to_the_index_alone_still_has_a_trace(site: Site) -> None:
    answer = await site.get(f"/api/v1/notes/{corpus.RETRAITES.note_id}/trace")
    trace = Trace.model_validate(answer.json())
    assert [step.step for step in trace.steps] == ["received", "classified"]
    assert trace.state == "indexed"


async def test_the_api_document_describes_search(site: Site) -> None:
    document = (await site.get("/openapi.json")).json()
    operation = document["paths"]["/api/v1/search"]["get"]
    assert [one["name"] for one in operation["parameters"]] == list(BY_NAME)
    assert "application/problem+json" in operation["responses"]["422"]["content"]
    assert "/" not in document["paths"]


@given(st.binary(max_size=60))
async def test_no_query_string_is_an_error_of_ours(empty_site: Site, raw: bytes) -> None:
    for name in ("q", "theme", "from", "cursor", "size"):
        answer = await empty_site.reader.get("/api/v1/search", params={name: raw})
        assert answer.status_code in (200, 422), answer.text
