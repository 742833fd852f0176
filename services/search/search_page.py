"""The search page: from a query and its answer to what the template shows. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from schemas.answers import Hit
from schemas.classification import ThemeTag
from schemas.marks import names
from schemas.query import Query, Sort
from schemas.vocabulary import FRENCH, themes
from services.search import french
from services.search.dates import is_ahead
from services.search.index import Page
from services.search.markup import plain
from services.search.parameters import (
    BY_NAME,
    INTERVALS,
    NAMES,
    VALUES,
    address,
    default_sort,
    params_of,
)
from services.search.topics import MEDIA, Format, topic_for

PATH = "/"
FIRST_SHOWN = 8
"""Values of a filter shown at once; the others fold away. A ministry's usual countries fit."""

TAGS_SHOWN = 8
"""Tags of a hit in the list, two lines of them: a report can mention forty countries."""

SORTS = {
    Sort.RELEVANCE: "Pertinence",
    Sort.DATE: "Date de la note",
    Sort.RECEIVED: "Date de réception",
}

SHOWN_FILTERS = ("theme", "subtheme", "country", "post", "genre", "language", "year")
"""Filters that the page offers as boxes to tick; the others come by address and can be removed."""

FORM_FIELDS = {"q", "sort", "from", "to", "cursor", *SHOWN_FILTERS}


@dataclass(frozen=True, slots=True)
class Option:
    """One box to tick, with how many notes it would give and the sub-boxes under it."""

    name: str
    value: str
    label: str
    count: int
    checked: bool
    under: tuple["Option", ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """One filter: its title, the options shown at once and those folded away."""

    name: str
    title: str
    options: tuple[Option, ...]
    folded: tuple[Option, ...] = ()

    @property
    def opened(self) -> bool:
        """Whether a folded option is ticked, so that it must be seen."""
        return any(option.checked for option in self.folded)


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition of the search, and the address of the search without it."""

    label: str
    without: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a hit: its style, label, what is found under it or its role, what is doubtful."""

    style: str
    label: str
    detail: str
    doubt: str


@dataclass(frozen=True, slots=True)
class Found:
    """One hit as it is listed."""

    href: str
    subject: Markup
    origin: tuple[str, ...]
    marks: tuple[str, ...]
    passages: tuple[Markup, ...]
    summary: str
    language: str
    tags: tuple[Tag, ...]
    more_tags: int


@dataclass(frozen=True, slots=True)
class SearchView:
    """All that the search page shows."""

    query: Query
    title: str
    total: str
    found: tuple[Found, ...]
    relaxed: bool
    groups: tuple[Group, ...]
    chips: tuple[Chip, ...]
    hidden: tuple[tuple[str, str], ...]
    sorts: tuple[tuple[str, str, bool], ...]
    clear: str
    first: str | None
    previous: str | None
    next: str | None
    feeds: tuple[tuple[str, str, str], ...]
    feed_title: str
    nothing_yet: bool
    dates: dict[str, str] = field(default_factory=dict)


def search_view(query: Query, page: Page) -> SearchView:
    """What the page shows for this query and its answer."""
    conditions = params_of(query, paging=False)
    described = french.described(query)
    topic = topic_for(query)
    return SearchView(
        query=query,
        title=f"Recherche : {described}" if described else "Rechercher dans les notes",
        total=_total(page),
        found=tuple(_found(hit) for hit in page.hits),
        relaxed=page.relaxed,
        groups=tuple(_groups(query, page)),
        chips=tuple(_chips(query)),
        hidden=tuple(pair for pair in params_of(query) if pair[0] not in FORM_FIELDS),
        sorts=tuple(_sorts(query)),
        clear=address(PATH, Query(reader=query.reader, words=query.words, sort=query.sort)),
        first=_without(query, {}) if query.cursor else None,
        previous=_page_at(query, page.previous),
        next=_page_at(query, page.next),
        feeds=tuple((form.name, MEDIA[form], topic.path(form)) for form in Format),
        feed_title=topic.title,
        nothing_yet=page.total == 0 and not conditions and not query.cursor,
        dates={name: str(getattr(query, BY_NAME[name].field) or "") for name in ("from", "to")},
    )


def tags_of(hit: Hit) -> tuple[Tag, ...]:
    """The tags of a hit: themes, countries it is about, countries it mentions."""
    found = [
        Tag(
            f"theme-{tag.theme}",
            french.theme(tag.theme),
            subthemes_of(tag),
            french.doubt(tag.score),
        )
        for tag in hit.themes
    ]
    countries = sorted(hit.countries, key=lambda tag: tag.role != "about")
    found += [
        Tag(
            f"pays-{tag.role.value}",
            french.country(tag.country),
            french.ROLES[tag.role],
            french.doubt(tag.score),
        )
        for tag in countries
    ]
    return tuple(found)


def subthemes_of(tag: ThemeTag) -> str:
    """The sub-themes of a theme's tag, in one line."""
    return ", ".join(french.subtheme(f"{tag.theme}.{sub}") for sub in tag.subthemes)


def only_marks(fragment: str) -> Markup:
    """A highlighted fragment as HTML in which nothing but `<mark>` can be an element.

    The index escapes what it highlights; this holds even if one of them ever did not.
    """
    return Markup("").join(
        Markup(part) if part in ("<mark>", "</mark>") else Markup(part.replace("<", "&lt;"))  # noqa: S704
        for part in _parts(fragment)
    )


def _parts(fragment: str) -> Iterable[str]:
    rest = fragment
    while rest:
        at, mark = min(
            ((at, mark) for mark in ("<mark>", "</mark>") if (at := rest.find(mark)) >= 0),
            default=(len(rest), ""),
        )
        yield rest[:at]
        if mark:
            yield mark
        rest = rest[at + len(mark) :]


def _sorts(query: Query) -> Iterable[tuple[str, str, bool]]:
    """(value, label, chosen). The usual order has no value, so that it follows the words typed."""
    usual = default_sort(query.words)
    for sort, label in SORTS.items():
        if sort is not Sort.RELEVANCE or query.words:
            yield "" if sort is usual else sort.value, label, sort is query.sort


def _total(page: Page) -> str:
    if page.total == 0:
        return "Aucune note"
    more = "" if page.total_is_exact else "Plus de "
    return f"{more}{french.number(page.total)} note{'s' if page.total > 1 else ''}"


def _found(hit: Hit) -> Found:
    highlighted = hit.highlights.subject
    tags = tags_of(hit)
    return Found(
        href=f"/notes/{hit.id}",
        subject=only_marks(plain(highlighted[0]))
        if highlighted
        else Markup.escape(plain(hit.subject)),
        origin=(
            french.genre(hit.genre),
            french.post(hit.post),
            french.dated(hit.date, ahead=is_ahead(hit.date, hit.received_at, hit.changed_at)),
            hit.reference,
            *(() if hit.language == FRENCH else (f"en {french.language(hit.language)}",)),
        ),
        marks=names(hit.marking, hit.special_france),
        passages=tuple(only_marks(plain(each)) for each in hit.highlights.body),
        summary=hit.summary,
        language=hit.language,
        tags=tags[:TAGS_SHOWN],
        more_tags=len(tags[TAGS_SHOWN:]),
    )


def _groups(query: Query, page: Page) -> Iterable[Group]:
    counts = {
        name: {str(facet.value): facet.count for facet in page.facets.get(name, ())}
        for name in SHOWN_FILTERS
    }
    yield Group("theme", "Thème", tuple(_themes(query, counts["theme"], counts["subtheme"])))
    yield _group("country", "Pays", query.country, counts["country"], french.country)
    yield _group("post", "Poste", query.post, counts["post"], french.city)
    yield _group("genre", "Genre", query.genre, counts["genre"], french.genre)
    # Where all is in French there is nothing to choose.
    if query.language or counts["language"].keys() - {FRENCH}:
        languages = counts["language"]
        yield _group("language", "Langue", query.language, languages, french.language)
    years = tuple(str(year) for year in query.year)
    newest_first = dict(sorted(counts["year"].items(), reverse=True))
    yield _group("year", "Année", years, newest_first, str, by_count=False)


def _themes(query: Query, counts: dict[str, int], sub_counts: dict[str, int]) -> Iterable[Option]:
    for theme in themes().values():
        under = [
            Option("subtheme", code, label, sub_counts.get(code, 0), code in query.subtheme)
            for code, label in (
                (f"{theme.code}.{sub}", text) for sub, text in theme.subthemes.items()
            )
            if code in sub_counts or code in query.subtheme
        ]
        under.sort(key=lambda option: -option.count)
        yield Option(
            "theme",
            theme.code,
            theme.label,
            counts.get(theme.code, 0),
            theme.code in query.theme,
            tuple(under),
        )


def _group(
    name: str,
    title: str,
    chosen: Sequence[str],
    counts: dict[str, int],
    label: Callable[[str], str],
    *,
    by_count: bool = True,
) -> Group:
    """The options of a filter: what is chosen stays in sight, then the most frequent."""
    values = list(dict.fromkeys([*counts, *chosen]))
    if by_count:
        values.sort(key=lambda value: (-counts.get(value, 0), label(value)))
    options = [
        Option(name, value, label(value), counts.get(value, 0), value in chosen) for value in values
    ]
    shown = tuple(option for at, option in enumerate(options) if at < FIRST_SHOWN or option.checked)
    return Group(name, title, shown, tuple(option for option in options if option not in shown))


def _chips(query: Query) -> Iterable[Chip]:
    """One chip for each condition but the words, which stand in the box."""
    for name, field_name, label in _LABELS:
        chosen: tuple[Any, ...] = getattr(query, field_name)
        for value in chosen:
            rest = tuple(one for one in chosen if one != value)
            shown = label(value)
            if name.endswith(".not"):
                shown = f"sauf {shown}"
            yield Chip(shown, _without(query, {field_name: rest}))
    for (first, last), what in zip(INTERVALS, ("Note datée", "Reçue"), strict=True):
        names = {BY_NAME[first].field: None, BY_NAME[last].field: None}
        dated = french.interval(*(getattr(query, one) for one in names))
        if dated:
            yield Chip(f"{what} {dated}", _without(query, names))


def _page_at(query: Query, cursor: str | None) -> str | None:
    """The address of the page of this search that a cursor leads to, if it leads anywhere."""
    return address(PATH, query.model_copy(update={"cursor": cursor})) if cursor else None


def _without(query: Query, update: dict[str, Any]) -> str:
    return address(PATH, query.model_copy(update={**update, "cursor": None}))


_LABELS: tuple[tuple[str, str, Callable[[Any], str]], ...] = tuple(
    (f"{name}{ending}", f"{name}{ending.replace('.', '_')}", label)
    for name, label, endings in (
        ("theme", french.theme, ("", ".not")),
        ("subtheme", french.subtheme, ("", ".not")),
        ("country", french.country, ("", ".not")),
        ("country_any", lambda code: f"{french.country(code)} (sujet ou mention)", ("",)),
        ("post", french.post, ("", ".not")),
        ("genre", french.genre, ("", ".not")),
        ("language", lambda code: f"en {french.language(code)}", ("", ".not")),
        ("year", str, ("",)),
    )
    for ending in endings
)


def told(error: Mapping[str, Any]) -> str:
    """What is wrong with a parameter, for people: an entry of a problem's `errors`, with labels in
    the place of the codes that it lists."""
    said, values, _ = str(error["detail"]).partition(VALUES)
    label = {name: each for name, _, each in _LABELS}.get(error["field"])
    if values and label:
        return f"{said}{VALUES}{', '.join(map(label, error.get('known', ())))}."
    return said.partition(NAMES)[0]
