"""Which search a feed's address follows, and which feed follows a search.

Topic feeds have short addresses (`/feeds/sante/DE.atom`); any other search is a feed at
`/feeds/search` with its own query string. A feed lists the newest received first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode
from uuid import UUID, uuid5

from schemas.query import Query, Reader, Sort
from schemas.vocabulary import countries, themes
from services.search import french
from services.search.parameters import (
    PAGING,
    FieldError,
    Pairs,
    WrongParameters,
    address,
    params_of,
    query_of,
)

ENTRIES = 50
"""Entries of a feed: several weeks of the whole network's notes, so that a reader's program that
asks once a week misses none on any topic."""

FEED_NAMESPACE = UUID("d3a0c1d6-5f4e-5b0c-8c5e-0a4b8f6f2b11")
"""The fixed namespace of feed ids: changing it would make every feed a new one to its readers."""

PRODUCT = "Valise"


class Format(StrEnum):
    """The two formats of every feed, by the ending of its address."""

    ATOM = "atom"
    JSON = "json"


MEDIA = {Format.ATOM: "application/atom+xml", Format.JSON: "application/feed+json"}
"""Media types of the two formats."""


class UnknownTopic(LookupError):
    """No feed has this address; the message, in French, says which part is unknown."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a feed follows: its name in addresses (`all`, `sante/DE`, `search`) and its query."""

    name: str
    query: Query

    @property
    def title(self) -> str:
        """« Valise — Santé, Allemagne »."""
        return f"{PRODUCT} — {french.described(self.query) or 'Toutes les notes'}"

    @property
    def id(self) -> UUID:
        """The feed's identity, whatever its format, its host, or the order of its parameters."""
        pairs = sorted(params_of(self.query, paging=False))
        return uuid5(FEED_NAMESPACE, f"{self.name}?{urlencode(pairs)}")

    def path(self, form: Format) -> str:
        """The feed's address on this service."""
        path = f"/feeds/{self.name}.{form}"
        return address(path, self.query, paging=False) if self.name == "search" else path

    @property
    def page(self) -> str:
        """The address of the same search for people, newest received first."""
        pairs = [*params_of(self.query, paging=False), ("sort", Sort.RECEIVED.value)]
        return f"/?{urlencode(pairs)}"


def topic_of(path: str, pairs: Pairs, reader: Reader) -> tuple[Topic, Format]:
    """The feed at `/feeds/{path}?{pairs}` for a reader, and its format.

    Country codes are taken in either case. On a search's feed, how to list (sort, size, cursor) is
    not its reader's choice and is ignored. Raises UnknownTopic; WrongParameters for the query
    string.
    """
    stem, _, ending = path.rpartition(".")
    if ending not in set(Format):
        raise UnknownTopic("L'adresse d'un fil se termine par .atom ou .json.")
    form = Format(ending)
    if stem == "search":
        wanted = [(name, value) for name, value in pairs if name not in PAGING]
        return Topic("search", _newest(query_of(wanted, reader))), form
    name, filters = _filters(stem.split("/"))
    if pairs:
        raise WrongParameters([_no_parameter(pairs[0][0])])
    return Topic(name, _newest(query_of(filters, reader))), form


def topic_for(query: Query) -> Topic:
    """The feed that follows a search: a topic feed where there is one, else the search's own."""
    followed = _newest(query)
    match params_of(followed, paging=False):
        case []:
            return Topic("all", followed)
        case [("theme", theme)]:
            return Topic(theme, followed)
        case [("country", country)]:
            return Topic(f"country/{country}", followed)
        case [("theme", theme), ("country", country)]:
            return Topic(f"{theme}/{country}", followed)
    return Topic("search", followed)


def _newest(query: Query) -> Query:
    return query.model_copy(update={"sort": Sort.RECEIVED, "size": ENTRIES, "cursor": None})


def _filters(parts: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    match parts:
        case ["all"]:
            return "all", []
        case ["country", code]:
            country = _country(code)
            return f"country/{country}", [("country", country)]
        case [code]:
            return _theme(code), [("theme", code)]
        case [code, other]:
            theme, country = _theme(code), _country(other)
            return f"{theme}/{country}", [("theme", theme), ("country", country)]
    raise UnknownTopic("Aucun fil n'a cette adresse ; la liste des fils est à la page /fils.")


def _no_parameter(name: str) -> FieldError:
    detail = "Ce fil ne prend pas de paramètre ; toute recherche est un fil à /feeds/search."
    return FieldError(name, detail)


def _theme(code: str) -> str:
    if code not in themes():
        known = ", ".join(themes())
        raise UnknownTopic(f"Thème inconnu : « {code} ». Thèmes possibles : {known}.")
    return code


def _country(code: str) -> str:
    if code.upper() not in countries():
        raise UnknownTopic(f"Pays inconnu : « {code} ». Un pays est désigné par son code (DE).")
    return code.upper()
