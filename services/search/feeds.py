"""Feeds: the latest notes of a topic or a search, as Atom (RFC 4287) and as JSON Feed 1.1.

Plain functions from hits to bytes: the same hits give the same bytes.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any
from xml.etree import ElementTree as ET

from schemas.answers import Hit
from schemas.classification import Evidence
from schemas.marks import names
from services.search import french
from services.search.dates import is_ahead
from services.search.topics import MEDIA, PRODUCT, Format, Topic

ATOM = "http://www.w3.org/2005/Atom"
JSON_FEED = "https://jsonfeed.org/version/1.1"

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When an empty feed last changed: Atom asks for a date, and any other would seem to mean one."""

QUOTED = 3
"""Passages quoted for a tag: enough to judge it; the note's page has them all."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def rendered(form: Format, topic: Topic, base: str, hits: Sequence[Hit]) -> bytes:
    """The feed in its format. `base` is the service's own address, without a slash at its end."""
    return atom(topic, base, hits) if form is Format.ATOM else json_feed(topic, base, hits)


def atom(topic: Topic, base: str, hits: Sequence[Hit]) -> bytes:
    """An Atom feed of these hits, in their order."""
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "fr"})
    _text(feed, "id", topic.id.urn)
    _text(feed, "title", topic.title)
    _text(feed, "updated", _instant(_updated(hits)))
    _author(feed, PRODUCT)
    _text(feed, "generator", PRODUCT)
    for form in Format:
        rel = "self" if form is Format.ATOM else "alternate"
        _link(feed, rel, MEDIA[form], base + topic.path(form))
    _link(feed, "alternate", "text/html", base + topic.page)
    for hit in hits:
        _entry(feed, base, hit)
    ET.indent(feed, space=" ")
    written: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def json_feed(topic: Topic, base: str, hits: Sequence[Hit]) -> bytes:
    """A JSON Feed of these hits, in their order."""
    feed = {
        "version": JSON_FEED,
        "title": clean(topic.title),
        "home_page_url": base + topic.page,
        "feed_url": base + topic.path(Format.JSON),
        "language": "fr",
        "authors": [{"name": PRODUCT}],
        "items": [_item(base, hit) for hit in hits],
    }
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def clean(text: str) -> str:
    """The text without the characters that XML 1.0 cannot carry, not even escaped."""
    return _NOT_XML.sub("", text)


def content(hit: Hit) -> str:
    """An entry's HTML: where the note comes from, how it begins, its tags and their evidence."""
    origin = " · ".join(
        (
            french.genre(hit.genre),
            french.post(hit.post),
            french.dated(hit.date, ahead=is_ahead(hit.date, hit.received_at, hit.changed_at)),
            *names(hit.marking, hit.special_france),
            hit.reference,
        )
    )
    parts = [f"<p>{escape(origin)}</p>", f"<p>{escape(hit.summary)}</p>"]
    if tags := [*_theme_lines(hit), *_country_lines(hit)]:
        parts.append("<ul>" + "".join(f"<li>{line}</li>" for line in tags) + "</ul>")
    return clean("\n".join(parts))


def _theme_lines(hit: Hit) -> Iterable[str]:
    for tag in hit.themes:
        label = french.theme(tag.theme)
        if tag.subthemes:
            subs = (french.subtheme(f"{tag.theme}.{sub}") for sub in tag.subthemes)
            label += f" ({', '.join(subs)})"
        yield _tag_line(label, tag.score, tag.evidence)


def _country_lines(hit: Hit) -> Iterable[str]:
    for tag in hit.countries:
        label = f"{french.country(tag.country)} ({french.ROLES[tag.role]})"
        yield _tag_line(label, tag.score, tag.evidence)


def _tag_line(label: str, score: float, evidence: Sequence[Evidence]) -> str:
    line = ", ".join(filter(None, (escape(label), french.doubt(score))))
    passages = dict.fromkeys(passage.text for passage in evidence)
    quotes = [f"<q>{escape(text)}</q>" for text in list(passages)[:QUOTED]]
    return f"{line} : {', '.join(quotes)}" if quotes else line


def _entry(feed: ET.Element, base: str, hit: Hit) -> None:
    entry = ET.SubElement(feed, "entry")
    _text(entry, "id", hit.id.urn)
    _text(entry, "title", hit.subject)
    _text(entry, "published", _instant(hit.received_at))
    _text(entry, "updated", _instant(hit.changed_at))
    _author(entry, french.post(hit.post))
    _link(entry, "alternate", "text/html", _page(base, hit))
    for scheme, term, label in _categories(hit):
        ET.SubElement(
            entry, "category", {"scheme": f"{base}/fils#{scheme}", "term": term, "label": label}
        )
    _text(entry, "summary", hit.summary)
    ET.SubElement(entry, "content", {"type": "html"}).text = content(hit)


def _item(base: str, hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.id.urn,
        "url": _page(base, hit),
        "title": clean(hit.subject),
        "summary": clean(hit.summary),
        "content_html": content(hit),
        "date_published": _instant(hit.received_at),
        "date_modified": _instant(hit.changed_at),
        "authors": [{"name": french.post(hit.post)}],
        "tags": list(dict.fromkeys(label for _, _, label in _categories(hit))),
        "language": hit.language,
        "_valise": {
            "about": "La note pour les programmes : codes, cotes de confiance et passages.",
            "post": hit.post,
            "reference": clean(hit.reference),
            "genre": hit.genre.value,
            "date": hit.date.isoformat(),
            "marking": hit.marking,
            "special_france": hit.special_france,
            "revision": hit.revision,
            "themes": [tag.model_dump(mode="json") for tag in hit.themes],
            "countries": [tag.model_dump(mode="json") for tag in hit.countries],
        },
    }


def _categories(hit: Hit) -> list[tuple[str, str, str]]:
    """(scheme, term, label): themes, sub-themes, countries the note is about, and its post."""
    found = []
    for tag in hit.themes:
        found.append(("themes", tag.theme, french.theme(tag.theme)))
        for sub in tag.subthemes:
            full = f"{tag.theme}.{sub}"
            found.append(("sous-themes", full, french.subtheme(full)))
    for country in hit.countries:
        if country.role == "about":
            found.append(("pays", country.country, french.country(country.country)))
    return [*found, ("postes", hit.post, french.post(hit.post))]


def _page(base: str, hit: Hit) -> str:
    return f"{base}/notes/{hit.id}"


def _updated(hits: Sequence[Hit]) -> datetime:
    return max((hit.changed_at for hit in hits), default=NEVER)


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = clean(text)


def _author(parent: ET.Element, name: str) -> None:
    _text(ET.SubElement(parent, "author"), "name", name)


def _link(parent: ET.Element, rel: str, media_type: str, href: str) -> None:
    ET.SubElement(parent, "link", {"rel": rel, "type": media_type, "href": clean(href)})
