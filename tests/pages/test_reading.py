"""What a desk officer reads on the pages: in French, in order, and how to go on and back."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.access import Role
from schemas.events import ClassifiedNote
from services.runtime.registry import Key, OriginalRow
from tests.builders import a_classified_note, a_note
from tests.pages.html import Page
from tests.pages.test_pages import page
from tests.runtime.registry_kit import submission
from tests.search import corpus
from tests.search.site import Site

NBSP = "\N{NO-BREAK SPACE}"
NOTE = a_note()
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def leading(shown: Page) -> dict[str, str]:
    """Where the links to other pages of a list lead."""
    return {one["rel"]: one["href"] for one in shown.all("a") if "rel" in one.attributes}


def references(shown: Page) -> list[str]:
    return [one.text for one in shown.all("h3")]


@pytest.mark.parametrize("query", ["size=2", "size=2&sort=date", "q=la+OU+le+OU+les&size=2"])
async def test_a_reader_goes_on_and_back_through_the_results(site: Site, query: str) -> None:
    walked = [await page(site, f"/?{query}")]
    assert "prev" not in leading(walked[0])
    while "next" in leading(walked[-1]):
        walked.append(await page(site, leading(walked[-1])["next"]))
    assert len(walked) >= 2
    at = walked[-1]
    for expected in reversed(walked[:-1]):
        at = await page(site, leading(at)["prev"])
        assert references(at) == references(expected)
    assert "prev" not in leading(at)
    assert references(await page(site, leading(at)["next"])) == references(walked[1])


async def test_another_reader_cannot_go_back_by_a_page_that_was_not_shown_to_them(
    site: Site,
) -> None:
    second = await page(site, leading(await page(site, "/?size=2"))["next"])
    site.read_by(Role.READ)
    assert (await site.browse(leading(second)["prev"])).status_code == 422


def read_from(site: Site, name: str = "retraites.docx", **changes: Any) -> None:
    """Berlin's note, received as a document that is kept."""
    (begun,) = site.registry.begin([submission(**changes)])
    site.registry.mark_received([begun.key])
    row = OriginalRow("ab" * 32, name, WORD, 120 * 1024)
    site.registry.keep_original(Key(begun.key.note_id, 1), row)


async def test_a_note_leads_to_the_document_it_was_read_from(empty_site: Site) -> None:
    read_from(empty_site)
    await empty_site.take(a_classified_note())
    shown = await page(empty_site, f"/notes/{NOTE.id}")
    (link,) = [one for one in shown.all("a") if one["href"].endswith("/original")]
    assert link["href"] == f"/api/v1/notes/{NOTE.id}/original"
    assert link.text == f"Document d’origine (DOCX, 120{NBSP}Ko)"
    assert "retraites.docx" in shown.one("p", "original").text


async def test_nobody_is_led_to_a_document_that_is_not_theirs(empty_site: Site) -> None:
    spans = ({"field": "body", "start": 0, "end": 13, "mark": "special_france"},)
    read_from(empty_site, marked_spans=spans)
    await empty_site.take(a_classified_note(a_note(marked_spans=spans)))
    assert (await page(empty_site, f"/notes/{NOTE.id}")).all("p", "original")
    empty_site.read_by(Role.READ)
    shown = await page(empty_site, f"/notes/{NOTE.id}")
    assert not shown.all("p", "original")
    assert "/original" not in " ".join(one["href"] for one in shown.all("a"))


async def test_a_note_without_a_document_leads_to_none(site: Site) -> None:
    assert not (await page(site, f"/notes/{corpus.RETRAITES.note_id}")).all("p", "original")


def dated(reference: str, days: int) -> ClassifiedNote:
    received = corpus.START
    note = a_note(reference=reference, subject=reference, date=received.date() + timedelta(days))
    return a_classified_note(note, received_at=received, at=received)


async def test_a_date_to_come_is_said_and_heads_no_list(empty_site: Site) -> None:
    notes = [dated("Demain", 1), dated("Hier", -1), dated("Dans un an", 365)]
    await empty_site.take(*notes)
    shown = await page(empty_site, "/?sort=date")
    assert references(shown) == ["Demain", "Dans un an", "Hier"]
    said = [one.text for one in shown.all("p", "origin")]
    assert ["date à venir" in one for one in said] == [False, True, False]
    for event, ahead in zip(notes, (False, False, True), strict=True):
        facts = (await page(empty_site, f"/notes/{event.note_id}")).one("dl").text
        assert ("date à venir" in facts) is ahead


MARKDOWN = (
    "## Contexte\n\nLe **taux de chômage** recule en *Allemagne*.\n\n"
    "| Land | Taux |\n|---|---|\n| Bavière | 3,5 |\n| Berlin | 9,7 |\n"
)


async def test_no_raw_markdown_is_read_and_its_evidence_stands_where_it_is(site: Site) -> None:
    note = a_note(reference="MD-1", subject="Le chômage", body=MARKDOWN)
    await site.take(corpus.tagged(note, {"travail.chomage": ("taux de chômage",)}))
    listed = await page(site, "/?q=taux+OU+contexte&post=berlin")
    for shown in (listed, await page(site, f"/notes/{note.id}")):
        said = shown.one("main").text
        assert not [sign for sign in ("**", "##", "---", "*A") if sign in said]
    text = shown.one("section", "text")
    assert "Le taux de chômage recule en Allemagne." in text.plain
    assert "Bavière | 3,5" in text.plain
    assert "Contexte" in [one.text for one in shown.all("strong")]


async def test_a_wrong_filter_is_told_with_what_there_is(site: Site) -> None:
    said = (await page(site, "/?genre=lettre", 422)).one("main").text
    assert "Valeurs possibles : Note diplomatique, Note," in said


@pytest.mark.parametrize("address", ["/?genre=lettre", "/?theme=sport", "/?xyz=1", "/?country=XX"])
async def test_a_wrong_address_is_told_without_codes(site: Site, address: str) -> None:
    said = (await page(site, address, 422)).one("main").text
    assert "«" in said
    for code in ("note_diplomatique", "protection_sociale", "country_any", "theme.not"):
        assert code not in said
