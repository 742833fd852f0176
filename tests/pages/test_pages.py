"""The pages as people get them: what a desk officer finds, follows, and is told when it fails."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import ClassifiedNote, CorrectionTags, Kind
from schemas.note import MarkedSpan
from services.search.index import CURSOR_MINUTES
from services.search.pages import CONTENT_SECURITY_POLICY, STATIC
from services.search.search_page import only_marks
from tests.builders import UNKNOWN, a_note
from tests.pages.html import Page, check, read
from tests.search import corpus
from tests.search.site import Site, open_site
from tests.search.test_handlers import receive


async def page(site: Site, address: str, status: int = 200) -> Page:
    """The page at this address, checked as every page is."""
    answer = await site.browse(address)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    found = read(answer.text)
    check(found)
    return found


def form_of(found: Page) -> list[tuple[str, str]]:
    """What a browser would send for the search form as it stands."""
    sent = []
    for one in found.elements:
        if one.name == "input" and one.attributes.get("name"):
            if one["type"] == "checkbox" and "checked" not in one.attributes:
                continue
            sent.append((one["name"], one.attributes.get("value", "")))
        elif one.name == "option" and "selected" in one.attributes:
            sent.append(("sort", one["value"]))
    return sent


async def test_a_first_visitor_of_an_empty_deployment_is_told_what_to_do(empty_site: Site) -> None:
    found = await page(empty_site, "/")
    assert "Aucune note pour le moment" in found.one("main").text
    assert "valise submit" in found.one("code").text
    assert not found.all("fieldset")


async def test_a_desk_officer_sees_the_newest_notes_and_what_they_can_be_narrowed_by(
    site: Site,
) -> None:
    found = await page(site, "/")
    subjects = [one.text.strip() for one in found.all("h3")]
    assert subjects == [event.note.subject for event in reversed(corpus.ALL)]
    assert found.by_id("resultats").text == "6 notes"
    assert [one.text for one in found.all("legend")] == [
        "Thème", "Pays", "Poste", "Genre", "Année", "Date de la note",
    ]  # fmt: skip
    boxes = {one["value"] for one in found.all("input") if one.attributes.get("name") == "country"}
    assert boxes == {"DE", "ES", "SE", "DK", "FI", "IT"}
    assert found.one("title").text == "Rechercher dans les notes – Valise"


async def test_results_show_highlights_and_tags_with_role_and_doubt(site: Site) -> None:
    found = await page(site, "/?q=retraites")
    (hit,) = found.all("article")
    assert [one.text for one in found.all("mark")] == ["retraites"]
    for said in ("BER-2026-0142", "Poste de Berlin", "4 mars 2026", "Note"):
        assert said in hit.text
    chips = [" ".join(one.text.split()) for one in found.all("li", "tag")]
    assert chips == [
        "Protection sociale Retraites",
        "Allemagne sujet",
        "France mention probable",
    ]
    assert found.one("title").text.startswith("Recherche : «\N{NO-BREAK SPACE}retraites")


async def test_the_page_offers_the_feeds_of_this_very_search(site: Site) -> None:
    found = await page(site, "/?q=retraites&post=berlin&sort=date")
    links = {one["type"]: one["href"] for one in found.all("link") if one["rel"] == "alternate"}
    assert links == {
        "application/atom+xml": "/feeds/search.atom?q=retraites&post=berlin",
        "application/feed+json": "/feeds/search.json?q=retraites&post=berlin",
    }
    shown = {one["href"] for one in found.all("a") if one.attributes.get("type") in links}
    assert shown == set(links.values())
    feed = (await site.get(links["application/feed+json"])).json()
    assert [item["title"] for item in feed["items"]] == [corpus.RETRAITES.note.subject]
    assert feed["home_page_url"].startswith("http://valise.test/?q=retraites&post=berlin")


@pytest.mark.parametrize(
    "address",
    [
        "/?q=travail",
        "/?theme=sante&theme=travail&subtheme=travail.formation&country=DE&year=2026",
        "/?q=%22rapport+de%22&from=2026-01-01&to=2026-12-31&sort=date",
        "/?theme.not=sante&country_any=FR&received_from=2026-01-01&size=5",
        "/?genre=note&post=berlin&country.not=SE",
    ],
)
async def test_the_form_sends_the_search_that_it_shows(site: Site, address: str) -> None:
    found = await page(site, address)
    sent = [pair for pair in form_of(found) if pair[1]]
    assert sorted(sent) == sorted(parse_qsl(urlsplit(address).query))


async def test_each_filter_can_be_taken_off_by_itself(site: Site) -> None:
    found = await page(site, "/?q=le&theme=sante&country=ES&theme.not=travail&from=2026-01-01")
    chips = {
        one.text.replace("Retirer le filtre", "").replace("×", "").strip(): one["href"]
        for one in found.all("a")
        if "chips" in " ".join(one.inside) or "Retirer" in one.text
    }
    assert chips["Santé"] == "/?q=le&theme.not=travail&country=ES&from=2026-01-01"
    assert chips["sauf Travail"] == "/?q=le&theme=sante&country=ES&from=2026-01-01"
    assert chips["Espagne"] == "/?q=le&theme=sante&theme.not=travail&from=2026-01-01"
    assert chips["Note datée à partir du 1er janvier 2026"] == (
        "/?q=le&theme=sante&theme.not=travail&country=ES"
    )


async def test_a_reader_is_told_when_no_note_has_all_the_words(site: Site) -> None:
    found = await page(site, "/?q=retraites+antibiotiques")
    assert "Aucune note ne contient tous ces mots" in found.one("p", "notice").text
    assert len(found.all("article")) == 2


async def test_a_search_without_result_says_how_to_go_on(site: Site) -> None:
    found = await page(site, "/?q=zymurgie&theme=sante")
    assert found.by_id("resultats").text == "Aucune note"
    assert "effacez-les tous" in found.one("main").text


async def test_a_reader_walks_through_the_pages_with_links_alone(site: Site) -> None:
    address, seen = "/?size=4&sort=date", []
    while address:
        found = await page(site, address)
        seen += [one.text.strip() for one in found.all("h3")]
        following = [one["href"] for one in found.all("a") if one.attributes.get("rel") == "next"]
        address = following[0] if following else ""
    assert len(seen) == len(set(seen)) == len(corpus.ALL)
    first = [one["href"] for one in found.all("a") if one.attributes.get("rel") == "first"]
    assert first == ["/?sort=date&size=4"]


async def test_the_usual_order_follows_the_words(site: Site) -> None:
    bare = await page(site, "/")
    assert [one.text for one in bare.all("option")] == ["Date de la note", "Date de réception"]
    assert dict(form_of(bare))["sort"] == ""
    words = await page(site, "/?q=travail")
    assert [one.text for one in words.all("option")] == [
        "Pertinence", "Date de la note", "Date de réception",
    ]  # fmt: skip


async def test_a_note_is_read_whole_with_its_evidence_linked_both_ways(site: Site) -> None:
    found = await page(site, f"/notes/{corpus.RETRAITES.note_id}")
    assert found.one("h1").text == corpus.RETRAITES.note.subject
    assert found.one("title").text == f"{corpus.RETRAITES.note.subject} – Valise"
    marks = {one.text: one.classes for one in found.all("mark")}
    assert marks["âge de départ"] == {"theme-protection_sociale"}
    assert marks["allemande"] == {"pays-about"}
    assert marks["France"] == {"pays-mentioned"}
    to_passages = [one["href"] for one in found.all("a") if one["href"].startswith("#passage-")]
    assert len(to_passages) == 5
    to_tags = {one["href"] for one in found.all("a") if "sup" in one.inside}
    assert to_tags == {"#theme-protection_sociale", "#pays-DE", "#pays-FR"}
    table = found.one("div", "table")
    assert "Vieillesse\t394 Md€" in table.text
    assert table["tabindex"] == "0"
    for fact in (
        "BER-2026-0142",
        "Poste de Berlin",
        "C. Lemaire",
        "DSS, DREES",
        "Pour information",
    ):
        assert fact in found.one("dl", "facts").text


async def test_the_text_on_the_page_is_the_text_of_the_note(site: Site) -> None:
    for event in corpus.ALL:
        found = await page(site, f"/notes/{event.note_id}")
        body = found.one("section", "text").plain
        assert "".join(event.note.body.split()) in "".join(body.split())


async def test_a_note_in_english_says_so_and_is_read_out_in_english(site: Site) -> None:
    english = corpus.tagged(
        a_note(
            post="londres", reference="LON-2026-0900", subject="Pension reform",
            body="The pensions bill passed.", language="eng",
        ),
        minutes=50,
    )  # fmt: skip
    await site.take(english)
    found = await page(site, f"/notes/{english.note_id}")
    assert "Langueanglais" in [one.text.strip() for one in found.all("div")]
    spoken = [one.name for one in found.elements if one.attributes.get("lang") == "en"]
    assert spoken == ["h1", "p"]
    assert "Cette note est en anglais" in found.one("main").text
    found = await page(site, "/?q=bill")
    assert "en anglais" in found.one("article").text
    assert [one.name for one in found.elements if one.attributes.get("lang") == "en"] == ["a", "p"]
    assert "Langue" in [one.text for one in found.all("legend")]
    found = await page(site, "/?language.not=en")
    assert "sauf en anglais" in found.one("main").text
    assert english.note.subject not in found.one("main").text


async def test_a_french_note_says_nothing_of_its_language(site: Site) -> None:
    found = await page(site, f"/notes/{corpus.RETRAITES.note_id}")
    assert "Langue" not in [one.text for one in found.all("dt")]
    assert "Langue" not in [one.text for one in (await page(site, "/")).all("legend")]


async def test_a_note_shows_its_journey(empty_site: Site) -> None:
    receive(empty_site, corpus.RETRAITES)
    await empty_site.take(corpus.RETRAITES)
    found = await page(empty_site, f"/notes/{corpus.RETRAITES.note_id}")
    assert [one.text for one in found.all("strong")] == ["Reçue", "Classée", "Indexée"]


async def test_a_note_can_be_read_while_the_registry_is_away(site: Site) -> None:
    await site.get("/")  # by a key that is known from then on
    site.registry.close()
    database = site.settings.data / "registry.sqlite3"
    for file in site.settings.data.glob("registry.sqlite3*"):
        file.unlink()
    database.mkdir()
    address = f"/notes/{corpus.RETRAITES.note_id}"
    found = await page(site, address)
    assert [one.text for one in found.all("strong")] == ["Reçue", "Classée"]
    trace = await site.get(f"/api/v1{address}/trace")
    assert trace.status_code == 503
    assert int(trace.headers["retry-after"]) > 0


async def test_a_note_without_tags_says_so(site: Site) -> None:
    found = await page(site, f"/notes/{corpus.PROTOCOLE.note_id}")
    assert "Aucun thème ni pays n’a été reconnu" in found.one("aside").text
    assert not found.all("mark")


async def test_a_corrected_note_says_that_a_reader_set_its_tags(site: Site) -> None:
    await site.take(
        corpus.tagged(
            corpus.PROTOCOLE.note,
            kind=Kind.CORRECTED,
            correction=1,
            correction_tags=CorrectionTags(themes=("travail",), countries=("CH",)),
        )
    )
    found = await page(site, f"/notes/{corpus.PROTOCOLE.note_id}")
    assert "corrigés par un lecteur" in found.one("aside").text
    assert "probable" not in found.one("aside").text


async def test_the_page_of_feeds_lists_topics_that_all_answer(site: Site) -> None:
    found = await page(site, "/fils")
    assert [one.text for one in found.all("h2")] == ["Thèmes", "Pays", "Sous-thèmes", "Postes"]
    countries = [one.text.strip() for one in found.all("a", "topic") if "?country=" in one["href"]]
    assert countries == ["Allemagne", "Danemark", "Espagne", "Finlande", "Italie", "Suède"]
    feeds = {one["href"] for one in found.all("a") if one["href"].startswith("/feeds/")}
    assert {"/feeds/all.atom", "/feeds/sante.json", "/feeds/country/DE.atom"} <= feeds
    for address in sorted(feeds)[::7]:
        assert (await site.get(address)).status_code == 200


HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>" \'><b>&amp;{{ 7*7 }}</mark>'


def protected(mark: str = "SF", **marks: Any) -> ClassifiedNote:
    """A note with a passage that bears a mark of its own, evidence in it and before it."""
    body = "La grève continue.\n\nLe ministre <hésite> sur l’hôpital. Le vote suit."
    start = body.index("Le ministre")
    span = MarkedSpan(field="body", start=start, end=body.index(" Le vote"), mark=mark)
    return corpus.tagged(
        a_note(subject="Le conflit", body=body, marked_spans=[span], **marks),
        {"travail": ("grève",), "sante": ("hôpital",)},
    )


async def test_a_cleared_reader_is_told_what_a_note_and_its_passages_are_marked(
    empty_site: Site,
) -> None:
    event = protected(marking="diffusion_restreinte")
    await empty_site.take(event)
    address = f"/notes/{event.note_id}"
    found = await page(empty_site, address)
    banner = found.one("div", "protection")
    assert "Diffusion restreinte" in [one.text for one in found.all("strong")]
    assert "Mention de protection" in banner.text
    assert "Spécial France" in banner.text
    passage = found.one("span", "protected")
    assert passage.text.startswith("Spécial France : Le ministre <hésite> sur l’hôpital")
    assert passage.text.endswith(" (fin du passage protégé)")
    assert passage.plain == "Le ministre <hésite> sur l’hôpital."
    assert not found.all("hésite")
    marks = {one.text: (one.classes, "span" in one.inside) for one in found.all("mark")}
    assert marks["hôpital"] == ({"theme-sante"}, True)
    assert marks["grève"] == ({"theme-travail"}, False)
    text = found.one("section", "text").plain
    assert "".join(event.note.body.split()) in "".join(text.split())
    (hit,) = (await page(empty_site, "/")).all("p", "origin")
    assert "Diffusion restreinte" in hit.text
    assert "Spécial France" not in hit.text


async def test_who_does_not_see_a_passage_sees_neither_its_mark(empty_site: Site) -> None:
    event = protected()
    await empty_site.take(event)
    empty_site.read_by()
    found = await page(empty_site, f"/notes/{event.note_id}")
    assert "[passage réservé] Le vote suit." in found.one("section", "text").text
    assert "Spécial France" not in found.one("main").text
    assert not found.all("div", "protection")
    assert not found.all("span", "protected")


async def test_a_mark_that_is_none_of_ours_is_shown_as_the_text_that_it_is(
    empty_site: Site,
) -> None:
    event = protected("<b>Cabinet</b> & {{ 7*7 }}")
    await empty_site.take(event)
    found = await page(empty_site, f"/notes/{event.note_id}")
    assert not found.all("b")
    assert "<b>Cabinet</b> & {{ 7*7 }}" in found.one("strong", "mention").text


async def test_a_note_without_marks_shows_none(site: Site) -> None:
    for address in (f"/notes/{corpus.RETRAITES.note_id}", "/"):
        found = await page(site, address)
        assert not found.all("div", "protection")
        assert not [one for one in found.elements if one.classes & {"mention", "protected"}]


async def test_a_hostile_note_is_shown_as_the_text_that_it_is(empty_site: Site) -> None:
    event = corpus.tagged(
        corpus.note(
            "berlin", f"X-{HOSTILE}", "2026-03-04", HOSTILE, f"Grève {HOSTILE}\n\n{HOSTILE}",
            author=HOSTILE, cites=(HOSTILE,),
        ),
        {"travail": ("Grève", '<script>alert("x")</script>')},
        {"DE": (HOSTILE,)},
    )  # fmt: skip
    await empty_site.take(event)
    for address in ("/", "/?q=gr%C3%A8ve", "/?q=script", "/fils", f"/notes/{event.note_id}"):
        found = await page(empty_site, address)
        assert not found.all("b")
        assert {one["src"] for one in found.all("img")} == {found.one("img")["src"]}
        if address != "/fils":
            assert '<script>alert("x")</script>' in found.one("main").text
            assert "{{ 7*7 }}" in found.one("main").text


async def test_a_hostile_search_is_shown_as_the_words_that_they_are(site: Site) -> None:
    answer = await site.reader.get(
        "/", params={"q": HOSTILE, "theme": ""}, headers={"accept": "text/html"}
    )
    found = read(answer.text)
    check(found)
    assert found.by_id("mots")["value"] == HOSTILE


@given(st.text(st.sampled_from("<>/mark &\"'x"), max_size=40))
def test_nothing_but_marks_comes_through_a_highlight(fragment: str) -> None:
    shown = str(only_marks(fragment))
    rest = shown.replace("<mark>", "").replace("</mark>", "")
    assert "<" not in rest


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/rien", 404, "Rien ne se trouve à cette adresse"),
        (f"/notes/{UNKNOWN}", 404, "Aucune note reçue"),
        ("/?theme=sport", 422, "Valeurs possibles"),
        ("/?cursor=nimporte", 422, "n'est pas la suite"),
        ("/static/secret.css", 404, "Rien"),
    ],
)
async def test_an_error_is_a_page_in_french(
    site: Site, address: str, status: int, said: str
) -> None:
    if address.startswith("/static"):
        answer = await site.browse(address)
        assert (answer.status_code, answer.headers["content-type"]) == (
            404, "application/problem+json",
        )  # fmt: skip
        return
    found = await page(site, address, status)
    assert said in found.one("main").text
    assert {"/", "/fils"} <= {one["href"] for one in found.all("a")}


async def test_a_withdrawn_note_is_a_page_that_says_so(site: Site) -> None:
    withdrawn = corpus.tagged(corpus.RETRAITES.note, revision=2, kind=Kind.WITHDRAWN)
    await site.take(withdrawn)
    found = await page(site, f"/notes/{withdrawn.note_id}", 410)
    assert "a été retirée par le poste" in found.one("main").text


async def test_an_outage_is_a_page_that_says_when_to_come_back(site: Site) -> None:
    await site.index.stop()
    answer = await site.browse("/?q=retraites")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    check(read(answer.text))


async def test_a_program_gets_the_same_errors_as_problems(site: Site) -> None:
    for address in ("/rien", "/?theme=sport", f"/notes/{uuid4()}"):
        answer = await site.get(address, accept="*/*")
        assert answer.headers["content-type"] == "application/problem+json"
    browsed = await site.browse("/api/v1/search?theme=sport")
    assert browsed.headers["content-type"] == "application/problem+json"


async def test_an_expired_page_of_results_offers_the_search_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await page(site, "/?q=travail+OU+commission&size=1")
    (following,) = [one["href"] for one in found.all("a") if one.attributes.get("rel") == "next"]
    later = time.time() + (CURSOR_MINUTES + 1) * 60
    monkeypatch.setattr("services.search.index.cursor.time.time", lambda: later)
    expired = await page(site, following, 410)
    assert "/?q=travail+OU+commission&size=1" in {one["href"] for one in expired.all("a")}


async def test_the_style_sheet_is_kept_as_long_as_it_is_the_same(site: Site) -> None:
    found = await page(site, "/")
    (address,) = [one["href"] for one in found.all("link") if one["rel"] == "stylesheet"]
    answer = await site.get(address)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    bare = await site.get("/static/valise.css")
    assert bare.headers["cache-control"] == "no-cache"
    kept = await site.get("/static/valise.css", if_none_match=bare.headers["etag"])
    assert (kept.status_code, kept.content) == (304, b"")
    assert b"http" not in STATIC["valise.css"].content.replace(b"http://www.w3.org", b"")


async def test_every_page_answers_head(site: Site) -> None:
    for address in ("/", "/fils", f"/notes/{corpus.RETRAITES.note_id}"):
        answer = await site.reader.head(address)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_who_asks_too_often_is_told_so_on_a_page(tmp_path: Path) -> None:
    async with open_site(tmp_path, rate=0.01, burst=1) as site:
        await page(site, "/fils")
        answer = await site.browse("/fils")
        assert int(answer.headers["Retry-After"]) > 1
        assert "Trop de requêtes" in answer.text
        await page(site, "/fils", 429)
