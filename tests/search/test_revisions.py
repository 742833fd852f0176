"""A note's revisions as programs and people see them."""

from typing import Any

import pytest

from schemas.access import Role
from schemas.answers import Revisions
from schemas.events import Kind, NoteEvent, decode
from schemas.vocabulary import Marking
from services.runtime.registry import BegunRevision, Key
from services.search.revisions import PAGE
from tests.builders import a_classified_note, a_note
from tests.pages.html import Page
from tests.pages.test_pages import page
from tests.runtime.registry_kit import correction, rectification, submission, withdrawal
from tests.search.site import Site

NOTE = a_note()
ADDRESS = f"/notes/{NOTE.id}/revisions"
BODY = "La commission allemande propose de porter l'âge de départ à 67 ans."


def begin(site: Site, **changes: Any) -> None:
    """Berlin's note, received."""
    (begun,) = site.registry.begin([submission(**changes)])
    site.registry.mark_received([begun.key])


def rectify(site: Site, *, major: bool = True, **changes: Any) -> NoteEvent:
    begun = site.registry.begin_revision(rectification(major, **changes))
    assert isinstance(begun, BegunRevision)
    return decode(NoteEvent, begun.waiting[-1].event)


async def revisions(site: Site, query: str = "") -> Revisions:
    answer = await site.get(f"/api/v1{ADDRESS}{query}")
    assert answer.status_code == 200, answer.text
    return Revisions.model_validate(answer.json())


async def test_each_revision_says_what_it_changed(empty_site: Site) -> None:
    begin(empty_site)
    empty_site.registry.begin_correction(correction("sante"))
    rectify(empty_site, major=False, body=BODY)
    rectify(empty_site, body=BODY, genre="breve")
    found = await revisions(empty_site)
    assert [(one.revision, one.kind, one.major, one.correction) for one in found.revisions] == [
        (3, Kind.RECTIFIED, True, 0),
        (2, Kind.RECTIFIED, False, 1),
        (1, Kind.SUBMITTED, True, 0),
    ]
    assert [one.state.value for one in found.revisions] == ["pending", "pending", "received"]
    third, second, first = (one.changes or () for one in found.revisions)
    assert [(one.field, one.before, one.after) for one in third] == [("genre", "note", "breve")]
    (body,) = second
    assert [(one.op, one.text) for one in body.operations or () if one.op != "equal"] == [
        ("delete", " 68"),
        ("insert", " 67"),
    ]
    assert first == ()
    assert found.next is None


async def test_a_long_history_comes_page_by_page(empty_site: Site) -> None:
    begin(empty_site)
    for age in range(PAGE + 4):
        rectify(empty_site, body=f"À {age} ans.")
    newest = await revisions(empty_site)
    assert [one.revision for one in newest.revisions] == list(range(PAGE + 5, 5, -1))
    assert newest.next == 6
    earlier = await revisions(empty_site, "?before=6")
    assert [one.revision for one in earlier.revisions] == [5, 4, 3, 2, 1]
    assert all(one.changes for one in [*newest.revisions, *earlier.revisions[:-1]])
    assert earlier.next is None
    assert (await revisions(empty_site, "?before=1")).revisions == []


async def test_what_a_reader_may_not_know_of_is_not_told(empty_site: Site) -> None:
    assert (await empty_site.get(f"/api/v1{ADDRESS}")).status_code == 404
    assert (await empty_site.get("/api/v1/notes/BER-2026-0142/revisions")).status_code == 404
    begin(empty_site, marking=Marking.DIFFUSION_RESTREINTE)
    empty_site.read_by(Role.READ)
    assert (await empty_site.get(f"/api/v1{ADDRESS}")).status_code == 404
    rectify(empty_site, body=BODY)
    found = await revisions(empty_site)
    assert [one.changes for one in found.revisions] == [None, None]
    assert "68" not in (await empty_site.get(ADDRESS)).text


async def test_a_withdrawn_note_shows_none_until_it_is_reinstated(empty_site: Site) -> None:
    begin(empty_site)
    empty_site.registry.begin_revision(withdrawal())
    for address in (f"/api/v1{ADDRESS}", ADDRESS):
        assert (await empty_site.get(address)).status_code == 410
    rectify(empty_site)
    kinds = [one.kind.value for one in (await revisions(empty_site)).revisions]
    assert kinds == ["rectified", "withdrawn", "submitted"]
    shown = await page(empty_site, ADDRESS)
    assert [one.text for one in shown.all("h2")] == [
        "Révision 3 : rétablissement",
        "Révision 2 : retrait",
        "Révision 1 : première version",
    ]


async def test_a_reinstatement_is_called_so_though_its_withdrawal_is_on_the_next_page(
    empty_site: Site,
) -> None:
    begin(empty_site)
    empty_site.registry.begin_revision(withdrawal())
    for number in range(PAGE):
        rectify(empty_site, body=f"{BODY} {number}")
    shown = await page(empty_site, ADDRESS)
    assert shown.all("h2")[-1].text == "Révision 3 : rétablissement"


async def test_people_see_what_was_added_and_taken_out(empty_site: Site) -> None:
    begin(empty_site)
    event = rectify(empty_site, body=BODY, date="2026-03-05", addressees=("DGT",))
    shown = await page(empty_site, ADDRESS)
    assert shown.one("h1").text == "Révisions de la note"
    assert [one.text for one in shown.all("h3")] == ["Texte", "Date de la note", "Destinataires"]
    added = [one.text for one in shown.all("ins")[1:]]
    assert added == ["[ajouté :  67]", "[ajouté : 5 mars 2026]", "[ajouté : DGT]"]
    gone = [one.text for one in shown.all("del")[1:]]
    assert gone == ["[supprimé :  68]", "[supprimé : 4 mars 2026]", "[supprimé : rien]"]
    # The note's own page leads there, once there is more than one revision.
    assert ADDRESS not in links(await shown_note(empty_site, a_classified_note()))
    assert ADDRESS in links(await shown_note(empty_site, a_classified_note(**_of(event))))


@pytest.mark.parametrize("wrong", ["x", "0", "-1", "", "²", "99999999999"])
async def test_a_wrong_page_is_refused(empty_site: Site, wrong: str) -> None:
    begin(empty_site)
    for address in (f"/api/v1{ADDRESS}", ADDRESS):
        assert (await empty_site.get(f"{address}?before={wrong}")).status_code == 422


async def test_revisions_are_told_while_the_index_is_away(empty_site: Site) -> None:
    await empty_site.index.stop()
    begin(empty_site)
    assert (await empty_site.get(f"/api/v1{ADDRESS}")).status_code == 200


async def test_a_withdrawn_note_says_which_state_to_name_when_it_comes_back(
    empty_site: Site,
) -> None:
    begin(empty_site)
    gone = a_classified_note(revision=2, kind=Kind.WITHDRAWN)
    await empty_site.take(gone)
    empty_site.registry.mark_received([Key(NOTE.id, 1)])
    answer = await empty_site.get(f"/api/v1/notes/{NOTE.id}")
    assert (answer.status_code, answer.headers["ETag"]) == (410, '"2.0.1"')


def _of(event: NoteEvent) -> dict[str, Any]:
    return {"note": event.note, "revision": event.revision, "kind": event.kind}


async def shown_note(site: Site, event: Any) -> Page:
    await site.take(event)
    return await page(site, f"/notes/{event.note_id}")


def links(shown: Page) -> list[str]:
    return [one["href"] for one in shown.all("a")]


async def test_people_page_back_to_the_newest_revisions(empty_site: Site) -> None:
    begin(empty_site)
    for age in range(2 * PAGE + 4):
        rectify(empty_site, body=f"À {age} ans.")
    newest = await page(empty_site, ADDRESS)
    assert leading(newest) == {"next": f"{ADDRESS}?before={PAGE + 6}"}
    middle = await page(empty_site, leading(newest)["next"])
    assert leading(middle) == {"prev": ADDRESS, "next": f"{ADDRESS}?before=6"}
    oldest = await page(empty_site, leading(middle)["next"])
    assert leading(oldest) == {"prev": f"{ADDRESS}?before={PAGE + 6}"}


def leading(shown: Page) -> dict[str, str]:
    """Where the links to other pages of a list lead."""
    return {one["rel"]: one["href"] for one in shown.all("a") if "rel" in one.attributes}


async def test_people_see_no_code_in_what_changed(empty_site: Site) -> None:
    begin(empty_site)
    rectify(
        empty_site,
        marking="diffusion_restreinte",
        genre="note_diplomatique",
        marked_spans=({"field": "subject", "start": 0, "end": 3, "mark": "special_france"},
                      {"field": "body", "start": 0, "end": 5, "mark": "LIMITE X"}),
    )  # fmt: skip
    said = (await page(empty_site, ADDRESS)).one("main").text
    for code in ("diffusion_restreinte", "non_protege", "note_diplomatique", "special_france"):
        assert code not in said
    for label in ("Diffusion restreinte", "Note diplomatique", "Spécial France (objet", "LIMITE X"):
        assert label in said
