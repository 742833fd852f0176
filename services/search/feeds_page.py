"""The page that lists the feeds: all notes, themes, sub-themes, countries and posts. Pure."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from schemas.query import PUBLIC, Query
from schemas.vocabulary import posts, subthemes, themes
from services.search import french
from services.search.index import Page
from services.search.parameters import address
from services.search.topics import Format, topic_for


@dataclass(frozen=True, slots=True)
class Followed:
    """One feed in the list: its label, how many notes it draws on, and its addresses."""

    label: str
    count: int
    page: str
    feeds: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Feeds of one kind; `anchor` is what the categories of the feeds point to."""

    anchor: str
    title: str
    rows: tuple[Followed, ...]


@dataclass(frozen=True, slots=True)
class FeedsView:
    """All that the page of feeds shows."""

    all: Followed
    sections: tuple[Section, ...]


def feeds_view(page: Page) -> FeedsView:
    """What the page shows, given the facets of a search for every note.

    Themes, sub-themes and posts are all listed; countries where some note is about them.
    """
    counts = {
        name: {facet.value: facet.count for facet in facets} for name, facets in page.facets.items()
    }
    present = sorted(counts.get("country", {}), key=_alphabetical)
    return FeedsView(
        _followed("Toutes les notes", page.total),
        (
            _section("themes", "Thèmes", "theme", themes(), french.theme, counts),
            _section("pays", "Pays", "country", present, french.country, counts),
            _section("sous-themes", "Sous-thèmes", "subtheme", subthemes(), _subtheme, counts),
            _section("postes", "Postes", "post", posts(), french.post, counts),
        ),
    )


def _section(
    anchor: str,
    title: str,
    name: str,
    values: Iterable[str],
    label: Callable[[str], str],
    counts: dict[str, dict[str, int]],
) -> Section:
    counted = counts.get(name, {})
    return Section(
        anchor,
        title,
        tuple(
            _followed(label(value), counted.get(value, 0), **{name: (value,)}) for value in values
        ),
    )


def _followed(label: str, count: int, **filters: Any) -> Followed:
    query = Query(reader=PUBLIC, **filters)
    topic = topic_for(query)
    return Followed(
        label,
        count,
        address("/", query, paging=False),
        tuple((form.name, topic.path(form)) for form in Format),
    )


def _alphabetical(code: str) -> str:
    """Countries in the order of a French list: accents do not count."""
    parts = unicodedata.normalize("NFD", french.country(code).casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def _subtheme(code: str) -> str:
    return f"{french.theme(code.partition('.')[0])} : {french.subtheme(code)}"
