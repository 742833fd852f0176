"""Topic feeds: which feed is where, valid Atom and JSON Feed, and what a subscriber is spared."""

import json
import re
import warnings
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.access import Role
from schemas.answers import Hit
from schemas.events import Kind
from schemas.query import PUBLIC, Query
from services.search.document import documents
from services.search.feeds import atom, clean, json_feed
from services.search.freshness import Freshness, etag, has_copy, unchanged
from services.search.parameters import WrongParameters
from services.search.seal import Seal
from services.search.topics import Format, Topic, UnknownTopic, topic_for, topic_of
from tests.search import corpus
from tests.search.site import Site, open_site

A = "{http://www.w3.org/2005/Atom}"
BASE = "https://valise.test"


def hit(event: Any = corpus.RETRAITES, **changes: Any) -> Hit:
    """The hit of a note, as the index gives it."""
    return Hit.model_validate(
        documents(event)[0]["hit"] | {"score": None, "highlights": {}} | changes
    )


def parsed(content: bytes) -> Any:
    """What a feed reader makes of an Atom feed; fails where it finds it ill-formed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        feed = feedparser.parse(content)
    assert not feed.bozo, feed.get("bozo_exception")
    return feed


@pytest.mark.parametrize(
    ("path", "title", "canonical"),
    [
        ("all.atom", "Valise — Toutes les notes", "/feeds/all.atom"),
        ("sante.json", "Valise — Santé", "/feeds/sante.json"),
        ("sante/de.atom", "Valise — Santé, Allemagne", "/feeds/sante/DE.atom"),
        ("country/De.atom", "Valise — Allemagne", "/feeds/country/DE.atom"),
    ],
)
def test_a_topic_feed_has_a_short_address_and_a_french_title(
    path: str, title: str, canonical: str
) -> None:
    topic, form = topic_of(path, [], PUBLIC)
    assert topic.title == title
    assert topic.path(form) == canonical


@pytest.mark.parametrize(
    "path",
    [
        "sport.atom",
        "sante/ZZ.atom",
        "country/UK.json",
        "sante.rss",
        "sante",
        "",
        ".atom",
        "a/b/c.atom",
    ],
)
async def test_an_unknown_feed_is_not_found_and_says_why(path: str, empty_site: Site) -> None:
    with pytest.raises(UnknownTopic):
        topic_of(path, [], PUBLIC)
    answer = await empty_site.get(f"/feeds/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Fil inconnu"


def test_any_search_is_a_feed_whatever_its_order_and_page() -> None:
    pairs = [("q", "médicaments"), ("post", "madrid")]
    listed = [*pairs, ("sort", "date"), ("size", "5"), ("cursor", "abc")]
    topic, _ = topic_of("search.atom", listed, PUBLIC)
    assert topic == topic_of("search.atom", pairs, PUBLIC)[0]
    assert (
        topic.title == "Valise — «\N{NO-BREAK SPACE}médicaments\N{NO-BREAK SPACE}», Poste de Madrid"
    )


async def test_no_feed_has_a_line_break_in_its_address_and_the_document_says_so(
    empty_site: Site,
) -> None:
    asked = "/feeds/sante%0A.atom"
    assert (await empty_site.get(asked)).status_code == 404
    assert (await empty_site.get(asked, Authorization="")).status_code == 404
    operation = empty_site.app.openapi()["paths"]["/feeds/{path}"]["get"]
    (path,) = [one for one in operation["parameters"] if one["in"] == "path"]
    assert re.search(path["schema"]["pattern"], "sante/DE.atom")
    assert not re.search(path["schema"]["pattern"], "sante\n.atom")


async def test_a_feed_follows_all_the_words_and_no_less(site: Site) -> None:
    words = "retraites+antibiotiques"
    assert (await site.get(f"/api/v1/search?q={words}")).json()["relaxed"] is True
    assert (await site.get(f"/feeds/search.json?q={words}")).json()["items"] == []


def test_a_topic_feed_takes_no_parameter() -> None:
    with pytest.raises(WrongParameters, match="/feeds/search"):
        topic_of("sante.atom", [("post", "berlin")], PUBLIC)


def test_a_search_for_one_topic_is_followed_by_that_topic_s_feed() -> None:
    def followed(**filters: Any) -> str:
        return topic_for(Query(reader=PUBLIC, **filters)).path(Format.ATOM)

    assert followed() == "/feeds/all.atom"
    assert followed(theme=("sante",)) == "/feeds/sante.atom"
    assert followed(country=("DE",)) == "/feeds/country/DE.atom"
    assert followed(theme=("sante",), country=("DE",)) == "/feeds/sante/DE.atom"
    assert followed(words="grève") == "/feeds/search.atom?q=gr%C3%A8ve"
    assert followed(theme=("sante", "travail")) == "/feeds/search.atom?theme=sante&theme=travail"


def test_a_feed_keeps_its_identity_in_both_formats_and_any_order_of_parameters() -> None:
    one, _ = topic_of("search.atom", [("theme", "sante"), ("post", "rome")], PUBLIC)
    other, _ = topic_of("search.json", [("post", "rome"), ("theme", "sante")], PUBLIC)
    assert one.id == other.id
    assert one.id != topic_of("sante.atom", [], PUBLIC)[0].id


async def test_a_subscriber_gets_the_newest_notes_of_a_topic_first(site: Site) -> None:
    feed = parsed((await site.get("/feeds/protection_sociale.atom")).content)
    assert [entry.title for entry in feed.entries] == [
        corpus.NORDIQUES.note.subject,
        corpus.RETRAITES.note.subject,
    ]
    assert feed.feed.title == "Valise — Protection sociale"
    assert feed.feed.language == "fr"


async def test_an_atom_feed_has_all_that_rfc_4287_requires(site: Site) -> None:
    answer = await site.get("/feeds/all.atom")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(answer.content)
    assert feed.tag == f"{A}feed"
    elements = [feed, *feed.iter(f"{A}entry")]
    assert len(elements) == 1 + len(corpus.ALL)
    for element in elements:
        for required in ("id", "title", "updated"):
            (found,) = element.findall(f"{A}{required}")
            assert found.text
        assert element.findtext(f"{A}id", "").startswith("urn:uuid:")
        assert datetime.fromisoformat(element.findtext(f"{A}updated", "")).tzinfo
        assert element.findtext(f"{A}author/{A}name")
        links = element.findall(f"{A}link")
        assert all(link.get("href", "").startswith("http://valise.test/") for link in links)
        alternates = [
            (link.get("type"), link.get("hreflang"))
            for link in links
            if link.get("rel") == "alternate"
        ]
        assert alternates
        assert len(alternates) == len(set(alternates))
    (self_link,) = [link for link in feed.findall(f"{A}link") if link.get("rel") == "self"]
    assert self_link.get("href") == "http://valise.test/feeds/all.atom"
    ids = [element.findtext(f"{A}id") for element in elements]
    assert len(ids) == len(set(ids))


async def test_a_json_feed_has_all_that_version_1_1_requires(site: Site) -> None:
    answer = await site.get("/feeds/sante/es.json")
    assert answer.headers["content-type"] == "application/feed+json; charset=utf-8"
    feed = answer.json()
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"] == "Valise — Santé, Espagne"
    assert feed["feed_url"] == "http://valise.test/feeds/sante/ES.json"
    (item,) = feed["items"]
    assert item["id"] == corpus.MEDICAMENTS.note_id.urn
    assert item["url"] == f"http://valise.test/notes/{corpus.MEDICAMENTS.note_id}"
    assert datetime.fromisoformat(item["date_published"]) == corpus.MEDICAMENTS.received_at
    assert item["tags"] == [
        "Santé",
        "Médicaments et produits de santé",
        "Hôpital et offre de soins",
        "Espagne",
        "Poste de Madrid",
    ]
    assert item["_valise"]["themes"][0]["evidence"][0]["text"] == "médicaments"


async def test_a_subscriber_sees_why_a_note_is_in_the_feed(site: Site) -> None:
    feed = parsed((await site.get("/feeds/country/DE.atom")).content)
    entry = feed.entries[-1]
    said = entry.content[0].value
    assert "Protection sociale (Retraites) :" in said
    assert "France (mention), probable :" in said
    assert "93" not in said
    assert "<q>âge de départ</q>" in said
    assert "Allemagne (sujet)" in said
    assert "France (mention)" in said
    terms = {(tag.scheme.rpartition("#")[2], tag.term) for tag in entry.tags}
    assert terms == {
        ("themes", "protection_sociale"),
        ("sous-themes", "protection_sociale.retraites"),
        ("pays", "DE"),
        ("postes", "berlin"),
    }


def test_an_entry_names_the_marks_of_its_note() -> None:
    topic, _ = topic_of("all.atom", [], PUBLIC)
    marked = hit(marking="diffusion_restreinte", special_france=True)
    said = parsed(atom(topic, BASE, [marked])).entries[0].content[0].value
    assert "4 mars 2026 · Diffusion restreinte · Spécial France · BER-2026-0142" in said
    (item,) = json.loads(json_feed(topic, BASE, [marked]))["items"]
    assert "Diffusion restreinte · Spécial France" in item["content_html"]
    assert item["_valise"]["marking"] == "diffusion_restreinte"
    assert item["_valise"]["special_france"] is True


def test_an_entry_of_a_note_whose_marks_are_not_known_names_none() -> None:
    topic, _ = topic_of("all.atom", [], PUBLIC)
    kept = documents(corpus.RETRAITES)[0]["hit"]
    before = {name: kept[name] for name in kept if name not in ("marking", "special_france")}
    unknown = Hit.model_validate(before | {"score": None, "highlights": {}})
    said = parsed(atom(topic, BASE, [unknown])).entries[0].content[0].value
    assert "4 mars 2026 · BER-2026-0142" in said
    (item,) = json.loads(json_feed(topic, BASE, [unknown]))["items"]
    assert item["_valise"]["marking"] is None


async def test_the_stated_public_address_is_the_one_in_feeds(tmp_path: Any) -> None:
    async with open_site(tmp_path, public_url="https://notes.example.fr/") as site:
        feed = (await site.get("/feeds/all.json")).json()
    assert feed["feed_url"] == "https://notes.example.fr/feeds/all.json"


async def test_an_empty_feed_is_valid_too(empty_site: Site) -> None:
    feed = parsed((await empty_site.get("/feeds/travail/FR.atom")).content)
    assert feed.entries == []
    assert feed.feed.updated


async def test_a_program_that_has_the_latest_gets_304_and_nothing_else(site: Site) -> None:
    first = await site.get("/feeds/all.atom")
    again = await site.get("/feeds/all.atom", if_none_match=first.headers["etag"])
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "private, no-cache"
    dated = await site.get("/feeds/all.atom", if_modified_since=first.headers["last-modified"])
    assert dated.status_code == 304
    stale = await site.get("/feeds/all.atom", if_none_match='"autre"')
    assert stale.status_code == 200


async def test_the_same_notes_are_the_same_bytes_wherever_they_are(
    site: Site, tmp_path_factory: Any
) -> None:
    here = await site.get("/feeds/all.atom")
    async with open_site(tmp_path_factory.mktemp("twin")) as twin:
        await twin.take(*corpus.ALL)
        there = await twin.get("/feeds/all.atom")
    assert there.content == here.content
    assert (await site.get("/feeds/all.json")).headers["etag"] != here.headers["etag"]


async def test_an_etag_is_its_callers_own(site: Site) -> None:
    """Nobody learns by another's ETag, or by one made of bytes they can guess, what a feed has."""
    path = "/feeds/search.json?post=berlin&year=1999"
    mine = await site.get(path)
    assert mine.json()["items"] == []
    site.read_by(Role.READ)
    theirs = await site.get(path, if_none_match=mine.headers["etag"])
    assert (theirs.status_code, theirs.content) == (200, mine.content)
    assert theirs.headers["etag"] not in (mine.headers["etag"], etag(mine.content))
    guessed = await site.get(path, if_none_match=etag(mine.content))
    assert guessed.status_code == 200


async def test_all_processes_of_a_deployment_give_a_caller_the_same_etag(site: Site) -> None:
    other = [await Seal(site.registry).tag('"x"', "key:1") for _ in range(2)]
    assert other[0] == other[1] != await Seal(site.registry).tag('"x"', "key:2")


async def test_a_withdrawn_note_leaves_the_feed_and_the_copy_is_no_longer_good(
    site: Site,
) -> None:
    before = await site.get("/feeds/all.atom")
    withdrawn = corpus.tagged(corpus.SANTE_AU_TRAVAIL.note, revision=2, kind=Kind.WITHDRAWN)
    await site.take(withdrawn)
    after = await site.get(
        "/feeds/all.atom",
        if_none_match=before.headers["etag"],
        if_modified_since=before.headers["last-modified"],
    )
    assert after.status_code == 200
    assert withdrawn.note_id.urn not in after.text
    dated = await site.get("/feeds/all.atom", if_modified_since=before.headers["last-modified"])
    assert dated.status_code == 200


async def test_a_rectified_note_keeps_its_place_and_changes_the_feed(site: Site) -> None:
    before = await site.get("/feeds/all.json")
    rectified = corpus.RETRAITES.note.model_copy(update={"body": "Le rapport est reporté."})
    await site.take(corpus.tagged(rectified, minutes=1, revision=2, kind=Kind.RECTIFIED))
    after = await site.get("/feeds/all.json", if_none_match=before.headers["etag"])
    assert after.status_code == 200
    items = after.json()["items"]
    assert [item["id"] for item in items] == [item["id"] for item in before.json()["items"]]
    assert items[-1]["date_modified"] > items[-1]["date_published"]


async def test_a_feed_answers_head_without_a_body(site: Site) -> None:
    answer = await site.reader.head("/feeds/all.atom")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == (await site.get("/feeds/all.atom")).headers["etag"]


HOSTILE = "<script>alert('x')</script> ]]> &amp; \x00\x07\x1b\ufffe \U0001f9f3"


@given(st.text(min_size=1), st.text())
def test_whatever_a_note_says_its_feed_is_well_formed(subject: str, summary: str) -> None:
    topic = Topic("all", Query(reader=PUBLIC))
    notes = [hit(subject=subject + HOSTILE, summary=summary + HOSTILE)]
    feed = ET.fromstring(atom(topic, BASE, notes))
    expected = "".join(clean(subject + HOSTILE).splitlines())
    shown = feed.findtext(f"{A}entry/{A}title", "")
    assert "".join(shown.splitlines()) == expected
    content = feed.findtext(f"{A}entry/{A}content", "")
    assert "<script" not in content
    assert json.loads(json_feed(topic, BASE, notes))["items"][0]["title"] == clean(
        subject + HOSTILE
    )


NOON = datetime(2026, 3, 4, 12, 0, 0, 200_000, tzinfo=UTC)


def test_two_states_within_one_second_never_have_the_same_date() -> None:
    freshness = Freshness()
    first = freshness.keep("/feeds/all.atom", "a", b"one", NOON)
    second = freshness.keep("/feeds/all.atom", "b", b"two", NOON + timedelta(milliseconds=300))
    assert second.since > first.since
    asked = {"if-modified-since": format_datetime(first.since, usegmt=True)}
    assert unchanged(asked, first.etag, first.since)
    assert not unchanged(asked, second.etag, second.since)
    assert "Last-Modified" not in second.headers(NOON + timedelta(milliseconds=300))
    assert "Last-Modified" in second.headers(NOON + timedelta(seconds=2))


def test_the_same_bytes_under_a_new_stamp_keep_their_date() -> None:
    freshness = Freshness()
    first = freshness.keep("/feeds/all.atom", "a", b"one", NOON)
    again = freshness.keep("/feeds/all.atom", "b", b"one", NOON + timedelta(hours=1))
    assert again.since == first.since


def test_what_is_forgotten_is_sent_again_rather_than_taken_for_unchanged() -> None:
    freshness = Freshness(remembered=1)
    kept = freshness.keep("/feeds/all.atom", "a", b"one", NOON)
    freshness.keep("/feeds/sante.atom", "b", b"two", NOON)
    assert freshness.known("/feeds/all.atom", "a") is None
    back = freshness.keep("/feeds/all.atom", "a", b"one", NOON + timedelta(hours=1))
    asked = {"if-modified-since": format_datetime(kept.since, usegmt=True)}
    assert not unchanged(asked, back.etag, back.since)


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ("*", True),
        ('"x"', False),
        ("", False),
        ("abc", False),
    ],
)
def test_a_kept_copy_is_known_by_its_tag_alone(header: str, good: bool) -> None:
    since = NOON.replace(microsecond=0)
    dated = {"if-none-match": header, "if-modified-since": format_datetime(since, usegmt=True)}
    assert unchanged(dated, '"abc"', since) is good
    assert has_copy(dated, '"abc"') is (good and header != "*")


@pytest.mark.parametrize("text", ["hier", "", "Thu, 99 Foo 2026", "2026-03-04"])
def test_a_date_that_is_none_is_no_condition(text: str) -> None:
    assert not unchanged({"if-modified-since": text}, '"abc"', NOON)


async def test_the_last_modified_date_is_never_in_the_future(site: Site) -> None:
    answer = await site.get("/feeds/all.atom")
    assert parsedate_to_datetime(answer.headers["last-modified"]) <= datetime.now(UTC)
