"""What notes cite, linked both ways, also when the cited note comes later; what never arrived."""

import base64
from typing import Any

import pytest

from schemas.access import Role
from schemas.answers import MissingReferences, NoteView
from schemas.note import Note
from schemas.vocabulary import Marking
from services.runtime.registry import RevisionSubmission
from tests.builders import a_classified_note, a_note
from tests.pages.test_pages import page
from tests.runtime.registry_kit import rectification, submission, withdrawal
from tests.search.site import Site

FIRST = "BER-2026-0142"


async def arrive(site: Site, **fields: Any) -> Note:
    """A note that was sent and indexed."""
    note = a_note(**fields)
    site.registry.begin([submission(**fields)])
    await site.take(a_classified_note(note))
    return note


async def view(site: Site, note: Note) -> NoteView:
    answer = await site.get(f"/api/v1/notes/{note.id}")
    return NoteView.model_validate(answer.json())


async def missing(site: Site, query: str = "") -> list[tuple[str, str, list[str]]]:
    answer = await site.get(f"/api/v1/missing-references{query}")
    found = MissingReferences.model_validate(answer.json())
    return [
        (one.post, one.reference, [each.reference for each in one.cited_by])
        for one in found.missing
    ]


async def test_a_cited_note_is_a_link_both_ways_also_when_it_comes_later(
    empty_site: Site,
) -> None:
    reply = await arrive(empty_site, reference="BER-2", replies_to=FIRST, cites=("BER-0", FIRST))
    before = await empty_site.get(f"/api/v1/notes/{reply.id}")
    assert [(one["kind"], one["reference"], one["id"]) for one in before.json()["cites"]] == [
        ("replies_to", FIRST, None),
        ("cites", "BER-0", None),
        ("cites", FIRST, None),
    ]
    first = await arrive(empty_site)
    # A cached answer is not taken for the present one.
    again = await empty_site.get(f"/api/v1/notes/{reply.id}", if_none_match=before.headers["ETag"])
    assert again.status_code == 200
    found = NoteView.model_validate(again.json())
    assert [one.id for one in found.cites] == [first.id, None, first.id]
    assert found.cites[0].subject == first.subject
    assert (
        await empty_site.get(f"/api/v1/notes/{reply.id}", if_none_match=again.headers["ETag"])
    ).status_code == 304
    back = await view(empty_site, first)
    assert [(one.kind, one.id, one.reference) for one in back.cited_by] == [
        ("replies_to", reply.id, "BER-2"),
        ("cites", reply.id, "BER-2"),
    ]


async def test_the_page_leads_to_what_it_cites_and_to_what_cites_it(empty_site: Site) -> None:
    first = await arrive(empty_site)
    reply = await arrive(empty_site, reference="BER-2", replies_to=FIRST, cites=("ROM-9",))
    shown = await page(empty_site, f"/notes/{reply.id}")
    assert f"/notes/{first.id}" in [one["href"] for one in shown.all("a")]
    facts = shown.one("dl", "facts").text
    assert "En réponse à" in facts
    assert "ROM-9 (introuvable ici)" in facts
    shown = await page(empty_site, f"/notes/{first.id}")
    assert f"/notes/{reply.id}" in [one["href"] for one in shown.all("a")]
    assert "Réponses" in shown.one("dl", "facts").text


async def test_the_post_s_own_note_is_meant_else_the_only_one(empty_site: Site) -> None:
    citing = await arrive(empty_site, reference="BER-2", cites=("2026-7",))
    rome = await arrive(empty_site, post="rome", reference="2026-7")
    assert (await view(empty_site, citing)).cites[0].id == rome.id
    assert [one.id for one in (await view(empty_site, rome)).cited_by] == [citing.id]
    # A second one elsewhere: nobody can tell which.
    madrid = await arrive(empty_site, post="madrid", reference="2026-7")
    assert (await view(empty_site, citing)).cites[0].id is None
    for note in (rome, madrid):
        assert (await view(empty_site, note)).cited_by == ()
    own = await arrive(empty_site, reference="2026-7", cites=("2026-7",))
    assert (await view(empty_site, citing)).cites[0].id == own.id
    assert [one.id for one in (await view(empty_site, own)).cited_by] == [citing.id]
    assert (await view(empty_site, own)).cites[0].id is None
    assert (await view(empty_site, rome)).cited_by == ()


async def test_only_the_newest_revision_cites(empty_site: Site) -> None:
    first = await arrive(empty_site)
    await arrive(empty_site, reference="BER-2", cites=(FIRST, "BER-3"))
    assert await missing(empty_site) == [("berlin", "BER-3", ["BER-2"])]
    note = a_note(reference="BER-2", cites=("BER-4",))
    rectify(empty_site, note)
    assert await missing(empty_site) == [("berlin", "BER-4", ["BER-2"])]
    assert (await view(empty_site, first)).cited_by == ()


async def test_a_withdrawn_note_is_no_link_and_cites_nothing(empty_site: Site) -> None:
    first = await arrive(empty_site)
    reply = await arrive(empty_site, reference="BER-2", replies_to=FIRST, cites=("BER-3",))
    empty_site.registry.begin_revision(withdrawal(note_id=reply.id))
    assert (await view(empty_site, first)).cited_by == ()
    assert await missing(empty_site) == []


async def test_a_note_that_may_not_be_read_is_no_link(empty_site: Site) -> None:
    secret = await arrive(empty_site, marking=Marking.DIFFUSION_RESTREINTE, cites=("BER-3",))
    reply = await arrive(empty_site, reference="BER-2", replies_to=FIRST)
    empty_site.read_by(Role.READ)
    assert (await view(empty_site, reply)).cites[0].id is None
    assert secret.subject not in str((await view(empty_site, reply)).cites)
    # What it cites is not told, and to this reader nothing bears its reference.
    assert await missing(empty_site) == [("berlin", FIRST, ["BER-2"])]


async def test_hidden_notes_are_to_missing_references_as_if_they_were_not_there(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.citations.MISSING", 2)
    monkeypatch.setattr("services.search.citations.CITING", 1)
    secret = {"marking": Marking.DIFFUSION_RESTREINTE}
    await arrive(empty_site, reference="BER-0", cites=("A-1", "B-2", "C-3", "D-4", "H-8"), **secret)
    await arrive(empty_site, reference="BER-1", cites=("H-8",), **secret)
    await arrive(empty_site, reference="BER-2", cites=("BER-1", "E-5", "F-6", "G-7", "H-8"))
    empty_site.read_by(Role.READ)
    seen: list[str] = []
    pages, query = [], ""
    while len(pages) < 9:
        answer = (await empty_site.get(f"/api/v1/missing-references{query}")).json()
        pages.append([one["reference"] for one in answer["missing"]])
        seen += [each["reference"] for one in answer["missing"] for each in one["cited_by"]]
        if answer["next"] is None:
            break
        query = f"?after={answer['next']}"
    # A note that only they may not see bears BER-1: to them nobody does.
    assert pages == [["BER-1", "E-5"], ["F-6", "G-7"], ["H-8"]]
    assert set(seen) == {"BER-2"}


async def test_the_next_page_is_named_by_nothing_that_can_be_read_or_made(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.citations.MISSING", 1)
    await arrive(empty_site, cites=("BER-8", "BER-9"))
    after = (await empty_site.get("/api/v1/missing-references")).json()["next"]
    assert b"BER-8" not in base64.urlsafe_b64decode(after)
    for forged in ("berlin/BER-8", after[:-4], f"A{after}"):
        answer = await empty_site.get(f"/api/v1/missing-references?after={forged}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "after"


async def test_what_is_not_indexed_yet_takes_no_place_on_a_page(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.citations.MISSING", 1)
    empty_site.registry.begin(
        [submission(reference=f"BER-{number}", cites=(f"A-{number}",)) for number in range(4)]
    )
    await arrive(empty_site, reference="BER-9", cites=("B-9",))
    answer = (await empty_site.get("/api/v1/missing-references")).json()
    assert [one["reference"] for one in answer["missing"]] == ["B-9"]
    assert answer["next"] is None


async def test_what_is_cited_and_never_arrived_is_listed_by_post(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await arrive(empty_site, cites=("BER-9", "BER-8"))
    await arrive(empty_site, reference="BER-2", replies_to="BER-9", cites=(FIRST,))
    await arrive(empty_site, post="rome", reference="ROM-1", cites=("ROM/0",))
    everything = [
        ("berlin", "BER-8", [FIRST]),
        ("berlin", "BER-9", ["BER-2", FIRST]),
        ("rome", "ROM/0", ["ROM-1"]),
    ]
    assert await missing(empty_site) == everything
    assert await missing(empty_site, "?post=rome") == everything[2:]
    assert await missing(empty_site, "?post=madrid") == []
    monkeypatch.setattr("services.search.citations.MISSING", 1)
    query, seen = "", []
    for _ in range(3):
        answer = (await empty_site.get(f"/api/v1/missing-references{query}")).json()
        seen += [one["reference"] for one in answer["missing"]]
        query = f"?after={answer['next']}"
    assert seen == ["BER-8", "BER-9", "ROM/0"]
    assert answer["next"] is None
    for wrong in ("?post=atlantide", f"?after={'x' * 1_501}"):
        assert (await empty_site.get(f"/api/v1/missing-references{wrong}")).status_code == 422


async def test_while_the_registry_is_away_a_note_is_shown_without_links(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await arrive(empty_site)
    reply = await arrive(empty_site, reference="BER-2", replies_to=FIRST)
    await view(empty_site, reply)  # by a key that is known from then on
    empty_site.registry.close()
    for file in empty_site.settings.data.glob("registry.sqlite3*"):
        file.unlink()
    found = await view(empty_site, reply)
    assert [(one.reference, one.id) for one in found.cites] == [(FIRST, None)]


def rectify(site: Site, note: Note) -> None:
    sent = rectification(reference=note.reference, cites=note.cites)
    site.registry.begin_revision(
        RevisionSubmission(
            note_id=note.id,
            event_id=sent.event_id,
            at=sent.at,
            note=note,
            content_hash=sent.content_hash,
        )
    )
